/* SPDX-License-Identifier: ISC */
/* pools.h - where the addresses that stand for names are taken from */
#ifndef SOCKSIFY_CORE_POOLS_H
#define SOCKSIFY_CORE_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"

enum {
    POOLS_IPV4_PREFIX = 15,         /* so many names, and as many again in private memory (io/state.h) */
    POOLS_IPV6_PREFIX = 64          /* a map has a /96 of it, at random */
};

/* What is beyond the prefix of the IPv6 pool is for each map to choose, so that maps that know nothing of each other
 * have different addresses. */
struct pools {
    uint32_t ipv4;                  /* the first address, host order; a /15 from there */
    uint8_t ipv6[16];
    uint8_t ipv6_prefix;            /* at most POOLS_IPV6_PREFIX */
};

/* 198.18.0.0/15 (RFC 2544: routed nowhere), and fd00::/8 (RFC 4193: the rest is meant to be random). */
void pools_default(struct pools *p);

/* Read the IPv4 or the IPv6 network of *p.
 * text: `address/prefix`.  IPv4: a /15 or larger one, of which the first /15 is used.  IPv6: a /64 or larger one.
 * Returns 0; or -EINVAL with *fault a constant phrase (p untouched) for what is none, too small, has bits beyond its
 * prefix, or holds addresses that are no single hosts elsewhere (loopback, multicast, link-local, v4-mapped). */
int pools_parse_ipv4(struct pools *p, const char *text, const char **fault);
int pools_parse_ipv6(struct pools *p, const char *text, const char **fault);

/* True if the network of *a is that of *b. */
bool pools_equal(const struct pools *a, const struct pools *b);

/* A number for the name of a file: 0 for the default, else different for most others. */
uint32_t pools_number(const struct pools *p);

#endif
