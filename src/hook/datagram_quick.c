/* SPDX-License-Identifier: ISC */
/* datagram_quick.c - the usual datagram, by few steps */
#include "datagram_quick.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/memory.h"
#include "../io/message.h"

enum {
    PORT_DOMAIN = 53,
    HEADER_PORT = UDP_HEADER_IPV4 - 2, HEADER_IP = HEADER_PORT - 4,
    IPV4_IN_IPV6 = 12
};

/* RSV, FRAG and the ATYP of IPv4. */
static const uint8_t header_begin[HEADER_IP] = { 0, 0, 0, ADDR_IPV4 };
static const uint8_t mapped[IPV4_IN_IPV6] = { [10] = 0xff, [11] = 0xff };

/* The IPv4 address and the port of a destination, in network order.  Returns false when it has none. */
static inline bool take_ipv4(const struct sockaddr *sa, socklen_t len, unsigned domain, uint32_t *ip, uint16_t *port)
{
    struct sockaddr_in6 in6;

    if (HOOK_LIKELY(len == sizeof(struct sockaddr_in))) {
        uint16_t begin[4];      /* family, port, address: taken once, whatever other threads do to it */

        if (!memory_readable(sa, len))
            return false;
        memcpy(begin, sa, sizeof begin);
        memcpy(ip, begin + 2, sizeof *ip);
        *port = begin[1];
        return begin[0] == AF_INET;
    }
    if (len != sizeof in6 || domain != AF_INET6 || !memory_take(&in6, sa, sizeof in6) || in6.sin6_family != AF_INET6 ||
        memcmp(&in6.sin6_addr, mapped, sizeof mapped) != 0)
        return false;
    memcpy(ip, (const uint8_t *)&in6.sin6_addr + sizeof mapped, sizeof *ip);
    *port = in6.sin6_port;
    return true;
}

/* What a rule that names a host says of its address may be news. */
OWN_FRAME static bool is_learned(uint32_t ip)
{
    struct addr a = { .kind = ADDR_IPV4 }, name;

    memcpy(a.ip, &ip, sizeof ip);
    return learned_find(&process.state.direct, &a, &name);
}

bool datagram_quick_header(const struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len,
                           uint8_t header[UDP_HEADER_IPV4])
{
    uint16_t port;
    uint32_t ip;

    if (!take_ipv4(sa, len, f->domain, &ip, &port) || port == 0 ||
        !assoc_judged(a, assoc_key((unsigned)atomic_load_explicit(&a->proxy, memory_order_relaxed), ip, port)))
        return false;
    if (atomic_load_explicit(&process.state.direct.used, memory_order_relaxed) && is_learned(ip))
        return false;
    memcpy(header, header_begin, sizeof header_begin);
    memcpy(header + HEADER_IP, &ip, sizeof ip);
    memcpy(header + HEADER_PORT, &port, sizeof port);
    return true;
}

void datagram_quick_learn(struct assoc *a, unsigned proxy, const struct addr *target, const struct addr *shown)
{
    uint32_t ip;

    /* Of resolvers more is to be known.  An IPv4 address is one of the pool or is none, by the configuration alone. */
    if (target->kind != ADDR_IPV4 || target->port == 0 || target->port == PORT_DOMAIN || !addr_equal(target, shown))
        return;
    memcpy(&ip, target->ip, sizeof ip);
    assoc_judged_set(a, assoc_key(proxy, ip, htons(target->port)));
}

/* What answers to this datagram are known by: see assoc_sent(). */
OWN_FRAME static void note_destination(struct assoc *a, const struct assoc_facts *f, const uint8_t *header)
{
    struct addr shown = { .kind = ADDR_NONE };
    struct assoc_facts peer;

    if (header)
        addr_get(header + HEADER_IP - 1, UDP_HEADER_IPV4 - HEADER_IP + 1, &shown);
    else if (assoc_read(a, ASSOC_AND_PEER, &peer) && peer.peer.len)
        addr_from_sockaddr((const struct sockaddr *)&peer.peer.sa, peer.peer.len, &shown);
    if (shown.kind != ADDR_NONE)
        assoc_sent(a, &shown, !header && f->by_name);
}

/* What the kernel has said.  Returns as datagram_quick_send(). */
OWN_FRAME static ssize_t failed(struct assoc *a, bool to_peer, int entry_errno)
{
    int error = errno;

    errno = entry_errno;
    /* The number is something else by now: who forgets it knows that libc's own call is to be made. */
    if (error == ENOTSOCK && to_peer)
        return DATAGRAM_SLOW;
    if (error != EAGAIN && error != EMSGSIZE && error != EINTR && error != EFAULT)
        assoc_doubt(a);
    return -error;
}

/* The header to the peer.  Returns its length, 0 when there is none, or something to be seen to. */
static size_t peer_header(const struct assoc *a, const struct assoc_facts *f)
{
    size_t len = f->header_len;

    if (len < UDP_HEADER_IPV4 || len > UDP_HEADER_MAX || (f->header[len - 1] | f->header[len - 2]) == 0 ||
        atomic_load_explicit(&a->proxy, memory_order_relaxed) != f->proxy ||
        atomic_load_explicit(&a->asks, memory_order_relaxed))
        return 0;
    return len;
}

ssize_t datagram_quick_send(struct assoc *a, int fd, const void *data, size_t size, int flags,
                            const struct sockaddr *sa, socklen_t len)
{
    int entry_errno = errno;
    uint8_t header[UDP_HEADER_IPV4];
    struct assoc_facts f;
    struct iovec piece[2] = { { header, sizeof header }, { (void *)data, size } };
    struct msghdr k = { .msg_name = &f.relay.sa, .msg_iov = piece, .msg_iovlen = 2 };
    ssize_t n;

    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL) || !hook_idle(GATE_DEVICE) || !assoc_is_plain(a) ||
        assoc_look(&process.assoc, a, fd, clock_coarse_ms()) != 0 ||
        !assoc_read(a, sa ? ASSOC_RELAY : ASSOC_AND_HEADER, &f) || !f.relay.len || !f.alive)
        return DATAGRAM_SLOW;
    if (!sa) {
        piece[0] = (struct iovec){ f.header, peer_header(a, &f) };
        if (!piece[0].iov_len)
            return DATAGRAM_SLOW;
    } else if (!datagram_quick_header(a, &f, sa, len, header)) {
        return DATAGRAM_SLOW;
    }
    if (atomic_load_explicit(&a->named, memory_order_relaxed) || (!sa && f.by_name))
        note_destination(a, &f, sa ? header : NULL);
    if (!atomic_load_explicit(&a->owed, memory_order_relaxed))
        atomic_store_explicit(&a->owed, true, memory_order_relaxed);
    k.msg_namelen = f.relay.len;
    n = real.sendmsg(fd, &k, flags);
    if (n < 0)
        return failed(a, !sa, entry_errno);
    if (process.assoc.tally)
        tally_add(process.assoc.tally, TALLY_SENT, 1);
    return n - (ssize_t)piece[0].iov_len;
}

ssize_t datagram_quick_message(struct assoc *a, int fd, const struct msghdr *message, int flags)
{
    struct iovec piece;
    struct msghdr m;

    if (!memory_take(&m, message, sizeof m))
        return DATAGRAM_SLOW;
    message_trim(&m);
    /* What is odd about names and control messages the kernel says, in each size of words in its own way. */
    if (m.msg_iovlen != 1 || m.msg_controllen || !m.msg_name != !m.msg_namelen ||
        !memory_take(&piece, m.msg_iov, sizeof piece))
        return DATAGRAM_SLOW;
    return datagram_quick_send(a, fd, piece.iov_base, piece.iov_len, flags, m.msg_name, m.msg_namelen);
}
