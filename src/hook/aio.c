/* SPDX-License-Identifier: ISC */
/* aio.c - asynchronous I/O, which libc does in threads of its own and past our hooks, and the kernel's own by number
 *
 * While a handshake is pending a single request is turned away with EAGAIN, as when there is no room for it; a list,
 * which has no such answer for one of many, waits for the handshake's end.
 */
#include <aio.h>
#include <linux/aio_abi.h>
#include <poll.h>

#include "../io/memory.h"
#include "guard.h"
#include "inbound.h"

static int absent(void)
{
    errno = ENOSYS;
    return -1;
}

int aio_read(struct aiocb *control)
{
    if (guard_stops(control->aio_fildes, POLLIN, MSG_DONTWAIT))
        return -1;
    return HOOK_HAVE(aio_read) ? real.aio_read(control) : absent();
}

int aio_read64(struct aiocb64 *control)
{
    if (guard_stops(control->aio_fildes, POLLIN, MSG_DONTWAIT))
        return -1;
    return HOOK_HAVE(aio_read64) ? real.aio_read64(control) : absent();
}

int aio_write(struct aiocb *control)
{
    if (guard_stops(control->aio_fildes, POLLOUT, MSG_DONTWAIT | MSG_NOSIGNAL))
        return -1;
    return HOOK_HAVE(aio_write) ? real.aio_write(control) : absent();
}

int aio_write64(struct aiocb64 *control)
{
    if (guard_stops(control->aio_fildes, POLLOUT, MSG_DONTWAIT | MSG_NOSIGNAL))
        return -1;
    return HOOK_HAVE(aio_write64) ? real.aio_write64(control) : absent();
}

int lio_listio(int mode, aio_list list, int count, struct sigevent *event)
{
    hook_enter();
    for (int i = 0; i < count; i++) {
        if (list[i] && list[i]->aio_lio_opcode != LIO_NOP)
            guard_drain(list[i]->aio_fildes);
    }
    return HOOK_HAVE(lio_listio) ? real.lio_listio(mode, list, count, event) : absent();
}

int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
{
    hook_enter();
    for (int i = 0; i < count; i++) {
        if (list[i] && list[i]->aio_lio_opcode != LIO_NOP)
            guard_drain(list[i]->aio_fildes);
    }
    return HOOK_HAVE(lio_listio64) ? real.lio_listio64(mode, list, count, event) : absent();
}

/* Why the kernel may not have a request now; 0 or a negative errno. */
static int refusal(const struct iocb *request)
{
    int fd = (int)request->aio_fildes;

    if (request->aio_lio_opcode == IOCB_CMD_POLL && inbound_is(fd)) {
        /* A listener is never writable; the connection to the proxy that its number leads to is. */
        if (request->aio_buf & (POLLOUT | POLLWRNORM | POLLWRBAND))
            return -EINVAL;
        /* To wait for a connection is no I/O, but what comes before it is the proxy's. */
        guard_drain(fd);
        return 0;
    }
    return guard_stops(fd, POLLIN, MSG_DONTWAIT) ? -errno : 0;
}

long guard_admit(long count, struct iocb *const *list)
{
    int entry_errno = errno;

    for (long i = 0; i < count; i++) {
        const void *at;
        struct iocb own;
        int error;

        /* The kernel gets as far, and says so. */
        if (!memory_take(&at, &list[i], sizeof at) || !memory_take(&own, at, sizeof own))
            break;
        error = refusal(&own);
        errno = entry_errno;
        if (error)
            return i == 0 ? error : i;
    }
    return count;
}
