/* SPDX-License-Identifier: ISC */
/* udp_header.h - the header of a relayed datagram (RFC 1928 section 7) */
#ifndef SOCKSIFY_CORE_UDP_HEADER_H
#define SOCKSIFY_CORE_UDP_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum { UDP_HEADER_MAX = 3 + ADDR_WIRE_MAX, UDP_HEADER_IPV4 = 10, UDP_HEADER_IPV6 = 22 };

/* Write RSV, FRAG 0 and the destination.  out: at least UDP_HEADER_MAX bytes, UDP_HEADER_IPV6 for an
 * address.  Returns the bytes written. */
size_t udp_header_put(const struct addr *destination, uint8_t *out);

/* Read a header.  in: the first len bytes of a datagram.  On success *source is who sent the payload, which begins at
 * the returned offset.  Returns that offset; -EAGAIN when len ends within the header; -EPROTO for RSV != 0, an unknown
 * ATYP or a bad name; -EOPNOTSUPP for FRAG != 0 (to be dropped: section 7 allows it).  source untouched on error. */
int udp_header_get(const uint8_t *in, size_t len, struct addr *source);

#endif
