/* SPDX-License-Identifier: ISC */
/* connect.c - connect() */
#include <string.h>
#include <sys/un.h>

#include "../io/kind.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "datagram.h"
#include "guard.h"
#include "inbound.h"
#include "stream.h"

enum { NOT_OURS = STREAM_NOT_OURS };

/* Daemons that would resolve names for the program, on the local network. */
static const char *const resolver_sockets[] = {
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/avahi-daemon/socket",
    "/var/run/avahi-daemon/socket",
};

static bool is_resolver(const struct sockaddr *sa, socklen_t len)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)sa;
    size_t room = len > offsetof(struct sockaddr_un, sun_path) ? len - offsetof(struct sockaddr_un, sun_path) : 0;

    for (size_t i = 0; i < sizeof resolver_sockets / sizeof resolver_sockets[0]; i++) {
        size_t n = strlen(resolver_sockets[i]);

        /* As a prefix: io.systemd.Resolve has a sibling, io.systemd.Resolve.Monitor. */
        if (room >= n && memcmp(un->sun_path, resolver_sockets[i], n) == 0)
            return true;
    }
    return false;
}

static int connect_unix(const struct sockaddr *sa, socklen_t len)
{
    if (process.conf.dns != CONF_DNS_REMOTE || process_inside() || !is_resolver(sa, len))
        return NOT_OURS;
    return -ECONNREFUSED;
}

/* Could an address of another family than the socket's have come to this?  Not where the dial has begun, and what says
 * that the number or the moment is another stays so. */
static bool may_be_of_family(int error)
{
    return error < 0 && error != -EINPROGRESS && error != -EALREADY && error != -EINTR && error != -EBADF;
}

/* The kernel dials no address of another family than the socket's, so that an idle stream's is asked for after an
 * error alone: then it is the kernel that must tell it. */
static int connect_idle(int fd, const struct sockaddr *sa, socklen_t len)
{
    int result = stream_connect(fd, sa->sa_family, sa, len, STREAM_IDLE), domain;

    return may_be_of_family(result) && kind_ask(fd, &domain) == KIND_STREAM && domain != sa->sa_family ? NOT_OURS
                                                                                                         : result;
}

static int connect_inet(int fd, const struct sockaddr *sa, socklen_t len)
{
    bool stream = (fdtab_get(&process.fdtab, fd) & FDTAB_KIND) == KIND_STREAM, idle = false;
    int domain;
    int kind = stream ? kind_ask_stream(fd, &domain, &idle) : kind_ask(fd, &domain);

    if (kind != KIND_DATAGRAM && datagram_handle(fd))
        datagram_forget(fd);
    switch (kind) {
    case KIND_STREAM:
        if (idle)
            return connect_idle(fd, sa, len);
        /* Another family than the socket's is an error that the kernel knows best. */
        return sa->sa_family == domain ? stream_connect(fd, domain, sa, len, 0) : NOT_OURS;
    case KIND_DATAGRAM:
        return datagram_connect(fd, domain, sa, len);
    case KIND_OTHER:
        return datagram_judge(fd, KIND_OTHER, sa, len, NULL);
    case KIND_REFUSED:
        log_once(LOG_KIND, "a socket from outside refused: it would reach the network in its own way");
        return -EACCES;
    default:
        return NOT_OURS;
    }
}

/* The program gives up a connect() that is under way. */
static int disconnect(int fd)
{
    if (datagram_found(fd) || datagram_handle(fd))
        return datagram_disconnect(fd);
    return guard_pending(fd) && pending_abandon(&process.pending, fd, guard_handle(fd)) ? 0 : NOT_OURS;
}

static int decide(int fd, const struct sockaddr *sa, socklen_t len)
{
    /* Of a longer address the kernel makes EINVAL before it looks at it. */
    if (!sa || sa == MEMORY_NOWHERE || len < sizeof(sa_family_t) || len > sizeof(struct sockaddr_storage))
        return NOT_OURS;
    if (inbound_is(fd) && inbound_connect(fd, sa->sa_family == AF_UNSPEC) != NOT_OURS)
        return sa->sa_family == AF_UNSPEC ? 0 : -EISCONN;
    switch (sa->sa_family) {
    case AF_INET:
    case AF_INET6:
        return connect_inet(fd, sa, len);
    case AF_UNSPEC:
        return disconnect(fd);
    case AF_UNIX:
        return connect_unix(sa, len);
    case AF_VSOCK:
        log_once(LOG_KIND, "connect on AF_VSOCK refused: SOCKS cannot carry it");
        return -EACCES;
    default:
        return NOT_OURS;
    }
}

static bool is_followed(uint32_t word)
{
    return (word & FDTAB_KIND) == KIND_STREAM && word & (FDTAB_FRESH | FDTAB_REGISTERED | FDTAB_TRIED);
}

static void follow_no_more(int fd, uint32_t word, uint32_t tried)
{
    if (!is_followed(word))
        return;
    if (word & FDTAB_REGISTERED)
        pending_forget(&process.pending, fd);
    fdtab_change(&process.fdtab, fd, FDTAB_FRESH | FDTAB_REGISTERED | FDTAB_TRIED, tried);
}

void stream_follow_no_more(int fd)
{
    follow_no_more(fd, fdtab_get(&process.fdtab, fd), 0);
}

void stream_settled(int fd)
{
    if (is_followed(fdtab_get(&process.fdtab, fd)) && !process_is_guest())
        stream_follow_no_more(fd);
}

void stream_tried(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    /* Under a stream of stdio it stays as it was; of one that is shared each call looks whether it stands. */
    if (!fdtab_is_stdio(word) && is_followed(word) && !process_is_guest())
        follow_no_more(fd, word, word & FDTAB_SHARED || fdtab_handle(word) ? 0 : FDTAB_TRIED);
}

/* A connection was given up: copies that are made from now on count for the next one. */
static void released(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    if ((word & FDTAB_KIND) == KIND_STREAM && !(word & (FDTAB_FRESH | FDTAB_SHARED)) && !fdtab_handle(word) &&
        !process_is_guest())
        fdtab_replace(&process.fdtab, fd, word, word | FDTAB_TRIED);
}

/* The kernel may yet hold the error of an attempt through the proxy; once it connects anew that is forgotten. */
static int connect_natively(int fd, const struct sockaddr *sa, socklen_t len)
{
    int result = real.connect(fd, sa, len);

    if (result == 0 && (!sa || sa->sa_family != AF_UNSPEC))
        stream_settled(fd);
    else if (result == 0)
        released(fd);
    else if (errno == EINPROGRESS)
        stream_tried(fd);
    if (hook_idle(GATE_PENDING))
        return result;
    if (result < 0 && errno != EINPROGRESS)
        return (int)guard_result(fd, result);
    if (sa->sa_family != AF_UNSPEC)
        pending_error(&process.pending, fd, ECONNRESET);
    return result;
}

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct sockaddr_storage own;
    int entry_errno = errno;
    int result;

    hook_enter();
    hook_cancellation_point();
    sa = memory_address(sa, len, &own);
    result = decide(fd, sa, len);
    return result == NOT_OURS ? connect_natively(fd, sa, len) : (int)hook_return(entry_errno, result);
}
