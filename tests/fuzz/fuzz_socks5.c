/* SPDX-License-Identifier: ISC */
/* fuzz_socks5.c - any bytes from a proxy, cut anyhow: no over-read, a bounded end, one outcome
 *
 * Input: one octet of options, one that chooses how the bytes are cut, then what the proxy sends before it ends the
 * connection.  Everything is done twice, cut and byte by byte, and both must come to the same end.  What was sent is
 * compared with what the RFCs have there.
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

/* Options.  Two of a kind: the first counts. */
enum {
    PIPELINED = 1,
    PASSWORD = 2,
    BIND = 4,
    IPV4 = 8,
    IPV6 = 16,
    ASSOCIATE = 32,
    AGAIN = 64,         /* the first octet is how many belong to a first connection, which another one follows */
    CUT_OFF = 128       /* with AGAIN: the first one is not ended, but left */
};

static const char text[] = "proxy.example";

struct proxy {
    const uint8_t *data;
    size_t len, used;
    uint32_t cuts;              /* 0: byte by byte; else the state of a generator */
    uint8_t reply[REPLY_SIZE];  /* the reply at hand, as far as it was given */
    size_t have;
    size_t sent;
    uint8_t out[SENT_MAX];      /* all that was sent */
    bool silent;                /* says no more, and does not end the connection */
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
    must(p->sent + len <= SENT_MAX);
    memcpy(p->out + p->sent, out, len);
    p->sent += len;
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
        else if (!step_receive(s, p)) {
            if (p->silent)
                return;
            socks5_eof(s);
        }
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

static enum socks5_command command_of(uint8_t choice)
{
    return choice & BIND ? SOCKS5_BIND : choice & ASSOCIATE ? SOCKS5_ASSOCIATE : SOCKS5_CONNECT;
}

static struct addr target_of(uint8_t choice)
{
    struct addr a;

    must(addr_from_name(text, sizeof text - 1, &a) == 0);
    if (choice & (IPV4 | IPV6)) {
        a.kind = choice & IPV4 ? ADDR_IPV4 : ADDR_IPV6;
        for (uint8_t i = 0; i < sizeof a.ip; i++)
            a.ip[i] = (uint8_t)(i + 1);
    }
    a.port = 443;
    return a;
}

static size_t put(uint8_t *to, size_t at, const void *bytes, size_t len)
{
    memcpy(to + at, bytes, len);
    return at + len;
}

/* What RFC 1929 and the request of RFC 1928 are, written down without the machine. */
static void check_sent(const struct socks5 *s, const struct proxy *p, uint8_t choice, bool pipelined)
{
    const bool password = (choice & PASSWORD) != 0;
    const uint8_t greeting[] = { 5, password && !pipelined ? 2 : 1, password && pipelined ? 2 : 0, 2 };
    const uint8_t len = sizeof text - 1, digits[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
    const uint8_t kind = choice & IPV4 ? 1 : choice & IPV6 ? 4 : 3;
    const uint8_t head[] = { 5, (uint8_t)command_of(choice), 0, kind }, port[] = { 443 >> 8, 443 & 255 };
    uint8_t all[SENT_MAX];
    size_t n = put(all, 0, greeting, greeting[1] == 2 ? 4 : 3);

    if (password && (pipelined || (p->sent > n && p->out[n] == 1))) {
        n = put(all, n, "\1", 1);
        for (int i = 0; i < 2; i++)
            n = put(all, put(all, n, &len, 1), text, len);
    }
    if (pipelined || socks5_stage(s) >= SOCKS5_STAGE_REPLY) {
        n = put(all, n, head, sizeof head);
        n = kind == 3 ? put(all, put(all, n, &len, 1), text, len) : put(all, n, digits, kind == 1 ? 4 : 16);
        n = put(all, n, port, sizeof port);
    }
    must(p->sent == n && memcmp(p->out, all, n) == 0);
}

static void start(struct socks5 *s, uint8_t choice)
{
    struct socks5_options o = { .pipelined = (choice & PIPELINED) != 0 };
    struct addr target = target_of(choice);

    if ((choice & PASSWORD) != 0)
        o.user = o.password = text;
    socks5_init(s, &o, command_of(choice), &target);
}

static void run_both(struct socks5 *s, struct proxy *p, uint8_t choice, bool pipelined)
{
    bool done;

    run(s, p);
    check_sent(s, p, choice, pipelined);
    if (p->silent && socks5_want(s) == SOCKS5_RECV)
        return;
    check_end(s);
    done = socks5_want(s) == SOCKS5_DONE;
    if ((choice & BIND) == 0 || !done)
        return;
    p->have = 0;
    socks5_next_reply(s);
    run(s, p);
    check_sent(s, p, choice, pipelined);
    if (!p->silent || socks5_want(s) != SOCKS5_RECV)
        check_end(s);
}

/* A connection that ended anyhow, or not at all, and the next one, which is as good as the first of a fresh machine. */
static void run_again(struct socks5 *s, struct proxy *whole, uint8_t choice)
{
    struct proxy first = *whole, *next = whole;
    struct socks5 fresh;

    first.silent = (choice & CUT_OFF) != 0;
    first.used = 1;
    first.len = 1 + (size_t)whole->data[0];
    if (first.len > whole->len)
        first.len = whole->len;
    next->used = first.len;
    run_both(s, &first, choice, choice & PIPELINED);
    socks5_again(s);
    start(&fresh, (uint8_t)(choice & ~PIPELINED));
    must(memcmp(s, &fresh, offsetof(struct socks5, in)) == 0 && memcmp(s->out, fresh.out, s->out_used) == 0);
    must(socks5_bound(s)->kind == ADDR_NONE && socks5_bound(s)->port == 0);
    run_both(s, next, choice, false);
}

static void run_whole(struct socks5 *s, struct proxy *p, uint8_t choice)
{
    start(s, choice);
    if ((choice & AGAIN) != 0 && p->len > 0)
        run_again(s, p, choice);
    else
        run_both(s, p, choice, choice & PIPELINED);
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
