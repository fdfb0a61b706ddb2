/* SPDX-License-Identifier: ISC */
/* peers.h - whom each tunnelled socket is connected to, by SO_COOKIE, in memory that many processes share
 *
 * One place for each value of the cookie's low 16 bits: of two sockets that meet there the later one stays.  No lock:
 * writers claim a place with one atomic and go on without it when its owner seems to have died, and a sum shows
 * readers a place where two of them met, or whose bytes were damaged: such a place is empty.  Every step is bounded.
 * All functions are async-signal-safe and need no care at fork.
 */
#ifndef SOCKSIFY_IO_PEERS_H
#define SOCKSIFY_IO_PEERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/addr.h"

enum { PEERS_PLACES = 1 << 16 };

struct peers {                              /* all zero at first */
    struct peers_place {
        _Atomic uint32_t sequence;          /* odd while it is written */
        _Atomic uint32_t sum;
        _Atomic uint32_t word[6];           /* the cookie's upper 48 bits, port, address */
    } place[PEERS_PLACES];
};

/* Remember the peer of a socket.  cookie: SO_COOKIE, not 0.  peer: IPv4 or IPv6, anything else is not kept; the scope
 * id is not kept. */
void peers_set(struct peers *t, uint64_t cookie, const struct addr *peer);

/* Look up the peer of a socket.  Returns false when it is not known (*peer untouched); else the address and port as
 * they were set, scope 0. */
bool peers_get(const struct peers *t, uint64_t cookie, struct addr *peer);

/* The peer that a place holds, whatever the socket.  place: below PEERS_PLACES.  Returns false when there is none
 * (*peer untouched). */
bool peers_at(const struct peers *t, uint32_t place, struct addr *peer);

/* Forget the peer of a socket; that of another socket in the same place stays. */
void peers_forget(struct peers *t, uint64_t cookie);

#endif
