/* SPDX-License-Identifier: ISC */
/* resolve.c - what a name or an address is told to be, without asking anybody */
#include "resolve.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "../core/bytes.h"
#include "../core/frame.h"
#include "../core/rules.h"
#include "../core/text.h"

enum { PARTS = 4, PORT_HTTPS = 443 };

static int digit_value(char c)
{
    c = text_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* One part of an address.  Returns the character that ended it, or -1. */
static int read_part(const char **p, uint32_t *value)
{
    int base = 10;
    uint64_t n = 0;

    if (**p < '0' || **p > '9')
        return -1;
    if (**p == '0') {
        base = text_lower((*p)[1]) == 'x' && digit_value((*p)[2]) < 16 ? 16 : 8;
        *p += base == 16 ? 2 : 0;
    }
    for (; digit_value(**p) < base; (*p)++) {
        n = n * (unsigned)base + (unsigned)digit_value(**p);
        if (n > UINT32_MAX)
            return -1;
    }
    *value = (uint32_t)n;
    return (unsigned char)*(*p)++;
}

/* This machine's name; empty when it has none. */
static void own_name(char name[ADDR_NAME_SIZE])
{
    if (gethostname(name, ADDR_NAME_SIZE - 1) != 0)
        name[0] = '\0';
    name[ADDR_NAME_SIZE - 1] = '\0';
}

static bool is_localhost(const char *name)
{
    static const char word[] = "localhost";
    size_t len = strlen(name), word_len = sizeof word - 1;

    if (len < word_len || strcasecmp(name + len - word_len, word) != 0)
        return false;
    return len == word_len || name[len - word_len - 1] == '.';
}

static void set_line(struct hosts_line *line, const struct addr *address, const char *name)
{
    line->address = *address;
    line->count = 1;
    memcpy(line->names, name, strlen(name) + 1);
}

static void set_loopback(struct hosts_line *line, enum addr_kind kind, const char *name)
{
    struct addr a = { .kind = kind };

    if (kind == ADDR_IPV4)
        a.ip[0] = 127;
    a.ip[kind == ADDR_IPV4 ? 3 : 15] = 1;
    set_line(line, &a, name);
}

static void clear(struct resolve_answer *out)
{
    out->ipv4.address.kind = ADDR_NONE;
    out->ipv6.address.kind = ADDR_NONE;
}

static bool known_here(const struct resolve_answer *out)
{
    return out->ipv4.address.kind != ADDR_NONE || out->ipv6.address.kind != ADDR_NONE;
}

static void settle(struct resolve_answer *out, enum resolve_kind kind, const char *why)
{
    out->kind = kind;
    out->why = why;
}

static bool judge_numeric(const char *node, struct resolve_answer *out)
{
    struct addr a;

    if (resolve_ipv4(node, &a) == 0)
        set_line(&out->ipv4, &a, node);
    else if (strchr(node, ':') && addr_from_text(node, strlen(node), &a) == 0)
        set_line(&out->ipv6, &a, node);
    else if (strchr(node, ':') == NULL && strcmp(node, "*") != 0)
        return false;
    settle(out, RESOLVE_NUMERIC, "numeric");
    return true;
}

/* Names of this machine's own, which no rule takes away: connect() judges them (io/route). */
static bool judge_local(const char *name, struct resolve_answer *out)
{
    if (!resolve_is_own(name))
        return false;
    if (!known_here(out)) {
        set_loopback(&out->ipv4, ADDR_IPV4, name);
        if (is_localhost(name))
            set_loopback(&out->ipv6, ADDR_IPV6, name);
    }
    settle(out, RESOLVE_FIXED, "a name of this machine");
    return true;
}

OWN_FRAME static enum rules_verdict judge_rules(const struct conf *c, const char *name, uint16_t port,
                                                const char **why)
{
    struct addr target = { .kind = ADDR_NAME, .port = port };

    if (c->state != CONF_READY)
        return RULES_PROXY;
    memcpy(target.name, name, strlen(name) + 1);
    return rules_judge(&c->rules, &target, why);
}

/* An address as inet_aton(3) reads it is none; behind a last dot libc takes it for a name, but not every proxy does. */
OWN_FRAME static bool is_host_name(const char *name)
{
    struct addr a;

    return text_name(name, strlen(name), &a) == 0 && resolve_ipv4(name, &a) != 0;
}

static bool map(struct state *s, const char *name, int family, struct hosts_line *line)
{
    struct addr a;

    if (state_name_assign(s, name, family, &a) != 0)
        return false;
    set_line(line, &a, name);
    return true;
}

/* The proxy for most ports of a name. */
OWN_FRAME static unsigned proxy_for(const struct conf *c, const char *name)
{
    struct addr target = { .kind = ADDR_NAME, .port = PORT_HTTPS };

    if (c->proxy_count == 1)
        return 0;
    memcpy(target.name, name, strlen(name) + 1);
    return rules_proxy(&c->rules, &target);
}

/* An IPv4 socket cannot reach an IPv6 proxy: there the one family for those who take any is IPv6. */
static unsigned one_family(const struct conf *c, const char *name, unsigned families)
{
    if (!(families & RESOLVE_EITHER))
        return families;
    return families | (c->proxies[proxy_for(c, name)].address.kind == ADDR_IPV6 ? RESOLVE_IPV6 : RESOLVE_IPV4);
}

static void judge_map(const struct conf *c, struct state *s, const char *name, unsigned families,
                      struct resolve_answer *out)
{
    families = one_family(c, name, families);
    if (((families & RESOLVE_IPV4) && !map(s, name, AF_INET, &out->ipv4)) ||
        ((families & RESOLVE_IPV6) && !map(s, name, AF_INET6, &out->ipv6)))
        settle(out, RESOLVE_FAILED, "no room in the name map");
    else
        settle(out, RESOLVE_MAPPED, "the proxy resolves it");
}

/* Whoever wants IPv4 alone takes a line of ::1 for one of 127.0.0.1, as glibc does. */
static void find_line(struct state *s, const char *name, unsigned families, struct resolve_answer *out)
{
    static const struct addr loopback = { .kind = ADDR_IPV6, .ip = { [15] = 1 } };

    hosts_known_find(&s->hosts, HOSTS_PATH, name, &out->ipv4, &out->ipv6);
    if (families == RESOLVE_IPV4 && out->ipv4.address.kind == ADDR_NONE &&
        addr_same_host(&out->ipv6.address, &loopback)) {
        out->ipv4 = out->ipv6;
        out->ipv4.address = (struct addr){ .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 } };
    }
}

static void judge_name(const struct conf *c, struct state *s, const char *name, uint16_t port, unsigned families,
                       struct resolve_answer *out)
{
    const char *why = "";
    enum rules_verdict verdict;

    find_line(s, name, families, out);
    if (judge_local(name, out))
        return;
    verdict = judge_rules(c, name, port, &why);
    if (verdict == RULES_BLOCK)
        settle(out, RESOLVE_BLOCKED, why);
    else if (known_here(out))
        settle(out, RESOLVE_FIXED, HOSTS_PATH);
    else if (!is_host_name(name))
        settle(out, RESOLVE_UNKNOWN, "not a host name");
    else if (c->state != CONF_READY)
        settle(out, RESOLVE_FAILED, "no valid configuration");
    else if (verdict == RULES_DIRECT)
        settle(out, RESOLVE_DIRECT, why);
    else
        judge_map(c, s, name, families, out);
}

OWN_FRAME bool resolve_is_own(const char *name)
{
    char own[ADDR_NAME_SIZE];

    if (is_localhost(name))
        return true;
    own_name(own);
    return strcasecmp(name, own) == 0;
}

int resolve_ipv4(const char *text, struct addr *out)
{
    struct addr a = { .kind = ADDR_IPV4 };
    uint32_t value, head = 0;

    for (int i = 0; i < PARTS; i++) {
        int end = read_part(&text, &value);

        if (end == '\0') {
            /* The last part fills all bytes that are left. */
            if (value > UINT32_MAX >> 8 * i)
                return -EINVAL;
            bytes_put32(a.ip, head | value);
            *out = a;
            return 0;
        }
        if (end != '.' || value > 255)
            return -EINVAL;
        head |= value << (24 - 8 * i);
    }
    return -EINVAL;
}

bool resolve_wanted(const struct conf *c)
{
    return c->state != CONF_READY || c->dns != CONF_DNS_LOCAL;
}

void resolve_name(const struct conf *c, struct state *s, const char *node, uint16_t port, unsigned families,
                  struct resolve_answer *out)
{
    int saved_errno = errno;
    size_t len = strnlen(node, ADDR_NAME_MAX + 2);
    char name[ADDR_NAME_SIZE];

    clear(out);
    if (len > 0 && len <= ADDR_NAME_MAX && judge_numeric(node, out))
        return;
    if (len > 1 && node[len - 1] == '.')
        len--;
    if (len == 0 || len > ADDR_NAME_MAX || node[len - 1] == '.') {
        settle(out, RESOLVE_UNKNOWN, "not a host name");
        return;
    }
    memcpy(name, node, len);
    name[len] = '\0';
    judge_name(c, s, name, port, families, out);
    errno = saved_errno;
}

/* Returns as state_name_find(), with the name in line. */
OWN_FRAME static int find_mapped(struct state *s, const struct addr *a, struct hosts_line *line)
{
    struct addr name;
    int found = state_name_find(s, a, &name);

    if (found == 0)
        set_line(line, a, name.name);
    return found;
}

void resolve_address(const struct conf *c, struct state *s, const struct addr *a, struct resolve_answer *out)
{
    int saved_errno = errno;
    int found;

    clear(out);
    found = c->state == CONF_READY ? find_mapped(s, a, &out->ipv4) : -ERANGE;
    settle(out, RESOLVE_UNKNOWN, found == -ERANGE ? "not in " HOSTS_PATH : "not in the name map");
    if (found == 0) {
        settle(out, RESOLVE_MAPPED, "name map");
    } else if (found == -ERANGE) {
        hosts_find_address(HOSTS_PATH, a, &out->ipv4);
        if (known_here(out))
            settle(out, RESOLVE_FIXED, HOSTS_PATH);
    }
    errno = saved_errno;
}

void resolve_cut_domain(char *name)
{
    char own[ADDR_NAME_SIZE];
    size_t len = strlen(name), domain_len;
    const char *domain;

    own_name(own);
    domain = strchr(own, '.');
    domain_len = domain ? strlen(domain) : 0;
    if (domain_len > 1 && len > domain_len && strcasecmp(name + len - domain_len, domain) == 0)
        name[len - domain_len] = '\0';
}
