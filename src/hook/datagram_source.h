/* SPDX-License-Identifier: ISC */
/* datagram_source.h - whom a datagram that came is from, and whether the program is to see it */
#ifndef SOCKSIFY_HOOK_DATAGRAM_SOURCE_H
#define SOCKSIFY_HOOK_DATAGRAM_SOURCE_H

#include "datagram.h"

/* True if an address is a relay's of this socket, whoever asked for it.  a: the trunk; f: its facts. */
bool datagram_from_relay(const struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len);

/* Count a datagram that came with a header, for the summary; not one that the socket has sent to itself. */
void datagram_count(struct assoc *a, const struct sockaddr *sa, socklen_t len);

/* Judge a datagram by who sent it and how it begins.
 * sa: the kernel's source, NULL when only the header tells; head: its first head_len bytes, UDP_HEADER_MAX of them if
 * it has so many.
 * Returns the length of the header to be taken off, 0 for a direct one, with *shown the source as the program is to see
 * it; or a negative errno for one to be dropped. */
int datagram_source(struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len,
                    const void *head, size_t head_len, struct assoc_address *shown);

#endif
