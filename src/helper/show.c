/* SPDX-License-Identifier: ISC */
/* show.c - the configuration as it was understood */
#include "show.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../core/conf_keyword.h"
#include "../io/conf_load.h"
#include "option.h"

static const char *verdict_name(enum rules_verdict verdict)
{
    return verdict == RULES_PROXY ? "proxy" : verdict == RULES_DIRECT ? "direct" : "block";
}

static void show_host(const struct rule *r)
{
    char text[INET6_ADDRSTRLEN];
    int family = r->kind == ADDR_IPV4 ? AF_INET : AF_INET6;

    if (r->kind == ADDR_NONE)
        printf("*");
    else if (r->kind == ADDR_NAME)
        printf("%s%s", r->subdomains ? "." : "", r->name);
    else if (inet_ntop(family, r->ip, text, sizeof text))
        printf(family == AF_INET ? "%s/%u" : "[%s]/%u", text, r->prefix);
}

static void show_rule(const struct conf *c, const struct rule *r)
{
    if (r->proxy)
        printf("via %s ", c->proxies[r->proxy].name);
    else
        printf("%-8s ", verdict_name(r->verdict));
    show_host(r);
    if (r->port_low == r->port_high)
        printf(":%u", r->port_low);
    else if (r->port_low > 0 || r->port_high < 65535)
        printf(":%u-%u", r->port_low, r->port_high);
    putchar('\n');
}

static void show_bind(const struct conf *c)
{
    static const char *const modes[] = { [CONF_BIND_AUTO] = "auto", [CONF_BIND_ON] = "on", [CONF_BIND_OFF] = "off" };

    printf("bind     %s, ports", modes[c->bind]);
    for (unsigned i = 0; i < c->bind_ports; i++) {
        printf("%s%u", i ? "," : " ", c->bind_port[i].low);
        if (c->bind_port[i].high > c->bind_port[i].low)
            printf("-%u", c->bind_port[i].high);
    }
    putchar('\n');
}

static void show_pools(const struct pools *p)
{
    uint32_t ipv4 = htonl(p->ipv4);
    char text[INET6_ADDRSTRLEN];

    if (inet_ntop(AF_INET, &ipv4, text, sizeof text))
        printf("pool4    %s/%d\n", text, POOLS_IPV4_PREFIX);
    if (inet_ntop(AF_INET6, p->ipv6, text, sizeof text))
        printf("pool6    %s/%d\n", text, p->ipv6_prefix);
}

/* The file that was read, behind those that would have come before it. */
static void show_files(const struct conf *c)
{
    char path[CONF_PATH_SIZE];
    const char *named = getenv("SOCKSIFY_CONF");

    for (int i = 0; !(named && named[0]) && conf_usual_place(path, i, getenv); i++) {
        if (strcmp(path, c->file) == 0)
            break;
        if (path[0])
            printf("no file  %s: %s\n", path, access(path, R_OK) == 0 ? "not read" : conf_file_fault(-errno));
    }
    printf("file     %s\n", c->file[0] ? c->file : "none");
}

/* The variables that are set, by the names of the options that stand for them; those that counted, or the others. */
static void show_variables(const struct conf *c, const char *given, bool counted)
{
    const char *head = counted ? "given   " : "ignored ";

    for (size_t i = 0; i < CONF_KEYWORDS; i++) {
        const struct conf_keyword *k = &conf_keywords[i];
        const char *value = k->variable ? getenv(k->variable) : NULL, *name;

        if (!value || (!value[0] && !(k->flags & KEY_EMPTY)) || counted != (c->counted >> i & 1))
            continue;
        name = option_of(k->variable, strlen(k->variable), given);
        printf("%s %s", head, name ? name : k->variable);
        head = ",";
    }
    if (head[0] == ',')
        putchar('\n');
}

/* One that is a URL may have a password in it. */
static void show_item(const char *item, size_t len)
{
    if (memchr(item, '@', len)) {
        printf("an item with an @");
        return;
    }
    for (size_t i = 0; i < len; i++)
        putchar(item[i] >= ' ' && item[i] <= '~' ? item[i] : '?');
}

/* The items of another program's list that are none of ours.  A set without room takes not one, for which a good one is
 * told by an error of its own. */
static void show_bad_items(const char *variable, const char *list)
{
    const char *head = "skipped ", *item;
    struct rules none;
    size_t len;
    int error;

    rules_init(&none, NULL, 0, NULL, 0);
    for (; (error = rules_add(&none, list, RULES_BLOCK, &item, &len)) < 0; list = item + len) {
        if (error == -ENOSPC)
            continue;
        printf("%s ", head);
        show_item(item, len);
        head = ",";
    }
    if (head[0] == ',')
        printf(" in %s\n", variable);
}

static void show_skipped(const struct conf *c)
{
    enum { FOREIGN_LIST = KEY_CONVENTION | KEY_LIST };

    for (size_t i = 0; i < CONF_KEYWORDS; i++) {
        const struct conf_keyword *k = &conf_keywords[i];

        if ((k->flags & FOREIGN_LIST) == FOREIGN_LIST && (c->counted >> i & 1))
            show_bad_items(k->variable, getenv(k->variable));
    }
}

void show_conf(const struct conf *c, const char *given)
{
    static const char *const levels[] = { "quiet", "warn", "info", "debug" };
    static const char *const pipelines[] = { [CONF_PIPELINE_OFF] = "off", [CONF_PIPELINE_ON] = "on",
                                             [CONF_PIPELINE_AUTO] = "auto" };
    char text[ADDR_TEXT_SIZE];

    show_files(c);
    show_variables(c, given, true);
    show_variables(c, given, false);
    show_skipped(c);
    if (c->proxies[0].address.kind == ADDR_NONE)
        printf("proxy    none\n");
    for (unsigned i = 0; i < c->proxy_count; i++) {
        const struct conf_proxy *p = &c->proxies[i];

        if (p->address.kind == ADDR_NONE)
            continue;
        addr_format(&p->address, text, sizeof text);
        printf("proxy    %s%s%s%s\n", text, i ? ", named " : "", p->name,
               p->user[0] ? ", with user and password" : "");
    }
    printf("timeout  %u.%03u s for a step, %u.%03u s for the last\n", c->step_ms / 1000, c->step_ms % 1000,
           c->reply_ms / 1000, c->reply_ms % 1000);
    printf("dns      %s\n", c->dns == CONF_DNS_LOCAL ? "local" : "remote");
    if (c->resolver.kind != ADDR_NONE) {
        addr_format(&c->resolver, text, sizeof text);
        printf("resolver %s\n", text);
    }
    show_pools(&c->pools);
    printf("bypass   %s\n", c->bypass == CONF_BYPASS_ALLOW ? "allow" : "refuse");
    show_bind(c);
    printf("pipeline %s\n", pipelines[c->pipeline]);
    printf("log      %s%s%s\n", levels[c->log_level], c->log_path[0] ? ":" : "", c->log_path);
    printf("stats    %s\n", c->stats ? "on" : "off");
    printf("rules, the first that matches decides:\n");
    for (size_t i = 0; i < c->rules.count; i++)
        show_rule(c, &c->rules.rule[i]);
    if (c->rules.loopback)
        printf("direct   loopback, but for port 53\n");
    printf("block    multicast, broadcast and link-local addresses\nproxy    *\n");
}
