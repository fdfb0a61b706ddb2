/* SPDX-License-Identifier: ISC */
/* send.c - the sending calls that name an address */
#include <poll.h>
#include <string.h>

#include "../io/kind.h"
#include "datagram.h"
#include "guard.h"
#include "stream.h"

/* What a call is to do after its address was judged; or a negative errno. */
enum { SEND_AS_IT_IS = STREAM_NOT_OURS, SEND_CONNECTED = 0 };

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

static int judge(int fd, const struct sockaddr *sa, socklen_t len, int flags)
{
    struct sockaddr_storage own;
    int kind, domain;

    /* Of a longer address the kernel makes EINVAL before it looks at it. */
    if (!sa || len < sizeof(sa_family_t) || len > sizeof own || process_inside())
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
        return datagram_judge(kind, sa, len);
    default:
        return SEND_AS_IT_IS;
    }
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *sa, socklen_t len)
{
    int entry_errno = errno;
    int way;

    hook_enter();
    way = judge(fd, sa, len, flags);
    if (way < 0)
        return hook_return(entry_errno, way);
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

static int judge_message(int fd, const struct msghdr *message, int flags)
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
    return judge(fd, message->msg_name, len, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    int entry_errno = errno;
    int way;

    hook_enter();
    way = judge_message(fd, message, flags);
    if (way < 0)
        return hook_return(entry_errno, way);
    if (guard_stops(fd, POLLOUT, flags & MSG_DONTWAIT))
        return -1;
    return guard_result(fd, real.sendmsg(fd, message, way == SEND_CONNECTED ? flags & ~MSG_FASTOPEN : flags));
}

/* As the kernel: the messages before the first that fails go out, and the failure shows in the next call. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    int entry_errno = errno;
    unsigned good = 0;

    hook_enter();
    for (; messages && good < count; good++) {
        int way = judge_message(fd, &messages[good].msg_hdr, flags);

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
