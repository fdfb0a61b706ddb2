/* SPDX-License-Identifier: ISC */
/* route.h - what becomes of a call that names an address */
#ifndef SOCKSIFY_IO_ROUTE_H
#define SOCKSIFY_IO_ROUTE_H

#include <stdbool.h>
#include <sys/socket.h>

#include "../core/conf.h"
#include "state.h"
#include "upstream.h"

enum route_way {
    ROUTE_NATIVE,     /* not AF_INET or AF_INET6, or no address at all: libc's call, its errors included */
    ROUTE_DIRECT,     /* libc's call */
    ROUTE_PROXY,      /* through a proxy, to target */
    ROUTE_REFUSED     /* error says how the call must fail */
};

struct route {
    enum route_way way;
    int error;              /* negative errno when ROUTE_REFUSED, else 0 */
    unsigned proxy;         /* which one of c->proxies, when ROUTE_PROXY; else 0 */
    struct addr target;     /* ADDR_NONE when ROUTE_NATIVE; a name when the program got its address from the map */
    const char *why;        /* a constant phrase for the log */
};

/* Decide where a call goes.
 * c: the configuration, in any state; s: names and peers; proxies: their addresses; sa: len readable bytes, may be
 * NULL; stream: TCP, for which the proxies' own addresses and ports are direct.
 * Without a valid configuration all but loopback is ROUTE_REFUSED with -ENETUNREACH, and loopback as well when an
 * empty direct list was understood.  Async-signal-safe; no lock. */
void route_judge(const struct conf *c, struct state *s, const struct upstreams *proxies,
                 const struct sockaddr *sa, socklen_t len, bool stream, struct route *out);

#endif
