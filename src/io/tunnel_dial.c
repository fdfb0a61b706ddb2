/* SPDX-License-Identifier: ISC */
/* tunnel_dial.c - a socket is connected to the proxy, once more, or no longer */
#include <errno.h>
#include <netinet/in.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "real.h"
#include "report.h"
#include "tunnel.h"

static int option_get(int fd, int level, int option, void *value, socklen_t len)
{
    return real.getsockopt(fd, level, option, value, &len) == 0 ? 0 : -errno;
}

/* A connect() that would sleep is let sleep for one tick; TCP's handshake goes on without it.  Signals are blocked. */
static int connect_tick(int fd, const struct sockaddr *sa, socklen_t len, const struct timeval *known)
{
    struct timeval tick = { 0, 1 }, kept;
    int error = 0;

    if (known)
        kept = *known;
    else
        error = option_get(fd, SOL_SOCKET, SO_SNDTIMEO, &kept, sizeof kept);
    if (error)
        return error;
    if (real.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tick, sizeof tick) != 0)
        return -errno;
    error = real_connect(fd, sa, len);
    real.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kept, sizeof kept);
    /* No handler has run: the process was stopped and goes on, or was traced.  The socket connects meanwhile. */
    return error == -EINTR ? -EINPROGRESS : error;
}

/* Only an unbound socket can be opened to both families, and only before it is connected. */
static void open_to_mapped(int fd, const struct sockaddr_storage *sa)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    int only = 0, off = 0;

    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) &&
        option_get(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0 && only)
        real.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
}

static int dial(int fd, int domain, const struct addr *proxy, bool nonblocking, const struct timeval *known)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int error = addr_to_sockaddr(proxy, domain, &sa, &len);

    if (error)
        return error;
    if (domain == AF_INET6)
        open_to_mapped(fd, &sa);
    return nonblocking ? real_connect(fd, (const struct sockaddr *)&sa, len)
                       : connect_tick(fd, (const struct sockaddr *)&sa, len, known);
}

int tunnel_dial(int fd, int domain, const struct addr *proxy, bool nonblocking)
{
    return dial(fd, domain, proxy, nonblocking, NULL);
}

int tunnel_dial_within(int fd, int domain, const struct addr *proxy, const struct timeval *send_timeout)
{
    return dial(fd, domain, proxy, false, send_timeout);
}

/* The kernel will not open in this way: by net.ipv4.tcp_fastopen, by a filter, or as MPTCP of old.  All else it would
 * say of a connect(), and some of that only once. */
static bool is_unwilling(int error)
{
    return error == EOPNOTSUPP || error == EPERM || error == ENOSYS || error == EPIPE || error == ENOTCONN;
}

int tunnel_dial_opening(int fd, int domain, const struct addr *proxy, struct socks5 *machine, struct flight *flight)
{
    struct sockaddr_storage sa;
    size_t size;
    const uint8_t *data = socks5_out(machine, &size);
    socklen_t len;
    long n;

    if (!flight_opens(flight) || addr_to_sockaddr(proxy, domain, &sa, &len) != 0)
        return -EOPNOTSUPP;
    if (domain == AF_INET6)
        open_to_mapped(fd, &sa);
    n = real.syscall(SYS_sendto, (long)fd, data, (long)size, (long)(MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL), &sa,
                     (long)len);
    if (n <= 0)
        return n < 0 && !is_unwilling(errno) ? -errno : -EOPNOTSUPP;
    report_sent(fd, socks5_stage(machine), (size_t)n);
    socks5_sent(machine, (size_t)n);
    flight_opened(flight);
    return -EINPROGRESS;
}

void tunnel_reset(int fd)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    int error;

    real_connect(fd, &nowhere, sizeof nowhere);
    option_get(fd, SOL_SOCKET, SO_ERROR, &error, sizeof error);
}

/* The kernel lets go of a port of its own choice, which the program may have asked for since bind().  The address that
 * the way to the proxy had is not bound: it must not stay when this comes to nothing, too, and the socket goes on. */
OWN_FRAME int tunnel_redial(int fd, int domain, const struct addr *proxy)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } before, own;
    socklen_t len = sizeof before;
    bool named = real.getsockname(fd, &before.any, &len) == 0;
    int error;

    tunnel_reset(fd);
    len = sizeof own;
    if (named && real.getsockname(fd, &own.any, &len) == 0) {
        if (domain == AF_INET6)
            own.in6.sin6_port = before.in6.sin6_port;
        else
            own.in.sin_port = before.in.sin_port;
        real.syscall(SYS_bind, (long)fd, &own, (long)len);
    }
    error = tunnel_dial(fd, domain, proxy, false);
    /* MPTCP cannot be reset by older kernels: "connected" is the last thing that the program may be told. */
    return error == -EISCONN ? -ECONNREFUSED : error;
}

void tunnel_settle(int fd, int domain, const struct addr *proxy)
{
    struct sockaddr_storage sa;
    socklen_t len;

    if (addr_to_sockaddr(proxy, domain, &sa, &len) == 0)
        real_connect(fd, (const struct sockaddr *)&sa, len);
}
