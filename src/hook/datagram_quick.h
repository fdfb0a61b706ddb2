/* SPDX-License-Identifier: ISC */
/* datagram_quick.h - the usual datagram, by few steps
 *
 * One piece, to or from an IPv4 address, on a socket whose association stands and with which nothing is out of the
 * ordinary.  All else goes by datagram_send.c and datagram_recv.c, which have the reasons for each step.
 */
#ifndef SOCKSIFY_HOOK_DATAGRAM_QUICK_H
#define SOCKSIFY_HOOK_DATAGRAM_QUICK_H

#include <limits.h>
#include <netinet/in.h>
#include <string.h>

#include "../io/assoc_path.h"
#include "../io/memory.h"
#include "datagram.h"

enum { DATAGRAM_SLOW = -4096 };     /* no errno: it is to go in the ordinary way */

/* An IPv4 address and a port, in network order. */
struct datagram_ipv4 {
    uint32_t ip;
    uint16_t port;
};

/* A size as the kernel takes it in calls without a vector: it cuts what it refuses in one. */
static inline size_t datagram_cut(size_t size)
{
    return size < INT_MAX ? size : INT_MAX;
}

/* Receive a datagram as recvfrom() does.  a: the trunk; data, size, name, len: the program's, name may be NULL.
 * Returns the length, with errno as it was, DATAGRAM_SLOW, or a negative errno.  A cancellation point. */
ssize_t datagram_quick_receive(struct assoc *a, int fd, void *data, size_t size, int flags, struct sockaddr *name,
                               socklen_t *len);

/* Send a datagram.  a: the trunk; data, size, sa, len: the program's; sa NULL: to the peer.  Returns the payload's
 * length, with errno as it was, DATAGRAM_SLOW, or a negative errno.  A cancellation point. */
ssize_t datagram_quick_send(struct assoc *a, int fd, const void *data, size_t size, int flags,
                            const struct sockaddr *sa, socklen_t len);

/* The same, as sendmsg() takes it.  message: any pointer. */
ssize_t datagram_quick_message(struct assoc *a, int fd, const struct msghdr *message, int flags);

/* The header of a datagram to a destination that was judged before.  a: the trunk; f: its facts, of any part; sa, len:
 * the program's.  Returns false when it is to be judged. */
bool datagram_quick_header(const struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len,
                           uint8_t header[UDP_HEADER_IPV4]);

/* Note where a datagram goes that was judged in the ordinary way.  a: the trunk; proxy: the number of the one that it
 * is for, by the rules; target: what the proxy is told; shown: the address the program used. */
void datagram_quick_learn(struct assoc *a, unsigned proxy, const struct addr *target, const struct addr *shown);

/* An address as a socket of this domain has it. */
static inline void datagram_show(struct assoc_address *shown, unsigned domain, struct datagram_ipv4 from)
{
    if (HOOK_LIKELY(domain == AF_INET)) {
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = from.port, .sin_addr = { from.ip } };

        memcpy(&shown->sa, &in, sizeof in);
        shown->len = sizeof in;
    } else {
        shown->sa = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = from.port };
        memset(&shown->sa.sin6_addr.s6_addr[10], 0xff, 2);
        memcpy(&shown->sa.sin6_addr.s6_addr[12], &from.ip, sizeof from.ip);
        shown->len = sizeof shown->sa;
    }
}

/* True if an address can be put there. */
static inline bool datagram_has_room(struct sockaddr *name, socklen_t *len)
{
    return memory_writable(len, sizeof *len) && (int)*len >= 0 &&
           memory_writable(name, *len < sizeof(struct sockaddr_in6) ? *len : sizeof(struct sockaddr_in6));
}

/* Put an address where the program wants it.  name: *len writable bytes; *len: set to the address' own length. */
static inline void datagram_tell(struct sockaddr *name, socklen_t *len, const struct assoc_address *shown)
{
    if (HOOK_LIKELY(*len >= sizeof(struct sockaddr_in) && shown->len == sizeof(struct sockaddr_in)))
        memcpy(name, &shown->sa, sizeof(struct sockaddr_in));
    else
        memcpy(name, &shown->sa, *len < shown->len ? *len : shown->len);
    *len = shown->len;
}

/* datagram_source() of what comes from the relay, with the header of an IPv4 address, to a socket that never sent to a
 * name or a resolver.  f: of ASSOC_AND_HEADER; head: UDP_HEADER_IPV4 bytes.
 * Returns the header's length with *from, or 0 when datagram_source() is to be asked. */
static inline int datagram_quick_source(struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa,
                                        socklen_t len, const uint8_t *head, struct datagram_ipv4 *from)
{
    static const uint8_t begin[4] = { 0, 0, 0, ADDR_IPV4 };    /* RSV, FRAG, ATYP */

    if (memcmp(head, begin, sizeof begin) != 0 || atomic_load_explicit(&a->branch, memory_order_relaxed) ||
        atomic_load_explicit(&a->named, memory_order_relaxed) ||
        atomic_load_explicit(&a->questions, memory_order_acquire) ||
        atomic_load_explicit(&a->self, memory_order_relaxed) || !assoc_address_equal(&f->relay, sa, len))
        return 0;
    /* What the peer sends begins as what it is sent does. */
    if (f->header_len && (f->header_len != UDP_HEADER_IPV4 || memcmp(head + 4, f->header + 4, 4) != 0 ||
                          memcmp(head + 8, f->header + 8, 2) != 0 ||
                          atomic_load_explicit(&a->asks, memory_order_relaxed)))
        return 0;
    memcpy(&from->ip, head + 4, sizeof from->ip);
    memcpy(&from->port, head + 8, sizeof from->port);
    if (atomic_load_explicit(&a->owed, memory_order_relaxed))
        atomic_store_explicit(&a->owed, false, memory_order_relaxed);
    return UDP_HEADER_IPV4;
}

#endif
