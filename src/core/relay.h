/* SPDX-License-Identifier: ISC */
/* relay.h - what BND means in the replies to ASSOCIATE and BIND (RFC 1928 sections 6 and 7) */
#ifndef SOCKSIFY_CORE_RELAY_H
#define SOCKSIFY_CORE_RELAY_H

#include "addr.h"

/* The relay that the reply to ASSOCIATE means.  Servers answer with what they know of themselves: the any-address, a
 * loopback address, one behind a NAT, or a name; then, or when the family is not the proxy's, the relay is at the
 * proxy's own address.
 * bound: BND of the reply, any kind; proxy: the address that was dialled, IPv4 or IPv6.
 * Returns 0; -EPROTO when BND has no port (out untouched).  Pure. */
int relay_address(const struct addr *bound, const struct addr *proxy, struct addr *out);

/* Where peers come to, as the first reply to BIND means it: the same, but for an address of another family than the
 * proxy's, loopback aside, which is believed, since it is the proxy's outside.
 * Returns 0; -EOPNOTSUPP when it is of no use: no port, or the proxy's own address and port, which some servers give
 * (out untouched).  Pure. */
int relay_outside(const struct addr *bound, const struct addr *proxy, struct addr *out);

#endif
