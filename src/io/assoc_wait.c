/* SPDX-License-Identifier: ISC */
/* assoc_wait.c - who brings an association on: waits, calls that sleep for it, and the end of a program */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "assoc_making.h"
#include "cleanup.h"
#include "clock.h"
#include "real.h"
#include "signals.h"

enum {
    SLICE_MS = 20,       /* between two looks at what another thread may have ended */
    DRAIN_MS = 3000
};

bool assoc_tend(struct assoc_table *t)
{
    int saved_errno = errno;
    struct assoc_making *next;
    struct lock_hold hold;
    int64_t deadline = 0;
    bool ended = false, blind = false;

    if (!assoc_any(t) || lock_take(&t->lock, t->space, &hold) != 0)
        return false;
    for (struct assoc_making *m = t->making; m; m = next) {
        next = m->next;
        if (assoc_making_step(t, m) != -EAGAIN) {
            ended = true;
            continue;
        }
        blind = blind || m->watched != assoc_making_events(m) || m->alarmed != (m->relay.len != 0);
        if (!deadline || m->deadline < deadline)
            deadline = m->deadline;
    }
    /* Not lowered meanwhile: another thread may be about to sleep by it. */
    atomic_store_explicit(&t->blind, blind, memory_order_relaxed);
    atomic_store_explicit(&t->next_deadline, deadline, memory_order_relaxed);
    atomic_store_explicit(&t->tended, clock_ms(), memory_order_relaxed);
    lock_give(&t->lock, &hold);
    errno = saved_errno;
    return ended;
}

/* What all wait for wakes the waits of this process. */
static bool is_watched(const struct assoc_table *t)
{
    return atomic_load(&t->watch) && !atomic_load_explicit(&t->forked, memory_order_relaxed) &&
           !atomic_load_explicit(&t->blind, memory_order_relaxed);
}

bool assoc_due(const struct assoc_table *t)
{
    int64_t now;

    if (!assoc_any(t))
        return false;
    now = clock_ms();
    return now >= atomic_load_explicit(&t->next_deadline, memory_order_relaxed) ||
           (!is_watched(t) && now - atomic_load_explicit(&t->tended, memory_order_relaxed) >= SLICE_MS);
}

int assoc_slice_ms(const struct assoc_table *t)
{
    int64_t left;

    if (!assoc_any(t))
        return -1;
    left = atomic_load_explicit(&t->next_deadline, memory_order_relaxed) - clock_ms();
    if (left > SLICE_MS && !is_watched(t))
        return SLICE_MS;
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Step the association of a place, or the first with something queued that lasts, and tell what it waits for.  p: its
 * descriptor is -1 when there is none to wait for.  Returns false when there is none. */
static bool look(struct assoc_table *t, struct assoc *a, struct pollfd *p)
{
    struct assoc_making *m;
    struct lock_hold hold;
    int error;

    if (a && !assoc_making_of(a))
        return false;
    p->fd = -1;
    p->events = 0;
    /* Whoever has the lock for so long brings it on. */
    if (lock_take(&t->lock, t->space, &hold) != 0)
        return true;
    do {
        for (m = a ? assoc_making_of(a) : t->making; m && !a && (m->count == 0 || m->stream); m = m->next)
            ;
        error = m ? assoc_making_step(t, m) : 0;
    } while (m && !a && error != -EAGAIN);
    if (error == -EAGAIN) {
        p->fd = m->relay.len ? m->socket : atomic_load(&m->a->control);
        p->events = m->relay.len ? POLLOUT : assoc_making_events(m);
    }
    lock_give(&t->lock, &hold);
    return error == -EAGAIN;
}

void assoc_poke(struct assoc_table *t, struct assoc *a)
{
    int saved_errno = errno;
    struct pollfd p;

    for (; a; a = atomic_load(&a->branch))
        look(t, a, &p);
    errno = saved_errno;
}

/* A call that sleeps.  Signals are let in by the kernel's own sleep alone: none is lost before it. */
struct sleeper {
    sigset_t signals;
    struct cleanup cleanup;
};

static void cancelled(void *argument)
{
    const struct sleeper *s = argument;

    signals_restore(&s->signals);
}

static int sleep_on(struct assoc_table *t, struct assoc *a, int fd, int64_t limit, const sigset_t *signals)
{
    struct pollfd p[2] = { { .fd = -1 }, { .fd = fd, .events = POLLIN } };
    bool one = fd < 0;

    for (struct assoc *b; (b = one ? a : assoc_unsettled(a));) {
        int64_t left = limit == INT64_MAX ? SLICE_MS : limit - clock_ms();
        struct timespec slice = { 0, (left < SLICE_MS ? left : SLICE_MS) * 1000000 };
        int n;

        /* What this look has ended may have another beside it that is not: nobody else would bring that on. */
        if (!look(t, b, &p[0])) {
            if (one)
                break;
            continue;
        }
        if (left <= 0)
            return -EAGAIN;
        n = real.ppoll(p, 2, &slice, signals);
        /* Fewer numbers than that may be open at all (RLIMIT_NOFILE): the association alone is waited for. */
        if (n < 0 && errno == EINVAL)
            n = real.ppoll(NULL, 0, &slice, signals);
        /* What receives with a limit is never restarted (signal(7)). */
        if (n < 0 && errno == EINTR && ((limit != INT64_MAX && !one) || !tunnel_restarts()))
            return -EINTR;
        if (n > 0 && p[1].revents)
            return 0;
        assoc_tend(t);
    }
    return 0;
}

int assoc_wait(struct assoc_table *t, struct assoc *a, int fd, int64_t limit)
{
    struct sleeper s;
    int error;

    signals_block(&s.signals);
    cleanup_begin(&s.cleanup, cancelled, &s);
    error = sleep_on(t, a, fd, limit, &s.signals);
    cleanup_end(&s.cleanup);
    signals_restore(&s.signals);
    return error;
}

int assoc_ready_wait(struct assoc_table *t, struct assoc *a, const struct assoc_request *q)
{
    assoc_handle handle = atomic_load(&a->handle);
    int error = assoc_ready(t, a, q), ended;

    if (error != -EINPROGRESS)
        return error;
    error = assoc_wait(t, a, -1, q->limit);
    ended = atomic_load(&a->ended);
    /* The place may be the next socket's by now. */
    if (!error && atomic_load(&a->handle) != handle)
        return -ECANCELED;
    /* It goes on, and takes what is queued, as for a call that does not sleep. */
    return error == -EAGAIN ? -EINPROGRESS : error ? error : ended;
}

static void sleep_for(struct pollfd *p)
{
    struct timespec slice = { 0, SLICE_MS * 1000000 };    /* the kernel writes to it */

    if (real.syscall(SYS_ppoll, p, p->fd >= 0 ? 1L : 0L, &slice, NULL, 0L) < 0 && errno == EINVAL)
        real.syscall(SYS_ppoll, NULL, 0L, &slice, NULL, 0L);
}

/* Others are brought on as well: what waits for the last of several must not wait for each in turn. */
static void drain(struct assoc_table *t, struct assoc *a, int64_t limit)
{
    struct pollfd p;

    while (look(t, a, &p) && clock_ms() < limit) {
        sleep_for(&p);
        assoc_tend(t);
    }
}

static bool has_queued(struct assoc_table *t, struct assoc *a)
{
    struct assoc_making *m;
    struct lock_hold hold;
    bool queued;

    if (!assoc_making_of(a) || lock_take(&t->lock, t->space, &hold) != 0)
        return false;
    m = assoc_making_of(a);
    /* Nobody is left for answers. */
    queued = m && m->count && !m->stream;
    lock_give(&t->lock, &hold);
    return queued;
}

void assoc_drain_one(struct assoc_table *t, struct assoc *a)
{
    int64_t limit = clock_ms() + DRAIN_MS;
    int saved_errno = errno;

    for (; a; a = atomic_load(&a->branch)) {
        if (has_queued(t, a))
            drain(t, a, limit);
    }
    errno = saved_errno;
}

void assoc_drain(struct assoc_table *t)
{
    int saved_errno = errno;
    struct timespec linger = { 0, 0 };

    if (assoc_any(t))
        drain(t, NULL, clock_ms() + DRAIN_MS);
    linger.tv_nsec = assoc_control_last_ms(t) * 1000000L;
    if (linger.tv_nsec)
        real.syscall(SYS_ppoll, NULL, 0L, &linger, NULL, 0L);
    errno = saved_errno;
}
