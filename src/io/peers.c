/* SPDX-License-Identifier: ISC */
/* peers.c - whom each tunnelled socket is connected to, by SO_COOKIE */
#include "peers.h"

#include <stddef.h>
#include <string.h>

enum { WORDS = 6, IP_WORD = 2, CLAIM_TRIES = 64, READ_TRIES = 16, IPV4_AT = 12 };

static const uint8_t mapped[IPV4_AT] = { [10] = 0xff, [11] = 0xff };

struct fact {
    uint32_t word[WORDS];
};

static uint32_t load(const _Atomic uint32_t *p)
{
    return atomic_load_explicit(p, memory_order_acquire);
}

static void store(_Atomic uint32_t *p, uint32_t value)
{
    atomic_store_explicit(p, value, memory_order_release);
}

static size_t place_of(uint64_t cookie)
{
    return (size_t)(cookie % PEERS_PLACES);
}

/* The place is part of it, since it stands for the cookie's low bits.  Zeros have a sum that is not zero. */
static uint32_t fact_sum(const struct fact *f, size_t place)
{
    uint32_t h = (uint32_t)place * 0xc2b2ae35u + 0x27d4eb2fu;

    for (size_t i = 0; i < WORDS; i++) {
        h = (h ^ f->word[i]) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    return h;
}

/* IPv4 is kept v4-mapped, which struct addr never holds as IPv6. */
static void fact_set(struct fact *f, uint64_t cookie, const struct addr *peer)
{
    uint8_t ip[16];

    memcpy(ip, peer->ip, sizeof ip);
    if (peer->kind == ADDR_IPV4) {
        memcpy(ip + IPV4_AT, peer->ip, sizeof ip - IPV4_AT);
        memcpy(ip, mapped, sizeof mapped);
    }
    f->word[0] = (uint32_t)(cookie >> 32);
    f->word[1] = (uint32_t)cookie >> 16 << 16 | peer->port;
    memcpy(&f->word[IP_WORD], ip, sizeof ip);
}

static bool fact_is_of(const struct fact *f, uint64_t cookie)
{
    return f->word[0] == (uint32_t)(cookie >> 32) && f->word[1] >> 16 == (uint32_t)cookie >> 16;
}

static void fact_get(const struct fact *f, struct addr *peer)
{
    uint8_t ip[16];

    memcpy(ip, &f->word[IP_WORD], sizeof ip);
    peer->port = (uint16_t)f->word[1];
    peer->scope = 0;
    peer->kind = memcmp(ip, mapped, sizeof mapped) == 0 ? ADDR_IPV4 : ADDR_IPV6;
    if (peer->kind == ADDR_IPV4)
        memcpy(peer->ip, ip + IPV4_AT, sizeof ip - IPV4_AT);
    else
        memcpy(peer->ip, ip, sizeof ip);
}

static bool fact_read(const struct peers *t, size_t place, struct fact *f)
{
    const struct peers_place *p = &t->place[place];

    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t sequence = load(&p->sequence), sum = load(&p->sum);

        if (sequence == 0)
            return false;
        for (size_t w = 0; w < WORDS; w++)
            f->word[w] = load(&p->word[w]);
        if (sequence % 2 == 0 && load(&p->sequence) == sequence && sum == fact_sum(f, place))
            return true;
    }
    return false;
}

/* Its owner may be dead, or be this very thread below a signal handler: after some tries the place is taken from it. */
static uint32_t place_claim(struct peers_place *p)
{
    uint32_t sequence = load(&p->sequence);

    for (int i = 0; i < CLAIM_TRIES; i++) {
        if (sequence % 2 != 0)
            sequence = load(&p->sequence);
        else if (atomic_compare_exchange_weak_explicit(&p->sequence, &sequence, sequence + 1, memory_order_acq_rel,
                                                       memory_order_acquire))
            return sequence + 1;
    }
    return atomic_fetch_or_explicit(&p->sequence, 1, memory_order_acq_rel) | 1;
}

static void fact_write(struct peers *t, size_t place, const struct fact *f, uint32_t sum)
{
    struct peers_place *p = &t->place[place];
    uint32_t sequence = place_claim(p);

    for (size_t w = 0; w < WORDS; w++)
        store(&p->word[w], f->word[w]);
    store(&p->sum, sum);
    store(&p->sequence, sequence + 1);
}

void peers_set(struct peers *t, uint64_t cookie, const struct addr *peer)
{
    struct fact f;

    if (peer->kind != ADDR_IPV4 && peer->kind != ADDR_IPV6)
        return;
    fact_set(&f, cookie, peer);
    fact_write(t, place_of(cookie), &f, fact_sum(&f, place_of(cookie)));
}

bool peers_get(const struct peers *t, uint64_t cookie, struct addr *peer)
{
    struct fact f;

    if (!fact_read(t, place_of(cookie), &f) || !fact_is_of(&f, cookie))
        return false;
    fact_get(&f, peer);
    return true;
}

bool peers_at(const struct peers *t, uint32_t place, struct addr *peer)
{
    struct fact f;

    if (!fact_read(t, place, &f))
        return false;
    fact_get(&f, peer);
    return true;
}

void peers_forget(struct peers *t, uint64_t cookie)
{
    struct fact f;

    if (!fact_read(t, place_of(cookie), &f) || !fact_is_of(&f, cookie))
        return;
    fact_write(t, place_of(cookie), &f, ~fact_sum(&f, place_of(cookie)));
}
