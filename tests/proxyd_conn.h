/* SPDX-License-Identifier: ISC */
/* proxyd_conn.h - one client of the test proxy: a state machine stepped by poll() */
#ifndef SOCKSIFY_TESTS_PROXYD_CONN_H
#define SOCKSIFY_TESTS_PROXYD_CONN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"
#include "core/socks5.h"
#include "proxyd_options.h"
#include "proxyd_output.h"
#include "proxyd_pipe.h"
#include "proxyd_udp.h"

enum { CONN_POLL_MAX = 5 };

enum conn_state {
    CONN_FREE,
    CONN_GREETING, CONN_AUTH, CONN_REQUEST,     /* a message of the client is awaited */
    CONN_CONNECTING,
    CONN_GLUE,                                  /* connected; the target's first bytes are awaited */
    CONN_PEER,                                  /* BIND: the peer is awaited */
    CONN_SENDING,                               /* a reply goes out */
    CONN_RELAY,
    CONN_UDP,
    CONN_SILENCE,                               /* nothing more is said until the client closes */
    CONN_CLOSING
};

struct conn {
    enum conn_state state, next;    /* next: after CONN_SENDING */
    unsigned id;
    int client;
    int target;                     /* -1: none; in CONN_PEER the listener */
    enum socks5_command command;
    uint8_t rep;                    /* of the reply that goes out; the method or status octet likewise */
    struct addr asked;              /* the request's address */
    struct options *options;
    const struct script *script;    /* the server's until the target is known, then own_script; --from: always */
    struct script own_script;
    size_t early;                   /* bytes the client sent too early */
    struct output out;
    struct pipe up, down;           /* client to target, target to client */
    struct udp udp;
};

/* Begin with an accepted, non-blocking client socket, which c then owns.  id: not 0. */
void conn_begin(struct conn *c, struct options *o, int client, unsigned id);

/* Fill in what c waits for: set: room for CONN_POLL_MAX; *timeout_ms is lowered to the time until c has something to
 * do by itself.  now: monotonic milliseconds.  Returns the entries used. */
int conn_poll(const struct conn *c, struct pollfd *set, int64_t now, int *timeout_ms);

/* Go on.  set: as conn_poll() filled it, with revents.  The state is CONN_FREE when the connection ended. */
void conn_step(struct conn *c, const struct pollfd *set, int64_t now);

/* True while a reply of c is held. */
bool conn_is_held(const struct conn *c);

/* Close at once. */
void conn_end(struct conn *c);

#endif
