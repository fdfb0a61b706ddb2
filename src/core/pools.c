/* SPDX-License-Identifier: ISC */
/* pools.c - where the addresses that stand for names are taken from */
#include "pools.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "text.h"

#define DEFAULT_IPV4 0xc6120000u

enum { DEFAULT_IPV6 = 0xfd, DEFAULT_IPV6_PREFIX = 8, SHORTEST = 4 };

static int fail(const char **fault, const char *phrase)
{
    *fault = phrase;
    return -EINVAL;
}

/* True if no bit from the prefix on is set. */
static bool is_clean(const uint8_t *ip, size_t len, unsigned prefix)
{
    for (size_t i = prefix / 8; i < len; i++) {
        if (ip[i] & (i == prefix / 8 ? 0xff >> prefix % 8 : 0xff))
            return false;
    }
    return true;
}

static int parse(const char *text, enum addr_kind kind, unsigned longest, struct addr *out, unsigned *prefix,
                 const char **fault)
{
    static const char *const small[] = { "the network is smaller than a /15", "the network is smaller than a /64" };
    size_t len = strcspn(text, "/");
    uint32_t value;

    /* addr_from_text() makes IPv4 of a v4-mapped address. */
    if (text[len] != '/' || addr_from_text(text, len, out) != 0 || out->kind != kind || out->scope != 0 ||
        text_decimal(text + len + 1, strlen(text + len + 1), kind == ADDR_IPV4 ? 32 : 128, &value) < 0)
        return fail(fault, kind == ADDR_IPV4 ? "not an IPv4 network" : "not an IPv6 network");
    if (value > longest)
        return fail(fault, small[kind != ADDR_IPV4]);
    if (value < SHORTEST || !is_clean(out->ip, kind == ADDR_IPV4 ? 4 : 16, value))
        return fail(fault, "the address has bits beyond the prefix");
    if (addr_is_loopback(out) || addr_is_any(out) || addr_is_local_scope(out) || out->ip[0] == 0)
        return fail(fault, "not a network of single hosts");
    *prefix = value;
    return 0;
}

void pools_default(struct pools *p)
{
    memset(p, 0, sizeof *p);
    p->ipv4 = DEFAULT_IPV4;
    p->ipv6[0] = DEFAULT_IPV6;
    p->ipv6_prefix = DEFAULT_IPV6_PREFIX;
}

int pools_parse_ipv4(struct pools *p, const char *text, const char **fault)
{
    unsigned prefix;
    struct addr a;
    int error = parse(text, ADDR_IPV4, POOLS_IPV4_PREFIX, &a, &prefix, fault);

    if (!error && (a.ip[0] == 127 || a.ip[0] >= 224))
        return fail(fault, "not a network of single hosts");
    if (!error)
        p->ipv4 = bytes_get32(a.ip);
    return error;
}

/* Has an IPv6 network addresses of fe80::/10 or ff00::/8?  Networks meet where the shorter prefix is the same. */
static bool is_local_in_part(const uint8_t *ip, unsigned prefix)
{
    static const struct { unsigned first, prefix; } local[] = { { 0xfe80, 10 }, { 0xff00, 8 } };
    unsigned first = (unsigned)ip[0] << 8 | ip[1];

    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
        unsigned same = prefix < local[i].prefix ? prefix : local[i].prefix;

        if ((first ^ local[i].first) >> (16 - same) == 0)
            return true;
    }
    return false;
}

int pools_parse_ipv6(struct pools *p, const char *text, const char **fault)
{
    unsigned prefix;
    struct addr a;
    int error = parse(text, ADDR_IPV6, POOLS_IPV6_PREFIX, &a, &prefix, fault);

    if (!error && is_local_in_part(a.ip, prefix))
        return fail(fault, "not a network of single hosts");
    if (error)
        return error;
    memcpy(p->ipv6, a.ip, sizeof p->ipv6);
    p->ipv6_prefix = (uint8_t)prefix;
    return 0;
}

bool pools_equal(const struct pools *a, const struct pools *b)
{
    return a->ipv4 == b->ipv4 && a->ipv6_prefix == b->ipv6_prefix && memcmp(a->ipv6, b->ipv6, sizeof a->ipv6) == 0;
}

uint32_t pools_number(const struct pools *p)
{
    struct pools usual;
    uint32_t h = p->ipv4;

    pools_default(&usual);
    if (pools_equal(p, &usual))
        return 0;
    for (size_t i = 0; i <= sizeof p->ipv6; i++) {
        h = (h ^ (i < sizeof p->ipv6 ? p->ipv6[i] : p->ipv6_prefix)) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    return h != 0 ? h : 1;
}
