/* SPDX-License-Identifier: ISC */
/* refuse.h - a genuine refused connection on demand */
#ifndef SOCKSIFY_IO_REFUSE_H
#define SOCKSIFY_IO_REFUSE_H

#include <stdbool.h>

/* Put a connected or connecting TCP socket into the state that a refused non-blocking connect() leaves: POLLIN,
 * POLLOUT, POLLERR, POLLHUP, SO_ERROR ECONNREFUSED, next connect() ECONNABORTED, the one after that works.  The socket
 * is connected to a port of loopback that is bound and does not listen.
 * mapped: an AF_INET6 socket that was connected to a v4-mapped address (through ::1 it would hang).
 * Returns true when the kernel now holds an error (ECONNREFUSED; where loopback cannot be used, ECONNRESET).
 * Async-signal-safe; no cancellation point; at most 20 ms. */
bool refuse_socket(int fd, int domain, bool mapped);

#endif
