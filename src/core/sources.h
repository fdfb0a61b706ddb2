/* SPDX-License-Identifier: ISC */
/* sources.h - which address a program knows the sender of a datagram by
 *
 * A program sends to an address that stands for a name; most relays name the real address in the answer.  This table
 * remembers where one socket has sent to lately, and turns the real address back where there is no doubt whose it is.
 * A plain value without pointers; all zero at first; its owner sees to locking.
 */
#ifndef SOCKSIFY_CORE_SOURCES_H
#define SOCKSIFY_CORE_SOURCES_H

#include "addr.h"

enum { SOURCES_NAMES = 16, SOURCES_PLAIN = 16 };

struct sources_host {
    uint8_t kind;                       /* enum addr_kind; ADDR_NONE: not known */
    uint8_t ip[16];
};

struct sources {
    struct sources_name {
        struct sources_host shown;      /* stands for the name; ADDR_NONE: a free place */
        struct sources_host real;       /* who answered for it */
        uint16_t port;
        bool waiting;                   /* sent to since its last answer */
    } name[SOURCES_NAMES];
    struct sources_plain {
        struct sources_host host;
        uint16_t port;
    } plain[SOURCES_PLAIN];             /* addresses that stand for themselves */
    uint8_t next_name, next_plain;      /* the place that goes next */
};

/* A datagram went to a name.  shown: the IPv4 or IPv6 address that the program used for it, with the port. */
void sources_sent_name(struct sources *t, const struct addr *shown);

/* A datagram went to an address itself. */
void sources_sent_plain(struct sources *t, const struct addr *to);

/* A datagram came.  source: IPv4 or IPv6, as the relay named it.  *out: what the program knows it by, source itself
 * when it stands for no name or may stand for several. */
void sources_from(struct sources *t, const struct addr *source, struct addr *out);

/* A datagram came whose source the relay gave as a name.  alias: the addresses that stand for that name, at least
 * the first an IPv4 or IPv6 one, the others ADDR_NONE or one; port: the source's.  *out: the one the program has used,
 * else the first. */
void sources_from_name(struct sources *t, const struct addr alias[2], uint16_t port, struct addr *out);

#endif
