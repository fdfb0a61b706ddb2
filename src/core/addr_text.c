/* SPDX-License-Identifier: ISC */
/* addr_text.c - addresses and names as text, without the locale and without stdio */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "bytes.h"

enum { IPV4_PARTS = 4, IPV6_GROUPS = 8, LABEL_MAX = 63 };

struct text {
    char *p, *end;      /* end: where the NUL must fit */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_value(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool is_name_char(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* A part with a leading zero is refused: inet_aton() takes it as octal, inet_pton() does not take it at all. */
static int parse_part(const char **p, const char *end, uint8_t *out)
{
    const char *start = *p;
    unsigned value = 0;

    while (*p < end && is_digit(**p) && *p - start < 3)
        value = value * 10 + (unsigned)(*(*p)++ - '0');
    if (*p == start || value > 255 || (*start == '0' && *p - start > 1))
        return -EINVAL;
    *out = (uint8_t)value;
    return 0;
}

static int parse_ipv4(const char *p, const char *end, uint8_t *ip)
{
    for (int i = 0; i < IPV4_PARTS; i++) {
        if (i > 0 && (p == end || *p++ != '.'))
            return -EINVAL;
        if (parse_part(&p, end, &ip[i]) < 0)
            return -EINVAL;
    }
    return p == end ? 0 : -EINVAL;
}

static int parse_group(const char **p, const char *end, uint8_t *out)
{
    const char *start = *p;
    unsigned value = 0;

    while (*p < end && hex_value(**p) >= 0 && *p - start < 4)
        value = value << 4 | (unsigned)hex_value(*(*p)++);
    if (*p == start)
        return -EINVAL;
    bytes_put16(out, (uint16_t)value);
    return 0;
}

/* Colons without one before the end say that what stands here is the last group, or a dotted quad in place of two. */
static bool is_ipv4_tail(const char *p, const char *end)
{
    size_t len = (size_t)(end - p);

    return memchr(p, ':', len) == NULL && memchr(p, '.', len) != NULL;
}

/* Read groups separated by single colons, at most room of them.
 * Returns their number; *gap is what follows a "::", NULL when there was none and all was read. */
static int parse_groups(const char *p, const char *end, int room, uint8_t *ip, const char **gap)
{
    int n = 0;

    *gap = NULL;
    for (;;) {
        if (room - n >= 2 && is_ipv4_tail(p, end))
            return parse_ipv4(p, end, ip + 2 * n) < 0 ? -EINVAL : n + 2;
        if (n >= room || parse_group(&p, end, ip + 2 * n) < 0)
            return -EINVAL;
        n++;
        if (p == end)
            return n;
        if (*p++ != ':' || p == end)
            return -EINVAL;
        if (*p == ':') {
            *gap = p + 1;
            return n;
        }
    }
}

static int parse_ipv6(const char *p, const char *end, uint8_t *ip)
{
    uint8_t tail[2 * IPV6_GROUPS];
    const char *gap = p + 2, *second = NULL;
    int head = 0, rest = 0;

    if (end - p < 2)
        return -EINVAL;
    memset(ip, 0, 2 * IPV6_GROUPS);
    if (p[0] != ':' || p[1] != ':')
        head = parse_groups(p, end, IPV6_GROUPS, ip, &gap);
    if (gap == NULL || head < 0)
        return head == IPV6_GROUPS ? 0 : -EINVAL;
    if (head == IPV6_GROUPS)        /* "::" stands for one group at least (RFC 5952 section 4.2.2) */
        return -EINVAL;
    if (gap < end)
        rest = parse_groups(gap, end, IPV6_GROUPS - 1 - head, tail, &second);
    if (rest < 0 || second != NULL)
        return -EINVAL;
    memcpy(ip + 2 * (IPV6_GROUPS - rest), tail, (size_t)rest * 2);
    return 0;
}

static int parse_scope(const char *p, const char *end, uint32_t *out)
{
    uint64_t value = 0;

    if (p == end)
        return -EINVAL;
    for (; p < end; p++) {
        if (!is_digit(*p))
            return -EINVAL;
        value = value * 10 + (unsigned)(*p - '0');
        if (value > UINT32_MAX)
            return -EINVAL;
    }
    *out = (uint32_t)value;
    return 0;
}

static bool has_top_label_invalid(const char *name, size_t len)
{
    static const char word[] = "invalid";
    size_t word_len = sizeof(word) - 1;

    if (len < word_len || (len > word_len && name[len - word_len - 1] != '.'))
        return false;
    for (size_t i = 0; i < word_len; i++)
        if ((name[len - word_len + i] | 0x20) != word[i])
            return false;
    return true;
}

static bool is_name(const char *name, size_t len)
{
    size_t label = 0;

    for (size_t i = 0; i < len; i++) {
        if (name[i] == '.' && label > 0)
            label = 0;
        else if (!is_name_char(name[i]) || ++label > LABEL_MAX)
            return false;
    }
    return label > 0;
}

static void put_char(struct text *t, char c)
{
    if (t->p < t->end)
        *t->p++ = c;
}

static void put_number(struct text *t, uint32_t value, unsigned base)
{
    char digits[10];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (n > 0)
        put_char(t, digits[--n]);
}

static void put_ipv4(struct text *t, const uint8_t *ip)
{
    for (int i = 0; i < IPV4_PARTS; i++) {
        if (i > 0)
            put_char(t, '.');
        put_number(t, ip[i], 10);
    }
}

/* RFC 5952 section 4.2: the longest run of two or more zero groups is shortened, the first one of equals. */
static int longest_zeros(const uint8_t *ip, int *run)
{
    int best = -1, best_len = 1;

    for (int i = 0; i < IPV6_GROUPS; i++) {
        int j = i;

        while (j < IPV6_GROUPS && bytes_get16(ip + 2 * j) == 0)
            j++;
        if (j - i > best_len) {
            best = i;
            best_len = j - i;
        }
    }
    *run = best_len;
    return best;
}

static void put_ipv6(struct text *t, const struct addr *a)
{
    int run, skip = longest_zeros(a->ip, &run);

    for (int i = 0; i < IPV6_GROUPS; i++) {
        if (i == skip) {
            put_char(t, ':');
            put_char(t, ':');
            i += run - 1;
            continue;
        }
        if (i > 0 && i != skip + run)
            put_char(t, ':');
        put_number(t, bytes_get16(a->ip + 2 * i), 16);
    }
    if (a->scope != 0) {
        put_char(t, '%');
        put_number(t, a->scope, 10);
    }
}

/* A proxy chooses the bytes of names in its replies; they must not steer a terminal. */
static void put_name(struct text *t, const char *name)
{
    for (size_t i = 0; i < ADDR_NAME_SIZE && name[i] != '\0'; i++)
        put_char(t, name[i] >= 0x20 && name[i] <= 0x7e ? name[i] : '?');
}

static void put_host(struct text *t, const struct addr *a)
{
    switch (a->kind) {
    case ADDR_IPV4:
        put_ipv4(t, a->ip);
        break;
    case ADDR_IPV6:
        put_ipv6(t, a);
        break;
    case ADDR_NAME:
        put_name(t, a->name);
        break;
    default:
        put_char(t, '-');
    }
}

int addr_from_text(const char *text, size_t len, struct addr *out)
{
    const char *end = text + len;
    const char *percent = len > 0 ? memchr(text, '%', len) : NULL;
    uint8_t wire[1 + 16 + 2] = { ADDR_IPV4 };
    uint32_t scope = 0;

    if (parse_ipv4(text, end, wire + 1) < 0) {
        wire[0] = ADDR_IPV6;
        if (percent != NULL && parse_scope(percent + 1, end, &scope) < 0)
            return -EINVAL;
        if (parse_ipv6(text, percent != NULL ? percent : end, wire + 1) < 0)
            return -EINVAL;
    }
    addr_get(wire, sizeof(wire), out);      /* also makes IPv4 of the v4-mapped form */
    if (out->kind == ADDR_IPV6)
        out->scope = scope;
    out->port = 0;
    return 0;
}

int addr_from_name(const char *text, size_t len, struct addr *out)
{
    if (len > 0 && text[len - 1] == '.')
        len--;
    if (len > ADDR_NAME_MAX || !is_name(text, len) || has_top_label_invalid(text, len))
        return -EINVAL;
    memset(out, 0, sizeof(*out));
    out->kind = ADDR_NAME;
    memcpy(out->name, text, len);
    return 0;
}

size_t addr_format(const struct addr *a, char *buf, size_t size)
{
    struct text t = { buf, buf + size - 1 };

    if (a->kind == ADDR_IPV6)
        put_char(&t, '[');
    put_host(&t, a);
    if (a->kind == ADDR_IPV6)
        put_char(&t, ']');
    if (a->kind != ADDR_NONE) {
        put_char(&t, ':');
        put_number(&t, a->port, 10);
    }
    *t.p = '\0';
    return (size_t)(t.p - buf);
}

size_t addr_format_host(const struct addr *a, char *buf, size_t size)
{
    struct text t = { buf, buf + size - 1 };

    put_host(&t, a);
    *t.p = '\0';
    return (size_t)(t.p - buf);
}
