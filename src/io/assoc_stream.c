/* SPDX-License-Identifier: ISC */
/* assoc_stream.c - DNS questions in datagrams, where the proxy has no UDP: by TCP (RFC 7766)
 *
 * It takes the place of an association under way: the same queue, waits and deadlines.  One connection at a time goes
 * to whom the oldest question is for, with all questions that follow it for the same server.  Each stays in the queue
 * until it is answered.  An answer comes to the program as a relay's would: the socket sends it to itself, behind a
 * header that names the server.  What cannot be asked is answered with SERVFAIL.
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/bytes.h"
#include "../core/dns_answer.h"
#include "../core/errname.h"
#include "../core/frame.h"
#include "assoc_making.h"
#include "clock.h"
#include "log.h"
#include "real.h"
#include "report.h"

enum {
    PREFIX = 2,                 /* on TCP the length stands before each message (RFC 1035 section 4.2.2) */
    PORT_DOMAIN = 53,
    READS_MAX = 2048,           /* in one step: a server may say more than it was asked, without an end */
    ANSWER_MAX = 65000          /* with a header it is still a datagram */
};

/* A question in the queue. */
struct item {
    uint8_t *header, *message;
    size_t header_len, len;
    struct addr server;
};

static uint32_t start_of(const struct assoc_queued *q, uint32_t at)
{
    return at + assoc_queue_round(q->control);
}

/* Returns false for what is no question. */
static bool read_item(const struct assoc_making *m, const struct assoc_queued *q, uint32_t at, struct item *out)
{
    uint8_t *p = (uint8_t *)m->room + start_of(q, at);
    int header = udp_header_get(p, q->size, &out->server);

    if (header < 0 || q->size < (uint32_t)header + DNS_HEADER_SIZE || q->size - (uint32_t)header > UINT16_MAX)
        return false;
    out->header = p;
    out->header_len = (size_t)header;
    out->message = p + header;
    out->len = q->size - (size_t)header;
    return !(bytes_get16(out->message + 2) & DNS_QR);
}

/* Where the next one begins. */
static uint32_t behind(const struct assoc_queued *q, uint32_t at)
{
    return start_of(q, at) + assoc_queue_round(q->size);
}

static uint32_t place_of(const struct assoc_making *m, unsigned i)
{
    uint32_t at = 0;

    for (unsigned n = 0; n < i; n++)
        at = behind(&m->queued[n], at);
    return at;
}

static bool item(const struct assoc_making *m, unsigned i, struct item *out)
{
    return i < m->count && !m->queued[i].open && read_item(m, &m->queued[i], place_of(m, i), out);
}

bool assoc_stream_takes(const struct assoc_making *m)
{
    bool domain = atomic_load(&m->a->trunk->asks) || atomic_load(&m->a->trunk->questions);
    struct addr own;
    struct item it;

    if (!assoc_own_address(m, &own, false) && !assoc_own_address(m, &own, true))
        return false;
    for (unsigned i = 0; i < m->count; i++) {
        if (!item(m, i, &it) || !(domain || it.server.port == PORT_DOMAIN))
            return false;
    }
    return m->count > 0;
}

static void drop(struct assoc_making *m, unsigned i)
{
    uint32_t at = place_of(m, i), next = behind(&m->queued[i], at);

    /* What the last one has is not rounded up. */
    next = next < m->used ? next : m->used;
    memmove(m->room + at, m->room + next, m->used - next);
    m->used -= next - at;
    memmove(m->queued + i, m->queued + i + 1, (m->count - i - 1) * sizeof m->queued[0]);
    m->count--;
    m->sent -= i < m->sent;
}

static void tell(struct assoc_making *m, const struct item *it, size_t len)
{
    struct iovec piece[2] = { { it->header, it->header_len }, { m->answer, len } };

    for (int way = 0; way < 2; way++) {
        struct addr own;

        if (!assoc_own_address(m, &own, way == 1))
            continue;
        /* Before it goes: whoever is awake must know that it is no stranger's. */
        if (assoc_self_set(m->a->trunk, &own) && assoc_tell_self(m, &own, piece, 2))
            return;
    }
    assoc_queue_lost(m, 1);
}

static void fail_item(struct assoc_making *m, const struct item *it)
{
    tally_add(m->tally, TALLY_UNANSWERED, 1);
    if (dns_read(it->message, it->len, &m->question) == 0)
        tell(m, it, dns_answer(&m->question, DNS_SERVFAIL, NULL, m->answer));
}

static void hang_up(struct assoc_table *t, struct assoc_making *m)
{
    assoc_watch_update(t, m, 0, false);
    assoc_control_close(t, m->a, false);
    m->talks = m->progress = false;
    m->sent = 0;
    m->out = m->got = 0;
}

/* The server, or the way to it, is gone: what it has not answered fails, and is not asked of the next one. */
OWN_FRAME static void fail(struct assoc_table *t, struct assoc_making *m, int error)
{
    char proxy[ADDR_TEXT_SIZE], server[ADDR_TEXT_SIZE];
    struct item it;

    addr_format(&m->proxy, proxy, sizeof proxy);
    addr_format(&m->server, server, sizeof server);
    log_once(LOG_UDP, "DNS question by TCP to %s through %s failed: %s (%s)", server, proxy,
             m->talks ? "no answer" : report_explain(&m->machine, error), errname(error));
    hang_up(t, m);
    for (unsigned i = 0; i < m->count;) {
        if (item(m, i, &it) && addr_equal(&it.server, &m->server)) {
            fail_item(m, &it);
            drop(m, i);
        } else {
            i++;
        }
    }
}

OWN_FRAME static void say(const struct assoc_making *m)
{
    char text[ADDR_TEXT_SIZE];

    if (!log_wants(CONF_LOG_INFO))
        return;
    addr_format(&m->server, text, sizeof text);
    log_line(CONF_LOG_INFO, "DNS questions to %s go by TCP: the proxy has no UDP", text);
}

static int dial(struct assoc_table *t, struct assoc_making *m)
{
    struct item it;

    while (m->count && !m->queued[0].open && !item(m, 0, &it)) {
        assoc_queue_lost(m, 1);
        drop(m, 0);
    }
    /* MSG_MORE: the rest has yet to come. */
    if (m->count == 0 || !item(m, 0, &it))
        return 1;
    m->server = it.server;
    m->step = UINT8_MAX;
    assoc_making_limit(t, m, m->limits.step_ms);
    say(m);
    return assoc_control_begin(t, m);
}

/* Send what is for this server, as far as it goes. */
static int send_some(struct assoc_table *t, struct assoc_making *m)
{
    struct item it;

    while (item(m, m->sent, &it) && addr_equal(&it.server, &m->server)) {
        uint8_t prefix[PREFIX];
        struct iovec piece[2] = { { prefix, PREFIX }, { it.message, it.len } };
        struct msghdr h = { .msg_iov = piece, .msg_iovlen = 2 };
        size_t skip = m->out < PREFIX ? m->out : PREFIX;
        long n;

        bytes_put16(prefix, (uint16_t)it.len);
        piece[0] = (struct iovec){ prefix + skip, PREFIX - skip };
        piece[1] = (struct iovec){ it.message + (m->out - skip), it.len - (m->out - skip) };
        n = real.syscall(SYS_sendmsg, (long)atomic_load(&m->a->control), &h, (long)(MSG_DONTWAIT | MSG_NOSIGNAL));
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        m->out += (uint32_t)n;
        if (m->out < PREFIX + it.len)
            return 0;
        m->out = 0;
        m->sent++;
        assoc_making_limit(t, m, m->limits.step_ms);
    }
    return 0;
}

/* A whole answer stands in m->answer.  One to no question of ours is nobody's. */
static void take_answer(struct assoc_table *t, struct assoc_making *m, size_t len)
{
    struct item it;

    if (len < DNS_HEADER_SIZE || !(bytes_get16(m->answer + 2) & DNS_QR))
        return;
    for (unsigned i = 0, at = 0; i < m->sent; at = behind(&m->queued[i++], at)) {
        if (!read_item(m, &m->queued[i], at, &it) ||
            !dns_answer_belongs(m->answer, len, it.message, it.len))
            continue;
        if (dns_read(it.message, it.len, &m->question) == 0) {
            if (m->question.edns_size > ANSWER_MAX)
                m->question.edns_size = ANSWER_MAX;
            tell(m, &it, dns_answer_cut(m->answer, len, &m->question));
        }
        drop(m, i);
        tally_add(m->tally, TALLY_ANSWERED, 1);
        m->progress = true;
        assoc_making_limit(t, m, m->limits.step_ms);
        return;
    }
}

/* Returns 0 when there is no more for now, or enough, or -errno: the connection is over. */
static int receive_some(struct assoc_table *t, struct assoc_making *m)
{
    for (int i = 0; i < READS_MAX && m->sent > 0; i++) {
        uint8_t *into = m->got < PREFIX ? m->prefix + m->got : m->answer + (m->got - PREFIX);
        size_t whole = m->got < PREFIX ? PREFIX : PREFIX + (size_t)bytes_get16(m->prefix);
        ssize_t n = m->got < whole ? real_recv(atomic_load(&m->a->control), into, whole - m->got, MSG_DONTWAIT) : 0;

        if (n < 0)
            return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
        if (n == 0 && m->got < whole)
            return -ECONNRESET;
        m->got += (uint32_t)n;
        if (m->got < PREFIX || m->got < PREFIX + (size_t)bytes_get16(m->prefix))
            continue;
        m->got = 0;
        take_answer(t, m, bytes_get16(m->prefix));
    }
    return 0;
}

static int talk(struct assoc_table *t, struct assoc_making *m)
{
    struct item it;
    int sent, error;

    /* The program may have closed the number, which is another connection's by now. */
    if (!real_is(atomic_load(&m->a->control), atomic_load(&m->a->control_cookie)))
        return -EBADF;
    sent = send_some(t, m);
    error = receive_some(t, m);
    /* Who has hung up may have answered before. */
    if (!error)
        error = sent;
    if (error)
        return error;
    if (m->sent == 0 && !(item(m, 0, &it) && addr_equal(&it.server, &m->server)))
        return 0;
    return clock_ms() < m->deadline ? -EAGAIN : -ETIMEDOUT;
}

/* One connection, as far as it goes.  Returns -EAGAIN while it lasts, else 0. */
static int converse(struct assoc_table *t, struct assoc_making *m)
{
    int error = 0;

    if (!m->talks) {
        error = assoc_making_handshake(t, m);
        m->talks = error == 0;
    }
    if (!error)
        error = talk(t, m);
    if (error == -EAGAIN)
        return error;
    /* Some servers take one question for each connection. */
    if (error && !m->progress)
        fail(t, m, error);
    else
        hang_up(t, m);
    return 0;
}

int assoc_stream_step(struct assoc_table *t, struct assoc_making *m)
{
    for (;;) {
        int error = atomic_load(&m->a->control) < 0 ? dial(t, m) : 0;

        if (error > 0) {
            /* Begun for a question that is about to be queued. */
            bool waits = !m->accepted || m->count;

            return waits && clock_ms() < m->deadline ? -EAGAIN : 0;
        }
        if (error)
            fail(t, m, error);
        else if (converse(t, m) == -EAGAIN)
            return -EAGAIN;
    }
}

short assoc_stream_events(const struct assoc_making *m)
{
    struct item it;

    return item(m, m->sent, &it) && addr_equal(&it.server, &m->server) ? POLLIN | POLLOUT : POLLIN;
}

void assoc_stream_begin(struct assoc_table *t, struct assoc_making *m)
{
    m->stream = true;
    hang_up(t, m);
    assoc_making_limit(t, m, m->limits.step_ms);
}
