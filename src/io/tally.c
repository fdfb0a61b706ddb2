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

enum { CELL_SIZE = 12 };

/* A number as text, or a dash for none. */
static const char *cell(char text[CELL_SIZE], int64_t value)
{
    char *p = text + CELL_SIZE - 1;

    *p = '\0';
    if (value < 0) {
        *--p = '-';
        return p;
    }
    do
        *--p = (char)('0' + value % 10);
    while (value /= 10);
    return p;
}

/* Negative numbers: there is none of the kind. */
static void write_row(const char *what, int64_t done, int64_t failed, int64_t dropped, int64_t ms)
{
    char text[4][CELL_SIZE];

    log_line(CONF_LOG_QUIET, "%s%10s%10s%10s%14s", what, cell(text[0], done), cell(text[1], failed),
             cell(text[2], dropped), cell(text[3], ms));
}

/* The names are of one length, which makes the first column. */
static void write_table(const struct tally *t, const unsigned *n)
{
    log_line(CONF_LOG_QUIET, "%13s%10s%10s%10s%14s", "", "done", "failed", "dropped", "handshake ms");
    if (n[TALLY_CONNECTED] || n[TALLY_FAILED])
        write_row("connections  ", n[TALLY_CONNECTED], n[TALLY_FAILED], -1,
                  n[TALLY_CONNECTED] ? (int64_t)tally_median(t) : -1);
    if (n[TALLY_SENT] || n[TALLY_UNSENT])
        write_row("datagrams out", n[TALLY_SENT], -1, n[TALLY_UNSENT], -1);
    if (n[TALLY_RECEIVED] || n[TALLY_DROPPED])
        write_row("datagrams in ", n[TALLY_RECEIVED], -1, n[TALLY_DROPPED], -1);
    if (n[TALLY_ANSWERED] || n[TALLY_UNANSWERED])
        write_row("DNS by TCP   ", n[TALLY_ANSWERED], n[TALLY_UNANSWERED], -1, -1);
}

static void write_lines(const struct tally *t, const unsigned *n)
{
    if (n[TALLY_CONNECTED] || n[TALLY_FAILED])
        log_line(CONF_LOG_QUIET, "connections  %u, failed %u", n[TALLY_CONNECTED], n[TALLY_FAILED]);
    if (n[TALLY_CONNECTED])
        log_line(CONF_LOG_QUIET, "handshake    %u ms (median)", tally_median(t));
    if (n[TALLY_SENT] || n[TALLY_RECEIVED])
        log_line(CONF_LOG_QUIET, "datagrams    %u out, %u in", n[TALLY_SENT], n[TALLY_RECEIVED]);
    if (n[TALLY_ANSWERED] || n[TALLY_UNANSWERED])
        log_line(CONF_LOG_QUIET, "questions    %u by TCP, failed %u", n[TALLY_ANSWERED], n[TALLY_UNANSWERED]);
}

void tally_write(const struct tally *t)
{
    unsigned n[TALLY_COUNT], any = 0;

    for (unsigned i = 0; i < TALLY_COUNT; i++)
        any |= n[i] = get(&t->count[i]);
    if (!any)
        return;
    if (log_terminal())
        write_table(t, n);
    else
        write_lines(t, n);
    if (n[TALLY_UNSENT])
        log_line(CONF_LOG_QUIET, "dropped      %u out: no room in the queue, or no association", n[TALLY_UNSENT]);
    if (n[TALLY_DROPPED])
        log_line(CONF_LOG_QUIET, "dropped      %u in: not from the relay, malformed or in fragments", n[TALLY_DROPPED]);
}
