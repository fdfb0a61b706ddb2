/* SPDX-License-Identifier: ISC */
/* route.c - what becomes of a call that names an address */
#include "route.h"

#include <errno.h>
#include <string.h>

#include "resolve.h"

enum { PORT_DOMAIN = 53 };

static void refuse(struct route *out, int error, const char *why)
{
    out->way = ROUTE_REFUSED;
    out->error = error;
    out->why = why;
}

/* The kernel takes the any-address as this machine; a proxy would take it as itself, or as an error. */
static void any_to_loopback(struct addr *a)
{
    if (!addr_is_any(a))
        return;
    if (a->kind == ADDR_IPV4)
        a->ip[0] = 127;
    a->ip[a->kind == ADDR_IPV4 ? 3 : 15] = 1;
}

/* What says that loopback is not direct may be the one thing that was understood. */
static void judge_unconfigured(const struct conf *c, const struct addr *target, struct route *out)
{
    bool loopback = c->state == CONF_NONE || c->rules.loopback;

    if (loopback && addr_is_loopback(target) && target->port != PORT_DOMAIN) {
        out->way = ROUTE_DIRECT;
        out->why = "loopback";
        return;
    }
    refuse(out, -ENETUNREACH, "no valid configuration");
}

/* judged: the target, or the name that its address is known by. */
static void judge_rules(const struct conf *c, const struct addr *judged, bool stream, struct route *out)
{
    switch (rules_judge(&c->rules, judged, &out->why)) {
    case RULES_DIRECT:
        if (out->target.kind == ADDR_NAME)
            refuse(out, -EHOSTUNREACH, "a rule for this port says direct, but the name's address is not known");
        else
            out->way = ROUTE_DIRECT;
        break;
    case RULES_BLOCK:
        refuse(out, -EACCES, out->why);
        break;
    case RULES_PROXY:
        if (stream && out->target.port == 0)
            refuse(out, -ECONNREFUSED, "port 0");
        else
            out->way = ROUTE_PROXY;
        out->proxy = c->proxy_count > 1 ? rules_proxy(&c->rules, judged) : 0;
        any_to_loopback(&out->target);
    }
}

/* An address that a name was resolved to goes by the rules for that name and this port.  Where none is about it those
 * for the address hold; so they do where one would have a proxy look for this machine itself, by name or by loopback:
 * /etc/hosts may have many a name for that, and who connects there may mean none of them. */
static bool goes_by_name(const struct conf *c, const struct addr *name, const struct addr *target)
{
    return rules_name_decides(&c->rules, name) && (rules_judge(&c->rules, name, NULL) != RULES_PROXY ||
                                                   !(addr_is_loopback(target) || resolve_is_own(name->name)));
}

void route_judge(const struct conf *c, struct state *s, const struct upstreams *proxies,
                 const struct sockaddr *sa, socklen_t len, bool stream, struct route *out)
{
    const struct addr *judged = &out->target;
    struct addr name;
    int found;

    out->way = ROUTE_NATIVE;
    out->error = 0;
    out->proxy = 0;
    out->why = "not an internet address";
    out->target.kind = ADDR_NONE;
    if (!sa || len < sizeof(sa_family_t) || addr_from_sockaddr(sa, len, &out->target) != 0)
        return;
    if (c->state != CONF_READY) {
        judge_unconfigured(c, &out->target, out);
        return;
    }
    if (stream && upstreams_include(proxies, c->proxy_count, &out->target)) {
        out->way = ROUTE_DIRECT;
        out->why = "a proxy itself";
        return;
    }
    found = state_name_find(s, &out->target, &name);
    if (found == -EHOSTUNREACH) {
        refuse(out, -EHOSTUNREACH, "an address of the name pool that stands for no name");
        return;
    }
    if (found == 0)
        out->target = name;
    else if (learned_find(&s->direct, &out->target, &name) && goes_by_name(c, &name, &out->target))
        judged = &name;
    judge_rules(c, judged, stream, out);
}
