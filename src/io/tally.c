/* SPDX-License-Identifier: ISC */
/* tally.c - what a process did, counted for the summary at its end */
#include "tally.h"

#include "log.h"

enum { EXACT = 8, STEPS = 4 };    /* places below EXACT are one millisecond wide; then STEPS for each doubling */

void tally_add(struct tally *t, enum tally_what what, unsigned n)
{
    if (t)
        atomic_fetch_add_explicit(&t->count[what], n, memory_order_relaxed);
}

static unsigned place_of(int64_t ms)
{
    unsigned place = EXACT;

    if (ms < EXACT)
        return ms < 0 ? 0 : (unsigned)ms;
    for (; ms >= 2 * EXACT && place < TALLY_TIMES - STEPS; ms /= 2)
        place += STEPS;
    return place + (ms >= 2 * EXACT ? STEPS - 1 : (unsigned)(ms - EXACT) * STEPS / EXACT);
}

static uint32_t time_of(unsigned place)
{
    if (place < EXACT)
        return place;
    place -= EXACT;
    return (uint32_t)(EXACT + place % STEPS * (EXACT / STEPS)) << place / STEPS;
}

void tally_time(struct tally *t, int64_t ms)
{
    if (t)
        atomic_fetch_add_explicit(&t->times[place_of(ms)], 1, memory_order_relaxed);
}

static unsigned get(const atomic_uint *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

uint32_t tally_median(const struct tally *t)
{
    uint64_t all = 0, before = 0;
    unsigned place = 0;

    for (unsigned i = 0; i < TALLY_TIMES; i++)
        all += get(&t->times[i]);
    if (all == 0)
        return 0;
    while ((before += get(&t->times[place])) * 2 < all)
        place++;
    return time_of(place);
}

void tally_clear(struct tally *t)
{
    for (unsigned i = 0; i < TALLY_COUNT; i++)
        atomic_store_explicit(&t->count[i], 0, memory_order_relaxed);
    for (unsigned i = 0; i < TALLY_TIMES; i++)
        atomic_store_explicit(&t->times[i], 0, memory_order_relaxed);
}

void tally_write(const struct tally *t)
{
    unsigned connected = get(&t->count[TALLY_CONNECTED]), failed = get(&t->count[TALLY_FAILED]);
    unsigned sent = get(&t->count[TALLY_SENT]), received = get(&t->count[TALLY_RECEIVED]);
    unsigned dropped = get(&t->count[TALLY_DROPPED]), unsent = get(&t->count[TALLY_UNSENT]);

    if (connected || failed)
        log_line(CONF_LOG_QUIET, "connections  %u, failed %u", connected, failed);
    if (connected)
        log_line(CONF_LOG_QUIET, "handshake    %u ms (median)", tally_median(t));
    if (sent || received)
        log_line(CONF_LOG_QUIET, "datagrams    %u out, %u in", sent, received);
    if (unsent)
        log_line(CONF_LOG_QUIET, "dropped      %u out: no room in the queue, or no association", unsent);
    if (dropped)
        log_line(CONF_LOG_QUIET, "dropped      %u in: not from the relay, malformed or in fragments", dropped);
}
