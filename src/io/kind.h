/* SPDX-License-Identifier: ISC */
/* kind.h - what SOCKS can do for a socket, judged by its domain, type and protocol */
#ifndef SOCKSIFY_IO_KIND_H
#define SOCKSIFY_IO_KIND_H

#include <stdbool.h>

/* The values are also the words of fdtab; 0 is "unknown" there. */
enum kind {
    KIND_NATIVE = 1,     /* AF_UNIX, AF_NETLINK and the like: none of our business */
    KIND_STREAM = 2,     /* TCP, MPTCP over AF_INET or AF_INET6: carried */
    KIND_DATAGRAM = 3,   /* UDP over AF_INET or AF_INET6 */
    KIND_OTHER = 4,      /* AF_INET or AF_INET6 that SOCKS cannot carry (RAW, ICMP, SCTP, UDP-Lite, DCCP): direct
                            destinations only */
    KIND_LOCAL = 5,      /* AF_VSOCK: may be made, but not connected */
    KIND_REFUSED = 8,    /* may not be made: packet sockets and domains that reach other hosts in their own way; never a
                            word of fdtab */
    KIND_LISTENER = 6,   /* of fdtab alone: a KIND_STREAM that takes its connections through the proxy (io/binding) */
    KIND_OWN = 7         /* no socket: the epoll set of io/assoc; never judged, a word of fdtab alone */
};

/* Judge the arguments of socket().  type: with or without SOCK_NONBLOCK and SOCK_CLOEXEC.  Pure. */
enum kind kind_judge(int domain, int type, int protocol);

/* Judge a descriptor by asking the kernel (SO_DOMAIN, SO_TYPE, SO_PROTOCOL).
 * domain: gets the socket's domain; may be NULL.
 * Returns an enum kind, or -EBADF, -ENOTSOCK.  Async-signal-safe. */
int kind_ask(int fd, int *domain);

/* The same of what is probably a stream, by one question if it is an idle one: only TCP has TCP_INFO.
 * domain: not NULL; untouched when idle is set.  idle: set to true if the kernel says as well that it is neither
 * connected nor about to be, else to false. */
int kind_ask_stream(int fd, int *domain, bool *idle);

#endif
