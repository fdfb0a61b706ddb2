/* SPDX-License-Identifier: ISC */
/* datagram_recv.c - a datagram on its way from the relay to the program */
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "../io/vector.h"
#include "datagram.h"
#include "datagram_place.h"
#include "datagram_quick.h"
#include "datagram_source.h"
#include "question.h"

enum {
    PIECES = 64,                /* of the program's; more go through a copy */
    PIECES_MAX = 1024,          /* UIO_MAXIOV */
    TICK_MS = 10                /* what clock_coarse_ms() may be behind */
};

/* One call under way. */
struct receipt {
    int fd, flags;
    struct msghdr *m;                           /* the program's */
    size_t pieces;                              /* of its vector, as the call found it: others may write to it */
    size_t room;                                /* of that */
    struct assoc *a;
    int64_t limit;                              /* when SO_RCVTIMEO runs out; 0: not asked yet, or none */
    int64_t began;
    size_t had;                                 /* bytes that the last datagram has put into the vector */
    struct iovec piece[1 + PIECES + 1];
    struct sockaddr_in6 from;
    uint8_t head[UDP_HEADER_IPV4], spare[UDP_HEADER_MAX - UDP_HEADER_IPV4];
};

/* 0: no end, as a great number of seconds has none. */
static int64_t ms_of(const struct timeval *t)
{
    return t->tv_sec > INT32_MAX ? 0 : (int64_t)t->tv_sec * 1000 + (t->tv_usec + 999) / 1000;
}

/* When the socket's SO_RCVTIMEO runs out; 0: never. */
static int64_t time_limit(const struct receipt *r)
{
    struct timeval t = { 0, 0 };
    socklen_t len = sizeof t;

    return real.getsockopt(r->fd, SOL_SOCKET, SO_RCVTIMEO, &t, &len) == 0 && ms_of(&t) > 0 ? r->began + ms_of(&t) : 0;
}

/* A datagram was dropped: the wait goes on, with what is left of the socket's time. */
static void go_on(struct receipt *r, bool counted)
{
    if (counted)
        assoc_dropped(&process.assoc, r->a);
    /* Nothing of it is left in the program's hands. */
    if (r->had > UDP_HEADER_IPV4)
        vector_clear(r->piece + 1, r->pieces, 0, r->had - UDP_HEADER_IPV4);
    /* It was only looked at, and would be in the way for ever. */
    if (r->flags & MSG_PEEK)
        real_recv(r->fd, NULL, 0, MSG_DONTWAIT);
    if (!r->limit && !(r->flags & MSG_DONTWAIT))
        r->limit = time_limit(r);
}

/* The kernel would begin its time-out anew. */
static int await(const struct receipt *r)
{
    struct pollfd p = { .fd = r->fd, .events = POLLIN };
    int flags = real.fcntl(r->fd, F_GETFL);
    int64_t left = r->limit - clock_ms();

    if (flags < 0 || flags & O_NONBLOCK || left <= 0)
        return -EAGAIN;
    return real.poll(&p, 1, (int)(left < INT32_MAX ? left : INT32_MAX)) < 0 ? -errno : 0;
}

static ssize_t take(struct receipt *r, struct msghdr *k)
{
    ssize_t n;

    *k = (struct msghdr){ .msg_name = &r->from, .msg_namelen = sizeof r->from, .msg_iov = r->piece,
                          .msg_iovlen = r->pieces + 2, .msg_control = r->m->msg_control,
                          .msg_controllen = r->m->msg_controllen };
    while ((n = real.recvmsg(r->fd, k, r->limit ? r->flags | MSG_DONTWAIT : r->flags)) < 0) {
        int error = errno == EAGAIN && r->limit ? await(r) : -errno;

        if (error)
            return error;
    }
    return n;
}

/* n: of take().  Returns the length for the program, or a negative errno; -ENOMSG for a datagram that was dropped,
 * -ENODATA for our own word that an association has failed. */
static ssize_t hand_over(struct receipt *r, const struct msghdr *k, ssize_t n)
{
    uint8_t head[UDP_HEADER_MAX];
    struct assoc_address shown = { .len = 0 };
    struct assoc_facts f;
    size_t had, whole;
    ssize_t kept;
    int skip;

    if (n < 0)
        return n;
    /* After shutdown(): the end, and not a datagram. */
    if (n == 0 && k->msg_namelen == 0)
        return datagram_fill(r->m, k, &shown, false);
    had = r->had = (size_t)n < r->room + UDP_HEADER_MAX ? (size_t)n : r->room + UDP_HEADER_MAX;
    if (!assoc_read(r->a, ASSOC_AND_PEER, &f))
        return -ENOMSG;
    skip = datagram_source(r->a, &f, (struct sockaddr *)&r->from, k->msg_namelen, head,
                           datagram_look(r->piece, r->pieces, had, head), &shown);
    if (skip < 0)
        return skip == -ENODATA ? skip : -ENOMSG;
    whole = (size_t)n - (size_t)skip;
    kept = datagram_place(r->piece, r->pieces, r->room, had, (size_t)skip);
    if (kept < 0 || datagram_fill(r->m, k, &shown, whole > r->room) != 0)
        return -EFAULT;
    if (skip > 0 && !(r->flags & MSG_PEEK))
        datagram_count(r->a, (struct sockaddr *)&r->from, k->msg_namelen);
    return r->flags & MSG_TRUNC ? (ssize_t)whole : kept;
}

/* The association is being made, or has failed.  Returns 0, or the errno of the call. */
OWN_FRAME static int unsettled(struct receipt *r)
{
    int64_t limit = time_limit(r);
    int error = 0;

    if (assoc_unsettled(r->a)) {
        error = datagram_settle(r->fd, r->a, r->flags, limit ? limit : INT64_MAX);
        r->limit = r->flags & MSG_DONTWAIT ? 0 : limit;
    }
    if (!error && (error = assoc_failure(r->a)) != 0)
        assoc_sweep(r->a, r->fd);
    return error;
}

/* From what take() has brought on, until there is something for the program.  -EINPROGRESS: what was dropped has ended
 * the sleep of a call that brings the association on, as perhaps nobody else does. */
static ssize_t receive_on(struct receipt *r, struct msghdr *k, ssize_t n)
{
    while ((n = hand_over(r, k, n)) == -ENOMSG || n == -ENODATA) {
        go_on(r, n == -ENOMSG);
        if (n == -ENODATA && (n = assoc_failure(r->a)) < 0)
            break;
        if (assoc_unsettled(r->a))
            return -EINPROGRESS;
        n = take(r, k);
    }
    return n;
}

static ssize_t receive(struct receipt *r)
{
    struct msghdr k;

    if (r->pieces)
        memcpy(r->piece + 1, r->m->msg_iov, r->pieces * sizeof *r->piece);
    r->room = vector_size(r->piece + 1, r->pieces);
    if (r->room > SSIZE_MAX - UDP_HEADER_MAX || (r->m->msg_name && (int)r->m->msg_namelen < 0))
        return -EINVAL;
    r->piece[0] = (struct iovec){ r->head, sizeof r->head };
    r->piece[1 + r->pieces] = (struct iovec){ r->spare, sizeof r->spare };
    return receive_on(r, &k, take(r, &k));
}

OWN_FRAME static ssize_t receive_copied(struct receipt *r)
{
    struct msghdr *own = r->m, one = *own;
    size_t room = vector_size(own->msg_iov, own->msg_iovlen);
    struct datagram_copy copy;
    struct iovec piece;
    ssize_t n;

    if (room == SIZE_MAX)
        return -EINVAL;
    if (datagram_copy_make(&copy) != 0)
        return -ENOBUFS;
    piece = (struct iovec){ copy.memory, room < DATAGRAM_COPY ? room : DATAGRAM_COPY };
    one.msg_iov = &piece;
    one.msg_iovlen = 1;
    r->m = &one;
    r->pieces = 1;
    n = receive(r);
    r->m = own;
    if ((size_t)n < room)
        room = (size_t)n;
    if (n >= 0 && !datagram_writable(own->msg_iov, own->msg_iovlen, 0, room))
        n = -EFAULT;
    if (n >= 0) {
        vector_scatter(own->msg_iov, own->msg_iovlen, copy.memory, room);
        own->msg_flags = one.msg_flags;
        own->msg_controllen = one.msg_controllen;
        own->msg_namelen = one.msg_namelen;
    }
    datagram_copy_free(&copy);
    return n;
}

static ssize_t receive_settled(struct receipt *r)
{
    size_t pieces = r->pieces;
    ssize_t n;

    do {
        int error = 0;

        if (assoc_unsettled(r->a) || atomic_load_explicit(&r->a->failed, memory_order_relaxed))
            error = unsettled(r);
        if (error)
            return error;
        r->pieces = pieces;
        n = pieces <= PIECES ? receive(r) : receive_copied(r);
    } while (n == -EINPROGRESS);
    return n;
}

/* What the socket's later calls need to know of this one.  Returns false when libc's own call is to be made. */
static bool ends(int fd, struct assoc *a, ssize_t result)
{
    if (result == -ENOTSOCK) {
        datagram_forget(fd);
        return false;
    }
    if (result < 0 && result != -EAGAIN && result != -EINTR)
        assoc_doubt(a);
    return true;
}

bool datagram_receive(int fd, struct msghdr *m, int flags, ssize_t *result)
{
    struct receipt r;

    r.a = datagram_of(fd);
    if (!r.a || flags & MSG_ERRQUEUE)
        return false;
    message_trim(m);
    r.fd = fd;
    r.flags = flags;
    r.m = m;
    r.pieces = m->msg_iovlen;
    r.limit = 0;
    r.began = clock_coarse_ms() + TICK_MS;
    if (assoc_look(&process.assoc, r.a, fd, r.began) == -ESTALE) {
        datagram_forget(fd);
        return false;
    }
    if (r.pieces > PIECES_MAX || !memory_readable(m->msg_iov, r.pieces * sizeof *m->msg_iov))
        *result = r.pieces > PIECES_MAX ? -EMSGSIZE : -EFAULT;
    else
        *result = receive_settled(&r);
    return ends(fd, r.a, *result);
}

/* Something else than datagram_quick_receive() has hoped for: an error, or a datagram that is to be looked at. */
OWN_FRAME static ssize_t receive_other(struct receipt *r, struct msghdr *k, ssize_t n, struct sockaddr *name,
                                       socklen_t *len, int entry_errno)
{
    struct iovec piece = r->piece[1];
    struct msghdr m = { .msg_name = name, .msg_namelen = name ? *len : 0, .msg_iov = &piece, .msg_iovlen = 1 };

    r->m = &m;
    r->pieces = 1;
    n = receive_on(r, k, n < 0 ? -errno : n);
    if (n == -EINPROGRESS)
        n = receive_settled(r);
    r->m = NULL;
    errno = entry_errno;
    if (n >= 0 && name)
        *len = m.msg_namelen;
    return ends(r->fd, r->a, n) ? n : DATAGRAM_SLOW;
}

ssize_t datagram_quick_receive(struct assoc *a, int fd, void *data, size_t size, int flags, struct sockaddr *name,
                               socklen_t *len)
{
    int entry_errno = errno;
    struct receipt r;
    struct msghdr k = { .msg_name = &r.from, .msg_namelen = sizeof r.from, .msg_iov = r.piece, .msg_iovlen = 3 };
    struct datagram_ipv4 from;
    struct assoc_facts f;
    ssize_t n;

    r.began = clock_coarse_ms() + TICK_MS;
    if (flags & ~MSG_DONTWAIT || !assoc_is_plain(a) || size > SSIZE_MAX - UDP_HEADER_MAX ||
        assoc_look(&process.assoc, a, fd, r.began) != 0 || (name && !datagram_has_room(name, len)))
        return DATAGRAM_SLOW;
    r.piece[0] = (struct iovec){ r.head, sizeof r.head };
    r.piece[1] = (struct iovec){ data, size };
    r.piece[2] = (struct iovec){ r.spare, sizeof r.spare };
    n = real.recvmsg(fd, &k, flags);
    if (n < UDP_HEADER_IPV4 || !assoc_read(a, ASSOC_AND_HEADER, &f) ||
        !datagram_quick_source(a, &f, (struct sockaddr *)&r.from, k.msg_namelen, r.head, &from)) {
        r.a = a;
        r.fd = fd;
        r.flags = flags;
        r.room = size;
        r.limit = 0;
        return receive_other(&r, &k, n, name, len, entry_errno);
    }
    if (name) {
        struct assoc_address shown;

        datagram_show(&shown, f.domain, from);
        datagram_tell(name, len, &shown);
    }
    if (process.assoc.tally)
        tally_add(process.assoc.tally, TALLY_RECEIVED, 1);
    n -= UDP_HEADER_IPV4;
    return (size_t)n < size ? n : (ssize_t)size;
}

bool datagram_waiting(int fd, int *value)
{
    struct receipt r = { .fd = fd, .flags = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT };
    struct msghdr none = { .msg_iovlen = 0 };
    ssize_t n;
    int cancellable;

    r.a = datagram_of(fd);
    if (!r.a || assoc_look(&process.assoc, r.a, fd, clock_ms()) != 0)
        return false;
    /* The datagram that wakes whoever waits is no news, and its failure is for a call that can tell it. */
    *value = 0;
    if (atomic_load_explicit(&r.a->failed, memory_order_relaxed))
        return true;
    r.m = &none;
    cancellable = hook_uncancellable();
    do
        n = receive(&r);
    while (n == -EINPROGRESS);
    hook_cancellable(cancellable);
    /* One that came in between. */
    if (n < 0 && n != -EAGAIN && n != -EINTR)
        atomic_store_explicit(&r.a->failed, (int)n, memory_order_relaxed);
    *value = n > 0 ? (int)n : 0;
    return true;
}
