/* SPDX-License-Identifier: ISC */
/* lock.c - the one lock of memory that a family of processes shares */
#include "lock.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "real.h"

/* From <linux/futex.h>, which a libc need not bring. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define WAITED 0x80000000u

enum { PATIENCE_MS = 1000, PATIENCE_ALIVE_MS = 10000, LOOK_MS = 20, SPACE_SHIFT = 32 };

static unsigned own_tid(void)
{
    return (unsigned)real.syscall(SYS_gettid);
}

/* What the lock holds while a thread has it.  The kernel's inodes of namespaces have 32 bits. */
static uint64_t owner_of(uint64_t space, unsigned tid)
{
    return space << SPACE_SHIFT | tid;
}

/* A thread that waiter sees as well, by the same number. */
static bool is_seen(uint64_t owner, uint64_t space)
{
    uint64_t of_owner = owner >> SPACE_SHIFT;

    return of_owner && of_owner == (uint32_t)space;
}

/* The half of the owner that the kernel sleeps on. */
static void *futex_of(struct lock *l)
{
    return (char *)&l->owner + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof l->owner / 2 : 0);
}

static void sleep_while(struct lock *l, uint64_t owner)
{
    long t[2] = { 0, LOOK_MS * 1000000L };    /* struct timespec as this call has it, whatever libc's has become */

    real.syscall(SYS_futex, futex_of(l), (long)FUTEX_WAIT, (long)(uint32_t)owner, t, NULL, 0L);
}

/* ESRCH for a live thread is possible when it lives in another PID namespace: there nothing is known. */
static bool owner_is_dead(uint64_t owner, uint64_t space)
{
    return is_seen(owner, space) && real.syscall(SYS_tkill, (long)(owner & ~WAITED), 0L) != 0 &&
           errno == ESRCH;
}

static bool try_take(struct lock *l, uint64_t expected, uint64_t owner)
{
    return atomic_compare_exchange_strong_explicit(&l->owner, &expected, owner, memory_order_acquire,
                                                   memory_order_relaxed);
}

/* How long one owner may keep the lock.  One that is known to live only waits for a processor, or is stopped. */
static int patience(uint64_t owner, uint64_t space)
{
    return is_seen(owner, space) ? PATIENCE_ALIVE_MS : PATIENCE_MS;
}

/* Once somebody has waited, owners that follow keep the mark, so that no sleeper is forgotten. */
static int contend(struct lock *l, uint64_t space, uint64_t own)
{
    int64_t since = clock_ms();
    uint64_t last = 0;

    for (;;) {
        uint64_t value = atomic_load_explicit(&l->owner, memory_order_relaxed);

        if ((value == 0 || owner_is_dead(value, space)) && try_take(l, value, own | WAITED))
            return 0;
        if ((value & ~(uint64_t)WAITED) != last) {
            last = value & ~(uint64_t)WAITED;
            since = clock_ms();
        }
        if (value && last == atomic_load_explicit(&l->lost, memory_order_relaxed))
            return -EDEADLK;
        if (clock_ms() - since >= patience(value, space)) {
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
    if (!try_take(l, 0, owner_of(space, tid)))
        error = contend(l, space, owner_of(space, tid));
    if (error)
        let_in(hold);
    else if (atomic_load_explicit(&l->lost, memory_order_relaxed))
        atomic_store_explicit(&l->lost, 0, memory_order_relaxed);
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

    if (atomic_exchange_explicit(&l->owner, 0, memory_order_release) & WAITED)
        real.syscall(SYS_futex, futex_of(l), (long)FUTEX_WAKE, 1L, NULL, NULL, 0L);
    let_in(hold);
    errno = saved_errno;
}
