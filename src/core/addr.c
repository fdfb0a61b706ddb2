/* SPDX-License-Identifier: ISC */
/* addr.c - addresses as values: socket addresses, the SOCKS wire form, comparison, classes */
#include "addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "bytes.h"

enum {
    IPV4_SIZE = 4,
    IPV6_SIZE = 16,
    NAME_WIRE_MAX = 255,
    IN6_WITHOUT_SCOPE = 24      /* RFC 2133 had no scope id; the kernel still takes that length */
};

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

/* Of the room for a name an address needs no more than its own bytes. */
static void clear(struct addr *a)
{
    memset(a, 0, offsetof(struct addr, ip) + sizeof a->ip);
}

static void set_ipv4(struct addr *a, const uint8_t *ip, uint16_t port)
{
    clear(a);
    a->kind = ADDR_IPV4;
    a->port = port;
    memcpy(a->ip, ip, IPV4_SIZE);
}

/* One host must have one form, or rules and comparisons would miss it: mapped addresses become IPv4 here. */
static void set_ipv6(struct addr *a, const uint8_t *ip, uint16_t port, uint32_t scope)
{
    if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        set_ipv4(a, ip + sizeof(mapped_prefix), port);
        return;
    }
    clear(a);
    a->kind = ADDR_IPV6;
    a->port = port;
    a->scope = scope;
    memcpy(a->ip, ip, IPV6_SIZE);
}

static int from_in(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
    struct sockaddr_in in;

    if (len < sizeof(in))
        return -EINVAL;
    memcpy(&in, sa, sizeof(in));
    set_ipv4(out, (const uint8_t *)&in.sin_addr, ntohs(in.sin_port));
    return 0;
}

static int from_in6(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
    struct sockaddr_in6 in6 = { 0 };

    if (len < IN6_WITHOUT_SCOPE)
        return -EINVAL;
    memcpy(&in6, sa, len < sizeof(in6) ? IN6_WITHOUT_SCOPE : sizeof(in6));
    set_ipv6(out, in6.sin6_addr.s6_addr, ntohs(in6.sin6_port), in6.sin6_scope_id);
    return 0;
}

static void to_in(const struct addr *a, struct sockaddr_storage *sa, socklen_t *len)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(a->port) };

    memcpy(&in.sin_addr, a->ip, IPV4_SIZE);
    memset(sa, 0, sizeof(*sa));
    memcpy(sa, &in, sizeof(in));
    *len = sizeof(in);
}

static void to_in6(const struct addr *a, struct sockaddr_storage *sa, socklen_t *len)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };
    uint8_t *ip = in6.sin6_addr.s6_addr;

    if (a->kind == ADDR_IPV4) {
        memcpy(ip, mapped_prefix, sizeof(mapped_prefix));
        memcpy(ip + sizeof(mapped_prefix), a->ip, IPV4_SIZE);
    } else {
        memcpy(ip, a->ip, IPV6_SIZE);
        in6.sin6_scope_id = a->scope;
    }
    memset(sa, 0, sizeof(*sa));
    memcpy(sa, &in6, sizeof(in6));
    *len = sizeof(in6);
}

static int get_ip(const uint8_t *in, size_t len, size_t ip_size, struct addr *out)
{
    size_t whole = 1 + ip_size + 2;

    if (len < whole)
        return -EAGAIN;
    if (ip_size == IPV4_SIZE)
        set_ipv4(out, in + 1, bytes_get16(in + 1 + ip_size));
    else
        set_ipv6(out, in + 1, bytes_get16(in + 1 + ip_size), 0);
    return (int)whole;
}

static int get_name(const uint8_t *in, size_t len, struct addr *out)
{
    size_t name_len;

    if (len < 2)
        return -EAGAIN;
    name_len = in[1];
    if (len < 2 + name_len + 2)
        return -EAGAIN;
    if (memchr(in + 2, 0, name_len) != NULL)
        return -EPROTO;
    memset(out, 0, sizeof(*out));
    out->kind = ADDR_NAME;
    out->port = bytes_get16(in + 2 + name_len);
    memcpy(out->name, in + 2, name_len);
    return (int)(2 + name_len + 2);
}

/* tolower() asks the locale, in which 'I' may have another small form. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_name(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

static bool is_zero(const uint8_t *p, size_t len)
{
    while (len > 0 && *p == 0) {
        p++;
        len--;
    }
    return len == 0;
}

static bool in_net4(const struct addr *a, uint32_t net, unsigned bits)
{
    return a->kind == ADDR_IPV4 && (bytes_get32(a->ip) ^ net) >> (32 - bits) == 0;
}

static bool is_link_local(const struct addr *a)
{
    if (a->kind == ADDR_IPV6)
        return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
    return in_net4(a, 0xa9fe0000, 16);
}

int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out)
{
    sa_family_t family;

    if (len < offsetof(struct sockaddr, sa_family) + sizeof(family))
        return -EINVAL;
    memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
    switch (family) {
    case AF_INET:
        return from_in(sa, len, out);
    case AF_INET6:
        return from_in6(sa, len, out);
    default:
        return -EAFNOSUPPORT;
    }
}

int addr_to_sockaddr(const struct addr *a, int family, struct sockaddr_storage *sa, socklen_t *len)
{
    if (a->kind != ADDR_IPV4 && a->kind != ADDR_IPV6)
        return -EAFNOSUPPORT;
    if (family == AF_UNSPEC)
        family = a->kind == ADDR_IPV4 ? AF_INET : AF_INET6;
    if (family == AF_INET && a->kind == ADDR_IPV4)
        to_in(a, sa, len);
    else if (family == AF_INET6)
        to_in6(a, sa, len);
    else
        return -EAFNOSUPPORT;
    return 0;
}

size_t addr_put(const struct addr *a, uint8_t *out)
{
    static const uint8_t any[IPV4_SIZE];
    const void *host = a->kind == ADDR_NONE ? any : a->ip;
    size_t len = a->kind == ADDR_IPV6 ? IPV6_SIZE : IPV4_SIZE;
    uint8_t *p = out;

    *p++ = a->kind == ADDR_NONE ? ADDR_IPV4 : (uint8_t)a->kind;
    if (a->kind == ADDR_NAME) {
        host = a->name;
        len = strnlen(a->name, NAME_WIRE_MAX);
        *p++ = (uint8_t)len;
    }
    memcpy(p, host, len);
    return (size_t)(bytes_put16(p + len, a->port) - out);
}

int addr_get(const uint8_t *in, size_t len, struct addr *out)
{
    if (len < 1)
        return -EAGAIN;
    switch (in[0]) {
    case ADDR_IPV4:
        return get_ip(in, len, IPV4_SIZE, out);
    case ADDR_IPV6:
        return get_ip(in, len, IPV6_SIZE, out);
    case ADDR_NAME:
        return get_name(in, len, out);
    default:
        return -EPROTO;
    }
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return a->port == b->port && addr_same_host(a, b);
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case ADDR_IPV4:
        return memcmp(a->ip, b->ip, IPV4_SIZE) == 0;
    case ADDR_IPV6:
        return a->scope == b->scope && memcmp(a->ip, b->ip, IPV6_SIZE) == 0;
    case ADDR_NAME:
        return same_name(a->name, b->name);
    default:
        return true;
    }
}

bool addr_is_loopback(const struct addr *a)
{
    if (a->kind == ADDR_IPV6 && is_zero(a->ip, IPV6_SIZE - 1) && a->ip[IPV6_SIZE - 1] == 1)
        return true;
    return in_net4(a, 0x7f000000, 8) || addr_is_any(a);
}

bool addr_is_any(const struct addr *a)
{
    if (a->kind == ADDR_IPV6)
        return is_zero(a->ip, IPV6_SIZE);
    return a->kind == ADDR_IPV4 && is_zero(a->ip, IPV4_SIZE);
}

bool addr_is_local_scope(const struct addr *a)
{
    if (a->kind == ADDR_IPV6 && a->ip[0] == 0xff)
        return true;
    return in_net4(a, 0xe0000000, 4) || in_net4(a, 0xffffffff, 32) || is_link_local(a);
}

bool addr_is_private(const struct addr *a)
{
    if (a->kind == ADDR_IPV6 && (a->ip[0] & 0xfe) == 0xfc)
        return true;
    return in_net4(a, 0x0a000000, 8) || in_net4(a, 0xac100000, 12) || in_net4(a, 0xc0a80000, 16)
        || in_net4(a, 0x64400000, 10) || is_link_local(a);
}

bool addr_is_public(const struct addr *a)
{
    return (a->kind == ADDR_IPV4 || a->kind == ADDR_IPV6) && !addr_is_loopback(a) && !addr_is_private(a) &&
           !addr_is_local_scope(a);
}
