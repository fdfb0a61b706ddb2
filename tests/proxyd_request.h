/* SPDX-License-Identifier: ISC */
/* proxyd_request.h - what a client says to the test proxy, and what it is told
 *
 * Each reader looks at the len bytes at in and returns how many make up the message: 0 when it is not whole, a
 * negative errno when it is none.  On success the answer is on its way (conn.state has changed).
 */
#ifndef SOCKSIFY_TESTS_PROXYD_REQUEST_H
#define SOCKSIFY_TESTS_PROXYD_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "proxyd_conn.h"

/* VER, NMETHODS, METHODS (RFC 1928 section 3). */
int request_greeting(struct conn *c, const uint8_t *in, size_t len, int64_t now);

/* VER, ULEN, UNAME, PLEN, PASSWD (RFC 1929 section 2). */
int request_auth(struct conn *c, const uint8_t *in, size_t len, int64_t now);

/* VER, CMD, RSV and an address (RFC 1928 section 4): begins the command. */
int request_command(struct conn *c, const uint8_t *in, size_t len, int64_t now);

/* The target's connection stands, or failed; error: 0 or a negative errno. */
void request_connected(struct conn *c, int error, int64_t now);

/* The target's first bytes are there, or it will say nothing. */
void request_glued(struct conn *c, int64_t now);

/* A peer came to the listener of BIND: takes it. */
void request_peer(struct conn *c, int64_t now);

#endif
