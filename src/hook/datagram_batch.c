/* SPDX-License-Identifier: ISC */
/* datagram_batch.c - several datagrams through the proxy in one call
 *
 * Only what needs no room beyond the batch's own goes together: one piece each, headers of addresses.  The rest goes
 * one by one, by datagram_send.c and datagram_recv.c, which have the reasons for each step.
 */
#include <limits.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "../io/vector.h"
#include "datagram_place.h"
#include "datagram_quick.h"
#include "datagram_source.h"

enum {
    LONG_PART = UDP_HEADER_IPV6 - UDP_HEADER_IPV4,
    BATCH_IN = 32
};

/* The association of fd, standing, if nothing is out of the ordinary with it. */
static struct assoc *ordinary(int fd, struct assoc_facts *f)
{
    struct assoc *a = datagram_of(fd);

    if (!a || !hook_idle(GATE_DEVICE) || assoc_unsettled(a) ||
        atomic_load_explicit(&a->failed, memory_order_relaxed) ||
        atomic_load_explicit(&a->more, memory_order_relaxed) ||
        atomic_load_explicit(&a->corked, memory_order_relaxed) ||
        assoc_look(&process.assoc, a, fd, clock_coarse_ms()) != 0 || !assoc_facts(a, true, f) || !f->relay.len)
        return NULL;
    return a;
}

bool datagram_batch_begin(struct datagram_batch *b, int fd, int flags)
{
    b->count = 0;
    b->fd = fd;
    b->other = NULL;
    b->a = flags & (MSG_MORE | MSG_FASTOPEN) ? NULL : ordinary(fd, &b->facts);
    return b->a && b->facts.alive;
}

OWN_FRAME static struct assoc *find_other(struct datagram_batch *b, unsigned proxy)
{
    struct assoc *other = assoc_branch(&process.assoc, b->a, proxy);
    struct assoc_facts f;

    if (!other || assoc_look(&process.assoc, other, b->fd, clock_coarse_ms()) != 0 || !assoc_facts(other, false, &f) ||
        !f.relay.len || !f.alive)
        return NULL;
    b->relay = f.relay;
    return other;
}

/* The relay at the proxy that carries a message: the trunk's, or that of one other.  Returns NULL when it does not
 * stand, and for a third, whose messages go one by one. */
static struct assoc_address *relay_at(struct datagram_batch *b, unsigned proxy)
{
    if (HOOK_LIKELY(atomic_load_explicit(&b->a->proxy, memory_order_relaxed) == (int)proxy))
        return &b->facts.relay;
    if (!b->other)
        b->other = find_other(b, proxy);
    return b->other && atomic_load_explicit(&b->other->proxy, memory_order_relaxed) == (int)proxy ? &b->relay : NULL;
}

/* What goes through the proxy, by an address, and without a word to the user.  *relay: gets where to.
 * Returns the header's length, or 0. */
OWN_FRAME static size_t header_to(struct datagram_batch *b, const struct sockaddr *sa, socklen_t len, uint8_t *header,
                                  struct assoc_address **relay)
{
    struct addr shown;
    struct route r;
    size_t size;

    if (sa->sa_family != AF_INET && (sa->sa_family != AF_INET6 || b->facts.domain == AF_INET))
        return 0;
    route_judge(&process.conf, &process.state, &process.proxies, sa, len, false, &r);
    if (r.way != ROUTE_PROXY || r.target.kind == ADDR_NAME || r.target.port == 0 ||
        resolvers_has(&process.resolvers, &r.target) || !(*relay = relay_at(b, r.proxy)))
        return 0;
    size = udp_header_put(&r.target, header);
    addr_from_sockaddr(sa, len, &shown);
    assoc_sent(b->a, &shown, false);
    if (*relay == &b->facts.relay)
        datagram_quick_learn(b->a, r.proxy, &r.target, &shown);
    return size;
}

/* The same, for a destination in the program's memory. */
static size_t header_of(struct datagram_batch *b, const struct msghdr *m, uint8_t *header, struct assoc_address **relay)
{
    struct sockaddr_in6 own;

    *relay = &b->facts.relay;
    if (HOOK_LIKELY(!atomic_load_explicit(&b->a->named, memory_order_relaxed) &&
                    datagram_quick_header(b->a, &b->facts, m->msg_name, m->msg_namelen, header)))
        return UDP_HEADER_IPV4;
    if (m->msg_namelen < sizeof(struct sockaddr_in) || m->msg_namelen > sizeof own ||
        !memory_take(&own, m->msg_name, m->msg_namelen))
        return 0;
    return header_to(b, (struct sockaddr *)&own, m->msg_namelen, header, relay);
}

OWN_FRAME static size_t header_to_peer(struct datagram_batch *b, struct assoc_address **relay)
{
    struct addr shown;

    if (!b->facts.peer.len || !(*relay = relay_at(b, b->facts.proxy)) || ntohs(b->facts.peer.sa.sin6_port) == 0 ||
        atomic_load_explicit(&b->a->asks, memory_order_relaxed))
        return 0;
    if (b->facts.by_name && addr_from_sockaddr((struct sockaddr *)&b->facts.peer.sa, b->facts.peer.len, &shown) == 0)
        assoc_sent(b->a, &shown, true);
    return b->facts.header_len;
}

bool datagram_batch_add(struct datagram_batch *b, const struct msghdr *message)
{
    struct iovec *piece = b->piece[b->count];
    struct assoc_address *relay;
    struct msghdr m = *message;

    message_trim(&m);
    if (m.msg_iovlen > 1 || m.msg_controllen ||
        (m.msg_iovlen && !memory_take(&piece[1], m.msg_iov, sizeof piece[1])))
        return false;
    piece[0].iov_base = b->facts.header;
    if (!m.msg_name || m.msg_namelen == 0) {
        piece[0].iov_len = header_to_peer(b, &relay);
    } else {
        piece[0].iov_base = b->header[b->count];
        piece[0].iov_len = header_of(b, &m, piece[0].iov_base, &relay);
    }
    if (!piece[0].iov_len)
        return false;
    b->message[b->count++] = (struct mmsghdr){
        .msg_hdr = { .msg_name = &relay->sa, .msg_namelen = relay->len, .msg_iov = piece,
                     .msg_iovlen = m.msg_iovlen + 1 }
    };
    return true;
}

long datagram_batch_send(struct datagram_batch *b, int fd, int flags)
{
    long sent;

    if (!atomic_load_explicit(&b->a->owed, memory_order_relaxed))
        atomic_store_explicit(&b->a->owed, true, memory_order_relaxed);
    if (b->other)
        atomic_store_explicit(&b->other->owed, true, memory_order_relaxed);
    sent = real.sendmmsg(fd, b->message, b->count, flags);
    if (sent < 0) {
        assoc_doubt(b->a);
        if (b->other)
            assoc_doubt(b->other);
        return -errno;
    }
    for (long i = 0; i < sent; i++)
        b->message[i].msg_len -= (unsigned)b->message[i].msg_hdr.msg_iov[0].iov_len;
    tally_add(process.assoc.tally, TALLY_SENT, (unsigned)sent);
    return sent;
}

/* Messages on their way in. */
struct arrivals {
    struct mmsghdr message[BATCH_IN];
    struct iovec piece[BATCH_IN][3];
    struct sockaddr_in6 from[BATCH_IN];
    uint8_t head[BATCH_IN][UDP_HEADER_IPV4], spare[BATCH_IN][LONG_PART];
};

/* Dropped ones make room for others, which must then fit in the same way. */
static bool alike(const struct msghdr *m, const struct msghdr *first)
{
    return m == first ||
           (m->msg_iov->iov_len == first->msg_iov->iov_len && m->msg_controllen == first->msg_controllen);
}

/* Where a name cannot be put the datagrams behind it stay in the socket, so that this message goes alone. */
static bool takes_name(const struct msghdr *m)
{
    size_t len = m->msg_namelen < sizeof(struct sockaddr_in6) ? m->msg_namelen : sizeof(struct sockaddr_in6);

    return !m->msg_name || ((int)m->msg_namelen >= 0 && memory_writable(m->msg_name, len));
}

/* What comes behind a dropped one goes to the place of that, and could not go back into the socket.  Of more pages than
 * two the ends stand for all: a look at each would cost more than a call for each message. */
static bool takes_another(const struct iovec *piece, const struct msghdr *m)
{
    uintptr_t base = (uintptr_t)piece->iov_base;

    return memory_writable(m->msg_control, m->msg_controllen) &&
           (!piece->iov_len || (memory_writable((void *)base, 1) &&
                                memory_writable((void *)(base + piece->iov_len - 1), 1)));
}

/* Returns the number of messages, from the first on, that can be received so. */
static unsigned prepare(struct arrivals *v, struct mmsghdr *messages, unsigned count)
{
    bool last = false;
    unsigned good = 0;

    if (!memory_writable(messages, count * sizeof *messages))
        return 0;
    for (; good < count && !last; good++) {
        struct msghdr *m = &messages[good].msg_hdr;

        message_trim(m);
        if (m->msg_iovlen != 1 || !takes_name(m) ||
            !memory_readable(m->msg_iov, sizeof *m->msg_iov) ||
            m->msg_iov->iov_len > SSIZE_MAX - UDP_HEADER_MAX || !alike(m, &messages[0].msg_hdr))
            break;
        v->piece[good][0] = (struct iovec){ v->head[good], UDP_HEADER_IPV4 };
        v->piece[good][1] = m->msg_iov[0];
        v->piece[good][2] = (struct iovec){ v->spare[good], LONG_PART };
        v->message[good].msg_hdr = (struct msghdr){
            .msg_name = &v->from[good], .msg_namelen = sizeof v->from[good], .msg_iov = v->piece[good],
            .msg_iovlen = 3, .msg_control = m->msg_control, .msg_controllen = m->msg_controllen
        };
        last = !takes_another(&v->piece[good][1], m);
    }
    return good;
}

/* After shutdown(): the end, and not a datagram. */
static int end_of(struct mmsghdr *to, const struct msghdr *k)
{
    const struct assoc_address nobody = { .len = 0 };

    to->msg_len = 0;
    return datagram_fill(&to->msg_hdr, k, &nobody, false);
}

/* hand_over() of the usual message, in its place.  Returns false for any other. */
static bool hand_over_quickly(struct assoc *a, const struct assoc_facts *f, struct arrivals *v, unsigned i,
                              struct mmsghdr *to, int flags)
{
    const struct msghdr *k = &v->message[i].msg_hdr;
    size_t size = v->message[i].msg_len - UDP_HEADER_IPV4, room = v->piece[i][1].iov_len;
    struct assoc_address shown;
    struct datagram_ipv4 from;

    if (v->message[i].msg_len < UDP_HEADER_IPV4 ||
        !datagram_quick_source(a, f, (struct sockaddr *)&v->from[i], k->msg_namelen, v->head[i], &from))
        return false;
    datagram_show(&shown, f->domain, from);
    if (datagram_fill(&to->msg_hdr, k, &shown, size > room) != 0)
        return false;
    to->msg_len = (unsigned)(size > room && !(flags & MSG_TRUNC) ? room : size);
    if (process.assoc.tally)
        tally_add(process.assoc.tally, TALLY_RECEIVED, 1);
    return true;
}

/* What came with the message i goes to the program's message to, which is i unless some before it were dropped.
 * Returns 0, or a negative errno for one that is dropped. */
OWN_FRAME static int hand_over(struct assoc *a, const struct assoc_facts *f, struct arrivals *v, unsigned i,
                               struct mmsghdr *to, bool moved, int flags)
{
    const struct msghdr *k = &v->message[i].msg_hdr;
    size_t n = v->message[i].msg_len, room = v->piece[i][1].iov_len, whole, kept;
    ssize_t placed;
    size_t had = n < room + UDP_HEADER_IPV6 ? n : room + UDP_HEADER_IPV6;
    uint8_t head[UDP_HEADER_MAX];
    struct assoc_address shown = { .len = 0 };
    int skip = datagram_source(a, f, (struct sockaddr *)&v->from[i], k->msg_namelen, head,
                               datagram_look(v->piece[i], 1, had, head), &shown);

    if (n == 0 && k->msg_namelen == 0)
        return end_of(to, k);
    if (skip < 0) {
        /* Nothing of it is left in the program's hands. */
        if (had > UDP_HEADER_IPV4)
            vector_clear(v->piece[i] + 1, 1, 0, had - UDP_HEADER_IPV4 < room ? had - UDP_HEADER_IPV4 : room);
        return skip;
    }
    if (skip > 0)
        datagram_count(a, (struct sockaddr *)&v->from[i], k->msg_namelen);
    whole = n - (size_t)skip;
    /* The first name in the place of an address takes the end of a payload that fills its buffer. */
    placed = datagram_place(v->piece[i], 1, room, had, (size_t)skip);
    if (placed < 0)
        return (int)placed;
    kept = (size_t)placed;
    if (moved) {
        /* Another message's memory was received into. */
        if (!memory_writable(to->msg_hdr.msg_iov[0].iov_base, kept) ||
            (k->msg_controllen && !memory_writable(to->msg_hdr.msg_control, k->msg_controllen)))
            return -EFAULT;
        memmove(to->msg_hdr.msg_iov[0].iov_base, v->piece[i][1].iov_base, kept);
        vector_clear(v->piece[i] + 1, 1, 0, kept);
        if (k->msg_controllen)
            memmove(to->msg_hdr.msg_control, k->msg_control, k->msg_controllen);
    }
    to->msg_len = (unsigned)(flags & MSG_TRUNC ? whole : kept);
    /* The longest header fills the rest of the vector. */
    return datagram_fill(&to->msg_hdr, k, &shown, whole > kept || k->msg_flags & MSG_TRUNC);
}

static long sort_out(struct assoc *a, const struct assoc_facts *f, struct arrivals *v, long got,
                     struct mmsghdr *messages, int flags)
{
    long kept = 0;

    for (long i = 0; i < got; i++) {
        int error;

        if (HOOK_LIKELY(kept == i && hand_over_quickly(a, f, v, (unsigned)i, &messages[i], flags))) {
            kept++;
            continue;
        }
        error = hand_over(a, f, v, (unsigned)i, &messages[kept], kept != i, flags);
        if (error == -EFAULT && kept)
            atomic_store(&a->failed, error);    /* the next call tells, as the kernel's */
        if (error == -EFAULT)
            return kept ? kept : error;
        if (error == 0)
            kept++;
        else if (error != -ENODATA)
            assoc_dropped(&process.assoc, a);
    }
    return kept;
}

bool datagram_receive_batch(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout,
                            long *got, bool *more)
{
    struct arrivals v;
    struct assoc_facts f;
    struct assoc *a = flags & (MSG_PEEK | MSG_ERRQUEUE) ? NULL : ordinary(fd, &f);
    bool fits = a && !atomic_load_explicit(&a->by_names, memory_order_relaxed);
    unsigned good = fits ? prepare(&v, messages, count < BATCH_IN ? count : BATCH_IN) : 0;
    long n;

    if (good < 2)
        return false;
    n = real.recvmmsg(fd, v.message, good, flags, timeout);
    *got = n < 0 ? -errno : 0;
    if (n > 0 && assoc_facts(a, true, &f))
        *got = sort_out(a, &f, &v, n, messages, flags);
    /* What has ended the call has ended the program's: of all that was dropped the next one is waited for. */
    *more = n == (long)good;
    return true;
}
