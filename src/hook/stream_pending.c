/* SPDX-License-Identifier: ISC */
/* stream_pending.c - connecting with a handshake that others may see while it lasts */
#include "stream_pending.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>

#include "../io/cleanup.h"
#include "../io/clock.h"
#include "../io/report.h"
#include "../io/signals.h"
#include "../io/tunnel.h"
#include "guard.h"

/* Another number, process or thread may have one of the socket. */
static bool is_shared(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    return word & FDTAB_SHARED || fdtab_handle(word);
}

static void announce(int fd, pending_handle handle)
{
    fdtab_change(&process.fdtab, fd, ~(uint32_t)FDTAB_REGISTERED, KIND_STREAM | handle << FDTAB_HANDLE_SHIFT);
}

/* A socket whose dial has failed may be connected again.  word: what the number was known for before. */
static void withdraw(int fd, pending_handle handle, uint32_t word)
{
    uint32_t now;

    do
        now = fdtab_get(&process.fdtab, fd);
    while (handle && fdtab_handle(now) == handle &&
           !fdtab_replace(&process.fdtab, fd, now, (word & ~(uint32_t)FDTAB_REGISTERED) | (now & FDTAB_REGISTERED)));
}

int stream_begin(struct pending_request *q)
{
    uint32_t word = fdtab_get(&process.fdtab, q->fd);
    pending_handle handle = 0;
    int error;

    q->shared = is_shared;
    q->announce = announce;
    process_gate(GATE_FACTS);
    process_gate(GATE_PENDING);
    error = pending_start(&process.pending, q, &handle);
    if (error == -EBUSY)
        return error;
    if (error != -EINPROGRESS) {
        withdraw(q->fd, handle, word);
        report_connect(&process.tally, q->target, q->proxy, q->machine, error, clock_ms());
        return error;
    }
    if (word & FDTAB_SHARED || fdtab_handle(word))
        guard_spread(q->fd, handle);
    return error;
}

/* Under a stream of stdio the handshake must be over before the program writes. */
int stream_begin_beside(struct pending_request *q)
{
    bool stdio = fdtab_is_stdio(fdtab_get(&process.fdtab, q->fd));
    int error = stream_begin(q);

    if (stdio && error == -EINPROGRESS) {
        guard_drain(q->fd);
        if (!real_has_peer(q->fd))
            fdtab_change(&process.fdtab, q->fd, ~0u << FDTAB_HANDLE_SHIFT, FDTAB_FRESH | FDTAB_STDIO);
    }
    return error == -EBUSY ? -EALREADY : error;
}

struct watched {
    const struct pending_request *q;
    sigset_t signals;    /* the thread's */
};

/* The thread is cancelled: as the kernel's own call would, leave a socket that is not connected. */
static void give_up(void *argument)
{
    const struct watched *w = argument;
    int fd = w->q->fd;

    if (!w->q->cookie || real_is(fd, w->q->cookie)) {
        pending_abandon(&process.pending, fd, guard_handle(fd));
        tunnel_reset(fd);
        pending_error(&process.pending, fd, ECONNRESET);
    }
    signals_restore(&w->signals);
}

/* Begin, and wait for the end.  Signals are blocked from before the dial on but for the sleep itself: a handler that
 * ran between would not show in what the sleep returns.  0: it is over, well or not. */
static int begin_and_wait(struct pending_request *q)
{
    struct watched w = { .q = q };
    struct cleanup cleanup;
    pending_handle handle;
    int error;

    signals_block(&w.signals);
    error = stream_begin(q);
    if (error == -EINPROGRESS) {
        handle = guard_handle(q->fd);
        cleanup_begin(&cleanup, give_up, &w);
        error = guard_wait_until(q->fd, handle, guard_limit(q->fd, POLLOUT), &w.signals);
        cleanup_end(&cleanup);
        /* After a signal or a time limit it goes on beside the program; also where another number has the socket. */
        pending_unawait(&process.pending, handle);
        error = error == -EAGAIN ? -EINPROGRESS : error;
    }
    signals_restore(&w.signals);
    return error;
}

int stream_still_connecting(int fd, bool dont_wait)
{
    pending_handle handle = guard_handle(fd);
    int error = handle ? guard_wait(fd, handle, POLLOUT, dont_wait) : 0;

    return error == -EAGAIN ? -EALREADY : error;
}

int stream_connect_watched(struct pending_request *q)
{
    int only_ipv6 = 0, value = 0, error;
    bool own;
    socklen_t len = sizeof value;

    if (q->domain == AF_INET6)
        real.getsockopt(q->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, &len);
    q->awaited = true;
    error = begin_and_wait(q);
    own = error != -EBUSY;
    /* At the same moment another thread, or process, has begun: its end is this one's. */
    if (!own)
        error = stream_still_connecting(q->fd, false);
    if (error)
        return error;
    /* Another thread, or a handler, may have put another file at the number. */
    if (q->cookie && real_is_other(q->fd, q->cookie))
        return -EBADF;
    if (real.getsockopt(q->fd, SOL_SOCKET, SO_ERROR, &value, &len) != 0)
        return -errno;
    /* The kernel tells an error once, and another thread may have been told of it.  As the kernel's own connect(). */
    if (!value && !real_has_peer(q->fd))
        value = ECONNABORTED;
    /* Again: all of that was asked by the number. */
    if (q->cookie && real_is_other(q->fd, q->cookie))
        return -EBADF;
    if (!value)
        tunnel_settle(q->fd, q->domain, q->proxy);
    /* Who has begun tidies up: the next attempt may be under way already. */
    if (value && own)
        tunnel_reset(q->fd);
    if (value && own && only_ipv6)
        real.setsockopt(q->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
    return -value;
}
