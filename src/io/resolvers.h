/* SPDX-License-Identifier: ISC */
/* resolvers.h - the name servers of this system (resolv.conf(5)) */
#ifndef SOCKSIFY_IO_RESOLVERS_H
#define SOCKSIFY_IO_RESOLVERS_H

#include <stdbool.h>

#include "../core/addr.h"

enum { RESOLVERS_MAX = 8 };

struct resolvers {
    struct addr server[RESOLVERS_MAX];      /* port 0; the first ADDR_NONE ends the list */
};

/* Read the servers of a file; none when it cannot be read.  path: as of resolv.conf(5).  Scope ids are dropped, so that
 * a server is known by its address alone. */
void resolvers_read(struct resolvers *r, const char *path);

/* True if a is one of them, at port 53, or any loopback address at port 53.  Async-signal-safe. */
bool resolvers_has(const struct resolvers *r, const struct addr *a);

#endif
