/* SPDX-License-Identifier: ISC */
/* fdtab.h - what this process knows of its descriptors, by number
 *
 * One word for each number; 0 means nothing is known.  Words are read and written with relaxed atomics: no lock, so
 * every function is async-signal-safe and safe after fork (the child has its own copy).  A word is a hint about the
 * number: whoever acts on it in a call that is not the data path asks the kernel first.  Numbers beyond the table are
 * never remembered, which costs time and not truth.
 */
#ifndef SOCKSIFY_IO_FDTAB_H
#define SOCKSIFY_IO_FDTAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { FDTAB_SIZE = 1 << 20 };

enum fdtab_bits {
    FDTAB_KIND = 0x07,            /* enum kind */
    FDTAB_FRESH = 0x08,           /* a TCP socket made here whose connect() was not seen yet */
    FDTAB_REGISTERED = 0x10,      /* a socket with epoll registrations that are followed */
    FDTAB_SET = 0x20,             /* an epoll set that holds such registrations */
    FDTAB_PORT_0 = FDTAB_SET,     /* the same bit of a TCP socket: the program has bound it to a port of the kernel's
                                     choice */
    FDTAB_STDIO = 0x40,           /* a FRESH one that is under a stream of stdio: its bytes pass no hook */
    FDTAB_TRIED = FDTAB_STDIO,    /* the same bit of one that is not FRESH: a direct connect() of it began, and may have
                                     failed since */
    FDTAB_SHARED = 0x80,          /* a TCP socket that had another number, or another process, before its connect() */
    FDTAB_HANDLE_SHIFT = 8        /* the upper 24 bits: 0, or the handle of a pending handshake (KIND_STREAM,
                                     KIND_LISTENER) or of an association (KIND_DATAGRAM) */
};

struct fdtab {
    atomic_uint top;                        /* no number at or above it was ever set */
    _Atomic uint32_t word[FDTAB_SIZE];      /* all zero at start */
};

/* The handle that a word holds, or 0; what it leads to depends on the kind. */
static inline uint32_t fdtab_handle(uint32_t word)
{
    return word >> FDTAB_HANDLE_SHIFT;
}

/* Is it the word of an epoll set with registrations that are followed? */
static inline bool fdtab_is_set(uint32_t word)
{
    return (word & (FDTAB_SET | FDTAB_KIND)) == FDTAB_SET;
}

/* Is it the word of a socket that is under a stream of stdio? */
static inline bool fdtab_is_stdio(uint32_t word)
{
    return (word & (FDTAB_FRESH | FDTAB_STDIO)) == (FDTAB_FRESH | FDTAB_STDIO);
}

/* The bits of a TCP socket's word that stay what they are when it becomes a listener, and when it is one no more. */
static inline uint32_t fdtab_lasting(uint32_t word)
{
    return FDTAB_REGISTERED | FDTAB_PORT_0 | FDTAB_SHARED | (word & FDTAB_FRESH ? FDTAB_STDIO : 0);
}

/* What is known of fd; 0 for any number that is not in the table. */
static inline uint32_t fdtab_get(const struct fdtab *t, int fd)
{
    return (unsigned)fd < FDTAB_SIZE ? atomic_load_explicit(&t->word[fd], memory_order_relaxed) : 0;
}

/* Remember a fact.  word: not 0.  Nothing happens for a number that is not in the table. */
void fdtab_set(struct fdtab *t, int fd, uint32_t word);

/* Set and clear some bits of a word in one step. */
void fdtab_change(struct fdtab *t, int fd, uint32_t clear, uint32_t set);

/* Put word in the place of old, unless another thread has changed that.  Returns whether it was put.  What this thread
 * has done to the number is before it, for who then drops the word (release). */
bool fdtab_replace(struct fdtab *t, int fd, uint32_t old, uint32_t word);

/* Change the kind of a number that has the kind from (enum kind), in one step; nothing else of its word. */
void fdtab_turn(struct fdtab *t, int fd, uint32_t from, uint32_t to);

/* As fdtab_set(), and word may be 0; returns what was known before, 0 for a number that is not in the table. */
uint32_t fdtab_exchange(struct fdtab *t, int fd, uint32_t word);

/* The number to was made a duplicate of from. */
void fdtab_copy(struct fdtab *t, int from, int to);

/* The number is about to go, or gone, or was made anew by a call that tells nothing of its kind (acquire). */
void fdtab_drop(struct fdtab *t, int fd);

/* All numbers from first to last, inclusive, are gone. */
void fdtab_drop_range(struct fdtab *t, unsigned first, unsigned last);

#endif
