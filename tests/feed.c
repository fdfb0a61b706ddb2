/* SPDX-License-Identifier: ISC */
/* feed.c - give bytes to the machine in every way a network may cut them, and memory that ends at a forbidden page */
#include "feed.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "addr.h"
#include "socks5.h"

/* The longest handshake is 4 messages and 4 replies of at most 262 bytes; one byte at a time stays below this. */
enum { STEPS_MAX = 2000 };

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t room_for(size_t len)
{
    return (len + page_size() - 1) / page_size() * page_size();
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Check's own assertions write to a file even when they hold, which costs more than all the rest here. */
static void must(bool holds, const char *otherwise)
{
    if (!holds)
        ck_abort_msg("the machine: %s", otherwise);
}

static void take_message(struct socks5 *s, struct feed_result *r)
{
    size_t len, after;
    const uint8_t *p = socks5_out(s, &len);

    must(len >= 1, "it wants to send and has nothing");
    must(r->sent_len + len <= sizeof(r->sent) && r->messages < FEED_MESSAGES, "it sends too much");
    memcpy(r->sent + r->sent_len, p, len);
    r->sent_len += len;
    r->message_len[r->messages] = len;
    r->used_before[r->messages] = r->used;
    r->messages++;
    socks5_sent(s, len);
    socks5_out(s, &after);
    must(after == 0, "it offers more before a reply came");
}

static void give_bytes(struct socks5 *s, const uint8_t *in, size_t n)
{
    size_t len;
    uint8_t *p = socks5_in(s, &len);

    must(p >= (uint8_t *)s && p + len <= (uint8_t *)(s + 1), "it asks for bytes beyond itself");
    memcpy(p, in, n);
    socks5_received(s, n);
}

/* What one recv() may return: not across a cut, not beyond what the machine asks for. */
static size_t next_piece(struct socks5 *s, size_t used, size_t len, struct feed_cut cut)
{
    size_t asked;
    size_t left = used < cut.first ? cut.first - used : cut.rest;

    socks5_in(s, &asked);
    must(asked >= 1, "it wants to receive and has no room");
    return smaller(asked, smaller(left, len - used));
}

void feed_start(struct socks5 *s, enum feed_options options, enum socks5_command command, const char *host)
{
    struct socks5_options o = { .pipelined = options == FEED_FLIGHT || options == FEED_AUTH_FLIGHT };
    struct addr target = { .kind = ADDR_NONE };

    if (options == FEED_AUTH || options == FEED_AUTH_FLIGHT) {
        o.user = "me";
        o.password = "secret";
    }
    if (addr_from_text(host, strlen(host), &target) < 0)
        ck_assert_int_eq(addr_from_name(host, strlen(host), &target), 0);
    target.port = 443;
    memset(s, 0xa5, sizeof(*s));
    socks5_init(s, &o, command, &target);
}

void *guard_new(const void *data, size_t len)
{
    size_t room = room_for(len);
    uint8_t *base = mmap(NULL, room + page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *p;

    if (base == MAP_FAILED || mprotect(base + room, page_size(), PROT_NONE) < 0)
        abort();
    p = base + room - len;
    if (data != NULL && len > 0)
        memcpy(p, data, len);
    return p;
}

void guard_free(void *p, size_t len)
{
    munmap((uint8_t *)p + len - room_for(len), room_for(len) + page_size());
}

void feed_run(struct socks5 *s, const uint8_t *in, size_t len, struct feed_cut cut, bool eof, struct feed_result *r)
{
    memset(r, 0, sizeof(*r));
    for (int steps = 0; ; steps++) {
        enum socks5_want want = socks5_want(s);
        size_t n;

        must(steps < STEPS_MAX, "it does not end");
        if (want == SOCKS5_SEND) {
            take_message(s, r);
            continue;
        }
        if (want != SOCKS5_RECV)
            return;
        n = next_piece(s, r->used, len, cut);
        if (n == 0)
            break;
        give_bytes(s, in + r->used, n);
        r->used += n;
    }
    if (eof)
        socks5_eof(s);
}

void feed_every_way(const struct socks5 *fresh, const uint8_t *in, size_t len, bool eof, feed_check *check,
                    void *context)
{
    uint8_t *bytes = guard_new(in, len);

    for (size_t way = 0; way <= len; way++) {
        struct feed_cut cut = { way == 0 ? 1 : way, way == 0 ? 1 : len };
        struct socks5 *s = guard_new(fresh, sizeof(*fresh));
        struct feed_result r;

        feed_run(s, bytes, len, cut, eof, &r);
        check(s, &r, context);
        guard_free(s, sizeof(*s));
    }
    guard_free(bytes, len);
}
