/* SPDX-License-Identifier: ISC */
/* probe_net.h - what many sub-commands do with sockets */
#ifndef SOCKSIFY_TESTS_PROBE_NET_H
#define SOCKSIFY_TESTS_PROBE_NET_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage sa;
    socklen_t len;
};

/* Read an address; ends the process when there is none in the text. */
struct target net_target(const char *text);

/* A socket of the target's family.  type: SOCK_STREAM and the like, flags included.  Ends the process on failure. */
int net_socket(const struct target *t, int type);

/* connect(); returns its result. */
int net_connect(int fd, const struct target *t);

/* connect() and, where that says EINPROGRESS or EALREADY, wait for its end.  Returns 0 or a positive errno. */
int net_connect_wait(int fd, const struct target *t);

/* Send a pattern through an echoing connection and take it back, both at once.
 * Returns 0, a positive errno, EPROTO when the bytes are not the same, ENODATA at an early end. */
int net_echo(int fd, size_t size);

/* Receive exactly size bytes.  Returns 0, a positive errno, or ENODATA at an early end. */
int net_receive(int fd, void *buf, size_t size);

/* SO_ERROR, or the errno of asking. */
int net_error(int fd);

/* The number of open descriptors. */
int net_descriptors(void);

/* Say a command to the control socket of the proxy, wait for the answer.  Returns its number, 0 for "ok"; ends the
 * process when there is no answer.  Safe in any thread. */
int net_tell(const char *path, const char *command);

/* Milliseconds of a clock that only goes forward. */
long net_clock(void);

/* End the process with a message. */
void net_die(const char *what) __attribute__((noreturn));

#endif
