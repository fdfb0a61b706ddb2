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
#include "datagram.h"
#include "guard.h"
#include "inbound.h"

static int absent(void)
{
    errno = ENOSYS;
    return -1;
}

/* Datagrams of an association go with a header, which libc's threads and the kernel know nothing of. */
static bool has_header(int fd)
{
    if (!datagram_has_header(fd))
        return false;
    errno = EINVAL;
    return true;
}

/* May a single request go on?  events: what it waits for. */
static bool is_stopped(int fd, short events)
{
    return guard_stops(fd, events, MSG_DONTWAIT | MSG_NOSIGNAL) || has_header(fd);
}

/* A list waits for handshakes, and is turned away whole where one of its requests would be. */
static bool is_list_stopped(int opcode, int fd)
{
    if (opcode == LIO_NOP)
        return false;
    guard_drain(fd);
    return has_header(fd);
}

int aio_read(struct aiocb *control)
{
    if (is_stopped(control->aio_fildes, POLLIN))
        return -1;
    return HOOK_HAVE(aio_read) ? real.aio_read(control) : absent();
}

int aio_read64(struct aiocb64 *control)
{
    if (is_stopped(control->aio_fildes, POLLIN))
        return -1;
    return HOOK_HAVE(aio_read64) ? real.aio_read64(control) : absent();
}

int aio_write(struct aiocb *control)
{
    if (is_stopped(control->aio_fildes, POLLOUT))
        return -1;
    return HOOK_HAVE(aio_write) ? real.aio_write(control) : absent();
}

int aio_write64(struct aiocb64 *control)
{
    if (is_stopped(control->aio_fildes, POLLOUT))
        return -1;
    return HOOK_HAVE(aio_write64) ? real.aio_write64(control) : absent();
}

int lio_listio(int mode, aio_list list, int count, struct sigevent *event)
{
    hook_enter();
    for (int i = 0; i < count; i++) {
        if (list[i] && is_list_stopped(list[i]->aio_lio_opcode, list[i]->aio_fildes))
            return -1;
    }
    return HOOK_HAVE(lio_listio) ? real.lio_listio(mode, list, count, event) : absent();
}

int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event)
{
    hook_enter();
    for (int i = 0; i < count; i++) {
        if (list[i] && is_list_stopped(list[i]->aio_lio_opcode, list[i]->aio_fildes))
            return -1;
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
    if (guard_stops(fd, POLLIN, MSG_DONTWAIT))
        return -errno;
    return request->aio_lio_opcode != IOCB_CMD_POLL && has_header(fd) ? -errno : 0;
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
