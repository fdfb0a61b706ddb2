/* SPDX-License-Identifier: ISC */
/* socks5.h - the client side of a SOCKS5 handshake as a value fed by hand (RFC 1928, RFC 1929)
 *
 * The machine does no I/O, has no clock and allocates nothing.  Its owner keeps it anywhere (stack, shared memory) and
 * turns this crank until socks5_want() says DONE or FAILED:
 *
 *     SEND  p = socks5_out(s, &len); n = send(p, len); socks5_sent(s, n);
 *     RECV  p = socks5_in(s, &len);  n = recv(p, len); socks5_received(s, n);    n == 0: socks5_eof(s)
 *
 * In RFC order each SEND is one whole message, which must go out in one send() (servers exist that take one recv()
 * for one message).  socks5_in() never asks for more than the current reply still lacks, so that no byte of the
 * target is eaten.  BIND has two replies: the machine is DONE after the first; socks5_next_reply() starts the second.
 * A machine holds no pointer and may be copied byte by byte; it belongs to one thread at a time.  All functions are
 * async-signal-safe.
 */
#ifndef SOCKSIFY_CORE_SOCKS5_H
#define SOCKSIFY_CORE_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum socks5_command { SOCKS5_CONNECT = 1, SOCKS5_BIND = 2, SOCKS5_ASSOCIATE = 3 };

enum socks5_want { SOCKS5_SEND, SOCKS5_RECV, SOCKS5_DONE, SOCKS5_FAILED };

/* How far a handshake came; the order is that of the exchange. */
enum socks5_stage { SOCKS5_STAGE_METHOD, SOCKS5_STAGE_AUTH, SOCKS5_STAGE_REPLY, SOCKS5_STAGE_END };

/* What made a handshake fail, for the log; the errno of each in socks5_error(). */
enum socks5_cause {
    SOCKS5_CAUSE_NONE,
    SOCKS5_CAUSE_REPLY,       /* REP != 0: reply_errno(socks5_rep()) */
    SOCKS5_CAUSE_METHOD,      /* no acceptable method (ff), or one that was not offered: -EACCES */
    SOCKS5_CAUSE_PASSWORD,    /* user or password refused: -EACCES */
    SOCKS5_CAUSE_GARBAGE,     /* not a SOCKS5 message: -ECONNREFUSED */
    SOCKS5_CAUSE_EOF          /* connection ended instead of a reply: -ECONNREFUSED; -EOPNOTSUPP never */
};

struct socks5_options {
    const char *user;         /* NULL: no credentials, method 00 only; else 1 to 255 bytes, NUL-terminated */
    const char *password;     /* 1 to 255 bytes, NUL-terminated; not NULL when user is not */
    bool pipelined;           /* all messages in one flight; exactly one method is offered */
};

struct socks5 {
    uint8_t stage;            /* enum socks5_stage */
    uint8_t cause;            /* enum socks5_cause */
    uint8_t rep;
    uint8_t method;           /* the method the proxy named, 0xff before */
    bool has_auth, pipelined;
    int error;                /* 0 or negative errno; the first one stays */
    uint16_t out_used, out_sent;    /* bytes in out; bytes of them that went out */
    uint16_t out_greeting, out_auth;/* lengths of the first two messages in out; the request is the rest */
    uint16_t out_limit;       /* bytes of out that may go now */
    uint16_t in_have, in_need;
    uint8_t in[ADDR_WIRE_MAX + 3];
    uint8_t out[4 + 513 + 3 + ADDR_WIRE_MAX];
    struct addr bound;
};

/* Prepare a machine; all its fields are set, nothing is kept of the arguments.
 * o: not NULL; target: the host to reach (CONNECT), the peer to expect (BIND), the address to send from (ASSOCIATE),
 * any kind. */
void socks5_init(struct socks5 *s, const struct socks5_options *o, enum socks5_command command,
                 const struct addr *target);

/* Begin the same handshake once more, for a new connection and in RFC order, whatever became of it so far. */
void socks5_again(struct socks5 *s);

/* What the machine wants next: exactly one of the four. */
enum socks5_want socks5_want(const struct socks5 *s);

/* The bytes to send now; *len >= 1 while socks5_want() is SEND, else 0.  Valid until the next call. */
const uint8_t *socks5_out(const struct socks5 *s, size_t *len);

/* Tell that n of these bytes were sent; n at most the length given by socks5_out(). */
void socks5_sent(struct socks5 *s, size_t n);

/* Where to put what is received; *len is exactly what the current reply still lacks, >= 1 while socks5_want() is RECV,
 * else 0. */
uint8_t *socks5_in(struct socks5 *s, size_t *len);

/* Tell that n bytes were put there; n at most the length given by socks5_in(). */
void socks5_received(struct socks5 *s, size_t n);

/* Tell that the proxy ended the connection.  A reply whose second octet is there and not 0 counts (2- and 4-byte
 * error replies exist); anything else: SOCKS5_CAUSE_EOF.  No effect when DONE or FAILED.  To be called as well when the
 * connection was reset, and when socks5_rep() is not 0 and the rest of that reply does not come. */
void socks5_eof(struct socks5 *s);

/* After the first reply to BIND: expect the second one.  The machine must be DONE. */
void socks5_next_reply(struct socks5 *s);

/* 0, or the negative errno that connect() should report; fixed once the machine FAILED. */
int socks5_error(const struct socks5 *s);

/* Why it failed; SOCKS5_CAUSE_NONE while it has not. */
enum socks5_cause socks5_cause(const struct socks5 *s);

/* The REP octet of the last reply whose second octet was read, else 0. */
uint8_t socks5_rep(const struct socks5 *s);

/* How far the handshake came. */
enum socks5_stage socks5_stage(const struct socks5 *s);

/* BND.ADDR and BND.PORT of the last whole reply; ADDR_NONE before. Lives as long as s. */
const struct addr *socks5_bound(const struct socks5 *s);

#endif
