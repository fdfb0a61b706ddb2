/* SPDX-License-Identifier: ISC */
/* arena.c - the memory of pending handshakes that forked processes share */
#include "arena.h"

#include <stddef.h>
#include <string.h>

#include "real.h"

enum { SLOT_BITS = 12, SLOT_MASK = (1 << SLOT_BITS) - 1, GENERATION_MASK = 0xfff };

bool arena_enter(struct pending *p, struct lock_hold *hold)
{
    return p->arena && lock_take(&p->arena->lock, p->space, hold) == 0;
}

bool arena_enter_own(struct pending *p, struct lock_hold *hold)
{
    unsigned tid = real_is_alone() ? (unsigned)p->pid : 0;

    return p->arena && lock_take_as(&p->arena->lock, p->space, tid, hold) == 0;
}

void arena_leave(struct pending *p, const struct lock_hold *hold)
{
    lock_give(&p->arena->lock, hold);
}

/* Acquire, paired with arena_give(): who finds the handshake over may close what it has used. */
struct arena_slot *arena_slot_of(const struct pending_arena *a, pending_handle handle)
{
    unsigned i = handle & SLOT_MASK;
    struct arena_slot *s;

    if (i == 0)
        return NULL;
    s = (struct arena_slot *)&a->slot[i - 1];
    if (atomic_load_explicit(&s->generation, memory_order_acquire) != handle >> SLOT_BITS ||
        atomic_load_explicit(&s->phase, memory_order_acquire) == ARENA_FREE)
        return NULL;
    return s;
}

struct arena_slot *arena_slot_of_cookie(struct pending_arena *a, uint64_t cookie)
{
    for (unsigned i = 0; i < a->unused; i++) {
        if (a->slot[i].phase != ARENA_FREE && a->slot[i].cookie == cookie)
            return &a->slot[i];
    }
    return NULL;
}

pending_handle arena_handle_of(const struct pending_arena *a, const struct arena_slot *s)
{
    return (pending_handle)atomic_load_explicit(&s->generation, memory_order_relaxed) << SLOT_BITS |
           (pending_handle)(s - a->slot + 1);
}

struct arena_slot *arena_take(struct pending_arena *a)
{
    struct arena_slot *s;
    uint16_t generation;

    if (!a->free && a->unused == ARENA_SLOTS)
        return NULL;
    s = &a->slot[a->free ? a->free - 1 : a->unused];
    if (a->free)
        a->free = s->next_free;
    else
        a->unused++;
    generation = s->generation;
    memset(s, 0, sizeof *s);
    s->generation = generation;
    return s;
}

void arena_give(struct pending_arena *a, struct arena_slot *s)
{
    atomic_store_explicit(&s->phase, ARENA_FREE, memory_order_release);
    atomic_store_explicit(&s->generation, (uint16_t)((s->generation + 1) & GENERATION_MASK), memory_order_release);
    s->next_free = a->free;
    a->free = (uint16_t)(s - a->slot + 1);
}

/* The kernel counts cookies up, on each processor by itself: low bits alone would meet often. */
static struct arena_error *row_of(struct pending_arena *a, uint64_t cookie)
{
    return &a->error[(cookie * 0x9e3779b97f4a7c15u >> 40) % (ARENA_ERRORS / ARENA_ERROR_ROW) * ARENA_ERROR_ROW];
}

static struct arena_error *error_of(struct pending_arena *a, uint64_t cookie)
{
    struct arena_error *row = row_of(a, cookie);

    for (int i = 0; i < ARENA_ERROR_ROW; i++) {
        if (row[i].cookie == cookie)
            return &row[i];
    }
    return NULL;
}

/* An empty place, or the oldest. */
static struct arena_error *place_of(struct arena_error *row)
{
    struct arena_error *oldest = row;

    for (int i = 0; i < ARENA_ERROR_ROW; i++) {
        if (row[i].cookie == 0)
            return &row[i];
        if ((int32_t)(row[i].serial - oldest->serial) < 0)
            oldest = &row[i];
    }
    return oldest;
}

void arena_keep_error(struct pending_arena *a, uint64_t cookie, int error)
{
    struct arena_error *e = error_of(a, cookie);

    if (!e)
        e = place_of(row_of(a, cookie));
    if (e->cookie == 0)
        atomic_fetch_add_explicit(&a->errors, 1, memory_order_relaxed);
    e->cookie = cookie;
    e->error = error;
    e->serial = ++a->error_serial;
}

int arena_take_error(struct pending_arena *a, uint64_t cookie)
{
    struct arena_error *e = cookie ? error_of(a, cookie) : NULL;

    if (!e)
        return 0;
    e->cookie = 0;
    atomic_fetch_sub_explicit(&a->errors, 1, memory_order_relaxed);
    return e->error;
}
