/* SPDX-License-Identifier: ISC */
/* kind.c - what SOCKS can do for a socket, judged by its domain, type and protocol */
#include "kind.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <sys/socket.h>

#include "real.h"

enum {
    TYPE_MASK = 0xf,            /* what SOCK_NONBLOCK and SOCK_CLOEXEC leave free */
    PROTOCOL_MPTCP = 262        /* IPPROTO_MPTCP, which older headers lack */
};

static enum kind judge_inet(int type, int protocol)
{
    switch (type & TYPE_MASK) {
    case SOCK_STREAM:
        return protocol == 0 || protocol == IPPROTO_TCP || protocol == PROTOCOL_MPTCP ? KIND_STREAM : KIND_OTHER;
    case SOCK_DGRAM:
        return protocol == 0 || protocol == IPPROTO_UDP ? KIND_DATAGRAM : KIND_OTHER;
    case SOCK_RAW:
        return protocol == IPPROTO_RAW ? KIND_REFUSED : KIND_OTHER;
    case SOCK_PACKET:
        return KIND_REFUSED;
    default:
        return KIND_OTHER;
    }
}

enum kind kind_judge(int domain, int type, int protocol)
{
    switch (domain) {
    case AF_INET:
    case AF_INET6:
        return judge_inet(type, protocol);
    case AF_UNIX:
    case AF_NETLINK:
    case AF_ALG:
    case AF_KEY:
    case AF_BLUETOOTH:
    case AF_CAN:
        return KIND_NATIVE;
    case AF_VSOCK:
        return KIND_LOCAL;
    default:
        return KIND_REFUSED;
    }
}

static int ask(int fd, int option, int *value)
{
    socklen_t len = sizeof *value;

    return real.getsockopt(fd, SOL_SOCKET, option, value, &len) == 0 ? 0 : -errno;
}

int kind_ask(int fd, int *domain)
{
    int of_domain = 0, type = 0, protocol = 0;
    int error = ask(fd, SO_DOMAIN, &of_domain);

    if (error)
        return error;
    if (of_domain == AF_INET || of_domain == AF_INET6) {
        error = ask(fd, SO_TYPE, &type);
        if (!error)
            error = ask(fd, SO_PROTOCOL, &protocol);
        if (error)
            return error;
    }
    if (domain)
        *domain = of_domain;
    return kind_judge(of_domain, type, protocol);
}

int kind_ask_stream(int fd, int *domain, bool *idle)
{
    uint8_t state = 0;          /* the first byte of struct tcp_info */
    socklen_t len = sizeof state;

    *idle = false;
    if (real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &len) != 0 || state != TCP_CLOSE)
        return kind_ask(fd, domain);
    *idle = true;
    return KIND_STREAM;
}
