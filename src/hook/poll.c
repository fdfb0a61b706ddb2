/* SPDX-License-Identifier: ISC */
/* poll.c - poll(), while handshakes are pending */
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#include "../io/memory.h"
#include "wait.h"

/* What is wrong with the array the kernel knows best.  A count beyond what it takes fits no memory, or is refused when
 * we ask it for as many. */
static bool concerns_us(struct pollfd *fds, nfds_t count)
{
    if (count > SIZE_MAX / sizeof *fds || !memory_writable(fds, count * sizeof *fds))
        return false;
    if (assoc_any(&process.assoc))
        return true;
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

static int do_poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return concerns_us(fds, count) ? wait_poll(fds, count, end_of_ms(timeout), NULL)
                                   : real.poll(fds, count, timeout);
}

static int do_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    return concerns_us(fds, count) && wait_is_time(timeout)
               ? wait_poll(fds, count, wait_end_of(timeout), mask)
               : real.ppoll(fds, count, timeout, mask);
}

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return guard_idle() ? real.poll(fds, count, timeout) : do_poll(fds, count, timeout);
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    return guard_idle() ? real.ppoll(fds, count, timeout, mask) : do_ppoll(fds, count, timeout, mask);
}

/* What a fortified program calls.  The libc that has these ends a program that would overrun its array. */
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t size)
{
    bool idle = guard_idle();

    if (HOOK_HAVE(__poll_chk) && (idle || size / sizeof *fds < count))
        return real.__poll_chk(fds, count, timeout, size);
    return do_poll(fds, count, timeout);
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t size)
{
    bool idle = guard_idle();

    if (HOOK_HAVE(__ppoll_chk) && (idle || size / sizeof *fds < count))
        return real.__ppoll_chk(fds, count, timeout, mask, size);
    return do_ppoll(fds, count, timeout, mask);
}

/* What 32-bit programs with 64-bit time call. */
static int do_ppoll64(struct pollfd *fds, nfds_t count, const struct time64 *timeout, const sigset_t *mask)
{
    struct timespec room;
    const struct timespec *t;

    if (!concerns_us(fds, count))
        return real.__ppoll64(fds, count, timeout, mask);
    t = wait_narrow(timeout, &room);
    return wait_is_time(t) ? wait_poll(fds, count, wait_end_of(t), mask) : real.__ppoll64(fds, count, timeout, mask);
}

int __ppoll64(struct pollfd *fds, nfds_t count, const struct time64 *timeout, const sigset_t *mask)
{
    bool idle = guard_idle();

    if (!HOOK_HAVE(__ppoll64))
        return (int)hook_return(0, -ENOSYS);
    return idle ? real.__ppoll64(fds, count, timeout, mask) : do_ppoll64(fds, count, timeout, mask);
}

int __ppoll64_chk(struct pollfd *fds, nfds_t count, const struct time64 *timeout, const sigset_t *mask, size_t size)
{
    bool idle = guard_idle();

    if (HOOK_HAVE(__ppoll64_chk) && (idle || size / sizeof *fds < count))
        return real.__ppoll64_chk(fds, count, timeout, mask, size);
    return HOOK_HAVE(__ppoll64) ? do_ppoll64(fds, count, timeout, mask) : (int)hook_return(0, -ENOSYS);
}
