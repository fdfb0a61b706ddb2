/* SPDX-License-Identifier: ISC */
/* traits.h - which proxies understand a whole handshake in one flight, in memory that many processes share
 *
 * One word for each proxy, written and read at once, so that neither a lock nor a reader's second look is needed.  A
 * proxy is its address, its port, and whether credentials are offered; of that 43 bits of a hash are kept.  What is
 * known counts for seven days.  All functions are async-signal-safe and need no care at fork.
 */
#ifndef SOCKSIFY_IO_TRAITS_H
#define SOCKSIFY_IO_TRAITS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/addr.h"

enum { TRAITS_PLACES = 128, TRAITS_HOURS = 7 * 24 };

enum trait { TRAIT_UNKNOWN, TRAIT_UNFIT, TRAIT_FIT };

struct traits {                                 /* all zero at first */
    _Atomic uint64_t place[TRAITS_PLACES];      /* hash, hour, and the trait in the lowest bit; 0: free */
};

/* What a proxy is found by.  proxy: IPv4 or IPv6, its port counts; has_auth: user and password are offered. */
uint64_t traits_key(const struct addr *proxy, bool has_auth);

/* What is known.  hour: since 1970. */
enum trait traits_get(const struct traits *t, uint64_t key, uint32_t hour);

/* Note it.  The oldest of a few places goes.  trait: not TRAIT_UNKNOWN. */
void traits_set(struct traits *t, uint64_t key, uint32_t hour, enum trait trait);

#endif
