/* SPDX-License-Identifier: ISC */
/* assoc_control.c - the control connection of an association */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/errname.h"
#include "../core/frame.h"
#include "../core/relay.h"
#include "assoc_making.h"
#include "clock.h"
#include "log.h"
#include "real.h"
#include "report.h"

enum {
    LINGER_MS = 1000,
    LAST_MS = 100,       /* the same at the end of a process, which has to wait for it */
    LATE_MS = 500,       /* the kernel gives up to connect after us, for threads that no deadline of ours wakes */
    GUESS_MS = 60000,    /* how long a proxy that has hung up is taken for one without UDP */
    IDLE_S = 60, PROBE_S = 20, PROBES = 3    /* keepalive, which routers on the way see as well */
};

static void own_address(int fd, struct addr *own)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    own->kind = ADDR_NONE;
    if (real.getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        addr_from_sockaddr((struct sockaddr *)&sa, len, own);
}

/* The program's own address, if it chose one: relays look at who sends. */
OWN_FRAME static int bind_as(int control, int domain, int fd)
{
    struct addr from;
    struct sockaddr_storage sa;
    socklen_t len;

    own_address(fd, &from);
    from.port = 0;
    if (from.kind == ADDR_NONE || addr_is_any(&from) || addr_to_sockaddr(&from, domain, &sa, &len) != 0)
        return 0;
    return real.syscall(SYS_bind, (long)control, &sa, (long)len) == 0 ? 0 : -errno;
}

OWN_FRAME void assoc_control_refuse(const struct addr *proxy)
{
    char text[ADDR_TEXT_SIZE];

    addr_format(proxy, text, sizeof text);
    log_once(LOG_UDP, "UDP is not offered by the proxy %s: datagrams are refused", text);
}

int assoc_control_failed(struct assoc_table *t, const struct assoc_making *m, int error)
{
    bool said = socks5_rep(&m->machine) == 7;
    char text[ADDR_TEXT_SIZE];

    if (!said && (socks5_cause(&m->machine) != SOCKS5_CAUSE_EOF ||
                  socks5_stage(&m->machine) != SOCKS5_STAGE_REPLY)) {
        addr_format(&m->proxy, text, sizeof text);
        log_once(LOG_UDP, "UDP through %s failed: %s (%s)", text, report_explain(&m->machine, error), errname(error));
        return error;
    }
    if (m->count ? !assoc_stream_takes(m) : !m->asks)
        assoc_control_refuse(&m->proxy);
    /* Who knows no ASSOCIATE may hang up, and so does who is about to be started anew. */
    atomic_store_explicit(&t->refused[m->number], said ? INT64_MAX : clock_ms() + GUESS_MS, memory_order_relaxed);
    return -EACCES;
}

bool assoc_refuses(const struct assoc_table *t, unsigned proxy)
{
    int64_t until = atomic_load_explicit(&t->refused[proxy], memory_order_relaxed);

    return until && clock_ms() < until;
}

/* The socket must be able to send there. */
OWN_FRAME static int fit(const struct assoc_making *m, const struct addr *relay, struct assoc_address *out)
{
    int only = 0, off = 0, domain;
    socklen_t len = sizeof only;
    struct assoc_facts f;
    struct addr own;
    bool good;

    if (!assoc_facts(m->a, false, &f))
        return -EDEADLK;
    domain = (int)f.domain;
    good = assoc_address_set(out, domain, relay);
    own_address(m->socket, &own);
    if (good && own.kind != relay->kind && own.kind != ADDR_NONE && !addr_is_any(&own))
        good = false;
    if (good && domain == AF_INET6 && relay->kind == ADDR_IPV4 &&
        real.getsockopt(m->socket, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only)
        good = real.setsockopt(m->socket, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (good)
        return 0;
    log_once(LOG_FAMILY, domain == AF_INET ? "UDP: an IPv4 socket cannot reach the proxy's IPv6 relay"
                                           : "UDP: a socket of IPv6 alone cannot reach the proxy's IPv4 relay");
    return -EAFNOSUPPORT;
}

OWN_FRAME static void say(const struct addr *relay)
{
    char text[ADDR_TEXT_SIZE];

    if (!log_wants(CONF_LOG_INFO))
        return;
    addr_format(relay, text, sizeof text);
    log_line(CONF_LOG_INFO, "UDP association: the relay is %s", text);
}

OWN_FRAME static void prepare(struct assoc_table *t, struct assoc_making *m, int control)
{
    static const struct addr any_ipv4 = { .kind = ADDR_IPV4 }, any_ipv6 = { .kind = ADDR_IPV6 };
    const struct flight_plan plan = { .account = m->account, .proxy = &m->proxy, .pipeline = m->pipeline,
                                      .traits = t->state ? state_traits(t->state) : NULL };
    int patience = (int)m->limits.step_ms + LATE_MS;

    real.setsockopt(control, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
    if (m->stream)
        flight_prepare(&m->flight, &m->machine, &plan, SOCKS5_CONNECT, &m->server);
    else
        flight_prepare(&m->flight, &m->machine, &plan, SOCKS5_ASSOCIATE,
                       m->proxy.kind == ADDR_IPV6 ? &any_ipv6 : &any_ipv4);
}

int assoc_control_begin(struct assoc_table *t, struct assoc_making *m)
{
    int domain = m->proxy.kind == ADDR_IPV6 ? AF_INET6 : AF_INET, error;
    int first = real_socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), control;
    uint64_t cookie;

    if (first < 0)
        return first;
    control = assoc_number_high(first);
    if (control >= 0)
        real_close(first);
    else
        control = first;
    cookie = real_cookie(control);
    /* Without it nobody could tell later whose the number is, nor close it. */
    if (!cookie) {
        real_close(control);
        return -ENOBUFS;
    }
    atomic_store(&m->a->control_cookie, cookie);
    atomic_store(&m->a->control, control);
    prepare(t, m, control);
    error = bind_as(control, domain, m->socket);
    if (!error)
        error = tunnel_dial(control, domain, &m->proxy, true);
    m->connecting = true;
    if (!error || error == -EINPROGRESS)
        return 0;
    return m->stream ? error : assoc_control_failed(t, m, error);
}

/* Nothing is ever sent on it any more: a proxy that is gone without a word would not be missed, and a router on the way
 * would forget the connection. */
static void keep_alive(int control)
{
    int none = 0, on = 1, idle = IDLE_S, interval = PROBE_S, count = PROBES;

    real.setsockopt(control, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof none);
    real.setsockopt(control, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    real.setsockopt(control, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
    real.setsockopt(control, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    real.setsockopt(control, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

int assoc_control_relay(struct assoc_making *m, struct assoc_address *relay)
{
    struct addr at;
    int error;

    keep_alive(atomic_load(&m->a->control));
    error = relay_address(socks5_bound(&m->machine), &m->proxy, &at);
    if (error) {
        log_once(LOG_UDP, "UDP: the proxy names no port for its relay");
        return -ECONNREFUSED;
    }
    error = fit(m, &at, relay);
    if (!error)
        say(&at);
    return error;
}

bool assoc_control_stands(const struct assoc *a)
{
    int control = atomic_load(&a->control);
    uint8_t state = TCP_ESTABLISHED;    /* the first byte of struct tcp_info */
    socklen_t len = sizeof state;

    if (control < 0 || !real_is(control, atomic_load(&a->control_cookie)))
        return false;
    /* Bytes that a proxy sends unasked mean nothing, and its end may lie behind them. */
    return real.getsockopt(control, IPPROTO_TCP, TCP_INFO, &state, &len) != 0 || state == TCP_ESTABLISHED;
}

/* Measured with a common server: two that linger keep every last datagram. */
static void linger_on(struct assoc_table *t, int control, uint64_t cookie, int64_t now)
{
    struct assoc_lingering *l = &t->lingering[0];

    for (int i = 0; i < ASSOC_LINGERING; i++) {
        struct assoc_lingering *other = &t->lingering[i];

        if (l->cookie && (!other->cookie || other->since < l->since))
            l = other;
    }
    real_close_own(l->control, l->cookie);
    *l = (struct assoc_lingering){ .control = control, .cookie = cookie, .since = now };
}

void assoc_control_close(struct assoc_table *t, struct assoc *a, bool linger)
{
    int control = atomic_exchange(&a->control, -1);
    uint64_t cookie = atomic_load(&a->control_cookie);
    int64_t now = clock_ms();

    assoc_control_tidy(t, now);
    if (control < 0)
        return;
    if (linger)
        linger_on(t, control, cookie, now);
    else
        real_close_own(control, cookie);
}

int assoc_control_last_ms(struct assoc_table *t)
{
    struct assoc *place = atomic_load(&t->place);
    int64_t left = 0, now = clock_ms();

    for (unsigned i = 1; place && i < atomic_load(&t->top); i++) {
        if (atomic_load(&place[i].handle) && atomic_load(&place[i].control) >= 0 &&
            atomic_exchange(&place[i].owed, false))
            left = LAST_MS;
    }
    for (int i = 0; i < ASSOC_LINGERING; i++) {
        const struct assoc_lingering *l = &t->lingering[i];

        if (l->cookie && l->since + LAST_MS - now > left)
            left = l->since + LAST_MS - now;
    }
    return (int)left;
}

void assoc_control_forked(struct assoc_table *t)
{
    for (int i = 0; i < ASSOC_LINGERING; i++)
        real_close_own(t->lingering[i].control, t->lingering[i].cookie);
    memset(t->lingering, 0, sizeof t->lingering);
}

void assoc_control_tidy(struct assoc_table *t, int64_t now)
{
    for (int i = 0; i < ASSOC_LINGERING; i++) {
        struct assoc_lingering *l = &t->lingering[i];

        if (!l->cookie || now - l->since < LINGER_MS)
            continue;
        real_close_own(l->control, l->cookie);
        l->cookie = 0;
    }
}
