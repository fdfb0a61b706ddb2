/* SPDX-License-Identifier: ISC */
/* bindrule.c - which listening sockets take their connections through the proxy (BIND) */
#include "bindrule.h"

bool bindrule_has_port(const struct conf *c, uint16_t port)
{
    for (unsigned i = 0; i < c->bind_ports; i++) {
        if (port >= c->bind_port[i].low && port <= c->bind_port[i].high)
            return true;
    }
    return false;
}

/* A socket that is bound to nothing, to the any-address, or where the tunnel itself leaves from. */
static bool fits_primary(const struct bindrule_facts *f)
{
    return f->primary && (f->local->port == 0 || addr_is_any(f->local) || addr_same_host(f->local, f->primary));
}

static bool fits_same(const struct bindrule_facts *f)
{
    return f->same && f->listens && f->local->port != 0 && !addr_is_loopback(f->local);
}

static bool is_loopback_alone(const struct addr *a)
{
    return addr_is_loopback(a) && !addr_is_any(a);
}

bool bindrule_never(const struct conf *c, const struct bindrule_facts *f)
{
    return c->bind == CONF_BIND_OFF || (c->bind == CONF_BIND_AUTO && f->chosen);
}

enum bindrule bindrule_judge(const struct conf *c, const struct bindrule_facts *f)
{
    if (bindrule_never(c, f))
        return BINDRULE_NATIVE;
    if (fits_primary(f) && !f->chosen)
        return BINDRULE_PRIMARY;
    if (fits_same(f))
        return BINDRULE_SAME;
    if (c->bind != CONF_BIND_ON || !f->listens || is_loopback_alone(f->local))
        return BINDRULE_NATIVE;
    return f->primary ? BINDRULE_PRIMARY : BINDRULE_ANY;
}
