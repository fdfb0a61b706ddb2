/* SPDX-License-Identifier: ISC */
/* refuse.h - a genuine refused connection on demand */
#ifndef SOCKSIFY_IO_REFUSE_H
#define SOCKSIFY_IO_REFUSE_H

#include <stdbool.h>

/* Put a connected or connecting TCP socket into the state that a refused non-blocking connect() leaves: POLLIN,
 * POLLOUT, POLLERR, POLLHUP, SO_ERROR ECONNREFUSED, next connect() ECONNABORTED, the one after that works.  The socket
 * is connected to a port of loopback that is bound and does not listen.
 * mapped: an AF_INET6 socket that was connected to a v4-mapped address (through ::1 it would hang); near: packets to
 * loopback stay on this machine, which those of a socket bound to a device do not.
 * The kernel then holds an error: ECONNREFUSED; ECONNRESET, without POLLIN, where loopback cannot be used or does not
 * answer within 20 ms.  Async-signal-safe; no cancellation point. */
void refuse_socket(int fd, int domain, bool mapped, bool near);

#endif
