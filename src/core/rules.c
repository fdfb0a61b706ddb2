/* SPDX-License-Identifier: ISC */
/* rules.c - which way a target goes: through the proxy, directly, or nowhere */
#include "rules.h"

#include <errno.h>
#include <string.h>

#include "text.h"

enum { PORT_MAX = 65535, MAPPED_BITS = 96 };

const char rules_local_scope[] = "multicast, broadcast or link-local address";

static const char separators[] = ", \t\r\n";

/* Cut the port or range off an item's end; *host_len is what stays. */
static int read_ports(const char *item, size_t len, size_t *host_len, struct rule *rule)
{
    const char *end = item + len, *start = item, *colon, *dash;
    uint32_t low, high;

    if (item[0] == '[') {
        start = memchr(item, ']', len);
        if (!start)
            return -EINVAL;
    }
    colon = memchr(start, ':', (size_t)(end - start));
    /* Without brackets a second colon makes it an IPv6 address, whose port could not be told apart. */
    if (!colon || (item[0] != '[' && memchr(colon + 1, ':', (size_t)(end - colon - 1)))) {
        *host_len = len;
        return 0;
    }
    dash = memchr(colon, '-', (size_t)(end - colon));
    if (!dash)
        dash = end;
    if (text_decimal(colon + 1, (size_t)(dash - colon - 1), PORT_MAX, &low) < 0 || low == 0)
        return -ERANGE;
    high = low;
    if (dash != end && text_decimal(dash + 1, (size_t)(end - dash - 1), PORT_MAX, &high) < 0)
        return -ERANGE;
    if (high < low)
        return -ERANGE;
    rule->port_low = (uint16_t)low;
    rule->port_high = (uint16_t)high;
    *host_len = (size_t)(colon - item);
    return 0;
}

static void keep_bits(uint8_t *ip, size_t size, uint32_t prefix)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (prefix >= 8) {
            prefix -= 8;
            continue;
        }
        ip[i] &= (uint8_t)(0xff00 >> prefix);
        prefix = 0;
    }
}

/* bits: the text of the prefix length, NULL for a single host. */
static int read_network(const char *text, size_t len, const char *bits, size_t bits_len, struct rule *rule)
{
    struct addr a;
    size_t size;
    uint32_t prefix, spare = 0;

    /* A rule keeps no scope, so one that names it would match more than it says. */
    if (memchr(text, '%', len) || addr_from_text(text, len, &a) < 0)
        return -EINVAL;
    size = a.kind == ADDR_IPV4 ? 4 : 16;
    if (a.kind == ADDR_IPV4 && memchr(text, ':', len))
        spare = MAPPED_BITS;
    prefix = (uint32_t)size * 8 + spare;
    if (bits && (text_decimal(bits, bits_len, prefix, &prefix) < 0 || prefix < spare))
        return -EDOM;
    prefix -= spare;
    keep_bits(a.ip, size, prefix);
    memcpy(rule->ip, a.ip, size);
    rule->kind = a.kind;
    rule->prefix = (uint8_t)prefix;
    return 0;
}

static int read_slashed(const char *text, size_t len, struct rule *rule)
{
    const char *slash = memchr(text, '/', len);

    if (!slash)
        return read_network(text, len, NULL, 0, rule);
    return read_network(text, (size_t)(slash - text), slash + 1, len - (size_t)(slash - text) - 1, rule);
}

/* text begins with a bracket and has one that closes it. */
static int read_bracketed(const char *text, size_t len, struct rule *rule)
{
    const char *inside = text + 1, *close = memchr(text, ']', len);
    size_t inside_len = (size_t)(close - inside), tail_len = len - inside_len - 2;

    if (!memchr(inside, ':', inside_len))
        return -EINVAL;
    if (tail_len == 0)
        return read_slashed(inside, inside_len, rule);
    if (close[1] != '/')
        return -EINVAL;
    return read_network(inside, inside_len, close + 2, tail_len - 1, rule);
}

static int read_name(const char *text, size_t len, struct rule *rule, struct addr *name)
{
    size_t skip = 0;

    if (len > 0 && text[0] == '.')
        skip = 1;
    else if (len > 1 && text[0] == '*' && text[1] == '.')
        skip = 2;
    if (text_name(text + skip, len - skip, name) < 0)
        return -EINVAL;
    rule->kind = ADDR_NAME;
    rule->subdomains = skip > 0;
    return 0;
}

/* name is written for an item of kind ADDR_NAME only. */
static int read_item(const char *item, size_t len, struct rule *rule, struct addr *name)
{
    size_t host_len;
    int error;

    memset(rule, 0, sizeof *rule);
    rule->port_high = PORT_MAX;
    error = read_ports(item, len, &host_len, rule);
    if (error < 0)
        return error;
    if (host_len == 1 && item[0] == '*')
        return 0;
    if (item[0] == '[')
        return read_bracketed(item, host_len, rule);
    error = read_slashed(item, host_len, rule);
    return error == -EINVAL ? read_name(item, host_len, rule, name) : error;
}

static int append(struct rules *r, struct rule *rule, const struct addr *name)
{
    char *to;
    size_t i, size;

    if (r->count == r->capacity)
        return -ENOSPC;
    if (rule->kind == ADDR_NAME) {
        size = strlen(name->name) + 1;
        if (size > r->text_size - r->text_used)
            return -ENOSPC;
        to = r->text + r->text_used;
        for (i = 0; i < size; i++)
            to[i] = text_lower(name->name[i]);
        r->text_used += size;
        rule->name = to;
    }
    r->rule[r->count++] = *rule;
    return 0;
}

static int add_item(struct rules *r, const char *item, size_t len, enum rules_verdict verdict, bool no_proxy)
{
    struct rule rule;
    struct addr name;
    bool except = !no_proxy && verdict == RULES_DIRECT && item[0] == '!';
    int error = read_item(item + except, len - except, &rule, &name);

    if (error < 0)
        return no_proxy ? 0 : error;
    rule.verdict = except ? RULES_PROXY : verdict;
    if (no_proxy && rule.kind == ADDR_NAME)
        rule.subdomains = true;
    return append(r, &rule, &name);
}

/* The next item at or after p, NULL when there is none. */
static const char *next_item(const char *p, size_t *len)
{
    p += strspn(p, separators);
    *len = strcspn(p, separators);
    return *len ? p : NULL;
}

static int add_list(struct rules *r, const char *list, enum rules_verdict verdict, bool no_proxy, const char **bad,
                    size_t *bad_len)
{
    const char *item;
    size_t len, count = r->count, text_used = r->text_used;
    int error;

    for (item = next_item(list, &len); item; item = next_item(item + len, &len)) {
        error = add_item(r, item, len, verdict, no_proxy);
        if (error < 0) {
            r->count = count;
            r->text_used = text_used;
            *bad = item;
            *bad_len = len;
            return error;
        }
    }
    return 0;
}

static bool name_matches(const struct rule *rule, const char *name)
{
    size_t i, len = strlen(name), want = strlen(rule->name);

    if (len < want)
        return false;
    if (len > want && (!rule->subdomains || name[len - want - 1] != '.'))
        return false;
    name += len - want;
    for (i = 0; i < want; i++)
        if (text_lower(name[i]) != rule->name[i])
            return false;
    return true;
}

static bool network_matches(const struct rule *rule, const uint8_t *ip)
{
    size_t whole = rule->prefix / 8;
    unsigned rest = rule->prefix % 8;

    if (memcmp(rule->ip, ip, whole) != 0)
        return false;
    return rest == 0 || ((rule->ip[whole] ^ ip[whole]) & (0xff00 >> rest) & 0xff) == 0;
}

static bool rule_matches(const struct rule *rule, const struct addr *target)
{
    if (target->port < rule->port_low || target->port > rule->port_high)
        return false;
    if (rule->kind == ADDR_NONE)
        return true;
    if (rule->kind != target->kind)
        return false;
    if (rule->kind == ADDR_NAME)
        return name_matches(rule, target->name);
    return network_matches(rule, target->ip);
}

/* The first rule that matches, or NULL. */
static const struct rule *find(const struct rules *r, const struct addr *target)
{
    for (size_t i = 0; i < r->count; i++)
        if (rule_matches(&r->rule[i], target))
            return &r->rule[i];
    return NULL;
}

static enum rules_verdict judge(const struct rules *r, const struct addr *target, const char **why)
{
    const struct rule *rule = find(r, target);

    *why = rule && rule->why ? rule->why : "rule";
    if (rule)
        return rule->verdict;
    *why = "loopback";
    if (r->loopback && addr_is_loopback(target) && target->port != 53)
        return RULES_DIRECT;
    *why = rules_local_scope;
    if (addr_is_local_scope(target))
        return RULES_BLOCK;
    *why = "default";
    return RULES_PROXY;
}

void rules_init(struct rules *r, struct rule *rule, size_t capacity, char *text, size_t text_size)
{
    memset(r, 0, sizeof *r);
    r->rule = rule;
    r->capacity = capacity;
    r->text = text;
    r->text_size = text_size;
    r->loopback = true;
}

size_t rules_count(const char *list)
{
    const char *item;
    size_t len, count = 0;

    for (item = next_item(list, &len); item; item = next_item(item + len, &len))
        count++;
    return count;
}

int rules_add(struct rules *r, const char *list, enum rules_verdict verdict, const char **bad, size_t *bad_len)
{
    return add_list(r, list, verdict, false, bad, bad_len);
}

void rules_send(struct rules *r, size_t first, unsigned proxy)
{
    for (size_t i = first; i < r->count; i++)
        r->rule[i].proxy = (uint8_t)proxy;
}

void rules_explain(struct rules *r, size_t first, const char *why)
{
    size_t size = strlen(why) + 1;
    char *to;

    if (first == r->count || size > r->text_size - r->text_used)
        return;
    to = r->text + r->text_used;
    memcpy(to, why, size);
    r->text_used += size;
    for (size_t i = first; i < r->count; i++)
        r->rule[i].why = to;
}

int rules_add_no_proxy(struct rules *r, const char *list)
{
    const char *bad;
    size_t bad_len;

    return add_list(r, list, RULES_DIRECT, true, &bad, &bad_len);
}

enum rules_verdict rules_judge(const struct rules *r, const struct addr *target, const char **why)
{
    const char *reason;
    enum rules_verdict verdict = judge(r, target, &reason);

    if (why)
        *why = reason;
    return verdict;
}

bool rules_name_decides(const struct rules *r, const struct addr *name)
{
    const struct rule *rule = find(r, name);

    return rule && rule->kind == ADDR_NAME;
}

unsigned rules_proxy(const struct rules *r, const struct addr *target)
{
    const struct rule *rule = find(r, target);

    return rule ? rule->proxy : 0;
}
