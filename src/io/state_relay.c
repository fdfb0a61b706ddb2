/* SPDX-License-Identifier: ISC */
/* state_relay.c - the relays of datagram sockets, in the table of peers */
#include "state.h"

/* A socket's relays are peers of cookies that no socket has: the kernel counts from 1. */
enum { RELAYS = 4, APART = 0x3331 };

static uint64_t key_of(uint64_t cookie, unsigned i)
{
    return ((cookie + (uint64_t)(i + 1) * APART) & UINT64_MAX >> 4) | (uint64_t)(i + 1) << 60;
}

static struct state_page *page_of(const struct state *s)
{
    struct state_image *image = s->file.image ? s->file.image : s->own;

    return image ? &image->page : NULL;
}

bool state_had_datagrams(const struct state *s)
{
    return s->file.had_datagrams;
}

bool state_has_datagrams(const struct state *s)
{
    struct state_page *page = page_of(s);

    return page && atomic_load_explicit(&page->datagrams, memory_order_relaxed);
}

static void mark(const struct state *s)
{
    if (page_of(s) && !state_has_datagrams(s))
        atomic_store_explicit(&page_of(s)->datagrams, 1, memory_order_relaxed);
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
    while (i < RELAYS && state_peer_get(s, key_of(cookie, i), &known))
        i++;
    /* The oldest goes: of the last ones datagrams may be here that nobody has read.  Each of them can be found all the
     * time. */
    for (unsigned k = 1; i == RELAYS && k < RELAYS; k++) {
        if (state_peer_get(s, key_of(cookie, k), &known))
            state_peer_set(s, key_of(cookie, k - 1), &known);
    }
    state_peer_set(s, key_of(cookie, i < RELAYS ? i : RELAYS - 1), relay);
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
