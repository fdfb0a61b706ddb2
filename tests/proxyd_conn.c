/* SPDX-License-Identifier: ISC */
/* proxyd_conn.c - one client of the test proxy: a state machine stepped by poll() */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxyd_conn.h"
#include "proxyd_log.h"
#include "proxyd_request.h"
#include "proxyd_target.h"

enum { POLL_ANY = POLLIN | POLLOUT | POLLERR | POLLHUP };

static void set_reset(int fd)
{
    struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void end_reset(struct conn *c)
{
    log_event(c->id, "reset");
    set_reset(c->client);
    set_reset(c->target);
    conn_end(c);
}

/* Unread bytes would turn the close into a reset and could cost the client the reply. */
static void end_quietly(struct conn *c)
{
    char unread[4096];
    for (int i = 0; i < 16 && recv(c->client, unread, sizeof unread, MSG_DONTWAIT) > 0; i++)
        ;
    conn_end(c);
}

static void read_message(struct conn *c, int64_t now)
{
    const uint8_t *in = c->up.data + c->up.start;
    size_t len = c->up.end - c->up.start;
    int used;
    if (len == 0)
        return;
    if (c->state == CONN_GREETING)
        used = request_greeting(c, in, len, now);
    else if (c->state == CONN_AUTH)
        used = request_auth(c, in, len, now);
    else
        used = request_command(c, in, len, now);
    if (used < 0 || (used == 0 && c->script->swallow)) {
        log_event(c->id, "bad %s", used < 0 ? "message" : "piece");
        c->state = CONN_CLOSING;
    } else if (used > 0) {
        pipe_drop(&c->up, c->script->swallow ? len : (size_t)used);
    }
}

static void log_reply(const struct conn *c)
{
    enum stage stage = c->out.stage;
    if (stage == STAGE_METHOD)
        log_event(c->id, "method %02x", c->rep);
    if (stage < STAGE_REPLY)
        return;
    if (c->early > 0)
        log_event(c->id, "early %zu", c->early);
    log_event(c->id, "%s %u", script_stage_text(stage), c->rep);
}

static void send_reply(struct conn *c, int64_t now)
{
    if (c->out.held || now < c->out.wake)
        return;
    if (c->out.stage >= STAGE_REPLY) {
        (void)pipe_fill(&c->up, c->client, PIPE_SIZE);
        c->early = c->up.end - c->up.start;
    }
    switch (output_step(&c->out, c->client, now)) {
    case OUTPUT_WAIT:
        if (c->out.held)
            log_event(c->id, "held %s", script_stage_text(c->out.stage));
        return;
    case OUTPUT_SENT:
        log_reply(c);
        c->state = c->next;
        return;
    case OUTPUT_CLOSE:
        c->state = CONN_CLOSING;
        return;
    case OUTPUT_RESET:
        end_reset(c);
        return;
    case OUTPUT_SILENCE:
        log_event(c->id, "silent %s", script_stage_text(c->out.stage));
        c->state = CONN_SILENCE;
        return;
    }
}

/* The target speaks first: what it says, or that it never will, lets the reply go. */
static void read_first_bytes(struct conn *c, int64_t now)
{
    int error = pipe_fill(&c->down, c->target, OUTPUT_GLUED_MAX);
    if (error < 0)
        end_reset(c);
    else if (c->down.end > c->down.start || c->down.eof)
        request_glued(c, now);
}

static void relay(struct conn *c, const struct pollfd *set)
{
    int client = set[0].revents & (POLLIN | POLLHUP | POLLERR);
    int target = set[1].revents & (POLLIN | POLLHUP | POLLERR);
    bool broken = (((client | target) & POLLERR) != 0);
    if (client != 0)
        broken |= pipe_fill(&c->up, c->client, PIPE_SIZE) < 0;
    if (target != 0)
        broken |= pipe_fill(&c->down, c->target, PIPE_SIZE) < 0;
    broken |= pipe_flush(&c->up, c->target) < 0;
    broken |= pipe_flush(&c->down, c->client) < 0;
    if (broken)
        end_reset(c);
    else if (c->up.shut && c->down.shut)
        conn_end(c);
}

static void carry_datagrams(struct conn *c, const struct pollfd *set)
{
    bool go_on = true;
    if ((set[2].revents & POLLIN) != 0)
        go_on = udp_from_client(&c->udp, c->options, c->script);
    if (go_on && (set[3].revents & POLLIN) != 0)
        go_on = udp_from_outside(&c->udp, c->udp.out4, c->script);
    if (go_on && (set[4].revents & POLLIN) != 0)
        go_on = udp_from_outside(&c->udp, c->udp.out6, c->script);
    if (!go_on)
        end_quietly(c);
}

static void step_once(struct conn *c, const struct pollfd *set, int64_t now)
{
    switch (c->state) {
    case CONN_GREETING:
    case CONN_AUTH:
    case CONN_REQUEST:
        read_message(c, now);
        break;
    case CONN_CONNECTING:
        if ((set[1].revents & POLL_ANY) != 0)
            request_connected(c, target_error(c->target), now);
        break;
    case CONN_GLUE:
        if ((set[1].revents & POLL_ANY) != 0)
            read_first_bytes(c, now);
        break;
    case CONN_PEER:
        if ((set[1].revents & POLL_ANY) != 0)
            request_peer(c, now);
        break;
    case CONN_SENDING:
        send_reply(c, now);
        break;
    case CONN_RELAY:
        relay(c, set);
        break;
    case CONN_UDP:
        carry_datagrams(c, set);
        break;
    case CONN_CLOSING:
        end_quietly(c);
        break;
    case CONN_FREE:
    case CONN_SILENCE:
        break;
    }
}

/* Before the relay stands, a client that ends has given up.  Returns false when it has. */
static bool watch_client(struct conn *c, const struct pollfd *set)
{
    bool gone = (set[0].revents & (POLLERR | POLLHUP)) != 0 && !pipe_has_room(&c->up);
    if ((set[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
        gone |= pipe_fill(&c->up, c->client, PIPE_SIZE) < 0;
    if (c->state == CONN_SILENCE || c->state == CONN_UDP)
        pipe_drop(&c->up, c->up.end - c->up.start);
    return !gone;
}

void conn_begin(struct conn *c, struct options *o, int client, unsigned id)
{
    struct addr peer;
    char text[ADDR_TEXT_SIZE];
    c->state = CONN_GREETING;
    c->id = id;
    c->client = client;
    c->target = -1;
    c->command = SOCKS5_CONNECT;
    c->options = o;
    c->script = &o->script;
    c->early = 0;
    c->out.held = false;
    pipe_init(&c->up);
    pipe_init(&c->down);
    udp_init(&c->udp, id);
    target_name(client, true, &peer);
    if (o->clients > 0) {
        c->own_script = o->script;
        script_apply(&c->own_script, o->client, o->clients, &peer);
        c->script = &c->own_script;
    }
    addr_format(&peer, text, sizeof text);
    log_event(id, "accept %s", text);
    if (o->fastopen && target_opened(client))
        log_event(id, "opened");
}

static void poll_relay(const struct conn *c, struct pollfd *set)
{
    bool client_done = c->up.eof && c->down.shut, target_done = c->down.eof && c->up.shut;
    short up_out = c->up.end > c->up.start ? POLLOUT : 0, down_out = c->down.end > c->down.start ? POLLOUT : 0;
    set[0].fd = client_done ? -1 : c->client;      /* a socket shut both ways would report POLLHUP for ever */
    set[1].fd = target_done ? -1 : c->target;
    set[0].events = (short)((pipe_has_room(&c->up) ? POLLIN : 0) | down_out);
    set[1].events = (short)((pipe_has_room(&c->down) ? POLLIN : 0) | up_out);
}

int conn_poll(const struct conn *c, struct pollfd *set, int64_t now, int *timeout_ms)
{
    int fds[CONN_POLL_MAX] = { c->client, -1, c->udp.relay, c->udp.out4, c->udp.out6 };
    for (int i = 0; i < CONN_POLL_MAX; i++)
        set[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
    if (c->state == CONN_RELAY) {
        poll_relay(c, set);
        return 2;
    }
    set[0].events = pipe_has_room(&c->up) ? POLLIN : 0;
    if (c->state == CONN_CONNECTING || c->state == CONN_GLUE || c->state == CONN_PEER)
        set[1].fd = c->target;
    if (c->state == CONN_CONNECTING)
        set[1].events = POLLOUT;
    if (c->state == CONN_SENDING && c->out.blocked)
        set[0].events |= POLLOUT;
    if (c->state == CONN_SENDING && !c->out.held && !c->out.blocked) {
        int64_t left = c->out.wake - now;
        *timeout_ms = left <= 0 ? 0 : left < *timeout_ms ? (int)left : *timeout_ms;
    }
    return c->state == CONN_UDP ? CONN_POLL_MAX : 2;
}

void conn_step(struct conn *c, const struct pollfd *set, int64_t now)
{
    enum conn_state before;
    if (c->state != CONN_RELAY && !watch_client(c, set)) {
        conn_end(c);
        return;
    }
    do {
        before = c->state;
        step_once(c, set, now);
    } while (c->state != before && c->state != CONN_FREE && c->state != CONN_RELAY);
    if (c->state != CONN_RELAY && c->state != CONN_FREE && c->up.eof)
        conn_end(c);
    else if (c->state == CONN_RELAY && before != CONN_RELAY)
        relay(c, (const struct pollfd[2]){ { .fd = -1 }, { .fd = -1 } });
}

bool conn_is_held(const struct conn *c)
{
    return c->state == CONN_SENDING && c->out.held;
}

void conn_end(struct conn *c)
{
    log_event(c->id, "close");
    close(c->client);
    if (c->target >= 0)
        close(c->target);
    udp_close(&c->udp);
    c->state = CONN_FREE;
}
