/* SPDX-License-Identifier: ISC */
/* upstream.c - the proxies' addresses, as far as they are known */
#include "upstream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum { UNKNOWN, BUSY, KNOWN };

void upstream_set(struct upstream *u, const struct addr found[UPSTREAM_ADDRESSES])
{
    unsigned phase = UNKNOWN;

    if (found[0].kind == ADDR_NONE || !atomic_compare_exchange_strong(&u->phase, &phase, BUSY))
        return;
    memcpy(u->address, found, sizeof u->address);
    atomic_store(&u->phase, KNOWN);
}

bool upstream_known(const struct upstream *u)
{
    return atomic_load(&u->phase) == KNOWN;
}

int upstream_choose(const struct addr found[UPSTREAM_ADDRESSES], int domain, struct addr *out)
{
    if (found[0].kind == ADDR_NONE)
        return -EHOSTUNREACH;
    for (int i = 0; i < UPSTREAM_ADDRESSES && found[i].kind != ADDR_NONE; i++) {
        if (domain == AF_INET6 || found[i].kind == ADDR_IPV4) {
            /* A name, which is most of the structure, it is not. */
            memcpy(out, &found[i], offsetof(struct addr, ip) + sizeof out->ip);
            return 0;
        }
    }
    return -EAFNOSUPPORT;
}

bool upstreams_include(const struct upstreams *all, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++) {
        const struct upstream *u = &all->of[i];

        if (!upstream_known(u))
            continue;
        for (int j = 0; j < UPSTREAM_ADDRESSES && u->address[j].kind != ADDR_NONE; j++)
            if (addr_equal(&u->address[j], a))
                return true;
    }
    return false;
}

bool upstreams_may_include(const struct upstreams *all, unsigned count, const struct addr *a)
{
    for (unsigned i = 0; i < count; i++)
        if (!upstream_known(&all->of[i]))
            return true;
    return upstreams_include(all, count, a);
}
