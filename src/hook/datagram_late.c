/* SPDX-License-Identifier: ISC */
/* datagram_late.c - what came to a thread that slept in libc's own call since before the association was made */
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/memory.h"
#include "../io/vector.h"
#include "datagram_place.h"
#include "datagram_source.h"
#include "question.h"

static int late_failure(struct assoc *a)
{
    int error = assoc_failure(a);

    /* Somebody else was told; this thread has nothing to receive. */
    return error ? error : -EINTR;
}

int datagram_so_error(int fd, int *value, socklen_t *len)
{
    struct assoc *a = process_is_guest() ? NULL : datagram_of(fd);
    int result = real.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, len), saved_errno = errno, error;

    /* The kernel has written to both. */
    if (result != 0 || *value || !a || (error = assoc_failure(a)) == 0)
        return result;
    *value = -error;
    assoc_sweep(a, fd);
    errno = saved_errno;
    return result;
}

/* True if what came has a header.  Where there is less of a name than an address the header tells, as it does without a
 * name, unless what there is cannot be the relay's. */
static bool is_ours(struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len)
{
    bool ipv4 = f->domain == AF_INET;
    size_t begin = ipv4 ? offsetof(struct sockaddr_in, sin_zero) : offsetof(struct sockaddr_in6, sin6_flowinfo);

    if (len >= (ipv4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)))
        return datagram_from_relay(a, f, sa, len) || question_is_own(a, sa, len);
    return atomic_load(&a->branch) || atomic_load_explicit(&a->self, memory_order_relaxed) ||
           memcmp(sa, &f->relay.sa, len < begin ? len : begin) == 0;
}

/* A relay itself has sent what nobody is to see.  Of a call without a name that is not known. */
static bool is_relays(const struct assoc *a, const struct assoc_facts *f, const void *name, socklen_t len)
{
    return name && datagram_from_relay(a, f, name, len);
}

/* The program is not to see this one.  The kernel, too, changes a message for what it delivers alone. */
static void take_back(struct msghdr *m, struct datagram_room room, size_t had)
{
    vector_clear(m->msg_iov, m->msg_iovlen, 0, had);
    m->msg_namelen = room.name;
    m->msg_controllen = room.control;
}

/* The wait goes on; its time begins anew. */
OWN_FRAME static ssize_t receive_next(int fd, struct assoc *a, struct msghdr *m, int flags, ssize_t result)
{
    int entry_errno = errno;

    assoc_dropped(&process.assoc, a);
    if (flags & MSG_PEEK)
        real_recv(fd, NULL, 0, MSG_DONTWAIT);
    if (flags & MSG_WAITFORONE)
        return hook_return(entry_errno, -EAGAIN);
    /* Else the number is something else by now. */
    return hook_return(entry_errno, datagram_receive(fd, m, flags, &result) ? result : -EBADF);
}

OWN_FRAME ssize_t datagram_late_data(int fd, void *data, size_t size, int flags, ssize_t result)
{
    struct iovec piece = { data, size };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

    return datagram_late(fd, &m, (struct datagram_room){ 0, 0 }, flags, result);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Our own word of a number that is not known to lead to an association: another number of the socket, or another
 * process, has made the one that failed. */
static bool is_word(int fd, const struct msghdr *m, size_t had)
{
    uint8_t head[ASSOC_WAKE];

    if (had != sizeof head)
        return false;
    vector_gather(m->msg_iov, m->msg_iovlen, head, sizeof head);
    return head[0] == ASSOC_WAKE_FIRST && assoc_is_wake(head, had, real_cookie(fd));
}

/* The association of a number that was made before the socket had one, by dup() or fork(), if what came begins as a
 * relay's datagrams do: only then is the kernel asked whose the number is. */
OWN_FRAME static struct assoc *find_shared(int fd, const struct msghdr *m, size_t had)
{
    static const uint8_t begin[3] = { 0, 0, 0 };    /* RSV, FRAG */
    uint8_t head[UDP_HEADER_IPV4];

    if (had < sizeof head)
        return NULL;
    vector_gather(m->msg_iov, m->msg_iovlen, head, sizeof head);
    if (memcmp(head, begin, sizeof begin) != 0)
        return NULL;
    datagram_adopt(fd);
    return datagram_of(fd);
}

ssize_t datagram_late(int fd, struct msghdr *m, struct datagram_room room, int flags, ssize_t result)
{
    struct assoc *a = datagram_of(fd);
    size_t had = least((size_t)result, vector_size(m->msg_iov, m->msg_iovlen));
    /* The part of the address that the program has. */
    socklen_t named = (socklen_t)least(m->msg_namelen, room.name);
    uint8_t head[UDP_HEADER_MAX];
    struct assoc_address shown;
    struct assoc_facts f;
    size_t significant;
    int skip;

    if (!a && is_word(fd, m, had)) {
        take_back(m, room, had);
        return hook_return(errno, datagram_attach(fd, &a) == 0 ? late_failure(a) : -EINTR);
    }
    if (!a)
        a = find_shared(fd, m, had);
    if (!a || !assoc_facts(a, false, &f))
        return result;
    vector_gather(m->msg_iov, m->msg_iovlen, head, least(had, sizeof head));
    if (assoc_is_wake(head, had, atomic_load(&a->cookie))) {
        take_back(m, room, had);
        return hook_return(errno, late_failure(a));
    }
    if (!f.relay.len && !atomic_load(&a->branch) && !atomic_load_explicit(&a->self, memory_order_relaxed))
        return result;
    if (m->msg_name && !is_ours(a, &f, m->msg_name, named))
        return result;
    significant = f.domain == AF_INET ? offsetof(struct sockaddr_in, sin_zero)
                                      : offsetof(struct sockaddr_in6, sin6_scope_id);
    skip = datagram_source(a, &f, NULL, 0, head, least(had, sizeof head), &shown);
    if (skip < 0 && is_relays(a, &f, m->msg_name, named)) {
        take_back(m, room, had);
        return receive_next(fd, a, m, flags, result);
    }
    if (skip <= 0)
        return result;
    vector_move(m->msg_iov, 0, (size_t)skip, had - (size_t)skip);
    vector_clear(m->msg_iov, m->msg_iovlen, had - (size_t)skip, (size_t)skip);
    /* No more than was compared; what is behind it is zero in both. */
    if (m->msg_name)
        memcpy(m->msg_name, &shown.sa, least(named, significant));
    tally_add(process.assoc.tally, TALLY_RECEIVED, 1);
    return result - skip;
}

int datagram_late_move(struct mmsghdr *to, socklen_t room, struct mmsghdr *from, int flags)
{
    struct msghdr *t = &to->msg_hdr, *f = &from->msg_hdr;
    size_t had = least(from->msg_len, vector_size(f->msg_iov, f->msg_iovlen));
    size_t kept = least(had, vector_size(t->msg_iov, t->msg_iovlen));
    size_t name = t->msg_name && f->msg_name ? least(room, f->msg_namelen) : 0;
    bool fits = f->msg_controllen <= t->msg_controllen;

    if (!datagram_writable(t->msg_iov, t->msg_iovlen, 0, kept) || (name && !memory_writable(t->msg_name, name)) ||
        (fits && f->msg_controllen && !memory_writable(t->msg_control, f->msg_controllen)))
        return -EFAULT;
    vector_copy(t->msg_iov, f->msg_iov, kept);
    vector_clear(f->msg_iov, f->msg_iovlen, 0, had);
    if (name)
        memcpy(t->msg_name, f->msg_name, name);
    if (fits && f->msg_controllen)
        memcpy(t->msg_control, f->msg_control, f->msg_controllen);
    t->msg_namelen = t->msg_name && f->msg_name ? f->msg_namelen : 0;
    t->msg_flags = f->msg_flags | (kept < had ? MSG_TRUNC : 0) | (fits ? 0 : MSG_CTRUNC);
    t->msg_controllen = fits ? f->msg_controllen : 0;
    to->msg_len = flags & MSG_TRUNC ? from->msg_len : (unsigned)kept;
    return 0;
}
