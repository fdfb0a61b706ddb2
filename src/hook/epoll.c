/* SPDX-License-Identifier: ISC */
/* epoll.c - epoll sets, while handshakes are pending
 *
 * The waits are filtered: events that carry a token step a handshake and are the program's business only through what
 * the kernel reports after that.
 */
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <time.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/epollset.h"
#include "../io/kind.h"
#include "../io/memory.h"
#include "callnumber.h"
#include "datagram.h"
#include "wait.h"

enum { NAP_MS = 20 };

/* A set with sockets that may be connected once more is looked for them then. */
static int control_unfollowed(int epfd, int op, int fd, struct epoll_event *event, uint32_t word)
{
    int result = real.epoll_ctl(epfd, op, fd, event);

    if (result == 0 && op != EPOLL_CTL_DEL && (word & FDTAB_KIND) == KIND_STREAM && !process_is_guest() &&
        !(fdtab_get(&process.fdtab, epfd) & FDTAB_SET))
        fdtab_change(&process.fdtab, epfd, 0, FDTAB_SET);
    return result;
}

/* Registrations matter from the moment a socket may yet be connected through the proxy. */
static bool followed(uint32_t word)
{
    return word & (FDTAB_FRESH | FDTAB_REGISTERED) || fdtab_handle(word);
}

static pending_handle handle_now(int fd)
{
    return fdtab_handle(fdtab_get(&process.fdtab, fd));
}

static int control(int epfd, int op, int fd, struct epoll_event *event)
{
    int entry_errno = errno, error;
    struct epoll_event own;
    uint32_t word;

    hook_enter();
    word = fdtab_get(&process.fdtab, fd);
    /* A datagram socket's handle is that of an association. */
    if ((word & FDTAB_KIND) == KIND_DATAGRAM) {
        error = real.epoll_ctl(epfd, op, fd, event);
        if (error == 0 && op == EPOLL_CTL_ADD)
            datagram_joined(epfd);
        return error;
    }
    if (word & FDTAB_SHARED)
        guard_handle(fd);
    else if (fdtab_handle(word))
        guard_settle(fd);
    word = fdtab_get(&process.fdtab, fd);
    if (!followed(word) || !process.pending.arena || process_is_guest())
        return control_unfollowed(epfd, op, fd, event, word);
    if (op != EPOLL_CTL_DEL && !memory_take(&own, event, sizeof own))
        return real.epoll_ctl(epfd, op, fd, MEMORY_NOWHERE);
    error = pending_control(&process.pending, handle_now, epfd, op, fd, op == EPOLL_CTL_DEL ? event : &own);
    if (!error && op != EPOLL_CTL_DEL) {
        fdtab_change(&process.fdtab, fd, 0, FDTAB_REGISTERED);
        fdtab_change(&process.fdtab, epfd, 0, FDTAB_SET);
    }
    return (int)hook_return(entry_errno, error);
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
    return hook_idle(GATE_FACTS) ? real.epoll_ctl(epfd, op, fd, event) : control(epfd, op, fd, event);
}

/* One waiting call under way. */
struct wait {
    int epfd;
    struct epoll_event *events;
    int max;
    int64_t end;             /* clock_ms() at which it is over; INT64_MAX: never; 0: at once */
    const sigset_t *mask;    /* the signals during the wait */
};

static int left_ms(const struct wait *w)
{
    int64_t left = w->end == INT64_MAX ? INT32_MAX : w->end - clock_ms();
    int slice = guard_slice(false);

    if (w->end == 0 || left < 0)
        left = 0;
    if (slice >= 0 && left > slice)
        return slice;
    return w->end == INT64_MAX && slice < 0 ? -1 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Take the tokens out; the handshakes they stand for are stepped.  quiet: signals are blocked.  Returns how many events
 * are left. */
static int filter(struct epoll_event *events, int n, bool quiet)
{
    int kept = 0;

    for (int i = 0; i < n; i++) {
        uint64_t data = events[i].data.u64;

        if (data == ASSOC_TOKEN)
            datagram_tend();
        else if (!epollset_may_be_token(data) ||
                 !pending_token(&process.pending, &events[i], quiet, process_is_guest() ? NULL : guard_over))
            events[kept++] = events[i];
    }
    return kept;
}

/* While associations are made every wait looks after them, whatever is in its set. */
static void join(int epfd)
{
    if (!assoc_any(&process.assoc) || process_is_guest())
        return;
    datagram_watch();
    assoc_watch_join(&process.assoc, epfd);
}

/* The events, all of them tokens, are of error queues that hold something (SO_TIMESTAMPING): nothing was stepped, and
 * armed again they come at once. */
static bool is_noise(const struct wait *w, int n)
{
    for (int i = 0; i < n; i++) {
        if (w->events[i].events != EPOLLERR)
            return false;
    }
    return n > 0;
}

/* Sleep a while, at most timeout; -1: no limit.  Returns 0, or -1 with errno. */
static int nap(const struct wait *w, int timeout)
{
    int ms = timeout >= 0 && timeout < NAP_MS ? timeout : NAP_MS;
    struct timespec t = { 0, ms * 1000000L };

    return real.ppoll(NULL, 0, &t, w->mask);
}

static int wait_filtered(const struct wait *w)
{
    bool noise = false, before;

    for (;;) {
        int timeout = left_ms(w), n, kept;

        pending_tidy(&process.pending);
        join(w->epfd);
        n = real.epoll_pwait(w->epfd, w->events, w->max, timeout, w->mask);
        kept = n > 0 ? filter(w->events, n, true) : 0;
        /* A set that always has something ready never says that their time is over. */
        if (kept > 0)
            pending_tend(&process.pending, PENDING_DUE);
        if (n > 0 && assoc_due(&process.assoc))
            datagram_tend();
        if (n < 0 || kept > 0)
            return n < 0 ? n : kept;
        before = noise;
        noise = is_noise(w, n);
        if (noise && nap(w, timeout) < 0)
            return -1;
        pending_tend(&process.pending, n == 0 && timeout > 0 ? PENDING_SHARED : PENDING_DUE);
        if (n == 0 && assoc_any(&process.assoc))
            datagram_tend();
        /* A handshake that just ended may have made something ready, also for a wait that does not sleep. */
        if ((n == 0 || (noise && before)) && (w->end == 0 || (w->end != INT64_MAX && clock_ms() >= w->end)))
            return 0;
    }
}

static int wait_slowly(struct wait *w)
{
    const sigset_t *asked = w->mask;
    struct quiet quiet;
    int result;

    quiet_begin(&quiet);
    if (!asked)
        w->mask = &quiet.kept;
    result = wait_filtered(w);
    w->mask = asked;
    quiet_end(&quiet);
    return result;
}

/* A wait that began with nothing pending may have been given tokens meanwhile. */
static bool has_token(const struct epoll_event *events, int n)
{
    while (n-- > 0) {
        if (epollset_may_be_token(events++->data.u64))
            return true;
    }
    return false;
}

/* What such a wait returns; with nothing but tokens it goes on.  When it began nobody has noted, since that would cost
 * every wait a look at the clock: its time begins anew. */
static int wait_on(struct wait *w, int n)
{
    int kept = filter(w->events, n, false);

    return kept > 0 ? kept : wait_slowly(w);
}

static int64_t end_of_ms(int timeout)
{
    return timeout < 0 ? INT64_MAX : wait_end(0, timeout);
}

/* n: how many events there are already. */
OWN_FRAME static int wait_ms(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask, int n)
{
    struct wait w = { epfd, events, max, end_of_ms(timeout), mask };

    return wait_on(&w, n);
}

int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    struct {
        int epfd, max, timeout;
    } call = { epfd, max, timeout };
    int n = 0;

    HOOK_KEEP(call);
    if (guard_idle()) {
        n = real.epoll_wait(epfd, events, max, timeout);
        if (HOOK_LIKELY(!has_token(events, n)))
            return n;
    }
    return wait_ms(call.epfd, events, call.max, call.timeout, NULL, n);
}

int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout, const sigset_t *mask)
{
    struct {
        const sigset_t *mask;
        int epfd, max, timeout;
    } call = { mask, epfd, max, timeout };
    int n = 0;

    HOOK_KEEP(call);
    if (guard_idle()) {
        n = real.epoll_pwait(epfd, events, max, timeout, mask);
        if (HOOK_LIKELY(!has_token(events, n)))
            return n;
    }
    return wait_ms(call.epfd, events, call.max, call.timeout, call.mask, n);
}

/* By number where libc lacks the function: there programs ask so.  timeout: as the kernel has it. */
static int kernel_pwait2(int epfd, struct epoll_event *events, int max, const void *timeout, const sigset_t *mask)
{
    return (int)real.syscall(SYS_epoll_pwait2, (long)epfd, events, (long)max, timeout, mask, (long)(_NSIG / 8));
}

int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask)
{
    bool idle = guard_idle();
    struct timespec own;
    struct wait w;
    int n = 0;

    if (!HOOK_HAVE(epoll_pwait2) && sizeof *timeout != sizeof(struct time64))
        return (int)hook_return(0, -ENOSYS);
    if (!idle && timeout)
        timeout = memory_take(&own, timeout, sizeof own) ? &own : MEMORY_NOWHERE;
    if (idle || timeout == MEMORY_NOWHERE || !wait_is_time(timeout)) {
        n = HOOK_HAVE(epoll_pwait2) ? real.epoll_pwait2(epfd, events, max, timeout, mask)
                                    : kernel_pwait2(epfd, events, max, timeout, mask);
        if (HOOK_LIKELY(!has_token(events, n)))
            return n;
    }
    w = (struct wait){ epfd, events, max, wait_end_of(timeout), mask };
    return wait_on(&w, n);
}

/* What 32-bit programs with 64-bit time call. */
int __epoll_pwait2_time64(int epfd, struct epoll_event *events, int max, const struct time64 *timeout,
                          const sigset_t *mask)
{
    bool idle = guard_idle();
    const struct timespec *t;
    struct timespec room;
    struct time64 own;
    struct wait w;
    int n = 0;

    if (!idle && timeout)
        timeout = memory_take(&own, timeout, sizeof own) ? &own : MEMORY_NOWHERE;
    if (idle || timeout == MEMORY_NOWHERE || !wait_is_time(wait_narrow(timeout, &room))) {
        n = HOOK_HAVE(__epoll_pwait2_time64) ? real.__epoll_pwait2_time64(epfd, events, max, timeout, mask)
                                             : kernel_pwait2(epfd, events, max, timeout, mask);
        if (HOOK_LIKELY(!has_token(events, n)))
            return n;
    }
    t = wait_narrow(timeout, &room);
    w = (struct wait){ epfd, events, max, wait_end_of(t), mask };
    return wait_on(&w, n);
}
