/* SPDX-License-Identifier: ISC */
/* local.c - is an address this machine's? */
#include "local.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "real.h"

/* As rtnetlink(7) has them; the kernel's headers are not there with every libc. */
enum { FAMILY_ROUTES = 0, IS_REQUEST = 1, NEW_ROUTE = 24, GET_ROUTE = 26, TO = 1, DEVICE = 4, ROUTE_LOCAL = 2 };

enum { IPV4_BYTES = 4, IPV6_BYTES = 16, REST = 512 };

struct route_head {
    uint32_t len;                       /* struct nlmsghdr */
    uint16_t message, flags;
    uint32_t sequence, port;
    uint8_t family, to_bits, from_bits, service, table, protocol, scope, type;    /* struct rtmsg */
    uint32_t route_flags;
};

struct route_question {
    struct route_head head;
    uint16_t len, attribute;            /* struct rtattr */
    uint8_t ip[IPV6_BYTES];
    uint16_t device_len, device;        /* another, behind an IPv6 address with a scope */
    uint32_t index;
};

struct route_answer {
    struct route_head head;
    uint8_t rest[REST];                 /* of no interest */
};

/* The route's answer is there as soon as the question is asked. */
static bool ask(int fd, const struct route_question *q)
{
    struct route_answer answer;
    long n;

    if (real.syscall(SYS_write, (long)fd, q, (long)q->head.len) != (long)q->head.len)
        return false;
    n = real.syscall(SYS_read, (long)fd, &answer, (long)sizeof answer);
    return n >= (long)sizeof answer.head && answer.head.message == NEW_ROUTE && answer.head.type == ROUTE_LOCAL;
}

bool local_is(const struct addr *a)
{
    size_t size = a->kind == ADDR_IPV4 ? IPV4_BYTES : IPV6_BYTES;
    struct route_question q = {
        .head = { .message = GET_ROUTE, .flags = IS_REQUEST, .family = a->kind == ADDR_IPV4 ? AF_INET : AF_INET6,
                  .to_bits = (uint8_t)(size * 8) },
        .attribute = TO
    };
    int saved_errno = errno, fd;
    bool is;

    if (a->kind != ADDR_IPV4 && a->kind != ADDR_IPV6)
        return false;
    if (addr_is_loopback(a))
        return true;
    memcpy(q.ip, a->ip, size);
    q.len = (uint16_t)(sizeof q.len + sizeof q.attribute + size);
    q.head.len = (uint32_t)(sizeof q.head + q.len);
    if (a->kind == ADDR_IPV6 && a->scope) {
        q.device_len = sizeof q.device_len + sizeof q.device + sizeof q.index;
        q.device = DEVICE;
        q.index = a->scope;
        q.head.len += q.device_len;
    }
    fd = real_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, FAMILY_ROUTES);
    is = fd >= 0 && ask(fd, &q);
    if (fd >= 0)
        real_close(fd);
    errno = saved_errno;
    return is;
}
