/* SPDX-License-Identifier: ISC */
/* stream.c - connecting the program's TCP socket, for every call that does so */
#include "stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/kind.h"
#include "../io/log.h"
#include "../io/report.h"
#include "../io/tunnel.h"
#include "guard.h"
#include "inbound.h"
#include "question.h"
#include "stray.h"
#include "stream_pending.h"

enum { STREAM_CONNECTED = 2 };

int stream_refused(const struct route *r)
{
    char text[ADDR_TEXT_SIZE];

    addr_format(&r->target, text, sizeof text);
    report_refused(&process.conf, text, r->why);
    return r->error;
}

/* getpeername() must show the target; the socket's cookie stands for it in every process that shares it. */
static void remember_peer(uint64_t cookie, const struct addr *peer)
{
    if (cookie)
        state_peer_set(&process.state, cookie, peer);
}

/* A socket that was a tunnel before, and is now connected to the proxy itself, must not show its old target. */
OWN_FRAME static void forget_peer(int fd)
{
    struct addr peer;
    uint64_t cookie = process.conf.state == CONF_READY ? real_cookie(fd) : 0;

    if (cookie && state_peer_get(&process.state, cookie, &peer))
        state_peer_forget(&process.state, cookie);
}

/* A blocking connect(); one that a signal or the socket's time limit cuts short goes on beside the program. */
static int connect_waiting(struct pending_request *q, struct socks5 *machine, struct flight *flight)
{
    int64_t began = clock_ms();
    uint64_t cookie = q->cookie;
    int error = tunnel_connect(q->fd, cookie, q->domain, q->proxy, machine, flight, &q->limits);
    int left;

    if (error != -EINTR && error != -EINPROGRESS) {
        report_connect(&process.tally, q->target, q->proxy, machine, error, began);
        if (!error)
            remember_peer(cookie, q->peer);
        return error;
    }
    /* The handler may have put another file at the number, as Java does to end a connect(). */
    if (cookie && real_is_other(q->fd, cookie))
        return error;
    q->dialled = true;
    left = process.pending.arena && !process_is_guest() ? stream_begin(q) : -ENOMEM;
    if (left != -EINPROGRESS)
        tunnel_reset(q->fd);
    return error;
}

OWN_FRAME static int without_proxy(const struct route *r, int error)
{
    char text[ADDR_TEXT_SIZE], proxy[ADDR_TEXT_SIZE];

    addr_format(&r->target, text, sizeof text);
    addr_format(&process.conf.proxies[r->proxy].address, proxy, sizeof proxy);
    log_once(LOG_FAMILY, "%s refused: %s %s", text, error == -EAFNOSUPPORT
                 ? "an IPv4 socket cannot reach an IPv6 proxy," : "no address is known of the proxy", proxy);
    return error;
}

OWN_FRAME static void prepare(struct flight *flight, struct socks5 *machine, const struct route *r,
                              const struct addr *proxy)
{
    const struct flight_plan plan = { .account = &process.conf.proxies[r->proxy], .proxy = proxy,
                                      .pipeline = process.conf.pipeline, .traits = state_traits(&process.state) };

    flight_prepare(flight, machine, &plan, SOCKS5_CONNECT, &r->target);
}

/* May sets, threads, other numbers or processes see it (also from before an attempt whose handle the word has yet)? */
static bool is_watched(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    return word & (FDTAB_REGISTERED | FDTAB_SHARED) || fdtab_handle(word) || !real_is_alone();
}

/* Has it a handler that each step of the handshake calls?  To ask for all handlers would cost every connect()
 * some sixty system calls. */
static bool has_handler(int flags)
{
    return flags > 0 && flags & O_ASYNC;
}

OWN_FRAME static int through_proxy(int fd, int domain, const struct route *r, const struct addr *peer, bool guest,
                                   bool dont_wait)
{
    const struct conf *c = &process.conf;
    struct pending_request q = { .fd = fd, .domain = domain, .target = &r->target, .peer = peer,
                                 .limits = { .step_ms = c->step_ms, .reply_ms = c->reply_ms } };
    int flags = real.fcntl(fd, F_GETFL);
    struct socks5 machine;
    struct flight flight;
    struct addr proxy;
    int error;

    /* Also for those who come by MSG_FASTOPEN, and need not wait. */
    hook_cancellation_point();
    error = process_proxy(r->proxy, domain, &proxy);
    if (error)
        return without_proxy(r, error);
    error = stray_socket(fd, &proxy, true);
    if (error)
        return error;
    q.cookie = real_cookie(fd);
    inbound_tunnel(q.cookie, r->proxy);
    q.proxy = &proxy;
    q.machine = &machine;
    q.flight = &flight;
    prepare(&flight, &machine, r, &proxy);
    q.nonblocking = flags >= 0 && flags & O_NONBLOCK;
    /* It may wait all the same, where there is nothing to remember a handshake in, or to find it by. */
    dont_wait = dont_wait && q.cookie && process.pending.arena;
    q.unwatched = real_is_alone() && !atomic_load_explicit(&process.forked, memory_order_relaxed);
    /* A non-blocking connect() must not wait, and there is no memory to remember it in. */
    if (q.nonblocking && !process.pending.arena)
        return -ENOBUFS;
    if (process.pending.arena && !guest) {
        guard_recall(fd);
        if (q.nonblocking || dont_wait)
            return stream_begin_beside(&q);
        /* Without a cookie nobody can find the handshake of a number. */
        if (q.cookie && (is_watched(fd) || has_handler(flags)))
            return stream_connect_watched(&q);
    }
    return connect_waiting(&q, &machine, &flight);
}

/* Is a connect() to somewhere else under way? */
static bool is_connecting(int fd)
{
    uint8_t state = 0;          /* the first byte of struct tcp_info */
    socklen_t len = sizeof state;

    return real.getsockopt(fd, IPPROTO_TCP, TCP_INFO, &state, &len) == 0 &&
           (state == TCP_SYN_SENT || state == TCP_SYN_RECV);
}

/* What a socket that is connected answers by itself.  0: go on. */
OWN_FRAME static int answered(int fd, int domain)
{
    struct addr proxy;

    /* Before the look for a peer.  The kernel says the same to a dial, unless that stands by then: our greeting, and
     * what is in it, would go there. */
    if (is_connecting(fd))
        return -EALREADY;
    if (!real_has_peer(fd))
        return 0;
    /* A handshake would go into the open connection.  The kernel says 0 once after a non-blocking connect, then
     * EISCONN, and does not sleep: a limit that is set for that would be another thread's in send(). */
    return process_proxy(0, domain, &proxy) == 0 && tunnel_dial(fd, domain, &proxy, true) == 0 ? STREAM_CONNECTED
                                                                                             : -EISCONN;
}

/* What goes past the proxy is worth a line as well; programs talk to this machine all the time, though. */
OWN_FRAME static void tell_direct(const struct route *r)
{
    enum conf_level level = addr_is_loopback(&r->target) ? CONF_LOG_DEBUG : CONF_LOG_INFO;
    char text[ADDR_TEXT_SIZE];

    if (r->way != ROUTE_DIRECT || !log_wants(level))
        return;
    addr_format(&r->target, text, sizeof text);
    log_line(level, "connect %s: direct (%s)", text, r->why);
}

static int by_route(int fd, int domain, const struct sockaddr *sa, socklen_t len, int how, bool guest)
{
    struct addr peer;
    struct route r;
    int known = stream_still_connecting(fd, how & STREAM_DONT_WAIT);

    if (known)
        return known;
    route_judge(&process.conf, &process.state, &process.proxies, sa, len, true, &r);
    question_stream(&r);
    if (r.way == ROUTE_REFUSED)
        return stream_refused(&r);
    if (r.way != ROUTE_PROXY) {
        known = r.way == ROUTE_DIRECT ? stray_socket(fd, &r.target, true) : 0;
        if (known)
            return known;
        tell_direct(&r);
        forget_peer(fd);
        return STREAM_NOT_OURS;
    }
    known = how & STREAM_IDLE ? 0 : answered(fd, domain);
    if (known)
        return known == STREAM_CONNECTED ? 0 : known;
    addr_from_sockaddr(sa, len, &peer);
    return through_proxy(fd, domain, &r, &peer, guest, how & STREAM_DONT_WAIT);
}

int stream_connect(int fd, int domain, const struct sockaddr *sa, socklen_t len, int how)
{
    bool guest = process_is_guest();
    int error = by_route(fd, domain, sa, len, how, guest);

    if (error == 0) {
        if (!hook_idle(GATE_PENDING))
            pending_error(&process.pending, fd, ECONNRESET);    /* of an earlier attempt */
        if (!guest)
            stream_follow_no_more(fd);
    }
    return error < 0 ? -pending_error(&process.pending, fd, -error) : error;
}
