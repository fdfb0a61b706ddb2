/* SPDX-License-Identifier: ISC */
/* lock.c - the one lock of memory that a family of processes shares */
#include "lock.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "real.h"

/* From <linux/futex.h>, which a libc need not bring. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define WAITED 0x80000000u

enum { PATIENCE_MS = 1000, PATIENCE_ALIVE_MS = 10000, LOOK_MS = 20 };

static unsigned own_tid(void)
{
    return (unsigned)real.syscall(SYS_gettid);
}

static void sleep_while(struct lock *l, unsigned value)
{
    long t[2] = { 0, LOOK_MS * 1000000L };    /* struct timespec as this call has it, whatever libc's has become */

    real.syscall(SYS_futex, &l->owner, (long)FUTEX_WAIT, (long)value, t, NULL, 0L);
}

/* ESRCH for a live thread is possible when it lives in another PID namespace: there nothing is known. */
static bool owner_is_dead(struct lock *l, unsigned value, uint64_t space)
{
    return atomic_load(&l->space) == space && space && real.syscall(SYS_tkill, (long)(value & ~WAITED), 0L) != 0 &&
           errno == ESRCH;
}

static bool try_take(struct lock *l, unsigned expected, unsigned tid)
{
    return atomic_compare_exchange_strong_explicit(&l->owner, &expected, tid, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* How long one owner may keep the lock.  One that is known to live only waits for a processor, or is stopped. */
static int patience(struct lock *l, uint64_t space)
{
    return space && atomic_load(&l->space) == space ? PATIENCE_ALIVE_MS : PATIENCE_MS;
}

/* Once somebody has waited, owners that follow keep the mark, so that no sleeper is forgotten. */
static int contend(struct lock *l, uint64_t space, unsigned tid)
{
    int64_t since = clock_ms();
    unsigned last = 0;

    for (;;) {
        unsigned value = atomic_load_explicit(&l->owner, memory_order_relaxed);

        if ((value == 0 || owner_is_dead(l, value, space)) && try_take(l, value, tid | WAITED))
            return 0;
        if ((value & ~WAITED) != last) {
            last = value & ~WAITED;
            since = clock_ms();
        }
        if (value && last == atomic_load_explicit(&l->lost, memory_order_relaxed))
            return -EDEADLK;
        if (clock_ms() - since >= patience(l, space)) {
            atomic_store_explicit(&l->lost, last, memory_order_relaxed);
            return -EDEADLK;
        }
        if (value == 0 || (!(value & WAITED) && !atomic_compare_exchange_strong(&l->owner, &value, value | WAITED)))
            continue;
        sleep_while(l, value | WAITED);
    }
}

static void let_in(const struct lock_hold *hold)
{
    if (hold)
        sigprocmask(SIG_SETMASK, &hold->signals, NULL);
}

int lock_take_as(struct lock *l, uint64_t space, unsigned tid, struct lock_hold *hold)
{
    int saved_errno = errno;
    sigset_t all;
    int error = 0;

    if (!tid)
        tid = own_tid();
    if (hold) {
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &hold->signals);
    }
    if (!try_take(l, 0, tid))
        error = contend(l, space, tid);
    if (error) {
        let_in(hold);
    } else {
        atomic_store_explicit(&l->space, space, memory_order_relaxed);
        if (atomic_load_explicit(&l->lost, memory_order_relaxed))
            atomic_store_explicit(&l->lost, 0, memory_order_relaxed);
    }
    errno = saved_errno;
    return error;
}

int lock_take(struct lock *l, uint64_t space, struct lock_hold *hold)
{
    return lock_take_as(l, space, 0, hold);
}

void lock_give(struct lock *l, const struct lock_hold *hold)
{
    int saved_errno = errno;

    /* The next owner writes its own after it has the lock; until then nobody must take this one's for its. */
    atomic_store_explicit(&l->space, 0, memory_order_relaxed);
    if (atomic_exchange_explicit(&l->owner, 0, memory_order_release) & WAITED)
        real.syscall(SYS_futex, &l->owner, (long)FUTEX_WAKE, 1L, NULL, NULL, 0L);
    let_in(hold);
    errno = saved_errno;
}
