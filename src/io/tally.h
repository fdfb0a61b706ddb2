/* SPDX-License-Identifier: ISC */
/* tally.h - what a process did, counted for the summary at its end
 *
 * Counted by relaxed atomics, without lock: async-signal-safe, safe in threads.  A forked process starts from zero.
 */
#ifndef SOCKSIFY_IO_TALLY_H
#define SOCKSIFY_IO_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

enum tally_what {
    TALLY_CONNECTED,        /* connections through a proxy that stand, or stood */
    TALLY_FAILED,           /* that did not come about */
    TALLY_SENT,             /* datagrams that went to a relay */
    TALLY_RECEIVED,         /* that the program had from one */
    TALLY_DROPPED,          /* that came, and were not from a relay, malformed or in fragments */
    TALLY_UNSENT,           /* that found no room in the queue, or no association */
    TALLY_ANSWERED,         /* DNS questions in datagrams that went by TCP, and were answered */
    TALLY_UNANSWERED,       /* that were not */
    TALLY_COUNT
};

/* Times of handshakes by size: each millisecond up to 8, then four places for each doubling, up to 36 hours. */
enum { TALLY_TIMES = 104 };

struct tally {
    atomic_uint count[TALLY_COUNT];
    atomic_uint times[TALLY_TIMES];
};

/* Count n more.  t: NULL counts nothing. */
void tally_add(struct tally *t, enum tally_what what, unsigned n);

/* Note that a handshake took so long.  t: NULL notes nothing; ms: milliseconds, negative ones are 0. */
void tally_time(struct tally *t, int64_t ms);

/* The middle one of the times, in milliseconds, at most a quarter too small; 0 without any. */
uint32_t tally_median(const struct tally *t);

/* Back to zero, in a forked process. */
void tally_clear(struct tally *t);

/* Write the summary to the log at any level, one line for each kind of thing that was counted; nothing when nothing
 * was.  On a terminal as a table. */
void tally_write(const struct tally *t);

#endif
