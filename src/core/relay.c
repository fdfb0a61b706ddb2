/* SPDX-License-Identifier: ISC */
/* relay.c - what BND means in the replies to ASSOCIATE and BIND (RFC 1928 sections 6 and 7) */
#include "relay.h"

#include <errno.h>

static bool is_believed(const struct addr *bound, const struct addr *proxy)
{
    if ((bound->kind != ADDR_IPV4 && bound->kind != ADDR_IPV6) || addr_is_any(bound) || addr_is_local_scope(bound))
        return false;
    if (addr_is_loopback(bound))
        return addr_is_loopback(proxy) && bound->kind == proxy->kind;
    return !addr_is_private(bound) || addr_is_private(proxy) || addr_is_loopback(proxy);
}

static void settle(const struct addr *bound, const struct addr *proxy, bool believed, struct addr *out)
{
    uint16_t port = bound->port;

    *out = believed ? *bound : *proxy;
    out->port = port;
}

int relay_address(const struct addr *bound, const struct addr *proxy, struct addr *out)
{
    if (bound->kind == ADDR_NONE || bound->port == 0)
        return -EPROTO;
    settle(bound, proxy, bound->kind == proxy->kind && is_believed(bound, proxy), out);
    return 0;
}

int relay_outside(const struct addr *bound, const struct addr *proxy, struct addr *out)
{
    struct addr outside;

    if (bound->kind == ADDR_NONE || bound->port == 0)
        return -EOPNOTSUPP;
    settle(bound, proxy, is_believed(bound, proxy), &outside);
    if (addr_equal(&outside, proxy))
        return -EOPNOTSUPP;
    *out = outside;
    return 0;
}
