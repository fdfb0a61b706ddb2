/* SPDX-License-Identifier: ISC */
/* hook.h - entering and leaving a hook; the one place where errno is set
 *
 * A hook has the shape
 *
 *     int name(...)
 *     {
 *         if (hook_idle(GATE_...))              one relaxed load: nothing here concerns us
 *             return real.name(...);
 *         entry_errno = errno;                  before slow_name(): arguments are worked out in any order
 *         return hook_return(entry_errno, slow_name(...));     slow_name(): a result, or a negative errno
 *     }
 *
 * or, where libc's own call sets errno, simply returns that call's value.
 */
#ifndef SOCKSIFY_HOOK_HOOK_H
#define SOCKSIFY_HOOK_HOOK_H

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "../io/real.h"
#include "process.h"

/* Have an object, which holds the arguments that only a rare way needs once more, lie in memory over libc's call:
 * registers would cost a save and a restore of the caller's each time. */
#define HOOK_KEEP(object) __asm__("" : "+m"(object))

#define HOOK_LIKELY(condition) __builtin_expect(!!(condition), 1)

/* True when none of these gate bits is up and start-up has run. */
static inline bool hook_idle(unsigned bits)
{
    return HOOK_LIKELY((atomic_load_explicit(&process.gate, memory_order_relaxed) & (GATE_WARM | bits)) == GATE_WARM);
}

/* Every hook that uses real or process begins with hook_idle() or with this. */
static inline void hook_enter(void)
{
    if (!hook_idle(0))
        process_start();
}

/* Turn a result into what libc's callers expect: a negative errno becomes -1 and errno; on success errno is put back
 * to what it was when the hook was entered. */
static inline long hook_return(int entry_errno, long result)
{
    errno = result < 0 ? (int)-result : entry_errno;
    return result < 0 ? -1 : result;
}

/* Both libcs have these; glibc before 2.34 in a library of its own, which a program without threads does not load. */
void pthread_testcancel(void) __attribute__((weak));
int pthread_setcancelstate(int state, int *old) __attribute__((weak));

/* Obey a cancellation request: for calls that are cancellation points also where they call nothing that is one. */
static inline void hook_cancellation_point(void)
{
    if (pthread_testcancel)
        pthread_testcancel();
}

/* Switch cancellation off, for calls that are no cancellation points; returns what hook_cancellable() puts back.
 * Async-signal-safe, as both libcs write it. */
static inline int hook_uncancellable(void)
{
    int old = 0;

    if (pthread_setcancelstate)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    return old;
}

static inline void hook_cancellable(int old)
{
    if (pthread_setcancelstate)
        pthread_setcancelstate(old, NULL);
}

/* A function that ends in a jump, so that libc sees the program's return address in its own place:
 *
 *     HOOK_JUMPS type name(...)
 *     {
 *         HOOK_JUMP real.name(...);
 *     }
 *
 * No variable's address may be taken in it.  gcc before 15 only jumps where it optimizes, and cannot on all machines
 * (not on ppc64): preload_calls.sh tells whether it did. */
#if __has_attribute(musttail)
#define HOOK_JUMPS
#define HOOK_JUMP __attribute__((musttail)) return
#else
#define HOOK_JUMPS __attribute__((optimize("O2")))
#define HOOK_JUMP return
#endif

/* For functions that a libc may lack: the address is NULL there. */
#define HOOK_HAVE(fn) (real.fn != NULL)

#endif
