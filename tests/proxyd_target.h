/* SPDX-License-Identifier: ISC */
/* proxyd_target.h - the outside of the test proxy: names and sockets
 *
 * All sockets made here are non-blocking, close-on-exec, and the caller's.
 */
#ifndef SOCKSIFY_TESTS_PROXYD_TARGET_H
#define SOCKSIFY_TESTS_PROXYD_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "proxyd_options.h"

/* Turn what a client asked for into an IP address and port: numbers as they are, also those sent as a name, then the
 * table of --host, then the system with --resolve.  Returns 0 or -ENOENT (ip untouched). */
int target_resolve(const struct options *o, const struct addr *asked, struct addr *ip);

/* Start a TCP connection.  Returns the socket, which becomes writable in the end, or a negative errno. */
int target_connect(const struct addr *ip);

/* Listen at an address and port (0: any).  Returns the socket or a negative errno. */
int target_listen(const struct addr *local, int backlog);

/* Take a connection.  Returns the socket or a negative errno; -EAGAIN when there is none. */
int target_accept(int fd);

/* Let connections bring data with their SYN, as far as net.ipv4.tcp_fastopen has it.  Returns 0 or a negative errno. */
int target_fastopen(int listener);

/* True if a connection that was taken did. */
bool target_opened(int fd);

/* Make a UDP socket at an address; local NULL: bound to nothing.  Returns the socket or a negative errno. */
int target_datagram(int family, const struct addr *local);

/* How a connection ended: 0 or a negative errno. */
int target_error(int fd);

/* The REP octet for what connect() said; error: negative errno. */
uint8_t target_rep(int error);

/* The socket's own address, or its peer's; ADDR_NONE when there is none. */
void target_name(int fd, bool peer, struct addr *out);

#endif
