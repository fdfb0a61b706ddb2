/* SPDX-License-Identifier: ISC */
/* assoc_control.c - the control connection of an association */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/errname.h"
#include "../core/frame.h"
#include "../core/relay.h"
#include "assoc.h"
#include "clock.h"
#include "log.h"
#include "real.h"
#include "report.h"

enum {
    LINGER_MS = 1000,
    HIGH_LIMIT = 4096     /* a number beyond costs the kernel a bigger table */
};

/* Away from the numbers that programs count on, and that shells close by hand. */
static int move_high(int fd)
{
    struct { uint64_t soft, hard; } limit = { 1024, 1024 };
    uint64_t top;
    int high;

    real.syscall(SYS_prlimit64, 0L, 7L /* RLIMIT_NOFILE */, NULL, &limit);
    top = limit.soft < HIGH_LIMIT ? limit.soft : HIGH_LIMIT;
    high = real.fcntl(fd, F_DUPFD_CLOEXEC, (int)(top - top / 4));
    if (high < 0)
        return fd;
    real_close(fd);
    return high;
}

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

/* What is said of a proxy that does not take ASSOCIATE; the error it means. */
static int refused(struct assoc_table *t, const struct addr *proxy, const struct socks5 *machine, int error)
{
    bool without = socks5_rep(machine) == 7 ||
                   (socks5_cause(machine) == SOCKS5_CAUSE_EOF && socks5_stage(machine) == SOCKS5_STAGE_REPLY);
    char text[ADDR_TEXT_SIZE];

    addr_format(proxy, text, sizeof text);
    if (!without) {
        log_once(LOG_UDP, "UDP through %s failed: %s (%s)", text, report_explain(machine, error), errname(error));
        return error;
    }
    log_once(LOG_UDP, "UDP is not offered by the proxy %s: datagrams are refused", text);
    atomic_store(&t->refused, true);
    return -EACCES;
}

/* The socket must be able to send there. */
OWN_FRAME static int fit(const struct assoc *a, const struct assoc_request *q, const struct addr *relay,
                         struct assoc_address *out)
{
    int only = 0, off = 0, domain;
    socklen_t len = sizeof only;
    struct assoc_facts f;
    struct addr own;
    bool good;

    if (!assoc_facts(a, false, &f))
        return -EDEADLK;
    domain = (int)f.domain;
    good = assoc_address_set(out, domain, relay);
    own_address(q->fd, &own);
    if (good && own.kind != relay->kind && own.kind != ADDR_NONE && !addr_is_any(&own))
        good = false;
    if (good && domain == AF_INET6 && relay->kind == ADDR_IPV4 &&
        real.getsockopt(q->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) == 0 && only)
        good = real.setsockopt(q->fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0;
    if (good)
        return 0;
    log_once(LOG_FAMILY, domain == AF_INET ? "UDP: an IPv4 socket cannot reach the proxy's IPv6 relay"
                                           : "UDP: a socket of IPv6 alone cannot reach the proxy's IPv4 relay");
    return -EAFNOSUPPORT;
}

OWN_FRAME static int ask(struct assoc_table *t, int control, const struct assoc_request *q, struct addr *relay)
{
    static const struct addr any_ipv4 = { .kind = ADDR_IPV4 }, any_ipv6 = { .kind = ADDR_IPV6 };
    bool ipv6 = q->proxy->kind == ADDR_IPV6;
    int domain = ipv6 ? AF_INET6 : AF_INET, error;
    struct socks5 machine;

    socks5_init(&machine, q->options, SOCKS5_ASSOCIATE, ipv6 ? &any_ipv6 : &any_ipv4);
    error = tunnel_connect(control, 0, domain, q->proxy, &machine, &q->limits);
    if (error == -EINTR || error == -EINPROGRESS)
        return -EINTR;
    if (error)
        return refused(t, q->proxy, &machine, error);
    error = relay_address(socks5_bound(&machine), q->proxy, relay);
    if (error) {
        log_once(LOG_UDP, "UDP: the proxy names no port for its relay");
        return -ECONNREFUSED;
    }
    return 0;
}

OWN_FRAME static void say(const struct addr *relay)
{
    char text[ADDR_TEXT_SIZE];

    if (!log_wants(CONF_LOG_INFO))
        return;
    addr_format(relay, text, sizeof text);
    log_line(CONF_LOG_INFO, "UDP association: the relay is %s", text);
}

int assoc_control_open(struct assoc_table *t, struct assoc *a, const struct assoc_request *q,
                       struct assoc_address *relay)
{
    int domain = q->proxy->kind == ADDR_IPV6 ? AF_INET6 : AF_INET, error;
    int control = real_socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct addr at;

    if (control < 0)
        return control;
    control = move_high(control);
    /* From here on it is closed whatever becomes of this thread. */
    atomic_store(&a->control_cookie, real_cookie(control));
    atomic_store(&a->control, control);
    error = bind_as(control, domain, q->fd);
    if (!error)
        error = ask(t, control, q, &at);
    if (!error)
        error = fit(a, q, &at, relay);
    if (!error)
        say(&at);
    return error;
}

bool assoc_control_stands(const struct assoc *a)
{
    int control = atomic_load(&a->control);
    char stray;
    ssize_t n;

    if (control < 0 || real_cookie(control) != atomic_load(&a->control_cookie))
        return false;
    /* Bytes that a proxy sends unasked mean nothing. */
    n = real_recv(control, &stray, 1, MSG_PEEK | MSG_DONTWAIT);
    return n > 0 || n == -EAGAIN || n == -EINTR;
}

static void close_own(int control, uint64_t cookie)
{
    if (control >= 0 && cookie && real_cookie(control) == cookie)
        real_close(control);
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
    close_own(l->control, l->cookie);
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
        close_own(control, cookie);
}

void assoc_control_tidy(struct assoc_table *t, int64_t now)
{
    for (int i = 0; i < ASSOC_LINGERING; i++) {
        struct assoc_lingering *l = &t->lingering[i];

        if (!l->cookie || now - l->since < LINGER_MS)
            continue;
        close_own(l->control, l->cookie);
        l->cookie = 0;
    }
}
