/* SPDX-License-Identifier: ISC */
/* fuzz_socks5.c - any bytes from a proxy, cut anyhow: no over-read, a bounded end, one outcome
 *
 * Input: one octet of options, one that chooses how the bytes are cut, then what the proxy sends before it ends the
 * connection.  Everything is done twice, cut and byte by byte, and both must come to the same end.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "socks5.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS_MAX = 3000, SENT_MAX = 4 + 513 + 262, REPLY_SIZE = 262 };

struct proxy {
    const uint8_t *data;
    size_t len, used;
    uint32_t cuts;              /* 0: byte by byte; else the state of a generator */
    uint8_t reply[REPLY_SIZE];  /* the reply at hand, as far as it was given */
    size_t have;
    size_t sent;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The most bytes that the reply at hand can still lack, worked out without the machine. */
static size_t lacking(const struct socks5 *s, const struct proxy *p)
{
    if (socks5_stage(s) != SOCKS5_STAGE_REPLY)
        return 2 - p->have;
    if (p->have < 4)
        return 7 - p->have;     /* no reply is shorter than one with an empty name */
    switch (p->reply[3]) {
    case 1:
        return 10 - p->have;
    case 4:
        return 22 - p->have;
    case 3:
        return p->have < 5 ? 7 - p->have : 7 + (size_t)p->reply[4] - p->have;
    default:
        must(false);
        return 0;
    }
}

static size_t next_cut(struct proxy *p, size_t asked)
{
    size_t n = 1;

    if (p->cuts != 0) {
        p->cuts = p->cuts * 1664525 + 1013904223;
        n = 1 + (p->cuts >> 24) % (asked + 1);
        p->cuts |= 1;
    }
    n = n < asked ? n : asked;
    return n < p->len - p->used ? n : p->len - p->used;
}

static void step_send(struct socks5 *s, struct proxy *p)
{
    size_t len;
    const uint8_t *out = socks5_out(s, &len);

    must(len >= 1 && out >= s->out && out + len <= s->out + sizeof(s->out));
    p->sent += len;
    must(p->sent <= SENT_MAX);
    socks5_sent(s, len);
}

/* Returns false when the proxy has no more to say. */
static bool step_receive(struct socks5 *s, struct proxy *p)
{
    size_t asked, n;
    uint8_t *in = socks5_in(s, &asked);

    must(asked >= 1 && in >= s->in && in + asked <= s->in + sizeof(s->in));
    must(asked <= lacking(s, p));
    n = next_cut(p, asked);
    if (n == 0)
        return false;
    memcpy(in, p->data + p->used, n);
    memcpy(p->reply + p->have, p->data + p->used, n);
    p->used += n;
    p->have += n;
    socks5_received(s, n);
    return true;
}

/* A short reply is over after two octets; the stage then moved on and the next one begins. */
static void note_stage(const struct socks5 *s, struct proxy *p, enum socks5_stage before)
{
    if (before != SOCKS5_STAGE_REPLY && p->have == 2 && socks5_want(s) != SOCKS5_FAILED)
        p->have = 0;
}

static void run(struct socks5 *s, struct proxy *p)
{
    enum socks5_want want;

    for (int steps = 0; (want = socks5_want(s)) == SOCKS5_SEND || want == SOCKS5_RECV; steps++) {
        enum socks5_stage before = socks5_stage(s);

        must(steps < STEPS_MAX && socks5_error(s) == 0 && socks5_cause(s) == SOCKS5_CAUSE_NONE);
        if (want == SOCKS5_SEND)
            step_send(s, p);
        else if (!step_receive(s, p))
            socks5_eof(s);
        note_stage(s, p, before);
        must(socks5_stage(s) >= before);
    }
}

static void check_end(const struct socks5 *s)
{
    struct socks5 copy = *s;
    enum socks5_cause cause = socks5_cause(s);
    size_t len;

    must((socks5_want(s) == SOCKS5_DONE) == (socks5_stage(s) == SOCKS5_STAGE_END));
    must((socks5_want(s) == SOCKS5_FAILED) == (socks5_error(s) < 0 && cause != SOCKS5_CAUSE_NONE));
    must((cause == SOCKS5_CAUSE_REPLY) == (socks5_rep(s) != 0));
    must(socks5_want(s) == SOCKS5_FAILED || socks5_bound(s)->kind != ADDR_NONE);
    socks5_eof(&copy);
    socks5_in(&copy, &len);
    must(len == 0);
    socks5_out(&copy, &len);
    must(len == 0 && memcmp(&copy, s, sizeof(copy)) == 0);
}

static void start(struct socks5 *s, uint8_t choice)
{
    static const char text[] = "proxy.example";
    struct socks5_options o = { .pipelined = (choice & 1) != 0 };
    struct addr target;

    if ((choice & 2) != 0)
        o.user = o.password = text;
    must(addr_from_name(text, sizeof(text) - 1, &target) == 0);
    target.port = 443;
    socks5_init(s, &o, (choice & 4) != 0 ? SOCKS5_BIND : SOCKS5_CONNECT, &target);
}

static void run_whole(struct socks5 *s, struct proxy *p, uint8_t choice)
{
    start(s, choice);
    run(s, p);
    check_end(s);
    if ((choice & 4) == 0 || socks5_want(s) != SOCKS5_DONE)
        return;
    p->have = 0;
    socks5_next_reply(s);
    run(s, p);
    check_end(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy cut, single;
    struct socks5 a, b;

    if (size < 2)
        return 0;
    cut = (struct proxy) { .data = data + 2, .len = size - 2, .cuts = (uint32_t)data[1] << 8 | 1 };
    single = (struct proxy) { .data = data + 2, .len = size - 2 };
    run_whole(&a, &cut, data[0]);
    run_whole(&b, &single, data[0]);
    must(socks5_want(&a) == socks5_want(&b) && socks5_error(&a) == socks5_error(&b));
    must(socks5_cause(&a) == socks5_cause(&b) && socks5_rep(&a) == socks5_rep(&b));
    must(socks5_stage(&a) == socks5_stage(&b) && addr_equal(socks5_bound(&a), socks5_bound(&b)));
    must(socks5_want(&a) == SOCKS5_FAILED || (cut.used == single.used && cut.sent == single.sent));
    return 0;
}
