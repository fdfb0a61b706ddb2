/* SPDX-License-Identifier: ISC */
/* diagnose.c - what a proxy can do, asked of it */
#include "diagnose.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../io/clock.h"
#include "../io/report.h"
#include "../io/state.h"
#include "../io/tunnel.h"

/* How much longer than in order a handshake in one flight may take. */
enum { FLIGHT_MS = 2000 };

enum { USABLE = 0, UNUSABLE = 1, COMMAND_UNKNOWN = 7, ADDRESS_UNKNOWN = 8 };

struct trial {
    const struct conf_proxy *proxy;
    uint32_t step_ms;
    struct state *state;    /* where what is learnt is kept */
    struct sockaddr_storage to;
    socklen_t to_len;
    struct socks5 machine;
    int error;              /* 0 or negative errno */
    unsigned ms;            /* how long it took */
};

/* At once, since the next step may take its time. */
static void row(const char *step, const char *verdict, const struct trial *t, const char *text)
{
    printf("%-13s %-4s %6u ms%s%s\n", step, verdict, t->ms, text[0] ? "  " : "", text);
    fflush(stdout);
}

/* Waits until the socket is ready.  Returns 0 or -errno. */
static int wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd p = { .fd = fd, .events = events };
    int64_t left = deadline - clock_ms();
    int n = left > 0 ? poll(&p, 1, (int)left) : 0;

    return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : -errno;
}

static int dial(int fd, const struct sockaddr *to, socklen_t len, int64_t deadline)
{
    socklen_t size = sizeof(int);
    int error = 0;

    if (connect(fd, to, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    error = wait_for(fd, POLLOUT, deadline);
    if (error)
        return error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? -error : -errno;
}

static int talk(int fd, struct socks5 *machine, int64_t deadline)
{
    int error = tunnel_step(fd, machine);

    while (error == -EAGAIN) {
        error = wait_for(fd, tunnel_events(machine), deadline);
        if (!error)
            error = tunnel_step(fd, machine);
    }
    return error;
}

/* One connection of its own: t->machine's handshake, or only the connection. */
static void attempt(struct trial *t, bool handshake)
{
    int64_t began = clock_ms(), deadline = began + t->step_ms;
    int fd = socket(t->to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    t->error = fd < 0 ? -errno : dial(fd, (struct sockaddr *)&t->to, t->to_len, deadline);
    if (!t->error && handshake)
        t->error = talk(fd, &t->machine, deadline);
    if (fd >= 0)
        close(fd);
    t->ms = (unsigned)(clock_ms() - began);
}

static void ask(struct trial *t, enum socks5_command command, const struct addr *target, bool pipelined)
{
    const struct socks5_options options = { .user = t->proxy->user[0] ? t->proxy->user : NULL,
                                            .password = t->proxy->password, .pipelined = pipelined };

    socks5_init(&t->machine, &options, command, target);
    attempt(t, true);
}

/* The first address of the proxy that can be reached. */
static bool reach(struct trial *t)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV }, *list = NULL;
    char host[ADDR_TEXT_SIZE], port[8];
    struct addr bare = t->proxy->address;
    int error;

    bare.port = 0;
    addr_format(&bare, host, sizeof host);
    host[strlen(host) - 2] = '\0';      /* ":0" */
    snprintf(port, sizeof port, "%u", t->proxy->address.port);
    if (host[0] == '[')
        host[strlen(host) - 1] = '\0';
    error = getaddrinfo(host[0] == '[' ? host + 1 : host, port, &hints, &list);
    if (error) {
        row("reachable", "no", t, gai_strerror(error));
        return false;
    }
    t->error = -EHOSTUNREACH;
    for (struct addrinfo *a = list; a && t->error; a = a->ai_next) {
        memcpy(&t->to, a->ai_addr, a->ai_addrlen);
        t->to_len = a->ai_addrlen;
        attempt(t, false);
    }
    freeaddrinfo(list);
    row("reachable", t->error ? "no" : "yes", t, t->error ? strerror(-t->error) : "");
    return !t->error;
}

/* A reply of the proxy tells that it knows the request; whether the target can be reached is another matter. */
static bool is_known(const struct trial *t)
{
    uint8_t rep = socks5_rep(&t->machine);

    return !t->error || (socks5_cause(&t->machine) == SOCKS5_CAUSE_REPLY && rep != COMMAND_UNKNOWN &&
                         rep != ADDRESS_UNKNOWN);
}

/* `ssh -D` ends the connection when a target cannot be reached, and says nothing. */
static bool is_silent(const struct trial *t)
{
    return socks5_cause(&t->machine) == SOCKS5_CAUSE_EOF && socks5_stage(&t->machine) == SOCKS5_STAGE_REPLY;
}

static bool try_greeting(struct trial *t, const struct addr *target)
{
    bool wanted, refused;

    ask(t, SOCKS5_CONNECT, target, false);
    wanted = socks5_cause(&t->machine) == SOCKS5_CAUSE_METHOD;
    refused = wanted || socks5_cause(&t->machine) == SOCKS5_CAUSE_PASSWORD;
    if (socks5_stage(&t->machine) == SOCKS5_STAGE_METHOD && !wanted) {
        row("SOCKS5", "no", t, report_explain(&t->machine, t->error));
        return false;
    }
    row("SOCKS5", "yes", t, wanted ? "none of the methods offered" : t->machine.method ? "user and password" :
        "no credentials");
    if (refused)
        row("credentials", "no", t, t->proxy->user[0]
                ? report_explain(&t->machine, t->error)
                : "it wants a user and a password: give the user with -u");
    else if (t->proxy->user[0])
        row("credentials", t->machine.method ? "yes" : "-", t, t->machine.method ? "" : "not asked for");
    return !refused;
}

static void show_request(const char *step, const struct trial *t, const char *when_silent)
{
    /* A reply that refuses the target is a good one: the proxy knows the request, which is all that was asked. */
    if (is_known(t))
        row(step, "yes", t, "");
    else
        row(step, is_silent(t) ? when_silent : "no", t, report_explain(&t->machine, t->error));
}

/* For programs that are started with --pipeline=auto. */
static void note(const struct trial *t, bool fit)
{
    struct traits *traits = t->state ? state_traits(t->state) : NULL;
    struct addr proxy;

    if (traits && addr_from_sockaddr((const struct sockaddr *)&t->to, t->to_len, &proxy) == 0)
        traits_set(traits, traits_key(&proxy, t->proxy->user[0] != '\0'), flight_hour(), fit ? TRAIT_FIT : TRAIT_UNFIT);
}

/* With the messages in one flight the answer must be the same. */
static void try_pipelining(struct trial *t, const struct addr *target)
{
    bool silent = is_silent(t);
    int error = t->error;
    uint32_t step_ms = t->step_ms;

    /* Who takes it is as fast as in order; who does not may never answer. */
    if (step_ms > t->ms + FLIGHT_MS)
        t->step_ms = t->ms + FLIGHT_MS;
    ask(t, SOCKS5_CONNECT, target, true);
    t->step_ms = step_ms;
    if (t->error != error || !silent)
        note(t, t->error == error);
    row("pipelining", t->error != error ? "no" : silent ? "?" : "yes", t,
        t->error == error && !silent ? "" : report_explain(&t->machine, t->error));
}

static int diagnose_one(const struct conf_proxy *p, uint32_t step_ms, struct state *state)
{
    static const char localhost[] = "localhost";
    struct addr name, ipv6 = { .kind = ADDR_IPV6, .ip[15] = 1, .port = p->address.port };
    struct addr any = { .kind = ADDR_IPV4 }, peer = { .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = 1 };
    struct trial t = { .proxy = p, .step_ms = step_ms, .state = state };
    char text[ADDR_TEXT_SIZE];
    bool usable;

    addr_format(&p->address, text, sizeof text);
    printf("proxy %s%s%s\n", text, p->name[0] ? ", named " : "", p->name);
    fflush(stdout);
    addr_from_name(localhost, sizeof localhost - 1, &name);
    name.port = p->address.port;
    if (!reach(&t) || !try_greeting(&t, &name))
        return UNUSABLE;
    usable = is_known(&t) || is_silent(&t);
    show_request("name", &t, "?");
    try_pipelining(&t, &name);
    ask(&t, SOCKS5_CONNECT, &ipv6, false);
    show_request("IPv6", &t, "?");
    ask(&t, SOCKS5_ASSOCIATE, &any, false);
    show_request("UDP", &t, "no");
    ask(&t, SOCKS5_BIND, &peer, false);
    show_request("BIND", &t, "no");
    return usable ? USABLE : UNUSABLE;
}

int diagnose_proxies(const struct conf *c)
{
    static struct state state;
    const struct state_options options = { .directory = getenv("SOCKSIFY_STATE"), .pools = &c->pools };
    int result = USABLE;

    state_open(&state, &options);

    for (unsigned i = 0; i < c->proxy_count; i++) {
        if (i)
            putchar('\n');
        if (diagnose_one(&c->proxies[i], c->step_ms, &state) != USABLE)
            result = UNUSABLE;
    }
    return result;
}
