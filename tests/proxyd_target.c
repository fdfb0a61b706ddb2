/* SPDX-License-Identifier: ISC */
/* proxyd_target.c - the outside of the test proxy: names and sockets */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxyd_target.h"

static int make_socket(int family, int type)
{
    int one = 1;
    int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int ask_system(const struct addr *asked, struct addr *ip)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    if (getaddrinfo(asked->name, NULL, &hints, &list) != 0)
        return -ENOENT;
    int error = addr_from_sockaddr(list->ai_addr, list->ai_addrlen, ip);
    freeaddrinfo(list);
    return error < 0 ? -ENOENT : 0;
}

int target_resolve(const struct options *o, const struct addr *asked, struct addr *ip)
{
    struct addr found = *asked;
    struct addr canonical = *asked;
    size_t len = asked->kind == ADDR_NAME ? strlen(asked->name) : 0;
    int error = asked->kind != ADDR_NAME ? 0 : len == 0 ? -ENOENT : addr_from_text(asked->name, len, &found);
    if (len > 0)
        (void)addr_from_name(asked->name, len, &canonical);     /* drops the trailing dot */
    for (size_t i = 0; error != 0 && i < o->hosts; i++)
        if (addr_same_host(&o->host[i].name, &canonical)) {
            found = o->host[i].address;
            error = 0;
        }
    if (error != 0 && len > 0 && o->resolve)
        error = ask_system(asked, &found);
    if (error != 0)
        return -ENOENT;
    found.port = asked->port;
    *ip = found;
    return 0;
}

int target_connect(const struct addr *ip)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (addr_to_sockaddr(ip, AF_UNSPEC, &sa, &len) < 0)
        return -EAFNOSUPPORT;
    int fd = make_socket(sa.ss_family, SOCK_STREAM);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) {
        int error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* Binds fd, if it is one; closes it on failure.  reuse: of datagram sockets two may then get one port, by chance. */
static int bind_socket(int fd, const struct addr *local, int reuse)
{
    struct sockaddr_storage sa;
    socklen_t len;
    if (fd < 0)
        return fd;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (addr_to_sockaddr(local, AF_UNSPEC, &sa, &len) == 0 && bind(fd, (struct sockaddr *)&sa, len) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int target_listen(const struct addr *local, int backlog)
{
    int fd = bind_socket(make_socket(local->kind == ADDR_IPV6 ? AF_INET6 : AF_INET, SOCK_STREAM), local, 1);
    if (fd < 0 || listen(fd, backlog) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

int target_accept(int fd)
{
    int one = 1;
    int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return -errno;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return client;
}

int target_fastopen(int listener)
{
    int pending = 128;
    return setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &pending, sizeof pending) == 0 ? 0 : -errno;
}

bool target_opened(int fd)
{
    struct tcp_info info = { .tcpi_options = 0 };
    socklen_t len = sizeof info;
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

int target_datagram(int family, const struct addr *local)
{
    int fd = make_socket(family, SOCK_DGRAM);
    int one = 1;
    if (fd >= 0 && family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    return local != NULL ? bind_socket(fd, local, 0) : fd;
}

int target_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

uint8_t target_rep(int error)
{
    switch (-error) {
    case 0:
        return 0;
    case EACCES:
    case EPERM:
        return 2;
    case ENETUNREACH:
        return 3;
    case EHOSTUNREACH:
    case ENOENT:
        return 4;
    case ECONNREFUSED:
        return 5;
    case ETIMEDOUT:
        return 6;
    case EAFNOSUPPORT:
        return 8;
    default:
        return 1;
    }
}

void target_name(int fd, bool peer, struct addr *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int result = peer ? getpeername(fd, (struct sockaddr *)&sa, &len) : getsockname(fd, (struct sockaddr *)&sa, &len);
    if (result < 0 || addr_from_sockaddr((struct sockaddr *)&sa, len, out) < 0)
        memset(out, 0, sizeof *out);
}
