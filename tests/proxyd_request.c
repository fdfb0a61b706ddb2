/* SPDX-License-Identifier: ISC */
/* proxyd_request.c - what a client says to the test proxy, and what it is told */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxyd_log.h"
#include "proxyd_request.h"
#include "proxyd_target.h"

enum { VERSION = 5, AUTH_VERSION = 1, NO_METHOD = 0xff, REP_FAILED = 1, REP_DENIED = 2, REP_COMMAND = 7, REP_ATYP = 8 };

static void say(struct conn *c, enum stage stage, const uint8_t *message, size_t len, enum conn_state next, int64_t now)
{
    size_t glued = 0;
    if (next == CONN_RELAY && c->script->glue) {
        glued = c->down.end - c->down.start;
        if (glued > OUTPUT_GLUED_MAX)
            glued = OUTPUT_GLUED_MAX;
    }
    output_begin(&c->out, c->script, stage, message, len, c->down.data + c->down.start, glued, now);
    pipe_drop(&c->down, glued);
    c->next = next;
    c->state = CONN_SENDING;
}

/* real: the true BND, or NULL.  A refusal is cut short where the script says so, and the connection ends after it. */
static void reply(struct conn *c, enum stage stage, uint8_t rep, const struct addr *real, enum conn_state next,
                  int64_t now)
{
    static const struct addr nothing = { .kind = ADDR_IPV4 };
    uint8_t message[3 + ADDR_WIRE_MAX] = { VERSION, rep, 0 };
    const struct bound *b = stage == STAGE_REPLY2 ? &c->script->bnd2 : &c->script->bnd;
    struct addr bound;
    if (stage == STAGE_REPLY && c->command == SOCKS5_ASSOCIATE && c->script->udp_bnd.kind != BOUND_REAL)
        b = &c->script->udp_bnd;
    script_bound(b, real != NULL ? real : &nothing, &bound);
    size_t len = 3 + addr_put(&bound, message + 3);
    if (rep != 0 && c->script->short_reply > 0)
        len = (size_t)c->script->short_reply;
    c->rep = rep;
    say(c, stage, message, len, rep == 0 ? next : CONN_CLOSING, now);
}

static void refuse(struct conn *c, uint8_t rep, int64_t now)
{
    reply(c, STAGE_REPLY, rep, NULL, CONN_CLOSING, now);
}

/* True when the script answers, and not the command. */
static bool scripted(struct conn *c, int64_t now)
{
    static const uint8_t two_bytes[] = { VERSION, REP_COMMAND };
    enum lack lack = c->command == SOCKS5_ASSOCIATE ? c->script->no_udp
                   : c->command == SOCKS5_BIND ? c->script->no_bind : LACK_NOTHING;
    if (c->script->refuse < 0 && lack == LACK_NOTHING)
        return false;
    if (lack == LACK_EOF) {
        c->state = CONN_CLOSING;
    } else if (lack == LACK_SILENCE) {
        log_event(c->id, "silent %s", script_stage_text(STAGE_REPLY));
        c->state = CONN_SILENCE;
    } else if (lack == LACK_TWO_BYTES) {
        c->rep = REP_COMMAND;
        say(c, STAGE_REPLY, two_bytes, sizeof two_bytes, CONN_CLOSING, now);
    } else {
        refuse(c, lack == LACK_REP7 ? REP_COMMAND : (uint8_t)c->script->refuse, now);
    }
    return true;
}

static void begin_connect(struct conn *c, int64_t now)
{
    struct addr ip;
    int error = target_resolve(c->options, &c->asked, &ip);
    c->target = error < 0 ? -1 : target_connect(&ip);
    if (error == 0 && c->target < 0)
        error = c->target;
    c->state = CONN_CONNECTING;
    if (error < 0)
        request_connected(c, error, now);
}

static void begin_bind(struct conn *c, int64_t now)
{
    struct addr local, ip;
    if (target_resolve(c->options, &c->asked, &ip) < 0) {
        refuse(c, target_rep(-ENOENT), now);
        return;
    }
    c->asked = ip;
    target_name(c->client, false, &local);
    if (ip.kind != local.kind)
        (void)addr_from_text(ip.kind == ADDR_IPV6 ? "::" : "0.0.0.0", ip.kind == ADDR_IPV6 ? 2 : 7, &local);
    local.port = 0;
    c->target = target_listen(&local, 1);
    if (c->target < 0) {
        refuse(c, target_rep(c->target), now);
        return;
    }
    target_name(c->target, false, &local);
    reply(c, STAGE_REPLY, 0, &local, CONN_PEER, now);
}

static void begin_associate(struct conn *c, int64_t now)
{
    struct addr local, peer;
    target_name(c->client, false, &local);
    target_name(c->client, true, &peer);
    int error = udp_open(&c->udp, &local, &peer, &c->asked);
    if (error < 0) {
        refuse(c, target_rep(error), now);
        return;
    }
    target_name(c->udp.relay, false, &local);
    reply(c, STAGE_REPLY, 0, &local, CONN_UDP, now);
}

static void log_request(const struct conn *c, const char *command, uint8_t atyp)
{
    char text[ADDR_TEXT_SIZE];
    addr_format(&c->asked, text, sizeof text);
    log_event(c->id, "request %s %s %s", command, atyp == 1 ? "ipv4" : atyp == 3 ? "name" : "ipv6", text);
}

int request_greeting(struct conn *c, const uint8_t *in, size_t len, int64_t now)
{
    const struct options *o = c->options;
    char text[3 * 255 + 1] = "-";
    bool none = false, password = false;
    if (len >= 1 && in[0] != VERSION)
        return -EPROTO;
    if (len < 2 || len < 2u + in[1])
        return 0;
    for (size_t i = 0; i < in[1]; i++) {
        none |= in[2 + i] == 0;
        password |= in[2 + i] == 2;
        sprintf(text + 3 * i, "%02x%s", in[2 + i], i + 1u < in[1] ? "," : "");
    }
    log_event(c->id, "greeting %s", text);
    uint8_t message[2] = { VERSION, NO_METHOD };
    if (!c->script->no_method && password && o->user != NULL)
        message[1] = 2;
    else if (!c->script->no_method && none && !o->require_auth)
        message[1] = 0;
    c->rep = message[1];
    say(c, STAGE_METHOD, message, sizeof message,
        c->rep == 2 ? CONN_AUTH : c->rep == 0 ? CONN_REQUEST : CONN_CLOSING, now);
    return 2 + in[1];
}

int request_auth(struct conn *c, const uint8_t *in, size_t len, int64_t now)
{
    const struct options *o = c->options;
    char text[256];
    if (len >= 1 && in[0] != AUTH_VERSION)
        return -EPROTO;
    if (len < 2 || len < 3u + in[1] || len < 3u + in[1] + in[2 + in[1]])
        return 0;
    size_t user = in[1], password = in[2 + user];
    bool ok = user == strlen(o->user) && memcmp(in + 2, o->user, user) == 0
        && password == strlen(o->password) && memcmp(in + 3 + user, o->password, password) == 0;
    for (size_t i = 0; i < user; i++)
        text[i] = in[2 + i] > ' ' && in[2 + i] < 0x7f ? (char)in[2 + i] : '?';
    text[user] = '\0';
    log_event(c->id, "auth %s %s", text, ok ? "ok" : "bad");
    c->rep = ok ? 0 : (uint8_t)o->auth_failed;
    uint8_t message[2] = { AUTH_VERSION, c->rep };
    say(c, STAGE_AUTH, message, sizeof message, ok ? CONN_REQUEST : CONN_CLOSING, now);
    return (int)(3 + user + password);
}

int request_command(struct conn *c, const uint8_t *in, size_t len, int64_t now)
{
    static const char *const commands[] = { "?", "CONNECT", "BIND", "ASSOCIATE" };
    if (len >= 1 && in[0] != VERSION)
        return -EPROTO;
    if (len < 4)
        return 0;
    int used = addr_get(in + 3, len - 3, &c->asked);
    if (used == -EAGAIN)
        return 0;
    if (used < 0) {
        log_event(c->id, "bad address");
        refuse(c, in[3] == 1 || in[3] == 3 || in[3] == 4 ? REP_FAILED : REP_ATYP, now);
        return (int)len;
    }
    log_request(c, commands[in[1] <= SOCKS5_ASSOCIATE ? in[1] : 0], in[3]);
    if (c->script != &c->own_script)
        c->own_script = c->options->script;
    script_apply(&c->own_script, c->options->rule, c->options->rules, &c->asked);
    c->script = &c->own_script;
    c->command = (enum socks5_command)in[1];
    if (in[1] < SOCKS5_CONNECT || in[1] > SOCKS5_ASSOCIATE)
        refuse(c, REP_COMMAND, now);
    else if (scripted(c, now))
        return 3 + used;
    else if (c->command == SOCKS5_CONNECT)
        begin_connect(c, now);
    else if (c->command == SOCKS5_BIND)
        begin_bind(c, now);
    else
        begin_associate(c, now);
    return 3 + used;
}

void request_connected(struct conn *c, int error, int64_t now)
{
    struct addr local;
    if (error < 0) {
        refuse(c, target_rep(error), now);
        return;
    }
    if (c->script->glue && c->state != CONN_GLUE) {
        c->state = CONN_GLUE;
        return;
    }
    target_name(c->target, false, &local);
    reply(c, STAGE_REPLY, 0, &local, CONN_RELAY, now);
}

void request_glued(struct conn *c, int64_t now)
{
    struct addr peer;
    if (c->command == SOCKS5_CONNECT) {
        request_connected(c, 0, now);
        return;
    }
    target_name(c->target, true, &peer);
    reply(c, STAGE_REPLY2, 0, &peer, CONN_RELAY, now);
}

void request_peer(struct conn *c, int64_t now)
{
    struct addr peer;
    char text[ADDR_TEXT_SIZE];
    int fd = target_accept(c->target);
    if (fd < 0)
        return;
    close(c->target);
    c->target = fd;
    target_name(fd, true, &peer);
    addr_format(&peer, text, sizeof text);
    log_event(c->id, "peer %s", text);
    if (c->script->refuse2 >= 0)
        reply(c, STAGE_REPLY2, (uint8_t)c->script->refuse2, &peer, CONN_CLOSING, now);
    else if (!addr_is_any(&c->asked) && !addr_same_host(&c->asked, &peer))
        reply(c, STAGE_REPLY2, REP_DENIED, &peer, CONN_CLOSING, now);
    else if (c->script->glue)
        c->state = CONN_GLUE;
    else
        request_glued(c, now);
}
