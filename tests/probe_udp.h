/* SPDX-License-Identifier: ISC */
/* probe_udp.h - one datagram out or in, by any call */
#ifndef SOCKSIFY_TESTS_PROBE_UDP_H
#define SOCKSIFY_TESTS_PROBE_UDP_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "probe_net.h"

enum { UDP_BYTES = 4096, UDP_PIECES = 1024, UDP_PATIENCE_S = 10, UDP_SENDS = 12, UDP_RECEIVES = 15 };

/* Ways to send; ways to receive.  By their place in the tables of probe_udp_call.c. */
enum { UDP_SENDTO = 3, UDP_SENDMSG = 4 };
enum { UDP_RECV = 0, UDP_RECVFROM = 3, UDP_RECVMSG = 4 };

struct parcel {
    struct target to;               /* out: len 0 without; in: who sent it */
    int flags;
    unsigned pieces;                /* the payload is cut into so many */
    size_t size;
    struct msghdr m;
    struct iovec piece[UDP_PIECES];
    char control[256];
};

/* The payload of everything that is sent, of which a part is taken; where it is received. */
extern char udp_outgoing[UDP_BYTES], udp_incoming[UDP_BYTES];

/* Fill in the message of a parcel: size bytes at data, in so many pieces. */
void udp_cut(struct parcel *p, char *data);

/* A datagram socket that does not wait for ever. */
int udp_socket(const struct target *t);

/* Receive and tell everything of it; UDP_RECV takes the place of a way that knows no flags when there are some. */
void udp_receive(int fd, int way, size_t size, int flags, unsigned pieces);

/* Send, and tell what came of it.  to: NULL to the peer.  Returns the result, -2 when the way cannot do it. */
long udp_send(int fd, int way, const struct target *to, size_t size, int flags, unsigned pieces);

/* The first address of a name; port: in digits.  Ends the program when there is none. */
struct target udp_resolve(const char *name, const char *port, int family);

/* There and back: sendto(), recvfrom(). */
void udp_exchange(int fd, const struct target *to);

#endif
