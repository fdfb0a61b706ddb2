/* SPDX-License-Identifier: ISC */
/* relay.c - where the datagrams of an association go (RFC 1928 section 7) */
#include "relay.h"

#include <errno.h>

static bool is_believed(const struct addr *bound, const struct addr *proxy)
{
    if (bound->kind != proxy->kind || addr_is_any(bound) || addr_is_local_scope(bound))
        return false;
    if (addr_is_loopback(bound))
        return addr_is_loopback(proxy);
    return !addr_is_private(bound) || addr_is_private(proxy) || addr_is_loopback(proxy);
}

int relay_address(const struct addr *bound, const struct addr *proxy, struct addr *out)
{
    uint16_t port = bound->port;

    if (bound->kind == ADDR_NONE || port == 0)
        return -EPROTO;
    *out = is_believed(bound, proxy) ? *bound : *proxy;
    out->port = port;
    return 0;
}
