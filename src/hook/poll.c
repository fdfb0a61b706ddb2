/* SPDX-License-Identifier: ISC */
/* poll.c - poll(), while handshakes are pending */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "wait.h"

static bool concerns_us(const struct pollfd *fds, nfds_t count)
{
    if (hook_idle(GATE_PENDING) || !pending_any(&process.pending))
        return false;
    for (nfds_t i = 0; i < count; i++) {
        if (wait_concerns(fds[i].fd))
            return true;
    }
    return false;
}

static int64_t end_of_ms(int timeout)
{
    return timeout < 0 ? INT64_MAX : wait_end(0, timeout);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    hook_enter();
    return concerns_us(fds, count) ? wait_poll(fds, count, end_of_ms(timeout), NULL)
                                   : real.poll(fds, count, timeout);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    hook_enter();
    return concerns_us(fds, count) && wait_is_time(timeout)
               ? wait_poll(fds, count, wait_end_of(timeout), mask)
               : real.ppoll(fds, count, timeout, mask);
}

int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    hook_enter();
    if (!concerns_us(fds, count) && HOOK_HAVE(__poll_chk))
        return real.__poll_chk(fds, count, timeout, size);
    return poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
    hook_enter();
    if (!concerns_us(fds, count) && HOOK_HAVE(__ppoll_chk))
        return real.__ppoll_chk(fds, count, timeout, mask, size);
    return ppoll(fds, count, timeout, mask);
}
