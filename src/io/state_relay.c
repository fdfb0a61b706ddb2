/* SPDX-License-Identifier: ISC */
/* state_relay.c - the relays of datagram sockets, in the table of peers */
#include "state.h"

/* A socket's relays are peers of cookies that no socket has: the kernel counts from 1. */
enum { RELAYS = 4, APART = 0x3331, MARK = RELAYS + 1 };

static uint64_t key_of(uint64_t cookie, unsigned i)
{
    return ((cookie + (uint64_t)(i + 1) * APART) & UINT64_MAX >> 4) | (uint64_t)(i + 1) << 60;
}

bool state_has_datagrams(struct state *s)
{
    struct addr any;

    return state_peer_get(s, key_of(0, MARK), &any);
}

static void mark(struct state *s)
{
    static const struct addr any = { .kind = ADDR_IPV4, .port = 1 };

    if (!state_has_datagrams(s))
        state_peer_set(s, key_of(0, MARK), &any);
}

void state_datagram_peer(struct state *s, uint64_t cookie, const struct addr *peer)
{
    state_peer_set(s, cookie, peer);
    mark(s);
}

void state_relay_add(struct state *s, uint64_t cookie, const struct addr *relay)
{
    struct addr known;
    unsigned i = 0;

    if (!cookie || state_relay_has(s, cookie, relay))
        return;
    while (i + 1 < RELAYS && state_peer_get(s, key_of(cookie, i), &known))
        i++;
    state_peer_set(s, key_of(cookie, i), relay);
    mark(s);
}

bool state_relay_has(struct state *s, uint64_t cookie, const struct addr *relay)
{
    struct addr known;

    for (unsigned i = 0; i < RELAYS; i++) {
        if (state_peer_get(s, key_of(cookie, i), &known) && addr_equal(&known, relay))
            return true;
    }
    return false;
}

bool state_relay_get(struct state *s, uint64_t cookie, struct addr *relay)
{
    for (unsigned i = 0; i < RELAYS; i++) {
        if (state_peer_get(s, key_of(cookie, i), relay))
            return true;
    }
    return false;
}
