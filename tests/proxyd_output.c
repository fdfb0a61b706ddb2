/* SPDX-License-Identifier: ISC */
/* proxyd_output.c - one reply on its way out, as badly as the script wants it */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proxyd_output.h"

enum { SPLIT_GAP_MS = 20 };

static const char garbage[] = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

static void append(struct output *o, const void *data, size_t len)
{
    if (len > 0)
        memcpy(o->data + o->used, data, len);
    o->used += len;
}

/* What is sent instead, or how much of it, and what happens behind it. */
static void spoil(struct output *o, const struct script *s)
{
    unsigned bit = 1u << o->stage;
    if ((s->garbage & bit) != 0) {
        o->used = 0;
        append(o, garbage, sizeof garbage - 1);
        o->ending = OUTPUT_SILENCE;
    }
    if (s->cut_at[o->stage] >= 0 && (size_t)s->cut_at[o->stage] < o->used) {
        o->used = (size_t)s->cut_at[o->stage];
        o->ending = OUTPUT_CLOSE;
    }
    if (((s->hang | s->close | s->reset) & bit) == 0)
        return;
    o->used = 0;
    o->ending = (s->hang & bit) != 0 ? OUTPUT_SILENCE : (s->close & bit) != 0 ? OUTPUT_CLOSE : OUTPUT_RESET;
}

static size_t next_piece(const struct output *o)
{
    size_t n = o->used - o->sent;
    if (o->gap_ms > 0 && o->split_at == 0)
        return 1;
    if (o->sent < o->split_at && o->split_at - o->sent < n)
        n = o->split_at - o->sent;
    if (o->sent < o->hold_at && o->hold_at - o->sent < n)
        n = o->hold_at - o->sent;
    return n;
}

void output_begin(struct output *o, const struct script *s, enum stage stage, const uint8_t *message, size_t len,
                  const uint8_t *glued, size_t glued_len, int64_t now)
{
    memset(o, 0, offsetof(struct output, data));
    o->stage = stage;
    o->ending = OUTPUT_SENT;
    append(o, message, len);
    if (s->alter[stage] >= 0 && (size_t)s->alter[stage] / 256 < len)
        o->data[s->alter[stage] / 256] = (uint8_t)s->alter[stage];
    memset(o->data + o->used, 0xee, (size_t)s->flood[stage]);
    o->used += (size_t)s->flood[stage];
    if ((s->extra & 1u << stage) != 0)
        append(o, "\xee\xee\xee", 3);
    append(o, glued, glued_len);
    spoil(o, s);
    int drip_ms = s->drip_ms[stage], byte_ms = drip_ms > 0 ? drip_ms : s->dribble_ms;
    o->gap_ms = byte_ms > 0 ? byte_ms : s->split_at > 0 ? SPLIT_GAP_MS : 0;
    o->split_at = byte_ms > 0 ? 0 : (size_t)s->split_at;
    o->wake = s->delay_ms[stage] + drip_ms > 0 ? now + s->delay_ms[stage] + drip_ms : 0;
    o->hold_at = SIZE_MAX;
    if (s->hold_at[stage] >= 0)
        o->hold_at = (size_t)s->hold_at[stage] < o->used ? (size_t)s->hold_at[stage] : o->used;
}

enum output_result output_step(struct output *o, int fd, int64_t now)
{
    static uint64_t held_so_far;
    o->blocked = false;
    for (;;) {
        if (o->held || now < o->wake)
            return OUTPUT_WAIT;
        if (o->sent == o->hold_at) {
            o->held = true;
            o->order = ++held_so_far;
            return OUTPUT_WAIT;
        }
        if (o->sent == o->used)
            return o->ending;
        ssize_t n = send(fd, o->data + o->sent, next_piece(o), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        o->blocked = n < 0 && errno == EAGAIN;
        if (n < 0)
            return o->blocked ? OUTPUT_WAIT : OUTPUT_CLOSE;
        o->sent += (size_t)n;
        if (o->gap_ms > 0 && o->sent < o->used)
            o->wake = now + o->gap_ms;
    }
}

void output_release(struct output *o)
{
    o->held = false;
    o->hold_at = SIZE_MAX;
}
