/* SPDX-License-Identifier: ISC */
/* send.c - the sending calls that name an address */
#include <poll.h>
#include <string.h>

#include "../io/kind.h"
#include "../io/log.h"
#include "datagram.h"
#include "guard.h"
#include "stream.h"

/* What a call is to do after its address was judged; or a negative errno. */
enum { SEND_AS_IT_IS = STREAM_NOT_OURS, SEND_CONNECTED = 0, SEND_PROXIED = DATAGRAM_PROXIED };

enum { MESSAGES_MAX = 1024 };    /* UIO_MAXIOV */

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
static const struct sockaddr *read_unspec(int kind, int domain, const struct sockaddr *sa, socklen_t len,
                                          struct sockaddr_storage *own)
{
    if (sa->sa_family != AF_UNSPEC || kind == KIND_STREAM)
        return sa;
    if (kind == KIND_DATAGRAM)
        domain = AF_INET;
    memset(own, 0, sizeof *own);
    memcpy(own, sa, len < sizeof *own ? len : sizeof *own);
    own->ss_family = (sa_family_t)domain;
    return (const struct sockaddr *)own;
}

/* to: filled for SEND_PROXIED. */
static int judge(int fd, const struct sockaddr *sa, socklen_t len, int flags, struct datagram_to *to)
{
    struct sockaddr_storage own;
    int kind, domain;

    /* Of a longer address the kernel makes EINVAL before it looks at it. */
    if (!sa || len < sizeof(sa_family_t) || len > sizeof own)
        return SEND_AS_IT_IS;
    if (sa->sa_family != AF_INET && sa->sa_family != AF_INET6 && sa->sa_family != AF_UNSPEC)
        return SEND_AS_IT_IS;
    kind = kind_of(fd, &domain, flags);
    sa = read_unspec(kind, domain, sa, len, &own);
    switch (kind) {
    case KIND_STREAM:
        /* Only with MSG_FASTOPEN does TCP look at the address: then the call connects. */
        return flags & MSG_FASTOPEN && sa->sa_family == domain ? stream_connect(fd, domain, sa, len) : SEND_AS_IT_IS;
    case KIND_DATAGRAM:
    case KIND_OTHER:
        return datagram_judge((enum kind)kind, sa, len, to);
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
    if (way == SEND_PROXIED)
        return datagram_send(fd, m, flags, to, result);
    return way == SEND_AS_IT_IS && (!m->msg_name || m->msg_namelen == 0) && datagram_handle(fd) &&
           datagram_send(fd, m, flags, NULL, result);
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *sa, socklen_t len)
{
    struct iovec piece = { (void *)data, size };
    const struct msghdr m = { .msg_name = (void *)sa, .msg_namelen = sa ? sizeof *sa : 0, .msg_iov = &piece,
                              .msg_iovlen = 1 };
    int entry_errno = errno;
    struct datagram_to to;
    ssize_t result;
    int way;

    hook_enter();
    way = judge(fd, sa, len, flags, &to);
    if (way < 0)
        return hook_return(entry_errno, way);
    if (proxied(fd, &m, flags, way, &to, &result))
        return hook_return(entry_errno, result);
    if (guard_stops(fd, POLLOUT, flags & MSG_DONTWAIT))
        return -1;
    return guard_result(fd, way == SEND_CONNECTED ? real.send(fd, data, size, flags & ~MSG_FASTOPEN)
                                                  : real.sendto(fd, data, size, flags, sa, len));
}

/* Who gets a socket in the middle of its handshake has nobody to go on with it. */
static void drain_passed(const struct msghdr *message)
{
    struct msghdr *m = (struct msghdr *)message;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t used = CMSG_LEN(0); used + sizeof(int) <= c->cmsg_len; used += sizeof(int)) {
            int fd;

            memcpy(&fd, (unsigned char *)c + used, sizeof fd);
            guard_drain(fd);
        }
    }
}

static int judge_message(int fd, const struct msghdr *message, int flags, struct datagram_to *to)
{
    socklen_t len;

    if (!message)
        return SEND_AS_IT_IS;
    if (message->msg_control && !hook_idle(GATE_PENDING))
        drain_passed(message);
    len = message->msg_namelen;
    /* Here the kernel cuts the length, where sendto() says EINVAL. */
    if ((int)len > (int)sizeof(struct sockaddr_storage))
        len = sizeof(struct sockaddr_storage);
    return judge(fd, message->msg_name, len, flags, to);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    int entry_errno = errno;
    struct datagram_to to;
    ssize_t result;
    int way;

    hook_enter();
    way = judge_message(fd, message, flags, &to);
    if (way < 0)
        return hook_return(entry_errno, way);
    if (message && proxied(fd, message, flags, way, &to, &result))
        return hook_return(entry_errno, result);
    if (guard_stops(fd, POLLOUT, flags & MSG_DONTWAIT))
        return -1;
    return guard_result(fd, real.sendmsg(fd, message, way == SEND_CONNECTED ? flags & ~MSG_FASTOPEN : flags));
}

/* Datagrams of which some go through the proxy, one by one.  A failure shows when nothing went before it. */
static long send_each(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    ssize_t result = 0;
    unsigned done = 0;

    for (; done < count && done < MESSAGES_MAX; done++) {
        struct msghdr *m = &messages[done].msg_hdr;
        struct datagram_to to;
        int way = judge_message(fd, m, flags, &to);

        if (way < 0)
            result = way;
        else if (!proxied(fd, m, flags, way, &to, &result) && (result = real.sendmsg(fd, m, flags)) < 0)
            result = -errno;
        if (result < 0)
            break;
        messages[done].msg_len = (unsigned)result;
    }
    return done ? (long)done : result;
}

/* As the kernel: the messages before the first that fails go out, and the failure shows in the next call. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int entry_errno = errno;
    struct datagram_to to;
    unsigned good = 0;

    hook_enter();
    /* As the kernel, which looks at no more. */
    count = count > MESSAGES_MAX ? MESSAGES_MAX : count;
    if (messages && datagram_handle(fd))
        return (int)hook_return(entry_errno, send_each(fd, messages, count, flags));
    for (; messages && good < count; good++) {
        int way = judge_message(fd, &messages[good].msg_hdr, flags, &to);

        if (way == SEND_PROXIED)
            return (int)hook_return(entry_errno, send_each(fd, messages, count, flags));
        if (way < 0 && good == 0)
            return (int)hook_return(entry_errno, way);
        if (way < 0)
            break;
        if (way == SEND_CONNECTED) {
            /* The one that connects is the last: to the kernel the next one's MSG_FASTOPEN is EISCONN. */
            flags &= ~MSG_FASTOPEN;
            good++;
            break;
        }
    }
    if (guard_stops(fd, POLLOUT, flags & MSG_DONTWAIT))
        return -1;
    return (int)guard_result(fd, real.sendmmsg(fd, messages, messages ? good : count, flags));
}
