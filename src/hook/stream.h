/* SPDX-License-Identifier: ISC */
/* stream.h - connecting the program's TCP socket, for every call that does so */
#ifndef SOCKSIFY_HOOK_STREAM_H
#define SOCKSIFY_HOOK_STREAM_H

#include <stdbool.h>
#include <sys/socket.h>

#include "../io/route.h"

enum { STREAM_NOT_OURS = 1 };

enum stream_how {
    STREAM_IDLE = 1,         /* the kernel has just said that the socket is not connected */
    STREAM_DONT_WAIT = 2     /* as if it had O_NONBLOCK: MSG_DONTWAIT with MSG_FASTOPEN */
};

/* Connect a TCP socket to where its route leads.
 * fd: a socket of KIND_STREAM; domain: its AF_INET or AF_INET6; sa: len readable bytes, of the socket's own family;
 * how: bits of enum stream_how.
 * Returns STREAM_NOT_OURS when libc's own call is to be made (a direct destination), 0 when fd is a tunnel now, or the
 * negative errno that connect() must report.  A cancellation point. */
int stream_connect(int fd, int domain, const struct sockaddr *sa, socklen_t len, int how);

/* A socket is connected now, or about to be, by whatever way: its registrations need not be followed any more, nor who
 * else has it.  Not before: after a failure it may be connected through the proxy yet.  fd: any number.  errno kept. */
void stream_settled(int fd);

/* The same for a caller that knows that the process has no other's memory. */
void stream_follow_no_more(int fd);

/* A direct connect() of a socket is under way: as above, until somebody asks guard_is_fresh(), when it may have
 * failed.  fd: any number.  errno kept. */
void stream_tried(int fd);

/* Say that a call was refused, once for each reason in a process.  r: of ROUTE_REFUSED.  Returns r->error. */
int stream_refused(const struct route *r);

#endif
