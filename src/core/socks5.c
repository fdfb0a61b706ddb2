/* SPDX-License-Identifier: ISC */
/* socks5.c - the client side of a SOCKS5 handshake as a value fed by hand (RFC 1928, RFC 1929) */
#include "socks5.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "reply.h"

enum {
    VERSION = 5,
    AUTH_VERSION = 1,
    METHOD_NONE = 0x00,
    METHOD_PASSWORD = 0x02,
    METHOD_REFUSED = 0xff,
    FIELD_MAX = 255,        /* user and password, each */
    GREETING_MAX = 4,
    SHORT_REPLY = 2,        /* of the method and of the password */
    REPLY_HEAD = 5,         /* up to the length octet of a name; no whole reply is shorter than 7 */
    ADDR_AT = 3             /* VER, REP, RSV stand before ATYP */
};

static size_t put_greeting(const struct socks5 *s, uint8_t *p)
{
    p[0] = VERSION;
    p[1] = 1;
    p[2] = METHOD_NONE;
    if (!s->has_auth)
        return 3;
    if (s->pipelined) {
        p[2] = METHOD_PASSWORD;     /* what follows in the same flight fits no other method */
        return 3;
    }
    p[1] = 2;
    p[3] = METHOD_PASSWORD;
    return 4;
}

static uint8_t *put_field(uint8_t *p, const char *text)
{
    size_t len = strnlen(text, FIELD_MAX);

    *p++ = (uint8_t)len;
    memcpy(p, text, len);
    return p + len;
}

static size_t put_auth(const struct socks5_options *o, uint8_t *p)
{
    uint8_t *start = p;

    *p++ = AUTH_VERSION;
    p = put_field(p, o->user);
    p = put_field(p, o->password);
    return (size_t)(p - start);
}

static size_t put_request(enum socks5_command command, const struct addr *target, uint8_t *p)
{
    p[0] = VERSION;
    p[1] = (uint8_t)command;
    p[2] = 0;
    return ADDR_AT + addr_put(target, p + ADDR_AT);
}

static void fail(struct socks5 *s, enum socks5_cause cause, int error)
{
    s->cause = (uint8_t)cause;
    s->error = error;
}

static void expect(struct socks5 *s, enum socks5_stage stage, size_t need)
{
    s->stage = (uint8_t)stage;
    s->in_have = 0;
    s->in_need = (uint16_t)need;
}

static void offer_request(struct socks5 *s)
{
    if (!s->pipelined)
        s->out_sent = (uint16_t)(s->out_greeting + s->out_auth);     /* the password may not have been asked for */
    s->out_limit = s->out_used;
    expect(s, SOCKS5_STAGE_REPLY, REPLY_HEAD);
}

static void offer_auth(struct socks5 *s)
{
    if (!s->pipelined)
        s->out_limit = (uint16_t)(s->out_greeting + s->out_auth);
    expect(s, SOCKS5_STAGE_AUTH, SHORT_REPLY);
}

/* RFC 1929 wants version 1; some servers answer with the 5 of the outer protocol and mean the same. */
static void on_auth(struct socks5 *s)
{
    if (s->in[0] != AUTH_VERSION && s->in[0] != VERSION) {
        fail(s, SOCKS5_CAUSE_GARBAGE, -ECONNREFUSED);
        return;
    }
    if (s->in_have < s->in_need)
        return;
    if (s->in[1] != 0)
        fail(s, SOCKS5_CAUSE_PASSWORD, -EACCES);
    else
        offer_request(s);
}

static bool is_offered(const struct socks5 *s, uint8_t method)
{
    if (method == METHOD_PASSWORD)
        return s->has_auth;
    return method == METHOD_NONE && !(s->has_auth && s->pipelined);
}

static void on_method(struct socks5 *s)
{
    /* tor leaves the method reply out when greeting and password come in one segment. */
    if (s->in[0] == AUTH_VERSION && s->pipelined && s->has_auth) {
        s->method = METHOD_PASSWORD;
        s->stage = SOCKS5_STAGE_AUTH;
        on_auth(s);
        return;
    }
    if (s->in[0] != VERSION) {
        fail(s, SOCKS5_CAUSE_GARBAGE, -ECONNREFUSED);
        return;
    }
    if (s->in_have < s->in_need)
        return;
    s->method = s->in[1];
    if (!is_offered(s, s->method))
        fail(s, SOCKS5_CAUSE_METHOD, -EACCES);
    else if (s->method == METHOD_PASSWORD)
        offer_auth(s);
    else
        offer_request(s);
}

/* The length of the reply that begins with these REPLY_HEAD octets, by the ATYP in it. */
static size_t reply_size(const uint8_t *in)
{
    switch (in[ADDR_AT]) {
    case ADDR_IPV4:
        return ADDR_AT + 1 + 4 + 2;
    case ADDR_IPV6:
        return ADDR_AT + 1 + 16 + 2;
    default:
        return ADDR_AT + 1 + 1 + (size_t)in[ADDR_AT + 1] + 2;
    }
}

/* REP alone tells an error: servers exist whose error replies carry no address, or none that can be read. */
static void end_reply(struct socks5 *s, bool readable)
{
    if (s->rep != 0)
        fail(s, SOCKS5_CAUSE_REPLY, reply_errno(s->rep));
    else if (!readable)
        fail(s, SOCKS5_CAUSE_GARBAGE, -ECONNREFUSED);
    else
        s->stage = SOCKS5_STAGE_END;
}

static bool is_known_atyp(uint8_t atyp)
{
    return atyp == ADDR_IPV4 || atyp == ADDR_NAME || atyp == ADDR_IPV6;
}

static void on_reply(struct socks5 *s)
{
    if (s->in[0] != VERSION) {
        fail(s, SOCKS5_CAUSE_GARBAGE, -ECONNREFUSED);
        return;
    }
    if (s->in_have >= 2)
        s->rep = s->in[1];
    if (s->in_have > ADDR_AT && !is_known_atyp(s->in[ADDR_AT])) {
        end_reply(s, false);
        return;
    }
    if (s->in_have == REPLY_HEAD)
        s->in_need = (uint16_t)reply_size(s->in);
    if (s->in_have == s->in_need)
        end_reply(s, addr_get(s->in + ADDR_AT, s->in_have - ADDR_AT, &s->bound) > 0);
}

void socks5_init(struct socks5 *s, const struct socks5_options *o, enum socks5_command command,
                 const struct addr *target)
{
    size_t greeting, auth = 0;

    /* The buffers need no value. */
    memset(s, 0, offsetof(struct socks5, in));
    s->bound.kind = ADDR_NONE;
    s->bound.port = 0;
    s->method = METHOD_REFUSED;
    s->has_auth = o->user != NULL;
    s->pipelined = o->pipelined;
    greeting = put_greeting(s, s->out);
    if (s->has_auth)
        auth = put_auth(o, s->out + greeting);
    s->out_greeting = (uint16_t)greeting;
    s->out_auth = (uint16_t)auth;
    s->out_used = (uint16_t)(greeting + auth + put_request(command, target, s->out + greeting + auth));
    s->out_limit = s->pipelined ? s->out_used : s->out_greeting;
    expect(s, SOCKS5_STAGE_METHOD, SHORT_REPLY);
}

void socks5_again(struct socks5 *s)
{
    size_t rest = (size_t)(s->out_used - s->out_greeting), greeting;
    uint8_t first[GREETING_MAX];

    s->pipelined = false;
    greeting = put_greeting(s, first);
    memmove(s->out + greeting, s->out + s->out_greeting, rest);
    memcpy(s->out, first, greeting);
    s->out_greeting = s->out_limit = (uint16_t)greeting;
    s->out_used = (uint16_t)(greeting + rest);
    s->out_sent = 0;
    s->method = METHOD_REFUSED;
    s->rep = 0;
    s->bound.kind = ADDR_NONE;
    s->bound.port = 0;
    fail(s, SOCKS5_CAUSE_NONE, 0);
    expect(s, SOCKS5_STAGE_METHOD, SHORT_REPLY);
}

static inline enum socks5_want want_of(const struct socks5 *s)
{
    if (s->error != 0)
        return SOCKS5_FAILED;
    if (s->stage == SOCKS5_STAGE_END)
        return SOCKS5_DONE;
    return s->out_sent < s->out_limit ? SOCKS5_SEND : SOCKS5_RECV;
}

enum socks5_want socks5_want(const struct socks5 *s)
{
    return want_of(s);
}

const uint8_t *socks5_out(const struct socks5 *s, size_t *len)
{
    *len = want_of(s) == SOCKS5_SEND ? (size_t)(s->out_limit - s->out_sent) : 0;
    return s->out + s->out_sent;
}

void socks5_sent(struct socks5 *s, size_t n)
{
    s->out_sent = (uint16_t)(s->out_sent + n);
}

uint8_t *socks5_in(struct socks5 *s, size_t *len)
{
    *len = want_of(s) == SOCKS5_RECV ? (size_t)(s->in_need - s->in_have) : 0;
    return s->in + s->in_have;
}

void socks5_received(struct socks5 *s, size_t n)
{
    if (n == 0 || want_of(s) != SOCKS5_RECV)
        return;
    s->in_have = (uint16_t)(s->in_have + n);
    if (s->stage == SOCKS5_STAGE_METHOD)
        on_method(s);
    else if (s->stage == SOCKS5_STAGE_AUTH)
        on_auth(s);
    else
        on_reply(s);
}

void socks5_eof(struct socks5 *s)
{
    enum socks5_want want = want_of(s);

    if (want == SOCKS5_DONE || want == SOCKS5_FAILED)
        return;
    if (s->stage == SOCKS5_STAGE_REPLY && s->rep != 0)
        fail(s, SOCKS5_CAUSE_REPLY, reply_errno(s->rep));
    else
        fail(s, SOCKS5_CAUSE_EOF, -ECONNREFUSED);
}

void socks5_next_reply(struct socks5 *s)
{
    if (want_of(s) == SOCKS5_DONE)
        expect(s, SOCKS5_STAGE_REPLY, REPLY_HEAD);
}

int socks5_error(const struct socks5 *s)
{
    return s->error;
}

enum socks5_cause socks5_cause(const struct socks5 *s)
{
    return (enum socks5_cause)s->cause;
}

uint8_t socks5_rep(const struct socks5 *s)
{
    return s->rep;
}

enum socks5_stage socks5_stage(const struct socks5 *s)
{
    return (enum socks5_stage)s->stage;
}

const struct addr *socks5_bound(const struct socks5 *s)
{
    return &s->bound;
}
