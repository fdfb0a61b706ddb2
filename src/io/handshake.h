/* SPDX-License-Identifier: ISC */
/* handshake.h - the steps of a pending handshake; inside io/pending only, with the arena's lock held */
#ifndef SOCKSIFY_IO_HANDSHAKE_H
#define SOCKSIFY_IO_HANDSHAKE_H

#include "arena.h"

/* pending_start() with the lock held.  cookie: q->fd's. */
int pending_begin(struct pending *p, const struct pending_request *q, uint64_t cookie, pending_handle *handle);

/* Give up the handshakes of processes that have ended without a word, when room is short.  Returns whether there is
 * room now. */
bool pending_expire_dead(struct pending *p);

/* The kernel has said, by EPOLLOUT alone, that the connection stands. */
void handshake_connected(struct arena_slot *s, int fd);

/* Step a handshake through a number of this process.  fd: its SO_COOKIE was compared.
 * Returns -EAGAIN while it lasts (registrations are armed anew); 0 when it is over (the slot is free). */
int handshake_step(struct pending *p, struct arena_slot *s, int fd);

/* End it with an error: the socket is put into a refused state.  error: negative. */
void handshake_fail(struct pending *p, struct arena_slot *s, int fd, int error);

/* End it without touching the connection: registrations are put back as they are.
 * fd: a number of the socket whose SO_RCVLOWAT is restored, or -1. */
void handshake_drop(struct pending *p, struct arena_slot *s, int fd);

/* Let the kernel itself give up to connect, a little after our deadline: for a thread that sleeps in epoll_wait() since
 * before connect(), which no deadline of ours wakes, unless there is none.  A time that the program has set stands. */
void handshake_limit(struct arena_slot *s, int fd);

/* Set the deadline for the stage the machine is in. */
void handshake_deadline(struct pending_arena *a, struct arena_slot *s);

#endif
