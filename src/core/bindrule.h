/* SPDX-License-Identifier: ISC */
/* bindrule.h - which listening sockets take their connections through the proxy (BIND)
 *
 * Most proxies refuse BIND, and every program may listen: so only sockets that a peer is about to be told of match,
 * unless the user wants more.
 */
#ifndef SOCKSIFY_CORE_BINDRULE_H
#define SOCKSIFY_CORE_BINDRULE_H

#include <stdbool.h>

#include "addr.h"
#include "conf.h"

struct bindrule_facts {
    const struct addr *local;       /* the socket's own address; port 0: not bound */
    bool chosen;                    /* the program has chosen its port */
    bool listens;                   /* listen() is called; false: getsockname() on a bound socket */
    const struct addr *primary;     /* own address of the youngest tunnel to one of the ports of conf, or NULL */
    const struct addr *same;        /* own address of the youngest tunnel from the socket's address, or NULL */
};

enum bindrule {
    BINDRULE_NATIVE,                /* the kernel listens */
    BINDRULE_PRIMARY,               /* BIND, for the peer of the primary tunnel */
    BINDRULE_SAME,                  /* BIND, for the peer of the other one */
    BINDRULE_ANY                    /* BIND, for whoever comes */
};

/* True if a socket is native whatever tunnels there are; of the facts only chosen is looked at.  Pure. */
bool bindrule_never(const struct conf *c, const struct bindrule_facts *f);

/* Judge a socket.  Pure. */
enum bindrule bindrule_judge(const struct conf *c, const struct bindrule_facts *f);

/* True if port is one of those of the connections that announce ports (SOCKSIFY_BIND_PORTS).  Pure. */
bool bindrule_has_port(const struct conf *c, uint16_t port);

#endif
