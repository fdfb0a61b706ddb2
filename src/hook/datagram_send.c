/* SPDX-License-Identifier: ISC */
/* datagram_send.c - a datagram on its way to the relay */
#include <netinet/in.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/detour.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "../io/vector.h"
#include "datagram_place.h"
#include "datagram_quick.h"
#include "question.h"
#include "stray.h"

enum {
    PIECES = 64,                /* of the program's; more go through a copy */
    PIECES_MAX = 1024,          /* UIO_MAXIOV */
    PORT_DOMAIN = 53,
    LEVEL_UDP = 17, MESSAGE_SEGMENT = 103,
    TRIES = 3                   /* the control connection may end while it is looked at */
};

/* The kernel would cut a large one into several, of which only the first had a header. */
static bool asks_for_segments(const struct msghdr *m)
{
    struct cmsghdr *c = NULL;
    size_t len = 0;

    while ((c = message_control(m, c, &len))) {
        if (c->cmsg_level == LEVEL_UDP && c->cmsg_type == MESSAGE_SEGMENT)
            return true;
    }
    return false;
}

/* An association failed after this socket's datagrams were queued for it: its next call says so, once. */
static int failure(int fd, struct assoc *a)
{
    int error = assoc_failure(a);

    if (error)
        assoc_sweep(a, fd);
    return error;
}

/* The place of the proxy that carries a datagram.  f: gets its relay.  Returns 0 or a negative errno. */
static int find_place(int fd, struct assoc *a, unsigned proxy, struct assoc **b, struct assoc_facts *f)
{
    struct assoc_facts other;

    *b = assoc_branch(&process.assoc, a, proxy);
    if (HOOK_LIKELY(*b == a))
        return 0;
    if (!*b)
        return -ENOBUFS;
    if (assoc_look(&process.assoc, *b, fd, clock_ms()) != 0 || !assoc_facts(*b, false, &other))
        return -EAGAIN;
    f->relay = other.relay;
    f->alive = other.alive;
    return 0;
}

/* A socket that is bound to a device sends only where the relay is known; no other one has to wait for that. */
static bool waits(int fd, int flags)
{
    return datagram_sleeps(fd, flags) || (!hook_idle(GATE_DEVICE) && detour_has_device(fd, false));
}

/* The association of a socket, standing.  flags: of the call; a, b: get its trunk, and the place that a datagram goes
 * through; to: NULL for the peer.  Returns 0; DATAGRAM_QUEUED while it is being made and the call must not sleep, and
 * for a question that goes by TCP; DATAGRAM_NOT_OURS without a peer; or a negative errno. */
static int prepare(int fd, int flags, const struct datagram_to *to, struct assoc **a, struct assoc **b,
                   struct assoc_facts *f)
{
    for (int i = 0; i < TRIES; i++) {
        int error = datagram_attach(fd, a);
        bool asks;

        if (!error && assoc_look(&process.assoc, *a, fd, clock_ms()) == -ESTALE) {
            datagram_forget(fd);
            if (!to)
                return DATAGRAM_NOT_OURS;
            continue;
        }
        if (error)
            return error;
        if (!assoc_facts(*a, !to, f))
            return -EAGAIN;
        if (!to && !f->peer.len)
            return DATAGRAM_NOT_OURS;
        error = find_place(fd, *a, to ? to->proxy : f->proxy, b, f);
        if (HOOK_LIKELY(!error && f->relay.len && f->alive))
            return 0;
        asks = to ? to->shown.port == PORT_DOMAIN : atomic_load_explicit(&(*a)->asks, memory_order_relaxed);
        if (!error)
            error = failure(fd, *a);
        if (!error)
            error = datagram_ready(fd, *b, f->domain, waits(fd, flags), asks);
        /* That there is no UDP was found out just now: it goes by TCP. */
        if (error == -EACCES && asks && assoc_refuses(&process.assoc, to ? to->proxy : f->proxy) && i + 1 < TRIES)
            continue;
        /* The number is another socket's than the place: the next look forgets that. */
        if (error == -EBADF && i + 1 < TRIES)
            continue;
        if (error == -EINPROGRESS)
            return DATAGRAM_QUEUED;
        if (error) {
            failure(fd, *a);
            /* Closed while this call slept: the number may be another socket's, which is not to be sent to. */
            return error == -ECANCELED ? -EBADF : error;
        }
    }
    return -ECONNREFUSED;
}

OWN_FRAME static ssize_t send_pieces(int fd, const struct msghdr *m, int flags, struct assoc_facts *f,
                                     struct iovec *head)
{
    struct iovec piece[1 + PIECES];
    struct msghdr k = { .msg_name = &f->relay.sa, .msg_namelen = f->relay.len, .msg_iov = piece,
                        .msg_iovlen = m->msg_iovlen + 1, .msg_control = m->msg_control,
                        .msg_controllen = m->msg_controllen };
    ssize_t n;

    piece[0] = *head;
    if (m->msg_iovlen)
        memcpy(piece + 1, m->msg_iov, m->msg_iovlen * sizeof *piece);
    n = real.sendmsg(fd, &k, flags);
    return n < 0 ? -errno : n - (ssize_t)head->iov_len;
}

OWN_FRAME static ssize_t send_copied(int fd, const struct msghdr *m, int flags, struct assoc_facts *f,
                                     struct iovec *head)
{
    size_t size = vector_size(m->msg_iov, m->msg_iovlen);
    struct msghdr one = *m;
    struct datagram_copy copy;
    struct iovec piece;
    ssize_t n;

    if (m->msg_iovlen > PIECES_MAX || size > DATAGRAM_COPY)
        return -EMSGSIZE;
    if (!datagram_readable(m->msg_iov, m->msg_iovlen))
        return -EFAULT;
    if (datagram_copy_make(&copy) != 0)
        return -ENOBUFS;
    piece = (struct iovec){ copy.memory, size };
    vector_gather(m->msg_iov, m->msg_iovlen, copy.memory, size);
    one.msg_iov = &piece;
    one.msg_iovlen = 1;
    n = send_pieces(fd, &one, flags, f, head);
    datagram_copy_free(&copy);
    return n;
}

/* What the socket's later calls need to know of this one. */
static void note(struct assoc *a, struct assoc *b, int flags, ssize_t n, bool queued)
{
    bool more = n >= 0 && (flags & MSG_MORE || atomic_load_explicit(&a->corked, memory_order_relaxed));

    /* The queue knows by itself. */
    if (!queued && atomic_load_explicit(&a->more, memory_order_relaxed) != more)
        atomic_store_explicit(&a->more, more, memory_order_relaxed);
    if (n < 0 && n != -EAGAIN && n != -EMSGSIZE && n != -EINTR && n != -EFAULT) {
        assoc_doubt(a);
        assoc_doubt(b);
    }
}

static void note_destination(struct assoc *a, struct assoc *b, const struct assoc_facts *f,
                             const struct datagram_to *to)
{
    struct addr shown;

    if (!atomic_load_explicit(&b->owed, memory_order_relaxed))
        atomic_store_explicit(&b->owed, true, memory_order_relaxed);
    if (to)
        assoc_sent(a, &to->shown, to->target.kind == ADDR_NAME);
    else if (f->by_name && addr_from_sockaddr((const struct sockaddr *)&f->peer.sa, f->peer.len, &shown) == 0)
        assoc_sent(a, &shown, true);
}

/* The relay may be on this machine. */
static int strays(int fd, const struct msghdr *m, const struct assoc_facts *f)
{
    struct addr relay;
    int error;

    if (HOOK_LIKELY(hook_idle(GATE_DEVICE) && !m->msg_control))
        return 0;
    error = addr_from_sockaddr((const struct sockaddr *)&f->relay.sa, f->relay.len, &relay);
    if (!error)
        error = stray_socket(fd, &relay, false);
    return !error && m->msg_control ? stray_message(fd, m, &relay) : error;
}

/* What is wrong with a datagram, wherever the relay is. */
static int check(const struct msghdr *m, const struct datagram_to *to, const struct assoc_facts *f)
{
    if (to && to->family == AF_INET6 && f->domain == AF_INET)
        return -EAFNOSUPPORT;
    if ((to ? to->target.port : ntohs(f->peer.sa.sin6_port)) == 0)
        return -EINVAL;
    return asks_for_segments(m) ? -EIO : 0;
}

static ssize_t send_on(int fd, const struct msghdr *m, int flags, struct assoc_facts *f, struct iovec *head)
{
    int error = strays(fd, m, f);

    if (error)
        return error;
    return m->msg_iovlen <= PIECES ? send_pieces(fd, m, flags, f, head) : send_copied(fd, m, flags, f, head);
}

/* a, b, way: of prepare().  Returns the payload's length or a negative errno. */
static ssize_t send_or_queue(int fd, struct assoc *a, struct assoc *b, const struct msghdr *m, int flags,
                             const struct datagram_to *to, int way, struct assoc_facts *f)
{
    uint8_t header[UDP_HEADER_MAX];
    struct iovec head = { .iov_base = to ? header : f->header };
    ssize_t n = check(m, to, f);

    if (n)
        return n;
    /* What follows MSG_MORE belongs to a datagram that has its header. */
    if (!atomic_load_explicit(&a->more, memory_order_relaxed))
        head.iov_len = to ? udp_header_put(&to->target, header) : f->header_len;
    if (to && !to->any && a == b)
        datagram_quick_learn(a, to->proxy, &to->target, &to->shown);
    /* Before it goes: the answer may be here before this thread is. */
    note_destination(a, b, f, to);
    n = way == DATAGRAM_QUEUED ? datagram_queue(fd, b, m, flags, &head) : send_on(fd, m, flags, f, &head);
    if (n != -EINPROGRESS)
        note(a, b, flags, n, way == DATAGRAM_QUEUED);
    if (n >= 0 && head.iov_len && way != DATAGRAM_QUEUED)
        tally_add(process.assoc.tally, TALLY_SENT, 1);
    return n;
}

OWN_FRAME bool datagram_carry(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result)
{
    struct assoc_facts f;
    struct assoc *a = NULL, *b = NULL;
    int way = -EMSGSIZE;

    if (m->msg_iovlen <= PIECES_MAX)
        way = memory_readable(m->msg_iov, m->msg_iovlen * sizeof *m->msg_iov) ? 0 : -EFAULT;
    do {
        if (way >= 0)
            way = prepare(fd, flags, to, &a, &b, &f);
        if (way == DATAGRAM_NOT_OURS)
            return false;
        *result = way < 0 ? way : send_or_queue(fd, a, b, m, flags, to, way, &f);
        /* The association was made just now, by another thread. */
    } while (*result == -EINPROGRESS);
    if (*result != -ENOTSOCK || to || way < 0)
        return true;
    datagram_forget(fd);
    return false;
}

bool datagram_send(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result)
{
    return HOOK_LIKELY(!question_concerns(fd, to)) ? datagram_carry(fd, m, flags, to, result)
                                                   : question_send(fd, m, flags, to, result);
}
