/* SPDX-License-Identifier: ISC */
/* stream_pending.h - connecting with a handshake that others may see while it lasts; inside hook/stream only
 *
 * All are for a process with an arena and with memory of its own, and for a socket that is not connected.  The request:
 * of a TCP socket, complete but for shared and announce.
 */
#ifndef SOCKSIFY_HOOK_STREAM_PENDING_H
#define SOCKSIFY_HOOK_STREAM_PENDING_H

#include <stdbool.h>

#include "../io/pending.h"

/* Hand a handshake over to those who wait for the socket.
 * Returns as pending_start(); what went wrong but for -EBUSY was reported. */
int stream_begin(struct pending_request *q);

/* A non-blocking connect().  Under a stream of stdio the handshake's end is waited for.
 * Returns -EINPROGRESS, or another negative errno for connect(). */
int stream_begin_beside(struct pending_request *q);

/* A blocking connect() on a socket that others may look at meanwhile: it waits in epoll sets, or there are threads.
 * They must neither see anything of the handshake nor write into it, so that it runs as a pending one, and this call
 * waits for its end.  q->cookie: not 0.
 * Returns 0, or the negative errno of connect(): -EINPROGRESS and -EINTR when it goes on beside the program.  A
 * cancellation point. */
int stream_connect_watched(struct pending_request *q);

/* A connect() while the one before it is under way, wherever it leads: a blocking socket waits for the end of that,
 * unless the call must not wait.
 * Returns 0 when none is (any more), -EALREADY, -EINTR. */
int stream_still_connecting(int fd, bool dont_wait);

#endif
