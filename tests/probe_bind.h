/* SPDX-License-Identifier: ISC */
/* probe_bind.h - a server that is told a port and connects back to it, as FTP's do in active mode */
#ifndef SOCKSIFY_TESTS_PROBE_BIND_H
#define SOCKSIFY_TESTS_PROBE_BIND_H

#include <stdbool.h>

#include "probe_net.h"

/* The connection to that server. */
struct session {
    int fd;
    struct target server;
};

/* Connect to it; ends the process on failure. */
struct session bind_session(const char *address);

/* A socket that listens on a port of the kernel's choice at the any-address of the server's family.  type: flags of
 * socket().  Ends the process on failure. */
int bind_listener(const struct session *s, int type);

/* Tell the server where to come: to the listener, as getsockname() shows it, with the session's own host where that is
 * the any-address.  from: an address the server is to come from, or NULL.  Returns once it has, or could not; prints
 * nothing.  Returns false when it could not.  announced: what it was told, may be NULL. */
bool bind_call(const struct session *s, int listener, const char *from, struct target *announced);

/* Take the greeting off a connection that was accepted, and have a byte echoed.  Returns 0 or a positive errno. */
int bind_greeted(int fd);

/* bind_greeted(), said, and close(). */
void bind_finish(const char *what, int fd);

/* poll() for POLLIN, at most so many milliseconds; the events that came. */
unsigned bind_await(int fd, int timeout);

#endif
