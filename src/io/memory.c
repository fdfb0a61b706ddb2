/* SPDX-License-Identifier: ISC */
/* memory.c - looking where a program's pointer leads, when there may be nothing */
#include "memory.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/frame.h"
#include "real.h"

#ifndef SYS_futex
#define SYS_futex SYS_futex_time64
#endif

enum {
    GRAIN = 4096,       /* no page is smaller */
    WORD = 4,           /* what a futex is */
    KNOWN_BITS = 6,     /* several times what a batch of messages, names and pieces lies on: few meet */
    KNOWN = 1 << KNOWN_BITS
};

/* Pages with an answer that was yes, for reading and for writing: page * 2 + 1, and 1 more for writing. */
static _Thread_local uintptr_t known[KNOWN];

/* A comparison, whatever its outcome: nobody is woken, nobody is moved.  Not a call with an argument that is wrong on
 * purpose: valgrind answers such a one by itself, aloud. */
bool memory_probe(const void *p)
{
    int saved_errno = errno;
    uint32_t alone = 0;
    bool good = real.syscall(SYS_futex, p, (long)(FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG), 0L, 0L, &alone, 0L) >= 0 ||
                errno != EFAULT;

    errno = saved_errno;
    return good;
}

/* An atomic addition of nothing.  A waiter there may wake for nothing, as waiters may. */
static bool probe_writing(void *p)
{
    int saved_errno = errno;
    uint32_t alone = 0;
    bool good = real.syscall(SYS_futex, &alone, (long)(FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG), 0L, 0L, p,
                             (long)FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)) >= 0 || errno != EFAULT;

    errno = saved_errno;
    return good;
}

static uintptr_t key_of(uintptr_t at, bool writing)
{
    return (at / GRAIN << 1 | writing) + 1;
}

/* Mixed, since a program's few pages must not meet in one place: each call would ask anew. */
static uintptr_t *place_of(uintptr_t key)
{
    return &known[(uint32_t)key * 2654435761u >> (32 - KNOWN_BITS)];
}

static bool is_good(uintptr_t at, bool writing)
{
    uintptr_t key = key_of(at, writing), *place = place_of(key), *other = &known[(place - known) ^ 1];
    void *word = (void *)(at & ~(uintptr_t)(WORD - 1));

    if (*place == key || *other == key)
        return true;
    if (!(writing ? probe_writing(word) : memory_probe(word)))
        return false;
    /* Two that meet have room for both. */
    *other = *place;
    *place = key;
    return true;
}

/* Kept apart, so that what is often costs no registers. */
OWN_FRAME static bool ask(uintptr_t at, size_t len, bool writing)
{
    if (len == 0)
        return true;
    if (at + (len - 1) < at)
        return false;
    for (uintptr_t last = at + (len - 1); last / GRAIN != at / GRAIN; at = (at / GRAIN + 1) * GRAIN) {
        if (!is_good(at, writing))
            return false;
    }
    return is_good(at, writing);
}

/* Nearly always it is within one page that is known. */
static inline bool are_good(uintptr_t at, size_t len, bool writing)
{
    uintptr_t key = key_of(at, writing);

    return __builtin_expect(len - 1 < GRAIN - at % GRAIN && *place_of(key) == key, 1) || ask(at, len, writing);
}

bool memory_readable(const void *p, size_t len)
{
    return are_good((uintptr_t)p, len, false);
}

bool memory_writable(void *p, size_t len)
{
    return are_good((uintptr_t)p, len, true);
}

const struct sockaddr *memory_address(const struct sockaddr *sa, socklen_t len, struct sockaddr_storage *own)
{
    if (!sa || len == 0 || len > sizeof *own)
        return sa;
    return memory_take(own, sa, len) ? (const struct sockaddr *)own : MEMORY_NOWHERE;
}
