/* SPDX-License-Identifier: ISC */
/* inquiry.c - a DNS question of the library's own, by TCP through the proxy */
#include "inquiry.h"

#include <poll.h>
#include <string.h>

#include "../core/bytes.h"
#include "../core/dns.h"
#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/report.h"
#include "../io/tunnel.h"

enum { PREFIX = 2, PORT_DOMAIN = 53 };     /* RFC 1035 section 4.2.2: on TCP the length stands before each message */

/* Returns false when there is none. */
static bool find_server(struct addr *server)
{
    const struct addr *own = process.resolvers.server;

    *server = process.conf.resolver;
    for (int i = 0; server->kind == ADDR_NONE && i < RESOLVERS_MAX && own[i].kind != ADDR_NONE; i++) {
        if (!addr_is_public(&own[i]))
            continue;
        *server = own[i];
        server->port = PORT_DOMAIN;
    }
    return server->kind != ADDR_NONE;
}

OWN_FRAME bool inquiry_possible(void)
{
    struct addr server;

    return process.conf.state == CONF_READY && find_server(&server);
}

static int await(int fd, short events, int64_t limit)
{
    struct pollfd p = { .fd = fd, .events = events };
    int64_t left = limit - clock_ms();
    int n = left > 0 ? real.poll(&p, 1, (int)left) : 0;

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static int send_all(int fd, const uint8_t *p, size_t len, int flags, int64_t limit)
{
    while (len > 0) {
        ssize_t n = real_send(fd, p, len, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
        int error = n == -EAGAIN ? await(fd, POLLOUT, limit) : n < 0 && n != -EINTR ? (int)n : 0;

        if (error)
            return error;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int receive_all(int fd, uint8_t *p, size_t len, int64_t limit)
{
    while (len > 0) {
        ssize_t n = real_recv(fd, p, len, MSG_DONTWAIT);
        int error = n == -EAGAIN ? await(fd, POLLIN, limit) : n < 0 && n != -EINTR ? (int)n : 0;

        if (error || n == 0)
            return error ? error : -ECONNRESET;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int converse(int fd, const uint8_t *message, size_t len, uint8_t *answer, size_t size)
{
    int64_t limit = clock_ms() + process.conf.step_ms;
    uint8_t prefix[PREFIX];
    size_t whole, got;
    int error;

    bytes_put16(prefix, (uint16_t)len);
    /* In one segment (RFC 7766 section 8). */
    error = send_all(fd, prefix, sizeof prefix, MSG_MORE, limit);
    if (!error)
        error = send_all(fd, message, len, 0, limit);
    if (!error)
        error = receive_all(fd, prefix, sizeof prefix, limit);
    if (error)
        return error;
    whole = bytes_get16(prefix);
    got = whole < size ? whole : size;
    error = receive_all(fd, answer, got, limit);
    if (error)
        return error;
    if (got < DNS_HEADER_SIZE || memcmp(answer, message, 2) != 0 || !(answer[2] & DNS_QR >> 8))
        return -EBADMSG;
    if (whole > size)
        answer[2] |= DNS_TC >> 8;
    return (int)whole;
}

OWN_FRAME static int dial(int fd, uint64_t cookie, int domain, const struct addr *proxy, const struct addr *server)
{
    const struct conf *c = &process.conf;
    const struct flight_plan plan = { .account = &c->proxies[0], .proxy = proxy, .pipeline = c->pipeline,
                                      .traits = state_traits(&process.state) };
    const struct tunnel_limits limits = { .step_ms = c->step_ms, .reply_ms = c->reply_ms };
    struct socks5 machine;
    struct flight flight;
    int64_t began = clock_ms();
    int error;

    flight_prepare(&flight, &machine, &plan, SOCKS5_CONNECT, server);
    error = tunnel_connect(fd, cookie, domain, proxy, &machine, &flight, &limits);
    report_connect(&process.tally, server, proxy, &machine, error, began);
    return error;
}

int inquiry_ask(const uint8_t *message, size_t len, uint8_t *answer, size_t size)
{
    struct addr proxy, server;
    int domain = AF_INET, error = process_proxy(0, domain, &proxy), cancellable, fd;
    uint64_t cookie;

    if (error == -EAFNOSUPPORT) {
        domain = AF_INET6;
        error = process_proxy(0, domain, &proxy);
    }
    if (!error && !find_server(&server))
        error = -ENOENT;
    if (error || len > UINT16_MAX)
        return error ? error : -EMSGSIZE;
    cancellable = hook_uncancellable();
    fd = real_socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cookie = fd < 0 ? 0 : real_cookie(fd);
    error = fd < 0 ? fd : cookie ? dial(fd, cookie, domain, &proxy, &server) : -ENOBUFS;
    if (!error)
        error = converse(fd, message, len, answer, size);
    if (cookie)
        real_close_own(fd, cookie);
    else if (fd >= 0)
        real_close(fd);
    hook_cancellable(cancellable);
    return error;
}
