/* SPDX-License-Identifier: ISC */
/* assoc_make.c - one thread makes an association, the others wait for it */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/frame.h"
#include "assoc.h"
#include "clock.h"
#include "real.h"

enum {
    STEPS = 4,          /* dial, method, authentication, reply: each has its limit */
    SPARE_MS = 1000,
    WAIT_MS = 20
};

static bool is_gone(uint32_t tid)
{
    return real.syscall(SYS_tgkill, (long)getpid(), (long)tid, 0L) != 0 && errno == ESRCH;
}

/* Become the one that makes the association.  Returns 0; 1 when it stands; -EAGAIN, with *who the one that is at it; or
 * what stands in the way. */
OWN_FRAME static int claim(struct assoc_table *t, struct assoc *a, int64_t until, uint32_t *who)
{
    uint32_t tid = (uint32_t)real.syscall(SYS_gettid);
    struct assoc_facts f;
    struct lock_hold hold;
    int result = 0;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return -EDEADLK;
    *who = atomic_load(&a->maker);
    if (assoc_facts(a, false, &f) && f.relay.len && f.alive)
        result = 1;
    else if (*who && !is_gone(*who) && clock_ms() < atomic_load(&a->maker_until))
        result = *who == tid ? -EDEADLK : -EAGAIN;
    if (result == 0) {
        /* Of one that was cancelled, too, and of one that has come to its end. */
        assoc_control_close(t, a, false);
        atomic_store(&a->maker, tid);
        atomic_store(&a->maker_until, until);
    }
    assoc_control_tidy(t, clock_ms());
    lock_give(&t->lock, &hold);
    return result;
}

OWN_FRAME static void finish(struct assoc_table *t, struct assoc *a, const struct assoc_address *relay)
{
    struct assoc_facts f = { .domain = 0 };
    struct lock_hold hold;
    bool held = lock_take(&t->lock, t->space, &hold) == 0;

    if (held && relay && assoc_facts(a, true, &f)) {
        f.relay = *relay;
        f.alive = 1;
        assoc_publish(a, &f);
        atomic_store(&a->looked, clock_ms());
    } else if (held) {
        assoc_control_close(t, a, false);
    }
    atomic_store(&a->maker, 0);
    /* The socket was closed meanwhile. */
    if (held && atomic_load(&a->numbers) == 0)
        assoc_retire(t, a);
    real.syscall(SYS_futex, &a->maker, (long)FUTEX_WAKE, (long)INT32_MAX, NULL, NULL, 0L);
    if (held)
        lock_give(&t->lock, &hold);
}

int assoc_make(struct assoc_table *t, struct assoc *a, const struct assoc_request *q)
{
    struct timespec slice = { 0, WAIT_MS * 1000000L };
    struct assoc_address relay;
    uint32_t who;
    int error;

    for (;;) {
        if (atomic_load(&t->refused))
            return -EACCES;
        error = claim(t, a, clock_ms() + STEPS * (int64_t)q->limits.step_ms + SPARE_MS, &who);
        if (error != -EAGAIN)
            break;
        if (real.syscall(SYS_futex, &a->maker, (long)FUTEX_WAIT, (long)who, &slice, NULL, 0L) != 0 &&
            errno == EINTR && !tunnel_restarts())
            return -EINTR;
    }
    if (error)
        return error == 1 ? 0 : error == -EDEADLK ? -EAGAIN : error;
    error = assoc_control_open(t, a, q, &relay);
    finish(t, a, error ? NULL : &relay);
    return error;
}
