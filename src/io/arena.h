/* SPDX-License-Identifier: ISC */
/* arena.h - the memory of pending handshakes that forked processes share; inside io/pending and io/binding only */
#ifndef SOCKSIFY_IO_ARENA_H
#define SOCKSIFY_IO_ARENA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "binding.h"
#include "epollset.h"
#include "lock.h"
#include "pending.h"

enum {
    ARENA_SLOTS = 4095,        /* handshakes at once; 12 bits of a handle, 0 is none */
    ARENA_NUMBERS = 4,         /* descriptors of one socket that are followed */
    ARENA_ERRORS = 1024,       /* kept errnos; a later one may take the place of one that nobody asked for */
    ARENA_ERROR_ROW = 16       /* places for one SO_COOKIE */
};

enum arena_phase { ARENA_FREE, ARENA_CONNECTING, ARENA_HANDSHAKE };

struct arena_slot {
    _Atomic uint16_t generation;     /* 12 bits of a handle; changes when the slot is freed */
    _Atomic uint8_t phase;           /* enum arena_phase */
    _Atomic uint8_t wants;           /* EPOLLIN or EPOLLOUT */
    _Atomic bool refused;            /* without the lock, for who waited: the socket is the program's own again */
    _Atomic bool awaited;            /* a thread of pid is inside connect(), and goes on with it */
    _Atomic bool leaving;            /* pid was about to exec, which closes its numbers */
    uint8_t step;                    /* for which the deadline was set, as tunnel_patience() names it */
    bool forked;                     /* other processes hold the socket too */
    bool binding;                    /* a listener's request (io/binding) */
    bool stands;                     /* it came to a tunnel; said until the place is taken again */
    bool unwatched;                  /* nobody can be asleep in a set that the socket is in */
    uint16_t next_free;              /* index + 1 */
    int32_t pid;                     /* who called connect() */
    int domain;
    int fd[ARENA_NUMBERS];           /* in that process; -1 for none */
    int low_water;                   /* the program's SO_RCVLOWAT; 0: it is still in force */
    int kernel_limit;                /* TCP_USER_TIMEOUT as we have set it; 0: the program has its own */
    uint64_t cookie;
    int64_t began, deadline;
    struct tunnel_limits limits;
    struct addr proxy, target, peer;
    struct socks5 machine;
    struct flight flight;
};

struct arena_error {
    uint64_t cookie;                 /* 0: none */
    uint32_t serial;                 /* the oldest of a row goes */
    int error;                       /* positive */
};

struct pending_arena {
    struct lock lock;
    atomic_uint count;               /* handshakes that last */
    atomic_bool orphans;             /* one was given up whose socket somebody may hold */
    atomic_bool joined;              /* a process has come to a handshake of another, by a socket made before fork() */
    uint32_t error_serial;
    atomic_uint errors;              /* entries of error[] in use, at most */
    _Atomic int64_t next_deadline;   /* not later than any slot's */
    uint16_t free, unused;           /* of the slots: index + 1 of the list; the rest was never used */
    struct arena_error error[ARENA_ERRORS];
    struct epollset set;
    struct binding_table binding;
    struct arena_slot slot[ARENA_SLOTS];
};

/* Take the arena's lock.  False when there is no arena, or the lock could not be had: nothing is held then.
 * hold: as lock_take(). */
bool arena_enter(struct pending *p, struct lock_hold *hold);

/* The same in the process that p->pid is, as its caller knows: without another thread that is the thread id. */
bool arena_enter_own(struct pending *p, struct lock_hold *hold);

/* Give the lock back. */
void arena_leave(struct pending *p, const struct lock_hold *hold);

/* The slot of a handle, or NULL when that handshake is over.  Lock held, or the answer may be old. */
struct arena_slot *arena_slot_of(const struct pending_arena *a, pending_handle handle);

/* The slot of the handshake of a socket, or NULL.  cookie: its SO_COOKIE.  Lock held. */
struct arena_slot *arena_slot_of_cookie(struct pending_arena *a, uint64_t cookie);

/* The handle of a slot. */
pending_handle arena_handle_of(const struct pending_arena *a, const struct arena_slot *s);

/* A free slot, all zero but its generation, or NULL.  Lock held. */
struct arena_slot *arena_take(struct pending_arena *a);

/* Free a slot; its handles become void.  Lock held. */
void arena_give(struct pending_arena *a, struct arena_slot *s);

/* Keep an errno for a socket, or take it: 0 when there is none.  Lock held. */
void arena_keep_error(struct pending_arena *a, uint64_t cookie, int error);
int arena_take_error(struct pending_arena *a, uint64_t cookie);

#endif
