/* SPDX-License-Identifier: ISC */
/* assoc_queue.c - datagrams that wait for their association
 *
 * They lie one behind the other in the memory of the association under way: control messages, header, payload, each
 * datagram on a boundary of 8 bytes.  What goes beyond the bound is lost, as on any network: a program that was told to
 * try again would do so at once, since its socket stays writable.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/frame.h"
#include "assoc_making.h"
#include "detour.h"
#include "local.h"
#include "real.h"
#include "vector.h"

void assoc_queue_lost(struct assoc_making *m, unsigned n)
{
    atomic_fetch_add(&m->a->trunk->unsent, n);
    tally_add(m->tally, TALLY_UNSENT, n);
}

/* Returns the datagram that the next bytes belong to, or NULL when there is no room. */
static struct assoc_queued *place(struct assoc_making *m, const struct msghdr *h, size_t size, bool begins)
{
    uint32_t at = assoc_queue_round(m->used), control = assoc_queue_round((uint32_t)h->msg_controllen);
    struct assoc_queued *q;

    if (!begins) {
        q = m->count ? &m->queued[m->count - 1] : NULL;
        return q && q->open && m->used + size <= QUEUE_BYTES ? q : NULL;
    }
    if (m->count >= (m->stream || m->asks ? QUEUE_QUESTIONS : QUEUE_DATAGRAMS) || at + control + size > QUEUE_BYTES)
        return NULL;
    q = &m->queued[m->count++];
    *q = (struct assoc_queued){ .control = (uint32_t)h->msg_controllen };
    if (q->control)
        memcpy(m->room + at, h->msg_control, q->control);
    m->used = at + control;
    return q;
}

/* The beginning of a datagram whose continuation is lost is lost with it: the next one would be put behind it. */
static void drop_open(struct assoc_making *m)
{
    struct assoc_queued *q = m->count ? &m->queued[m->count - 1] : NULL;

    if (!q || !q->open)
        return;
    m->used -= q->size + assoc_queue_round(q->control);
    m->count--;
}

static void put(struct assoc_making *m, const struct iovec *header, const struct msghdr *h, int flags, bool more)
{
    size_t size = vector_size(h->msg_iov, h->msg_iovlen);
    /* Sizes were looked at before, but the program may have written to them since. */
    struct assoc_queued *q = size <= QUEUE_BYTES ? place(m, h, header->iov_len + size, header->iov_len != 0) : NULL;

    m->accepted = true;
    /* A beginning that is lost has no continuation: what comes next has a header of its own. */
    atomic_store(&m->a->trunk->more, more && q);
    if (!q) {
        drop_open(m);
        assoc_queue_lost(m, 1);
        return;
    }
    if (header->iov_len)
        memcpy(m->room + m->used, header->iov_base, header->iov_len);
    vector_gather(h->msg_iov, h->msg_iovlen, m->room + m->used + header->iov_len, size);
    m->used += (uint32_t)(header->iov_len + size);
    q->size += (uint32_t)(header->iov_len + size);
    q->flags = flags & (MSG_CONFIRM | MSG_DONTROUTE);
    q->open = more;
}

bool assoc_queue(struct assoc_table *t, struct assoc *a, int fd, const struct iovec *header, const struct msghdr *m,
                 int flags, bool more)
{
    struct assoc_making *making;
    struct lock_hold hold;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return false;
    making = assoc_making_of(a);
    /* The socket may have been closed since the place was looked up, which is then another's. */
    if (making && real_is_other(fd, atomic_load(&a->cookie))) {
        assoc_doubt(a);
        making = NULL;
    }
    if (making)
        put(making, header, m, flags, more);
    if (making && making->stream)
        assoc_making_step(t, making);
    lock_give(&t->lock, &hold);
    return making != NULL;
}

void assoc_uncork(struct assoc_table *t, struct assoc *a)
{
    struct assoc_making *m;
    struct lock_hold hold;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return;
    atomic_store(&a->more, false);
    for (; a; a = atomic_load(&a->branch)) {
        m = assoc_making_of(a);
        if (m && m->count)
            m->queued[m->count - 1].open = false;
    }
    lock_give(&t->lock, &hold);
}

/* The socket, or a datagram's control messages, may take what is for a relay on this machine elsewhere. */
OWN_FRAME static bool strays(const struct assoc_making *m, const struct msghdr *h)
{
    struct addr relay;

    return addr_from_sockaddr((const struct sockaddr *)&m->relay.sa, m->relay.len, &relay) == 0 &&
           addr_is_loopback(&relay) &&
           (detour_has_device(m->socket, false) || (h->msg_control && detour_control(h) & DETOUR_DEVICE));
}

static long send_queued(struct assoc_making *m, const struct assoc_queued *q, uint32_t at)
{
    struct iovec piece = { m->room + at + assoc_queue_round(q->control), q->size };
    struct msghdr h = { .msg_name = &m->relay.sa, .msg_namelen = m->relay.len, .msg_iov = &piece, .msg_iovlen = 1,
                        .msg_control = q->control ? m->room + at : NULL, .msg_controllen = q->control };
    int flags = q->flags | MSG_DONTWAIT | MSG_NOSIGNAL | (q->open ? MSG_MORE : 0);

    /* Programs close what they do not know: the number may be another connection's by now. */
    if (!real_is(m->socket, atomic_load(&m->a->cookie)))
        return -EBADF;
    if (strays(m, &h))
        return -EACCES;
    return real.syscall(SYS_sendmsg, (long)m->socket, &h, (long)flags) < 0 ? -errno : 0;
}

int assoc_queue_flush(struct assoc_making *m)
{
    uint32_t at = 0;
    unsigned sent = 0;

    for (; sent < m->count; sent++) {
        const struct assoc_queued *q = &m->queued[sent];
        long error = send_queued(m, q, at);

        if (error == -EAGAIN || error == -EINTR)
            break;
        if (error)
            assoc_queue_lost(m, 1);
        else
            tally_add(m->tally, TALLY_SENT, 1);
        if (error && q->open)
            atomic_store(&m->a->trunk->more, false);
        at += assoc_queue_round(q->control) + (sent + 1 < m->count ? assoc_queue_round(q->size) : q->size);
    }
    if (sent) {
        atomic_store(&m->a->owed, true);
        m->count -= sent;
        m->used -= at;
        memmove(m->queued, m->queued + sent, m->count * sizeof m->queued[0]);
        memmove(m->room, m->room + at, m->used);
    }
    return m->count ? -EAGAIN : 0;
}

/* Nothing that a relay or a peer sends begins so: RSV is not 0. */
static const uint8_t wake_mark[8] = { ASSOC_WAKE_FIRST, 's', 'o', 'c', 'k', 's', 0xff, 0x0a };

struct wake {
    uint8_t mark[sizeof wake_mark];
    uint64_t cookie;
};

_Static_assert(sizeof(struct wake) == ASSOC_WAKE, "who receives looks for that");

bool assoc_is_wake(const void *head, size_t len, uint64_t cookie)
{
    struct wake w;

    if (len != sizeof w || memcmp(head, wake_mark, sizeof wake_mark) != 0)
        return false;
    memcpy(&w, head, sizeof w);
    return w.cookie == cookie;
}

bool assoc_tell_self(const struct assoc_making *m, const struct addr *own, const struct iovec *piece, size_t count)
{
    struct sockaddr_storage sa;
    struct msghdr h = { .msg_name = &sa, .msg_iov = (struct iovec *)piece, .msg_iovlen = count };
    struct assoc_facts f;
    long n;

    /* With a device of its own the socket would look for itself on that device's wire. */
    if (detour_has_device(m->socket, false) || !assoc_facts(m->a, false, &f) ||
        addr_to_sockaddr(own, (int)f.domain, &sa, &h.msg_namelen) != 0)
        return false;
    do
        n = real.syscall(SYS_sendmsg, (long)m->socket, &h, (long)(MSG_DONTWAIT | MSG_NOSIGNAL));
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

bool assoc_own_address(const struct assoc_making *m, struct addr *own, bool ipv6)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (!real_is(m->socket, atomic_load(&m->a->cookie)) ||
        real.getsockname(m->socket, (struct sockaddr *)&sa, &len) != 0 ||
        addr_from_sockaddr((struct sockaddr *)&sa, len, own) != 0 || own->port == 0)
        return false;
    if (!addr_is_any(own))
        return !ipv6 && local_is(own);
    *own = ipv6 ? (struct addr){ .kind = ADDR_IPV6, .port = own->port, .ip = { [15] = 1 } }
                : (struct addr){ .kind = ADDR_IPV4, .port = own->port, .ip = { 127, 0, 0, 1 } };
    return true;
}

/* What is sent to the port may come to another socket, which would take it for a datagram of somebody's. */
static bool shares_port(int fd)
{
    int address = 0, port = 0;
    socklen_t len = sizeof address, room = sizeof port;

    return (real.getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &address, &len) == 0 && address) ||
           (real.getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &port, &room) == 0 && port);
}

void assoc_wake(const struct assoc_making *m)
{
    struct wake w = { .cookie = atomic_load(&m->a->cookie) };
    struct iovec piece = { &w, sizeof w };
    struct addr own;

    if (shares_port(m->socket))
        return;
    memcpy(w.mark, wake_mark, sizeof w.mark);
    if (assoc_own_address(m, &own, false) && !assoc_tell_self(m, &own, &piece, 1) &&
        assoc_own_address(m, &own, true))
        assoc_tell_self(m, &own, &piece, 1);
}

void assoc_sweep(const struct assoc *a, int fd)
{
    uint8_t head[sizeof(struct wake) + 1];
    ssize_t n = real_recv(fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT);

    if (n > 0 && assoc_is_wake(head, (size_t)n, atomic_load(&a->cookie)))
        real_recv(fd, head, sizeof head, MSG_DONTWAIT);
}
