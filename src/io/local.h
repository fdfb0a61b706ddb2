/* SPDX-License-Identifier: ISC */
/* local.h - is an address this machine's?
 *
 * What a socket sends to the address that it is bound to stays here only then: IP_FREEBIND, IP_TRANSPARENT and
 * net.ipv4.ip_nonlocal_bind let it be bound to anybody's, a multicast group and a network's broadcast address need no
 * option at all, and addresses go while sockets stay.
 */
#ifndef SOCKSIFY_IO_LOCAL_H
#define SOCKSIFY_IO_LOCAL_H

#include <stdbool.h>

#include "../core/addr.h"

/* True if packets to an address are delivered on this machine and nowhere else: loopback, and what the kernel's routes
 * call local.  a: an IPv4 or IPv6 address, not the any-address.  False too when the kernel cannot be asked.
 * Keeps errno.  Async-signal-safe; no cancellation point; makes and closes a descriptor.  Source: rtnetlink(7). */
bool local_is(const struct addr *a);

#endif
