/* SPDX-License-Identifier: ISC */
/* proxyd_udp.h - one UDP association: a relay socket for the client, one socket of each family for the outside */
#ifndef SOCKSIFY_TESTS_PROXYD_UDP_H
#define SOCKSIFY_TESTS_PROXYD_UDP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "proxyd_options.h"

enum { UDP_NAMES = 16 };

struct udp_name {
    struct addr asked, real;
};

struct udp {
    int relay, out4, out6;          /* -1: none */
    unsigned id;                    /* of the connection, for the log */
    struct addr peer;               /* host that may send, its port 0 */
    bool has_client, has_first;
    struct addr client, first;
    int relayed;
    size_t names;                   /* ever remembered; the oldest goes */
    struct udp_name name[UDP_NAMES];
};

/* No association. */
void udp_init(struct udp *u, unsigned id);

/* Open the sockets.  local: where the relay is bound, its port ignored; peer: the client's host; expected: what it
 * asked for: a port other than 0 is the only one that may send.  Returns 0 or a negative errno. */
int udp_open(struct udp *u, const struct addr *local, const struct addr *peer, const struct addr *expected);

/* Close them. */
void udp_close(struct udp *u);

/* Carry one datagram of the client outwards.  Returns false when the association is to end now. */
bool udp_from_client(struct udp *u, const struct options *o, const struct script *s);

/* Carry one datagram from fd, out4 or out6, to the client.  Returns as udp_from_client(). */
bool udp_from_outside(struct udp *u, int fd, const struct script *s);

#endif
