/* SPDX-License-Identifier: ISC */
/* traits.c - which proxies understand a whole handshake in one flight */
#include "traits.h"

#include <stddef.h>

enum { ROW = 4, HASH_SHIFT = 21, HOUR_BITS = 20, AHEAD_HOURS = 1 };

static uint64_t mix(uint64_t h, uint64_t value)
{
    h = (h ^ value) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

uint64_t traits_key(const struct addr *proxy, bool has_auth)
{
    size_t len = proxy->kind == ADDR_IPV4 ? 4 : 16;
    uint64_t h = mix(proxy->kind, (uint64_t)proxy->port << 1 | has_auth);

    for (size_t i = 0; i < len; i++)
        h = mix(h, proxy->ip[i]);
    h = mix(h, proxy->kind == ADDR_IPV6 ? proxy->scope : 0);
    return h;
}

static uint32_t hour_of(uint64_t word)
{
    return (uint32_t)(word >> 1) & ((1u << HOUR_BITS) - 1);
}

/* A clock that was set back by more than the hour that is just ending makes all it had written before worthless. */
static bool is_fresh(uint64_t word, uint32_t hour)
{
    uint32_t then = hour_of(word);

    return word && then <= hour + AHEAD_HOURS && hour < then + TRAITS_HOURS;
}

static size_t place_of(uint64_t key, unsigned i)
{
    return (size_t)(key + i) % TRAITS_PLACES;
}

static bool is_of(uint64_t word, uint64_t key)
{
    return word >> HASH_SHIFT == key >> HASH_SHIFT;
}

enum trait traits_get(const struct traits *t, uint64_t key, uint32_t hour)
{
    for (unsigned i = 0; i < ROW; i++) {
        uint64_t word = atomic_load_explicit(&t->place[place_of(key, i)], memory_order_relaxed);

        if (is_of(word, key) && is_fresh(word, hour))
            return word & 1 ? TRAIT_FIT : TRAIT_UNFIT;
    }
    return TRAIT_UNKNOWN;
}

void traits_set(struct traits *t, uint64_t key, uint32_t hour, enum trait trait)
{
    uint64_t word = key >> HASH_SHIFT << HASH_SHIFT | (uint64_t)(hour & ((1u << HOUR_BITS) - 1)) << 1 |
                    (trait == TRAIT_FIT);
    size_t best = place_of(key, 0);
    uint32_t oldest = UINT32_MAX;

    for (unsigned i = 0; i < ROW; i++) {
        size_t at = place_of(key, i);
        uint64_t there = atomic_load_explicit(&t->place[at], memory_order_relaxed);
        uint32_t age = is_fresh(there, hour) ? hour_of(there) + 1 : 0;

        if (is_of(there, key)) {
            best = at;
            break;
        }
        if (age < oldest) {
            oldest = age;
            best = at;
        }
    }
    atomic_store_explicit(&t->place[best], word, memory_order_relaxed);
}
