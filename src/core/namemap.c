/* SPDX-License-Identifier: ISC */
/* namemap.c - names and slots in memory that many processes share
 *
 * No fences, but acquire loads and release stores: they cost the same where it matters, and race detectors know them.
 */
#include "namemap.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum {
    READ_TRIES = 16,            /* of an entry that a writer changes under the reader */
    PROBE_MAX = 1024,           /* index words that a search looks at */
    PROBE_LONG = 128,           /* a half-full index has no run like it: its dead words have become too many */
    SLOT_MASK = NAMEMAP_SLOTS - 1,
    WORD_USED = NAMEMAP_SLOTS,  /* an index word: 15 bits of the hash, this bit, the slot */
    WORD_DEAD = 1,              /* was used: a search goes on behind it */
    TAG_SHIFT = 17
};

#define CLOCK_HIGH 0x80000000u  /* stamps are moved down from here, long before the clock runs over */
#define CLOCK_KEPT 0x40000000u  /* ... so that this many of the youngest keep their order */

/* A name as it lies in an entry. */
struct key {
    union {
        uint8_t byte[ADDR_NAME_SIZE];
        uint32_t word[NAMEMAP_WORDS];
    };
    uint32_t words;
};

static uint32_t load(const _Atomic uint32_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint32_t *p, uint32_t value)
{
    atomic_store_explicit(p, value, memory_order_release);
}

/* Every step can be undone, so a change of any one word always shows. */
static uint32_t mix(uint32_t h, const uint32_t *word, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++) {
        h = (h ^ word[i]) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    h *= 0x85ebca6bu;
    return h ^ h >> 13;
}

static uint32_t key_sum(const struct namemap *m, uint32_t slot, const struct key *k)
{
    return mix(~m->seed + slot * 0xc2b2ae35u, k->word, k->words);
}

static uint32_t key_hash(const struct namemap *m, const struct key *k)
{
    return mix(m->seed, k->word, k->words);
}

static uint32_t words_of(uint32_t len)
{
    return (len + 1 + 3) / 4;
}

static int key_set(struct key *k, const char *name)
{
    size_t len = strnlen(name, ADDR_NAME_MAX + 1);

    if (len == 0 || len > ADDR_NAME_MAX)
        return -EINVAL;
    k->words = words_of((uint32_t)len);
    k->word[k->words - 1] = 0;
    k->byte[0] = (uint8_t)len;
    for (size_t i = 0; i < len; i++)
        k->byte[1 + i] = (uint8_t)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] | 0x20 : name[i]);
    return 0;
}

static bool entry_try(const struct namemap *m, uint32_t slot, uint32_t sequence, struct key *k)
{
    const struct namemap_entry *e = &m->memory->entry[slot];
    uint32_t sum;

    k->word[0] = load(&e->word[0]);
    if (k->byte[0] == 0 || k->byte[0] > ADDR_NAME_MAX)
        return false;
    k->words = words_of(k->byte[0]);
    for (uint32_t i = 1; i < k->words; i++)
        k->word[i] = load(&e->word[i]);
    sum = load(&e->sum);
    return load(&e->sequence) == sequence && sum == key_sum(m, slot, k);
}

static bool entry_read(const struct namemap *m, uint32_t slot, struct key *k)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t sequence = load(&m->memory->entry[slot].sequence);

        if (sequence == 0)
            return false;
        if (sequence % 2 == 0 && entry_try(m, slot, sequence, k))
            return true;
    }
    return false;
}

static void entry_write(const struct namemap *m, uint32_t slot, const struct key *k)
{
    struct namemap_entry *e = &m->memory->entry[slot];
    uint32_t sequence = load(&e->sequence) | 1;

    store(&e->sequence, sequence);
    for (uint32_t i = 0; i < k->words; i++)
        store(&e->word[i], k->word[i]);
    store(&e->sum, key_sum(m, slot, k));
    store(&e->sequence, sequence + 1 != 0 ? sequence + 1 : 2);
}

/* Only a slot that no one ever had an address of may be given away without an age: damage must not free one. */
static bool entry_is_blank(const struct namemap *m, uint32_t slot)
{
    const struct namemap_entry *e = &m->memory->entry[slot];

    return load(&m->memory->stamp[slot]) == 0 && load(&e->sequence) == 0 && load(&e->sum) == 0 &&
           load(&e->word[0]) == 0;
}

static void touch(const struct namemap *m, uint32_t slot)
{
    struct namemap_memory *memory = m->memory;
    uint32_t now = load(&memory->clock);

    if (now != 0 && load(&memory->stamp[slot]) == now)
        return;
    now = atomic_fetch_add_explicit(&memory->clock, 1, memory_order_relaxed) + 1;
    store(&memory->stamp[slot], now != 0 ? now : 1);
}

static uint32_t index_word(uint32_t hash, uint32_t slot)
{
    return hash >> TAG_SHIFT << TAG_SHIFT | WORD_USED | slot;
}

static bool is_used(uint32_t word)
{
    return (word & WORD_USED) != 0;
}

static bool key_equal(const struct key *a, const struct key *b)
{
    return a->words == b->words && memcmp(a->word, b->word, a->words * sizeof a->word[0]) == 0;
}

/* The slot of a key, or -ENOENT. */
static int index_find(const struct namemap *m, const struct key *k, uint32_t *slot)
{
    uint32_t hash = key_hash(m, k);
    struct key found;

    for (uint32_t i = 0; i < PROBE_MAX; i++) {
        uint32_t word = load(&m->memory->index[(hash + i) % NAMEMAP_INDEX]), at = word & SLOT_MASK;

        if (word == 0)
            return -ENOENT;
        if (word == index_word(hash, at) && at < m->slots && entry_read(m, at, &found) && key_equal(k, &found)) {
            *slot = at;
            return 0;
        }
    }
    return -ENOENT;
}

static void index_remove(const struct namemap *m, const struct key *k, uint32_t slot)
{
    uint32_t hash = key_hash(m, k);

    for (uint32_t i = 0; i < PROBE_MAX; i++) {
        _Atomic uint32_t *p = &m->memory->index[(hash + i) % NAMEMAP_INDEX];
        uint32_t word = load(p);

        if (word == 0)
            return;
        if (word == index_word(hash, slot)) {
            /* At the end of a run nothing needs to be found behind it. */
            store(p, load(&m->memory->index[(hash + i + 1) % NAMEMAP_INDEX]) != 0 ? WORD_DEAD : 0);
            return;
        }
    }
}

/* Returns how far the first free word, and the end of the run, lay from where the hash points. */
static uint32_t index_add(const struct namemap *m, const struct key *k, uint32_t slot)
{
    uint32_t hash = key_hash(m, k);
    bool done = false;

    for (uint32_t i = 0; i < PROBE_MAX; i++) {
        _Atomic uint32_t *p = &m->memory->index[(hash + i) % NAMEMAP_INDEX];
        uint32_t word = load(p);

        if (!done && !is_used(word)) {
            store(p, index_word(hash, slot));
            done = true;
        }
        if (word == 0)
            return i;
    }
    return PROBE_MAX;
}

/* Readers miss names meanwhile; those who then want to write find them under the lock. */
static void index_rebuild(const struct namemap *m)
{
    struct namemap_memory *memory = m->memory;
    struct key k;

    store(&memory->rebuilding, 1);
    for (uint32_t i = 0; i < NAMEMAP_INDEX; i++)
        store(&memory->index[i], 0);
    for (uint32_t slot = 0; slot < m->slots; slot++)
        if (entry_read(m, slot, &k))
            index_add(m, &k, slot);
    store(&memory->rebuilding, 0);
}

static void clock_lower(const struct namemap *m)
{
    struct namemap_memory *memory = m->memory;
    uint32_t cut = load(&memory->clock) - CLOCK_KEPT;

    for (uint32_t slot = 0; slot < m->slots; slot++) {
        uint32_t stamp = load(&memory->stamp[slot]);

        if (stamp != 0)
            store(&memory->stamp[slot], stamp > cut ? stamp - cut : 1);
    }
    store(&memory->clock, CLOCK_KEPT);
}

static bool is_kept(const struct namemap *m, uint32_t slot)
{
    return m->kept && m->kept[slot / 32] >> slot % 32 & 1;
}

/* Look at all slots: a blank one, else in the full view the oldest, first of those that are not kept. */
static int slot_search(const struct namemap *m, uint32_t *slot)
{
    struct namemap_memory *memory = m->memory;
    uint32_t oldest[2] = { 0, 0 }, low[2] = { UINT32_MAX, UINT32_MAX }, high = 0;

    for (uint32_t i = 0; i < m->slots; i++) {
        uint32_t stamp = load(&memory->stamp[i]);

        if (stamp == 0 && entry_is_blank(m, i)) {
            store(&memory->next, i + 1);
            *slot = i;
            return 0;
        }
        if (stamp < low[is_kept(m, i)]) {
            low[is_kept(m, i)] = stamp;
            oldest[is_kept(m, i)] = i;
        }
        if (stamp > high)
            high = stamp;
    }
    if (m->slots < NAMEMAP_SLOTS)
        return -ENOSPC;
    store(&memory->next, NAMEMAP_SLOTS);
    if (load(&memory->clock) < high)        /* a damaged clock must not make the new name the oldest */
        store(&memory->clock, high);
    *slot = oldest[low[0] == UINT32_MAX];
    return 0;
}

static int slot_choose(const struct namemap *m, uint32_t *slot)
{
    uint32_t next = load(&m->memory->next);

    if (next < m->slots && entry_is_blank(m, next)) {
        store(&m->memory->next, next + 1);
        *slot = next;
        return 0;
    }
    if (next == m->slots && next < NAMEMAP_SLOTS)
        return -ENOSPC;
    return slot_search(m, slot);
}

int namemap_find(const struct namemap *m, const char *name, uint32_t *slot)
{
    struct key k;

    if (key_set(&k, name) < 0 || index_find(m, &k, slot) < 0)
        return -ENOENT;
    touch(m, *slot);
    return 0;
}

int namemap_name(const struct namemap *m, uint32_t slot, char *name)
{
    struct key k;

    if (slot >= m->slots || !entry_read(m, slot, &k))
        return -ENOENT;
    touch(m, slot);
    memcpy(name, k.byte + 1, k.byte[0]);
    name[k.byte[0]] = '\0';
    return k.byte[0];
}

int namemap_insert(const struct namemap *m, const char *name, uint32_t *slot)
{
    struct key k, old;
    uint32_t chosen;

    if (key_set(&k, name) < 0)
        return -EINVAL;
    if (load(&m->memory->rebuilding) != 0)      /* its writer died in the middle, so names would be missed */
        index_rebuild(m);
    if (namemap_find(m, name, slot) == 0)
        return 0;
    if (load(&m->memory->clock) > CLOCK_HIGH)
        clock_lower(m);
    if (slot_choose(m, &chosen) < 0)
        return -ENOSPC;
    if (entry_read(m, chosen, &old))
        index_remove(m, &old, chosen);
    entry_write(m, chosen, &k);
    touch(m, chosen);
    if (index_add(m, &k, chosen) >= PROBE_LONG)
        index_rebuild(m);
    *slot = chosen;
    return 0;
}
