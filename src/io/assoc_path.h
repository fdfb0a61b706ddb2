/* SPDX-License-Identifier: ISC */
/* assoc_path.h - what the data path asks of an association, by a few loads and without a call
 *
 * Async-signal-safe, without lock or system call, as io/assoc.h says.
 */
#ifndef SOCKSIFY_IO_ASSOC_PATH_H
#define SOCKSIFY_IO_ASSOC_PATH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "assoc.h"

/* Which facts a call needs: the relay and what stands between it and the header, and one thing more. */
enum assoc_part { ASSOC_RELAY, ASSOC_AND_HEADER, ASSOC_AND_PEER };

/* assoc_facts() of a part.  The rest of *out is not to be looked at. */
static inline bool assoc_read(const struct assoc *a, enum assoc_part part, struct assoc_facts *out)
{
    typedef uint64_t __attribute__((may_alias)) fact;
    uint32_t sequence = atomic_load_explicit(&a->sequence, memory_order_acquire);
    fact *word = (fact *)out;
    size_t len;
    if (part == ASSOC_AND_PEER) {
#pragma GCC unroll 8
        for (size_t w = 0; w < ASSOC_RELAY_WORD; w++)
            word[w] = atomic_load_explicit(&a->word[w], memory_order_acquire);
    }
#pragma GCC unroll 8
    for (size_t w = ASSOC_RELAY_WORD; w < ASSOC_HEADER_WORD; w++)
        word[w] = atomic_load_explicit(&a->word[w], memory_order_acquire);
    len = part == ASSOC_AND_HEADER ? out->header_len : 0;
    /* That of an IPv4 address is in the first two words. */
    if (len) {
        word[ASSOC_HEADER_WORD] = atomic_load_explicit(&a->word[ASSOC_HEADER_WORD], memory_order_acquire);
        word[ASSOC_HEADER_WORD + 1] = atomic_load_explicit(&a->word[ASSOC_HEADER_WORD + 1], memory_order_acquire);
    }
    for (size_t w = ASSOC_HEADER_WORD + 2; len > 16 && w < ASSOC_WORDS; w++)
        word[w] = atomic_load_explicit(&a->word[w], memory_order_acquire);
    return __builtin_expect(sequence % 2 == 0 &&
                            atomic_load_explicit(&a->sequence, memory_order_relaxed) == sequence, 1) ||
           assoc_facts(a, part == ASSOC_AND_HEADER, out);
}

/* True if nothing is out of the ordinary with a socket: one proxy, no association under way, no error to be told, no
 * datagram begun.  a: the trunk. */
static inline bool assoc_is_plain(const struct assoc *a)
{
    return !atomic_load_explicit(&a->branch, memory_order_relaxed) &&
           !atomic_load_explicit(&a->making, memory_order_relaxed) &&
           !atomic_load_explicit(&a->failed, memory_order_relaxed) &&
           !atomic_load_explicit(&a->more, memory_order_relaxed) &&
           !atomic_load_explicit(&a->corked, memory_order_relaxed);
}

/* An IPv4 destination and the proxy that it is for, in one word which is never 0.  ip, port: in network order; port:
 * not 0.  With the proxy in it a verdict is true of any socket, also if it comes late to a place that has another by
 * then. */
static inline uint64_t assoc_key(unsigned proxy, uint32_t ip, uint16_t port)
{
    return (uint64_t)(uint16_t)proxy << 48 | (uint64_t)port << 32 | ip;
}

static inline unsigned assoc_key_place(uint64_t key)
{
    return (uint32_t)(key ^ key >> 32) * 2654435761u >> 29;
}

/* Note that the rules send datagrams to a destination through the trunk's proxy, by its address and by nothing that may
 * change; and tell it.  What is not known any more is judged anew.  a: the trunk. */
static inline void assoc_judged_set(struct assoc *a, uint64_t key)
{
    atomic_store_explicit(&a->judged[assoc_key_place(key)], key, memory_order_relaxed);
}

static inline bool assoc_judged(const struct assoc *a, uint64_t key)
{
    return atomic_load_explicit(&a->judged[assoc_key_place(key)], memory_order_relaxed) == key;
}

#endif
