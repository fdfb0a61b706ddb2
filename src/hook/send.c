/* SPDX-License-Identifier: ISC */
/* send.c - the sending calls that name an address */
#include <poll.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/kind.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "datagram_place.h"
#include "datagram_quick.h"
#include "guard.h"
#include "stray.h"
#include "stream.h"

/* What a call is to do after its address was judged; or a negative errno. */
enum { SEND_AS_IT_IS = STREAM_NOT_OURS, SEND_CONNECTED = 0, SEND_PROXIED = DATAGRAM_PROXIED };

enum {
    MESSAGES_MAX = 1024,    /* UIO_MAXIOV */
    BATCH = 8,              /* messages that are judged, and then sent, at once */
    CONTROL_MAX = 1 << 20   /* the kernel says ENOBUFS to more */
};

/* Messages as they were when they were judged: the kernel gets no others, whatever another thread does to them. */
struct batch {
    struct mmsghdr message[BATCH];
    struct sockaddr_storage name[BATCH];
};

static int kind_of(int fd, int *domain, int flags)
{
    /* A datagram may trust the table, since the worst that a wrong word does is to judge an address for nothing; what
     * lets an address pass, or connects, asks the kernel. */
    if ((fdtab_get(&process.fdtab, fd) & FDTAB_KIND) == KIND_DATAGRAM && !(flags & MSG_FASTOPEN)) {
        *domain = AF_UNSPEC;
        return KIND_DATAGRAM;
    }
    return kind_ask(fd, domain);
}

/* The kernel's RAW sockets take AF_UNSPEC for their own family, and so does UDP over IPv4. */
OWN_FRAME static int judge_unspec(int fd, int kind, int domain, const struct sockaddr *sa, socklen_t len,
                                  struct datagram_to *to)
{
    struct sockaddr_storage own;

    if (kind == KIND_DATAGRAM)
        domain = AF_INET;
    memset(&own, 0, sizeof own);
    memcpy(&own, sa, len < sizeof own ? len : sizeof own);
    own.ss_family = (sa_family_t)domain;
    return datagram_judge(fd, (enum kind)kind, (const struct sockaddr *)&own, len, to);
}

/* to: filled for SEND_PROXIED. */
static int judge(int fd, const struct sockaddr *sa, socklen_t len, int flags, struct datagram_to *to)
{
    int kind, domain;

    /* Of a longer address the kernel makes EINVAL before it looks at it. */
    if (!sa || sa == MEMORY_NOWHERE || len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
        return SEND_AS_IT_IS;
    if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNSPEC)
        return SEND_AS_IT_IS;
    kind = kind_of(fd, &domain, flags);
    switch (kind) {
    case KIND_STREAM:
        /* Only with MSG_FASTOPEN does TCP look at the address: then the call connects. */
        return flags & MSG_FASTOPEN && sa->sa_family == domain
                   ? stream_connect(fd, domain, sa, len, flags & MSG_DONTWAIT ? STREAM_DONT_WAIT : 0)
                   : SEND_AS_IT_IS;
    case KIND_DATAGRAM:
    case KIND_OTHER:
        return sa->sa_family == AF_UNSPEC ? judge_unspec(fd, kind, domain, sa, len, to)
                                          : datagram_judge(fd, (enum kind)kind, sa, len, to);
    case KIND_REFUSED:
        log_once(LOG_KIND, "a socket from outside refused: it would reach the network in its own way");
        return -EACCES;
    default:
        return SEND_AS_IT_IS;
    }
}

/* A message that goes through the proxy: to a destination, or without one to the peer that the kernel does not know. */
static bool proxied(int fd, const struct msghdr *m, int flags, int way, const struct datagram_to *to, ssize_t *result)
{
    bool to_peer = way == SEND_AS_IT_IS && (!m->msg_name || m->msg_namelen == 0) && datagram_handle(fd);

    if (way != SEND_PROXIED && !to_peer)
        return false;
    if (m->msg_control == MEMORY_NOWHERE) {
        *result = -EFAULT;
        return true;
    }
    return datagram_send(fd, m, flags, to_peer ? NULL : to, result);
}

OWN_FRAME static ssize_t send_slowly(int fd, const void *data, size_t size, int flags, const struct sockaddr *sa,
                                     socklen_t len)
{
    struct iovec piece = { (void *)data, datagram_cut(size) };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
    int entry_errno = errno;
    struct sockaddr_storage own;
    struct datagram_to to;
    ssize_t result;
    int way;

    hook_enter();
    sa = memory_address(sa, len, &own);
    if (datagram_to_nobody(fd, sa, len))
        sa = NULL, len = 0;
    m.msg_name = (void *)sa;
    m.msg_namelen = sa ? sizeof *sa : 0;
    way = judge(fd, sa, len, flags, &to);
    if (way < 0)
        return hook_return(entry_errno, way);
    if (proxied(fd, &m, flags, way, &to, &result))
        return hook_return(entry_errno, result);
    if (guard_stops(fd, POLLOUT, flags))
        return -1;
    result = guard_result(fd, way == SEND_CONNECTED ? real.send(fd, data, size, flags & ~MSG_FASTOPEN)
                                                    : real.sendto(fd, data, size, flags, sa, len));
    return datagram_sent(fd, &m, flags, entry_errno, result);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *sa, socklen_t len)
{
    struct assoc *a = datagram_of(fd);
    ssize_t n = a ? datagram_quick_send(a, fd, data, datagram_cut(size), flags, sa, len) : DATAGRAM_SLOW;

    if (HOOK_LIKELY(n >= 0))
        return n;
    return n == DATAGRAM_SLOW ? send_slowly(fd, data, size, flags, sa, len) : hook_return(errno, n);
}

/* Who gets a socket in the middle of its handshake has nobody to go on with it. */
static void drain_passed(struct msghdr *m)
{
    struct cmsghdr *c = NULL;
    size_t len = 0;

    while ((c = message_control(m, c, &len))) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t used = CMSG_LEN(0); used + sizeof(int) <= len; used += sizeof(int)) {
            int fd;

            memcpy(&fd, (unsigned char *)c + used, sizeof fd);
            guard_drain(fd);
        }
    }
}

/* Returns 0, or the negative errno of a message that would go astray. */
OWN_FRAME static int judge_control(int fd, struct msghdr *m)
{
    struct addr to;
    bool named = m->msg_name && m->msg_namelen <= sizeof(struct sockaddr_storage) &&
                 addr_from_sockaddr(m->msg_name, m->msg_namelen, &to) == 0;

    if (m->msg_controllen > CONTROL_MAX || !memory_readable(m->msg_control, m->msg_controllen)) {
        m->msg_control = MEMORY_NOWHERE;
        return 0;
    }
    if (!hook_idle(GATE_PENDING))
        drain_passed(m);
    return stray_message(fd, m, named ? &to : NULL);
}

/* Take a message out of the program's memory and judge it.
 * taken, name: get the copy, which is what the kernel is to see.  Returns as judge(), or -EFAULT. */
static int judge_message(int fd, const struct msghdr *message, int flags, struct msghdr *taken,
                         struct sockaddr_storage *name, struct datagram_to *to)
{
    int error = 0;

    if (!memory_take(taken, message, sizeof *taken))
        return -EFAULT;
    message_trim(taken);
    /* Here the kernel cuts the length, where sendto() says EINVAL. */
    if ((int)taken->msg_namelen > (int)sizeof *name)
        taken->msg_namelen = sizeof *name;
    taken->msg_name = (void *)memory_address(taken->msg_name, taken->msg_namelen, name);
    if (taken->msg_name == MEMORY_NOWHERE)
        return SEND_AS_IT_IS;
    if (datagram_to_nobody(fd, taken->msg_name, taken->msg_namelen))
        taken->msg_name = NULL, taken->msg_namelen = 0;
    if (taken->msg_control && taken->msg_controllen)
        error = judge_control(fd, taken);
    return error ? error : judge(fd, taken->msg_name, taken->msg_namelen, flags, to);
}

OWN_FRAME static ssize_t send_message_slowly(int fd, const struct msghdr *message, int flags)
{
    int entry_errno = errno;
    struct sockaddr_storage name;
    struct datagram_to to;
    struct msghdr taken;
    ssize_t result;
    int way;

    hook_enter();
    way = judge_message(fd, message, flags, &taken, &name, &to);
    /* Where fd is bad as well the kernel says that first. */
    if (way == -EFAULT)
        return real.sendmsg(fd, MEMORY_NOWHERE, flags);
    if (way < 0)
        return hook_return(entry_errno, way);
    if (proxied(fd, &taken, flags, way, &to, &result))
        return hook_return(entry_errno, result);
    if (guard_stops(fd, POLLOUT, flags))
        return -1;
    result = guard_result(fd, real.sendmsg(fd, &taken, way == SEND_CONNECTED ? flags & ~MSG_FASTOPEN : flags));
    return datagram_sent(fd, &taken, flags, entry_errno, result);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct assoc *a = datagram_of(fd);
    ssize_t n = a ? datagram_quick_message(a, fd, message, flags) : DATAGRAM_SLOW;

    if (HOOK_LIKELY(n >= 0))
        return n;
    return n == DATAGRAM_SLOW ? send_message_slowly(fd, message, flags) : hook_return(errno, n);
}

/* Take and judge the messages of a batch as far as they are the kernel's alone.
 * way, to: of the first that is not.  Returns the number of those before it. */
static unsigned judge_batch(int fd, struct mmsghdr *messages, unsigned count, int flags, struct batch *b, int *way,
                            struct datagram_to *to)
{
    unsigned good = 0;

    for (; good < count; good++) {
        struct msghdr *m = &b->message[good].msg_hdr;

        *way = messages ? judge_message(fd, &messages[good].msg_hdr, flags, m, &b->name[good], to) : -EFAULT;
        if (*way != SEND_AS_IT_IS || ((!m->msg_name || m->msg_namelen == 0) && datagram_handle(fd)))
            break;
    }
    return good;
}

/* Returns the number of messages whose length the program was told, or -EFAULT. */
static long tell_lengths(struct mmsghdr *messages, const struct mmsghdr *sent, long count)
{
    bool good = memory_writable(messages, (size_t)count * sizeof *messages);

    for (long i = 0; i < count; i++) {
        if (!good && !memory_writable(&messages[i].msg_len, sizeof messages[i].msg_len))
            return i ? i : -EFAULT;
        messages[i].msg_len = sent[i].msg_len;
    }
    return count;
}

/* One message that goes through the proxy, connects, or fails. */
static long send_first(int fd, struct batch *b, int flags, int way, const struct datagram_to *to)
{
    struct msghdr *m = &b->message[0].msg_hdr;
    ssize_t result;

    if (way == -EFAULT)
        return real.sendmsg(fd, MEMORY_NOWHERE, flags) < 0 ? -errno : way;
    if (way < 0)
        return way;
    if (!proxied(fd, m, flags, way, to, &result)) {
        if (guard_stops(fd, POLLOUT, flags))
            return -errno;
        result = guard_result(fd, real.sendmsg(fd, m, way == SEND_CONNECTED ? flags & ~MSG_FASTOPEN : flags));
        if (result < 0)
            return -errno;
    }
    if (result < 0)
        return result;
    b->message[0].msg_len = (unsigned)result;
    return 1;
}

/* Messages through the proxy, as far as they can go in one call.  Returns their number, 0 when there are none, or a
 * negative errno. */
OWN_FRAME static long send_batch(int fd, struct mmsghdr *messages, unsigned count, int flags, bool *more)
{
    struct datagram_batch b;
    long sent;

    if (count > DATAGRAM_BATCH)
        count = DATAGRAM_BATCH;
    if (!memory_readable(messages, count * sizeof *messages) || !datagram_batch_begin(&b, fd, flags))
        return 0;
    while (b.count < count && datagram_batch_add(&b, &messages[b.count].msg_hdr))
        ;
    if (b.count < 2)
        return 0;
    sent = datagram_batch_send(&b, fd, flags);
    *more = sent == (long)b.count;
    return sent < 0 ? sent : tell_lengths(messages, b.message, sent);
}

/* Send some of the messages, at least one.  more: set to false when the rest is not to be tried.
 * Returns their number or a negative errno. */
OWN_FRAME static long send_some(int fd, struct mmsghdr *messages, unsigned count, int flags, bool *more)
{
    struct datagram_to to;
    struct batch b;
    int way = SEND_AS_IT_IS;
    unsigned good = judge_batch(fd, messages, count, flags, &b, &way, &to);
    long sent;

    if (good == 0) {
        sent = send_first(fd, &b, flags, way, &to);
    } else {
        if (guard_stops(fd, POLLOUT, flags))
            return -errno;
        sent = guard_result(fd, real.sendmmsg(fd, b.message, good, flags));
        if (sent < 0)
            return -errno;
        *more = sent == (long)good;
    }
    return sent < 0 ? sent : tell_lengths(messages, b.message, sent);
}

/* As the kernel: the messages before the first that fails go out, and the failure shows in the next call. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, mmsg_flags flags)
{
    int entry_errno = errno;
    unsigned done = 0;
    bool more = true, found = false;
    long sent = 0;

    hook_enter();
    /* As the kernel, which looks at no more. */
    count = count > MESSAGES_MAX ? MESSAGES_MAX : count;
    if (count == 0)
        return real.sendmmsg(fd, messages, count, flags);
    while (more && done < count) {
        sent = datagram_handle(fd) ? send_batch(fd, messages + done, count - done, flags, &more) : 0;
        if (sent == 0)
            sent = send_some(fd, messages + done, count - done < BATCH ? count - done : BATCH, flags, &more);
        if (sent == -EDESTADDRREQ && !found && (found = datagram_found(fd)))
            continue;
        if (sent < 0)
            break;
        done += (unsigned)sent;
    }
    return (int)hook_return(entry_errno, done ? (long)done : sent);
}
