/* SPDX-License-Identifier: ISC */
/* upstream.h - the proxies' addresses, as far as they are known
 *
 * A proxy given by address is known from the start, one given by name from the first time that somebody looked it up
 * (hook/process.c); it stays so.  Reading takes no lock and is async-signal-safe; all is inherited by fork().
 */
#ifndef SOCKSIFY_IO_UPSTREAM_H
#define SOCKSIFY_IO_UPSTREAM_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../core/conf.h"

enum { UPSTREAM_ADDRESSES = 2 };      /* one IPv4 and one IPv6 address of a name */

/* One proxy.  All zero: nothing is known. */
struct upstream {
    atomic_uint phase;
    struct addr address[UPSTREAM_ADDRESSES];    /* the first ADDR_NONE ends the list */
};

struct upstreams {
    struct upstream of[CONF_PROXIES];
};

/* Note what a proxy's addresses are, unless they are known already.  found: an empty list says nothing. */
void upstream_set(struct upstream *u, const struct addr found[UPSTREAM_ADDRESSES]);

/* True once the addresses are known. */
bool upstream_known(const struct upstream *u);

/* The address to dial for a socket of this domain, AF_INET or AF_INET6, out of a list.
 * Returns 0; -EHOSTUNREACH when the list is empty; -EAFNOSUPPORT when none fits the domain: an IPv6 proxy is out of
 * reach of an AF_INET socket, the other way round a v4-mapped address does. */
int upstream_choose(const struct addr found[UPSTREAM_ADDRESSES], int domain, struct addr *out);

/* True if this is a known address, port included, of any of the first count proxies; count: at most CONF_PROXIES. */
bool upstreams_include(const struct upstreams *all, unsigned count, const struct addr *a);

/* The same, and true as well while the addresses of one of them are unknown. */
bool upstreams_may_include(const struct upstreams *all, unsigned count, const struct addr *a);

#endif
