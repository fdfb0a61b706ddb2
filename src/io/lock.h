/* SPDX-License-Identifier: ISC */
/* lock.h - the one lock of memory that a family of processes shares
 *
 * The rules: signals are blocked while it is held, so that no handler can wait for it; nothing that sleeps and no
 * cancellation point is called under it; it is held for a few system calls.  A lock whose owner was killed is taken
 * over, if owner and waiter see each other (same PID namespace).  A waiter gives up on an owner of which it knows
 * nothing after a second, on one that is alive (stopped, or another process's number by now) after ten; those that come
 * later do not wait for the same one again.  Owners that change are waited for as long as they do.
 */
#ifndef SOCKSIFY_IO_LOCK_H
#define SOCKSIFY_IO_LOCK_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct lock {
    _Atomic uint64_t owner;     /* 0: free.  Else the upper half: the inode of the PID namespace of who has it; the
                                   lower: its thread id there, with the top bit when somebody waits. */
    _Atomic uint64_t lost;      /* an owner that was waited for in vain, until the lock is taken anew; 0: none */
};

/* What lock_take() must hand to lock_give(); lives on the stack of the holder. */
struct lock_hold {
    sigset_t signals;
};

/* Take the lock, with all signals blocked.
 * space: inode of this process' PID namespace.  hold: filled; NULL: the caller has the signals blocked already.
 * Returns 0; -EDEADLK when one owner has kept it for too long (nothing is held then, signals are as before). */
int lock_take(struct lock *l, uint64_t space, struct lock_hold *hold);

/* The same for a caller that knows its thread id, which spares a system call.  tid: 0 when it does not. */
int lock_take_as(struct lock *l, uint64_t space, unsigned tid, struct lock_hold *hold);

/* True while an owner that was waited for in vain still has it. */
static inline bool lock_is_lost(const struct lock *l)
{
    return atomic_load_explicit(&l->lost, memory_order_relaxed) != 0;
}

/* Give it back and unblock the signals.  hold: as for lock_take(). */
void lock_give(struct lock *l, const struct lock_hold *hold);

#endif
