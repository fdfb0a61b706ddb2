/* SPDX-License-Identifier: ISC */
/* datagram_recv.c - a datagram on its way from the relay to the program */
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "../io/vector.h"
#include "datagram.h"
#include "datagram_place.h"
#include "datagram_source.h"
#include "question.h"

enum {
    PIECES = 64,                /* of the program's; more go through a copy */
    PIECES_MAX = 1024,          /* UIO_MAXIOV */
    ROOM_MAX = 65536            /* more than any datagram holds */
};

/* One call under way. */
struct receipt {
    int fd, flags;
    struct msghdr *m;                           /* the program's */
    size_t room;                                /* of its vector */
    struct assoc *a;
    int64_t limit;                              /* when SO_RCVTIMEO runs out; 0: not asked yet, or none */
    int64_t began;
    size_t had;                                 /* bytes that the last datagram has put into the vector */
    struct iovec piece[1 + PIECES + 1];
    struct sockaddr_storage from;
    uint8_t head[UDP_HEADER_IPV4], spare[UDP_HEADER_MAX - UDP_HEADER_IPV4];
};

static int64_t ms_of(const struct timeval *t)
{
    return (int64_t)t->tv_sec * 1000 + (t->tv_usec + 999) / 1000;
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
        vector_clear(r->piece + 1, r->m->msg_iovlen, 0, r->had - UDP_HEADER_IPV4);
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
                          .msg_iovlen = r->m->msg_iovlen + 2, .msg_control = r->m->msg_control,
                          .msg_controllen = r->m->msg_controllen };
    while ((n = real.recvmsg(r->fd, k, r->limit ? r->flags | MSG_DONTWAIT : r->flags)) < 0) {
        int error = errno == EAGAIN && r->limit ? await(r) : -errno;

        if (error)
            return error;
    }
    return n;
}

/* Returns the length for the program, or a negative errno; -ENOMSG for a datagram that was dropped, -ENODATA for our
 * own word that an association has failed. */
static ssize_t receive_one(struct receipt *r)
{
    uint8_t head[UDP_HEADER_MAX];
    struct assoc_address shown = { .len = 0 };
    struct assoc_facts f;
    struct msghdr k;
    size_t had, kept, whole;
    ssize_t n = take(r, &k);
    int skip;

    if (n < 0)
        return n;
    /* After shutdown(): the end, and not a datagram. */
    if (n == 0 && k.msg_namelen == 0)
        return datagram_fill(r->m, &k, &shown, false);
    had = r->had = (size_t)n < r->room + UDP_HEADER_MAX ? (size_t)n : r->room + UDP_HEADER_MAX;
    if (!assoc_facts(r->a, false, &f))
        return -ENOMSG;
    skip = datagram_source(r->a, &f, (struct sockaddr *)&r->from, k.msg_namelen, head,
                           datagram_look(r->piece, r->m->msg_iovlen, had, head), &shown);
    if (skip < 0)
        return skip == -ENODATA ? skip : -ENOMSG;
    whole = (size_t)n - (size_t)skip;
    kept = datagram_place(r->piece, r->m->msg_iovlen, r->room, had, (size_t)skip);
    if (datagram_fill(r->m, &k, &shown, whole > r->room) != 0)
        return -EFAULT;
    if (skip > 0 && !(r->flags & MSG_PEEK))
        datagram_count(r->a, (struct sockaddr *)&r->from, k.msg_namelen);
    return (ssize_t)(r->flags & MSG_TRUNC ? whole : kept);
}

static ssize_t receive(struct receipt *r)
{
    ssize_t n;

    r->room = vector_size(r->m->msg_iov, r->m->msg_iovlen);
    if (r->room > SSIZE_MAX - UDP_HEADER_MAX || (r->m->msg_name && (int)r->m->msg_namelen < 0))
        return -EINVAL;
    r->piece[0] = (struct iovec){ r->head, sizeof r->head };
    if (r->m->msg_iovlen)
        memcpy(r->piece + 1, r->m->msg_iov, r->m->msg_iovlen * sizeof *r->piece);
    r->piece[1 + r->m->msg_iovlen] = (struct iovec){ r->spare, sizeof r->spare };
    while ((n = receive_one(r)) == -ENOMSG || n == -ENODATA) {
        go_on(r, n == -ENOMSG);
        if (n == -ENODATA && (n = assoc_failure(r->a)) < 0)
            break;
    }
    return n;
}

static ssize_t receive_copied(struct receipt *r)
{
    struct msghdr *own = r->m, one = *own;
    size_t room = vector_size(own->msg_iov, own->msg_iovlen);
    struct iovec piece = { .iov_len = room < ROOM_MAX ? room : ROOM_MAX };
    ssize_t n;

    if (room == SIZE_MAX)
        return -EINVAL;
    piece.iov_base = mmap(NULL, ROOM_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece.iov_base == MAP_FAILED)
        return -ENOBUFS;
    one.msg_iov = &piece;
    one.msg_iovlen = 1;
    r->m = &one;
    n = receive(r);
    if (n >= 0) {
        vector_scatter(own->msg_iov, own->msg_iovlen, piece.iov_base, (size_t)n < room ? (size_t)n : room);
        own->msg_flags = one.msg_flags;
        own->msg_controllen = one.msg_controllen;
        own->msg_namelen = one.msg_namelen;
    }
    munmap(piece.iov_base, ROOM_MAX);
    return n;
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

static ssize_t receive_settled(struct receipt *r)
{
    int error = 0;

    if (assoc_unsettled(r->a) || atomic_load_explicit(&r->a->failed, memory_order_relaxed))
        error = unsettled(r);
    if (error)
        return error;
    return r->m->msg_iovlen <= PIECES ? receive(r) : receive_copied(r);
}

bool datagram_receive(int fd, struct msghdr *m, int flags, ssize_t *result)
{
    struct receipt r;

    r.a = assoc_of(&process.assoc, datagram_handle(fd));
    if (!r.a || flags & MSG_ERRQUEUE)
        return false;
    message_trim(m);
    r.fd = fd;
    r.flags = flags;
    r.m = m;
    r.limit = 0;
    r.began = clock_ms();
    if (assoc_look(&process.assoc, r.a, fd, r.began) == -ESTALE) {
        datagram_forget(fd);
        return false;
    }
    if (m->msg_iovlen > PIECES_MAX || !memory_readable(m->msg_iov, m->msg_iovlen * sizeof *m->msg_iov))
        *result = m->msg_iovlen > PIECES_MAX ? -EMSGSIZE : -EFAULT;
    else
        *result = receive_settled(&r);
    if (*result == -ENOTSOCK) {
        datagram_forget(fd);
        return false;
    }
    if (*result < 0 && *result != -EAGAIN && *result != -EINTR)
        assoc_doubt(r.a);
    return true;
}

static int late_failure(struct assoc *a)
{
    int error = assoc_failure(a);

    /* Somebody else was told; this thread has nothing to receive. */
    return error ? error : -EINTR;
}

ssize_t datagram_late(int fd, struct msghdr *m, ssize_t result)
{
    struct assoc *a = assoc_of(&process.assoc, datagram_handle(fd));
    size_t room = vector_size(m->msg_iov, m->msg_iovlen);
    size_t had = (size_t)result < room ? (size_t)result : room;
    uint8_t head[UDP_HEADER_MAX];
    struct assoc_address shown;
    struct assoc_facts f;
    size_t significant;
    int skip;

    if (result <= 0 || !a || !assoc_facts(a, false, &f))
        return result;
    vector_gather(m->msg_iov, m->msg_iovlen, head, had < sizeof head ? had : sizeof head);
    if (assoc_is_wake(head, had, atomic_load(&a->cookie)))
        return hook_return(errno, late_failure(a));
    if (!f.relay.len && !atomic_load(&a->branch) && !atomic_load_explicit(&a->self, memory_order_relaxed))
        return result;
    if (m->msg_name && !datagram_from_relay(a, &f, m->msg_name, m->msg_namelen) &&
        !question_is_own(a, m->msg_name, m->msg_namelen))
        return result;
    significant = f.domain == AF_INET ? offsetof(struct sockaddr_in, sin_zero)
                                      : offsetof(struct sockaddr_in6, sin6_scope_id);
    skip = datagram_source(a, &f, NULL, 0, head, had < sizeof head ? had : sizeof head, &shown);
    if (skip <= 0)
        return result;
    vector_move(m->msg_iov, 0, (size_t)skip, had - (size_t)skip);
    vector_clear(m->msg_iov, m->msg_iovlen, had - (size_t)skip, (size_t)skip);
    /* No more than was compared; what is behind it is zero in both. */
    if (m->msg_name)
        memcpy(m->msg_name, &shown.sa, m->msg_namelen < significant ? m->msg_namelen : significant);
    tally_add(process.assoc.tally, TALLY_RECEIVED, 1);
    return result - skip;
}

bool datagram_waiting(int fd, int *value)
{
    struct receipt r = { .fd = fd, .flags = MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT };
    struct msghdr none = { .msg_iovlen = 0 };
    ssize_t n;
    int cancellable;

    r.a = assoc_of(&process.assoc, datagram_handle(fd));
    if (!r.a || assoc_look(&process.assoc, r.a, fd, clock_ms()) != 0)
        return false;
    /* The datagram that wakes whoever waits is no news, and its failure is for a call that can tell it. */
    *value = 0;
    if (atomic_load_explicit(&r.a->failed, memory_order_relaxed))
        return true;
    r.m = &none;
    cancellable = hook_uncancellable();
    n = receive(&r);
    hook_cancellable(cancellable);
    *value = n > 0 ? (int)n : 0;
    return true;
}
