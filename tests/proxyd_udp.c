/* SPDX-License-Identifier: ISC */
/* proxyd_udp.c - one UDP association */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/udp_header.h"
#include "proxyd_log.h"
#include "proxyd_target.h"
#include "proxyd_udp.h"

enum { DATAGRAM_SIZE = 65536 };

/* Octets of the header. */
enum { RSV = 1, FRAG = 2 };

/* Only one datagram is in hand at a time; room for the longest header before it. */
static uint8_t buffer[UDP_HEADER_MAX + DATAGRAM_SIZE];

static int send_to(int fd, const void *data, size_t len, const struct addr *to)
{
    struct sockaddr_storage sa;
    socklen_t sa_len;
    if (fd < 0 || addr_to_sockaddr(to, AF_UNSPEC, &sa, &sa_len) < 0)
        return -EAFNOSUPPORT;
    return sendto(fd, data, len, MSG_NOSIGNAL, (struct sockaddr *)&sa, sa_len) < 0 ? -errno : 0;
}

/* Returns the length, or a negative errno. */
static int receive_from(int fd, uint8_t *data, struct addr *from)
{
    struct sockaddr_storage sa;
    socklen_t sa_len = sizeof sa;
    ssize_t n = recvfrom(fd, data, DATAGRAM_SIZE, 0, (struct sockaddr *)&sa, &sa_len);
    if (n < 0)
        return -errno;
    return addr_from_sockaddr((struct sockaddr *)&sa, sa_len, from) < 0 ? -EAFNOSUPPORT : (int)n;
}

static bool drop(const struct udp *u, const char *why)
{
    log_event(u->id, "udp drop %s", why);
    return true;
}

static void remember(struct udp *u, const struct addr *asked, const struct addr *real)
{
    for (size_t i = 0; i < u->names && i < UDP_NAMES; i++)
        if (addr_equal(&u->name[i].asked, asked))
            return;
    u->name[u->names % UDP_NAMES] = (struct udp_name){ *asked, *real };
    u->names++;
}

static void rename_source(const struct udp *u, struct addr *source)
{
    for (size_t i = 0; i < u->names && i < UDP_NAMES; i++)
        if (addr_equal(&u->name[i].real, source)) {
            *source = u->name[i].asked;
            return;
        }
}

/* True while more datagrams may be relayed. */
static bool count(struct udp *u, const struct script *s, const char *way, const struct addr *a, size_t len)
{
    char text[ADDR_TEXT_SIZE];
    addr_format(a, text, sizeof text);
    log_event(u->id, "udp %s %s %zu", way, text, len);
    u->relayed++;
    return s->udp_close_after == 0 || u->relayed < s->udp_close_after;
}

static void send_malformed(const struct udp *u)
{
    static const struct { size_t len; uint8_t data[16]; } bad[] = {
        { 0, { 0 } },
        { 1, { 0 } },
        { 5, { 0, 0, 0, 1, 127 } },                                     /* ends within the address */
        { 13, { 0, 1, 0, 1, 127, 0, 0, 1, 0, 7, 'b', 'a', 'd' } },      /* RSV */
        { 13, { 0, 0, 0, 5, 127, 0, 0, 1, 0, 7, 'b', 'a', 'd' } },      /* ATYP */
        { 8, { 0, 0, 0, 3, 255, 'b', 'a', 'd' } },                      /* ends within the name */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        (void)send_to(u->relay, bad[i].data, bad[i].len, &u->client);
}

/* fd: the relay, or another socket; source: as the header names it; one byte of the header is set. */
static void send_marked(const struct udp *u, int fd, const struct addr *source, size_t at, uint8_t value)
{
    uint8_t bad[UDP_HEADER_MAX + 3];
    size_t len = udp_header_put(source, bad);
    memcpy(bad + len, "bad", 3);
    bad[at] = value;
    (void)send_to(fd, bad, len + 3, &u->client);
}

/* From another port than the relay's. */
static void send_strange(const struct udp *u, const struct addr *source)
{
    struct addr local;
    target_name(u->relay, false, &local);
    local.port = 0;
    int fd = target_datagram(local.kind == ADDR_IPV6 ? AF_INET6 : AF_INET, &local);
    send_marked(u, fd, source, RSV, 0);
    if (fd >= 0)
        close(fd);
}

/* What must not reach the program says "bad". */
static void send_bad(const struct udp *u, const struct script *s, const struct addr *source)
{
    struct addr other;
    if (s->udp_stranger)
        send_strange(u, source);
    if (s->udp_frag)
        send_marked(u, u->relay, source, FRAG, 1);
    if (s->udp_rsv)
        send_marked(u, u->relay, source, RSV, 1);
    if (s->udp_garbage)
        send_malformed(u);
    script_bound(&s->udp_source, source, &other);
    if (s->udp_source.kind != BOUND_REAL)
        send_marked(u, u->relay, &other, RSV, 0);
}

static bool may_be_client(const struct udp *u, const struct addr *from)
{
    if (!addr_same_host(from, &u->peer) || (u->peer.port != 0 && u->peer.port != from->port))
        return false;
    return !u->has_client || addr_equal(from, &u->client);
}

void udp_init(struct udp *u, unsigned id)
{
    u->relay = u->out4 = u->out6 = -1;
    u->id = id;
    u->has_client = u->has_first = false;
    u->relayed = 0;
    u->names = 0;
}

int udp_open(struct udp *u, const struct addr *local, const struct addr *peer, const struct addr *expected)
{
    struct addr at = *local;
    at.port = 0;
    u->peer = *peer;
    u->peer.port = expected->port;
    u->relay = target_datagram(at.kind == ADDR_IPV6 ? AF_INET6 : AF_INET, &at);
    if (u->relay < 0)
        return u->relay;
    u->out4 = target_datagram(AF_INET, NULL);
    u->out6 = target_datagram(AF_INET6, NULL);      /* a machine without IPv6 has none */
    return 0;
}

void udp_close(struct udp *u)
{
    int fds[] = { u->relay, u->out4, u->out6 };
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    u->relay = u->out4 = u->out6 = -1;
}

bool udp_from_client(struct udp *u, const struct options *o, const struct script *s)
{
    struct addr from, asked, real;
    int len = receive_from(u->relay, buffer, &from);
    if (len < 0)
        return true;
    if (!may_be_client(u, &from))
        return drop(u, "stranger");
    int offset = udp_header_get(buffer, (size_t)len, &asked);
    if (offset < 0)
        return drop(u, offset == -EOPNOTSUPP ? "frag" : "header");
    /* Not before: a late answer to an association that had the port before is no client. */
    u->client = from;
    u->has_client = true;
    if (s->udp_silent)
        return drop(u, "silent");
    if (s->udp_first_only && u->has_first)
        asked = u->first;
    u->first = asked;
    u->has_first = true;
    if (target_resolve(o, &asked, &real) < 0)
        return drop(u, "name");
    if (asked.kind == ADDR_NAME)
        remember(u, &asked, &real);
    size_t payload = (size_t)(len - offset);
    int error = send_to(real.kind == ADDR_IPV6 ? u->out6 : u->out4, buffer + offset, payload, &real);
    return error < 0 ? drop(u, strerror(-error)) : count(u, s, "out", &asked, payload);
}

bool udp_from_outside(struct udp *u, int fd, const struct script *s)
{
    uint8_t *payload = buffer + UDP_HEADER_MAX, header[UDP_HEADER_MAX];
    struct addr source;
    int len = receive_from(fd, payload, &source);
    if (len < 0)
        return true;
    if (!u->has_client)
        return drop(u, "early");
    if (s->udp_names)
        rename_source(u, &source);
    send_bad(u, s, &source);
    if (s->udp_no_answer)
        return drop(u, "answer");
    size_t header_len = udp_header_put(&source, header);
    memcpy(payload - header_len, header, header_len);
    int error = send_to(u->relay, payload - header_len, header_len + (size_t)len, &u->client);
    return error < 0 ? drop(u, strerror(-error)) : count(u, s, "in", &source, (size_t)len);
}
