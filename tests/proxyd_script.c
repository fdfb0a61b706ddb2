/* SPDX-License-Identifier: ISC */
/* proxyd_script.c - the table of misbehaviour: every line is an option and an action of --on */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd_script.h"

enum kind { FLAG, NUMBER, STAGE_BITS, STAGE_NUMBER, BOUND, LACK, PLAIN };

struct action {
    const char *name;
    enum kind kind;
    size_t offset;              /* of the field in struct script */
    int low, high, standard;    /* standard: the number when none is given, -1: one must be given */
    const char *value;
    const char *help;
};

#define FIELD(name) offsetof(struct script, name)

static const char *const stages[STAGES] = { "method", "auth", "reply", "reply2" };

static const struct action actions[] = {
    { "plain", PLAIN, 0, 0, 0, 0, "", "no misbehaviour at all from here on" },
    { "delay", STAGE_NUMBER, FIELD(delay_ms), 0, 600000, -1, "STAGE:MS", "wait before the reply" },
    { "dribble", NUMBER, FIELD(dribble_ms), 0, 60000, 2, "[=MS]", "one byte in each send, MS (2) between them" },
    { "drip", STAGE_NUMBER, FIELD(drip_ms), 0, 60000, -1, "STAGE:MS", "one byte in each send, MS before each of them" },
    { "split", NUMBER, FIELD(split_at), 0, 65535, -1, "N", "each reply in two pieces, the first of N bytes" },
    { "glue", FLAG, FIELD(glue), 0, 0, 0, "", "success reply and the target's first bytes in one send" },
    { "hold", STAGE_NUMBER, FIELD(hold_at), 0, 65535, 0, "STAGE[:N]", "hold the reply (after N bytes) until released" },
    { "cut", STAGE_NUMBER, FIELD(cut_at), 0, 65535, -1, "STAGE:N", "close after N bytes of the reply" },
    { "hang", STAGE_BITS, FIELD(hang), 0, 0, 0, "STAGE", "never send the reply" },
    { "close", STAGE_BITS, FIELD(close), 0, 0, 0, "STAGE", "close instead of the reply" },
    { "rst", STAGE_BITS, FIELD(reset), 0, 0, 0, "STAGE", "reset instead of the reply" },
    { "garbage", STAGE_BITS, FIELD(garbage), 0, 0, 0, "STAGE", "something else instead of the reply, then silence" },
    { "extra", STAGE_BITS, FIELD(extra), 0, 0, 0, "STAGE", "three bytes ee more after the reply" },
    { "flood", STAGE_NUMBER, FIELD(flood), 0, SCRIPT_FLOOD_MAX, -1, "STAGE:N", "N bytes ee more after the reply" },
    { "alter", STAGE_NUMBER, FIELD(alter), 0, 65535, -1, "STAGE:N", "octet N / 256 of the reply is N % 256" },
    { "refuse", NUMBER, FIELD(refuse), 0, 255, -1, "REP", "answer REP (0 too) without a try, then close" },
    { "refuse2", NUMBER, FIELD(refuse2), 0, 255, -1, "REP", "the same as the second reply to BIND" },
    { "short-reply", NUMBER, FIELD(short_reply), 0, 9, -1, "2|4", "error replies of that many bytes" },
    { "bnd", BOUND, FIELD(bnd), 0, 0, 0, "BND", "BND of replies to all commands" },
    { "bnd2", BOUND, FIELD(bnd2), 0, 0, 0, "BND", "BND of the second reply to BIND" },
    { "no-method", FLAG, FIELD(no_method), 0, 0, 0, "", "answer ff to every greeting" },
    { "swallow", FLAG, FIELD(swallow), 0, 0, 0, "", "take one recv() for one message, drop what lies behind it" },
    { "no-bind", LACK, FIELD(no_bind), 0, 0, 0, "7|2byte|eof|hang", "BIND is not offered" },
    { "no-udp", LACK, FIELD(no_udp), 0, 0, 0, "7|2byte|eof|hang", "ASSOCIATE is not offered" },
    { "udp-bnd", BOUND, FIELD(udp_bnd), 0, 0, 0, "BND", "BND of the reply to ASSOCIATE" },
    { "udp-name-sources", FLAG, FIELD(udp_names), 0, 0, 0, "", "sources as names (ATYP 3) where one was asked" },
    { "udp-frag", FLAG, FIELD(udp_frag), 0, 0, 0, "", "before each answer a datagram with FRAG 1" },
    { "udp-rsv", FLAG, FIELD(udp_rsv), 0, 0, 0, "", "before each answer a datagram with RSV 1" },
    { "udp-garbage", FLAG, FIELD(udp_garbage), 0, 0, 0, "", "before each answer several malformed datagrams" },
    { "udp-stranger", FLAG, FIELD(udp_stranger), 0, 0, 0, "", "before each answer one from a port not the relay's" },
    { "udp-source", BOUND, FIELD(udp_source), 0, 0, 0, "BND", "before each answer one that names this source" },
    { "udp-no-answer", FLAG, FIELD(udp_no_answer), 0, 0, 0, "", "keep the answers back, though not what goes before" },
    { "udp-silent", FLAG, FIELD(udp_silent), 0, 0, 0, "", "swallow every datagram" },
    { "udp-close-after", NUMBER, FIELD(udp_close_after), 0, 1 << 30, -1, "N",
      "end the association after N datagrams, both ways counted" },
    { "udp-first-only", FLAG, FIELD(udp_first_only), 0, 0, 0, "", "all datagrams go to the first one's destination" },
};

enum { ACTIONS = sizeof actions / sizeof actions[0] };

static int read_number(const char *text, int low, int high, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high)
        return -EINVAL;
    *out = (int)value;
    return 0;
}

/* A host of len bytes; text that is no proper name is taken as it stands, since tests send such names. */
static int read_host(const char *text, size_t len, struct addr *out)
{
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']')
        return addr_from_text(text + 1, len - 2, out);
    if (addr_from_text(text, len, out) == 0 || addr_from_name(text, len, out) == 0)
        return 0;
    if (len == 0 || len >= sizeof out->name)
        return -EINVAL;
    memset(out, 0, sizeof *out);
    out->kind = ADDR_NAME;
    memcpy(out->name, text, len);
    return 0;
}

static int read_host_port(const char *text, struct addr *out, bool *any_port)
{
    struct addr host;
    int port = 0;
    size_t len = strlen(text);
    const char *colon = strrchr(text, ':');
    if (colon == NULL || text[len - 1] == ']' || addr_from_text(text, len, &host) == 0)
        return -EINVAL;
    *any_port = strcmp(colon + 1, "*") == 0;
    if (!*any_port && read_number(colon + 1, 0, 65535, &port) < 0)
        return -EINVAL;
    if (read_host(text, (size_t)(colon - text), &host) < 0)
        return -EINVAL;
    host.port = (uint16_t)port;
    *out = host;
    return 0;
}

/* "ipv6:ADDR:PORT" names the kind because "::1:80" alone is an address. */
static int read_given(const char *text, struct bound *out)
{
    static const struct { const char *prefix; enum addr_kind kind; } forms[] = {
        { "ipv4:", ADDR_IPV4 }, { "ipv6:", ADDR_IPV6 }, { "name:", ADDR_NAME },
    };
    struct bound b = { .kind = BOUND_GIVEN };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        const char *host = text + strlen(forms[i].prefix), *colon = strrchr(text, ':');
        int port = 0;
        if (strncmp(text, forms[i].prefix, strlen(forms[i].prefix)) != 0)
            continue;
        b.real_port = strcmp(colon + 1, "*") == 0;
        if (colon < host || (!b.real_port && read_number(colon + 1, 0, 65535, &port) < 0))
            return -EINVAL;
        if (read_host(host, (size_t)(colon - host), &b.addr) < 0 || b.addr.kind != forms[i].kind)
            return -EINVAL;
        b.addr.port = (uint16_t)port;
        *out = b;
        return 0;
    }
    if (read_host_port(text, &b.addr, &b.real_port) < 0)
        return -EINVAL;
    *out = b;
    return 0;
}

static int read_bound(const char *text, struct bound *out)
{
    struct bound b = { .kind = BOUND_REAL, .real_port = true };
    if (strcmp(text, "any") == 0)
        b.kind = BOUND_ANY;
    else if (strcmp(text, "other-family") == 0)
        b.kind = BOUND_OTHER_FAMILY;
    else if (strcmp(text, "name") == 0)
        return read_given("name:localhost:*", out);
    else if (strcmp(text, "real") != 0)
        return read_given(text, out);
    *out = b;
    return 0;
}

static int read_lack(const char *text, enum lack *out)
{
    static const char *const words[] = { "none", "7", "2byte", "eof", "hang" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(text, words[i]) == 0) {
            *out = (enum lack)i;
            return 0;
        }
    return -EINVAL;
}

/* Bits of the stages named by len bytes of text, 0 for an unknown word. */
static unsigned read_stages(const char *text, size_t len)
{
    if (len == 3 && memcmp(text, "all", 3) == 0)
        return (1u << STAGES) - 1;
    for (int i = 0; i < STAGES; i++)
        if (strlen(stages[i]) == len && memcmp(text, stages[i], len) == 0)
            return 1u << i;
    return 0;
}

static int set_stage_number(const struct action *a, const char *text, int *field)
{
    size_t len = strcspn(text, ":");
    unsigned bits = read_stages(text, len);
    int number = a->standard;
    if (bits == 0 || (text[len] == '\0' && number < 0))
        return -EINVAL;
    if (text[len] == ':' && read_number(text + len + 1, a->low, a->high, &number) < 0)
        return -EINVAL;
    for (int i = 0; i < STAGES; i++)
        if ((bits >> i & 1) != 0)
            field[i] = number;
    return 0;
}

static int set_number(const struct action *a, const char *text, int *field)
{
    if (text != NULL)
        return read_number(text, a->low, a->high, field);
    if (a->standard < 0)
        return -EINVAL;
    *field = a->standard;
    return 0;
}

static int set_stage_bits(const char *text, unsigned *field)
{
    unsigned bits = read_stages(text, strlen(text));
    *field |= bits;
    return bits != 0 ? 0 : -EINVAL;
}

static const struct action *find(const char *name, size_t len)
{
    for (size_t i = 0; i < ACTIONS; i++)
        if (strlen(actions[i].name) == len && memcmp(actions[i].name, name, len) == 0)
            return &actions[i];
    return NULL;
}

static bool needs_value(const struct action *a)
{
    return a->kind != FLAG && a->kind != PLAIN && !(a->kind == NUMBER && a->standard >= 0);
}

/* "none" puts the field back to what a faultless server has. */
static int set_none(struct script *s, const struct action *a)
{
    struct script fresh;
    script_init(&fresh);
    size_t size = a->kind == STAGE_NUMBER ? sizeof fresh.delay_ms : a->kind == BOUND ? sizeof fresh.bnd
                : a->kind == FLAG ? sizeof fresh.glue : sizeof fresh.refuse;
    memcpy((char *)s + a->offset, (char *)&fresh + a->offset, size);
    return 0;
}

void script_init(struct script *s)
{
    memset(s, 0, sizeof *s);
    for (int i = 0; i < STAGES; i++)
        s->hold_at[i] = s->cut_at[i] = s->alter[i] = -1;
    s->refuse = s->refuse2 = -1;
}

int script_set(struct script *s, const char *action)
{
    size_t len = strcspn(action, "=");
    const char *value = action[len] == '=' ? action + len + 1 : NULL;
    const struct action *a = find(action, len);
    if (a == NULL || (value == NULL && needs_value(a)))
        return -EINVAL;
    if (value != NULL && strcmp(value, "none") == 0 && a->kind != PLAIN)
        return set_none(s, a);
    void *field = (char *)s + a->offset;
    switch (a->kind) {
    case FLAG:
        if (value == NULL)
            *(bool *)field = true;
        return value == NULL ? 0 : -EINVAL;
    case NUMBER:
        return set_number(a, value, field);
    case STAGE_BITS:
        return set_stage_bits(value, field);
    case STAGE_NUMBER:
        return set_stage_number(a, value, field);
    case BOUND:
        return read_bound(value, field);
    case LACK:
        return read_lack(value, field);
    case PLAIN:
        if (value == NULL)
            script_init(s);
        return value == NULL ? 0 : -EINVAL;
    }
    return -EINVAL;
}

bool script_knows(const char *name, size_t len, bool *value)
{
    const struct action *a = find(name, len);
    if (a == NULL)
        return false;
    *value = needs_value(a);
    return true;
}

int script_rule_read(const char *text, struct script_rule *rule)
{
    struct addr host = { .kind = ADDR_NONE };
    bool any_port = true;
    if (strcmp(text, "*") != 0 && read_host_port(text, &host, &any_port) < 0) {
        any_port = true;
        if (read_host(text, strlen(text), &host) < 0)
            return -EINVAL;
    }
    rule->any_host = host.kind == ADDR_NONE || (host.kind == ADDR_NAME && strcmp(host.name, "*") == 0);
    rule->any_port = any_port;
    rule->host = host;
    return 0;
}

void script_apply(struct script *s, const struct script_rule *rule, size_t count, const struct addr *target)
{
    for (size_t i = 0; i < count; i++)
        if ((rule[i].any_host || addr_same_host(&rule[i].host, target))
            && (rule[i].any_port || rule[i].host.port == target->port))
            (void)script_set(s, rule[i].action);    /* was tried when the rule was read */
}

void script_bound(const struct bound *b, const struct addr *real, struct addr *out)
{
    bool ipv6 = (real->kind == ADDR_IPV6) != (b->kind == BOUND_OTHER_FAMILY);
    const char *text = b->kind == BOUND_ANY ? (ipv6 ? "::" : "0.0.0.0") : (ipv6 ? "::1" : "127.0.0.1");
    *out = *real;
    if (b->kind == BOUND_GIVEN)
        *out = b->addr;
    else if (b->kind != BOUND_REAL)
        (void)addr_from_text(text, strlen(text), out);
    out->port = b->kind == BOUND_GIVEN && !b->real_port ? b->addr.port : real->port;
}

const char *script_stage_text(enum stage stage)
{
    return stages[stage];
}

void script_help(void)
{
    for (size_t i = 0; i < ACTIONS; i++) {
        char form[64];
        const char *gap = actions[i].value[0] == '[' || actions[i].value[0] == '\0' ? "" : " ";
        snprintf(form, sizeof form, "%s%s%s", actions[i].name, gap, actions[i].value);
        printf("  --%-24s %s\n", form, actions[i].help);
    }
}
