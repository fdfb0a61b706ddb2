/* SPDX-License-Identifier: ISC */
/* question.c - datagrams to the resolvers of this system: answered here, or sent on */
#include "question.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>

#include "../core/frame.h"
#include "../io/answer.h"
#include "../io/clock.h"
#include "../io/local.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "../io/vector.h"
#include "stray.h"

enum {
    PORT_DOMAIN = 53,
    QUERY_MAX = 4096,           /* no question is longer */
    PAYLOAD_IPV4 = 65507, PAYLOAD_IPV6 = 65527,     /* of a datagram, at most */
    PIECES_MAX = 1024,          /* UIO_MAXIOV */
    GO_ON = 1                   /* the datagram is to be sent through the proxy */
};

/* One question on its way; too large for the stack of a signal handler. */
struct question {
    struct assoc *a;
    int domain;
    struct addr resolver;       /* as the program knows it */
    size_t size;                /* of the datagram */
    size_t len;                 /* of it, what is in query */
    struct answer answer;
    uint8_t query[QUERY_MAX];
};

static bool is_resolver(const struct addr *a)
{
    return a->kind != ADDR_NAME && resolvers_has(&process.resolvers, a);
}

bool question_is_local(const struct addr *a)
{
    return process.conf.dns == CONF_DNS_LOCAL && is_resolver(a);
}

bool question_is_near(const struct route *r)
{
    return r->error == -EACCES && r->why == rules_local_scope && is_resolver(&r->target);
}

/* There is somebody to ask through the proxy in the place of this resolver, or it itself. */
static bool has_server(const struct addr *resolver)
{
    return process.conf.resolver.kind != ADDR_NONE || addr_is_public(resolver);
}

void question_target(struct addr *target)
{
    if (process.conf.resolver.kind != ADDR_NONE && is_resolver(target))
        *target = process.conf.resolver;
}

OWN_FRAME static bool peer_of(struct assoc *a, struct addr *out)
{
    struct assoc_facts f;

    return assoc_facts(a, false, &f) && f.peer.len &&
           addr_from_sockaddr((const struct sockaddr *)&f.peer.sa, f.peer.len, out) == 0;
}

OWN_FRAME static bool peer_is_resolver(struct assoc *a)
{
    struct addr peer;

    return peer_of(a, &peer) && is_resolver(&peer);
}

bool question_concerns(int fd, const struct datagram_to *to)
{
    struct assoc *a;

    if (to)
        return to->shown.port == PORT_DOMAIN && is_resolver(&to->shown);
    a = datagram_of(fd);
    return a && atomic_load_explicit(&a->asks, memory_order_relaxed) && peer_is_resolver(a);
}

/* Copies what the program sends.  Returns 0 or a negative errno, as the kernel's. */
static int take(const struct msghdr *m, struct question *q)
{
    if (m->msg_iovlen > PIECES_MAX)
        return -EMSGSIZE;
    if (!memory_readable(m->msg_iov, m->msg_iovlen * sizeof *m->msg_iov))
        return -EFAULT;
    q->size = vector_size(m->msg_iov, m->msg_iovlen);
    if (q->size > (q->resolver.kind == ADDR_IPV4 ? PAYLOAD_IPV4 : PAYLOAD_IPV6))
        return -EMSGSIZE;
    for (size_t i = 0; i < (size_t)m->msg_iovlen; i++) {
        if (!memory_readable(m->msg_iov[i].iov_base, m->msg_iov[i].iov_len))
            return -EFAULT;
    }
    q->len = q->size < QUERY_MAX ? q->size : QUERY_MAX;
    vector_gather(m->msg_iov, m->msg_iovlen, q->query, q->len);
    return 0;
}

/* Where the socket reaches itself.  Returns false when it has no address, or one that is not this machine's alone. */
static bool own_address(int fd, struct addr *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (real.getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
        addr_from_sockaddr((struct sockaddr *)&sa, len, out) != 0 || out->port == 0)
        return false;
    if (!addr_is_any(out))
        return local_is(out);
    out->ip[0] = out->kind == ADDR_IPV4 ? 127 : 0;
    out->ip[out->kind == ADDR_IPV4 ? 3 : 15] = 1;
    return true;
}

/* What is sent to this machine must stay there.  A port that the socket shares (SO_REUSEPORT, as dig's) is no fault:
 * which of the sockets gets an answer nobody knows with a resolver's either. */
static int judge_socket(int fd, const struct msghdr *m)
{
    static const struct addr here = { .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 } };
    int error = stray_socket(fd, &here, false);

    return !error && m->msg_control && m->msg_controllen ? stray_message(fd, m, &here) : error;
}

static ssize_t send_to_self(int fd, const struct question *q, const struct addr *own)
{
    uint8_t header[UDP_HEADER_MAX];
    struct iovec piece[2] = { { header, udp_header_put(&q->resolver, header) },
                              { (void *)q->answer.bytes, q->answer.len } };
    struct sockaddr_storage sa;
    struct msghdr k = { .msg_name = &sa, .msg_iov = piece, .msg_iovlen = 2 };

    if (!assoc_self_set(q->a, own))
        return -EAGAIN;
    if (addr_to_sockaddr(own, q->domain, &sa, &k.msg_namelen) != 0)
        return -EAFNOSUPPORT;
    return real.sendmsg(fd, &k, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int question_untold(void)
{
    log_once(LOG_NAME, "DNS question refused: its answer cannot be given back (is there no loopback interface, or is "
                       "the socket bound to an address that is not this machine's?)");
    return -EACCES;
}

/* Let the program have the answer.  Returns 0 or a negative errno; a full queue loses it, as it would any. */
static int tell(int fd, struct question *q)
{
    struct addr own;
    ssize_t error;

    datagram_give_port(fd, q->domain);
    if (!own_address(fd, &own))
        return question_untold();
    error = send_to_self(fd, q, &own);
    /* Where there is no IPv6 any more a socket for both still reaches itself. */
    if ((error == -EADDRNOTAVAIL || error == -ENETUNREACH) && own.kind == ADDR_IPV6 && addr_is_loopback(&own)) {
        own = (struct addr){ .kind = ADDR_IPV4, .port = own.port, .ip = { 127, 0, 0, 1 } };
        error = send_to_self(fd, q, &own);
    }
    if (error == 0 || error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM)
        return 0;
    return question_untold();
}

/* A rule makes the name direct: the resolver itself is asked. */
static int ask_directly(int fd, int flags, struct question *q)
{
    struct iovec piece = { q->query, q->len };
    struct sockaddr_storage sa;
    struct msghdr k = { .msg_name = &sa, .msg_iov = &piece, .msg_iovlen = 1 };
    int error = addr_to_sockaddr(&q->resolver, q->domain, &sa, &k.msg_namelen);

    assoc_id_add(q->a, q->query);
    if (!error && real.sendmsg(fd, &k, flags) < 0)
        error = -errno;
    return error;
}

static int find_socket(int fd, const struct datagram_to *to, struct question *q)
{
    struct assoc_facts f;
    int error = datagram_attach(fd, &q->a);

    if (!error && assoc_look(&process.assoc, q->a, fd, clock_ms()) == -ESTALE) {
        datagram_forget(fd);
        error = to ? datagram_attach(fd, &q->a) : -EDESTADDRREQ;
    }
    if (error)
        return error;
    if (!assoc_facts(q->a, false, &f) || (!to && !peer_of(q->a, &q->resolver)))
        return -EAGAIN;
    q->domain = (int)f.domain;
    if (to)
        q->resolver = to->shown;
    return to && to->family == AF_INET6 && q->domain == AF_INET ? -EAFNOSUPPORT : 0;
}

/* in_vain: the question cannot be sent through the proxy.  Returns 0 when it has been seen to, GO_ON, or -errno. */
static int see_to(int fd, const struct msghdr *m, int flags, bool in_vain, struct question *q)
{
    int error = take(m, q);

    if (!error)
        error = judge_socket(fd, m);
    if (error)
        return error;
    assoc_asked_set(q->a, &q->resolver);
    switch (answer_question(&process.conf, &process.state, q->query, q->len, has_server(&q->resolver), &q->answer)) {
    case ANSWER_HERE:
        return tell(fd, q);
    case ANSWER_REAL:
        return ask_directly(fd, flags, q);
    case ANSWER_FORWARD:
        if (!in_vain)
            return GO_ON;
        answer_failure(&q->answer, DNS_SERVFAIL);
        return tell(fd, q);
    default:
        return 0;       /* no resolver answers to that */
    }
}

/* Returns false when the datagram is to be sent through the proxy, else true with *result set. */
OWN_FRAME static bool ask(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, bool in_vain,
                          ssize_t *result)
{
    struct question *q = mmap(NULL, sizeof *q, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int cancellable, error;

    *result = -ENOBUFS;
    if (q == MAP_FAILED)
        return true;
    cancellable = hook_uncancellable();
    error = find_socket(fd, to, q);
    if (!error)
        error = see_to(fd, m, flags, in_vain, q);
    *result = error < 0 ? error : (ssize_t)q->size;
    munmap(q, sizeof *q);
    hook_cancellable(cancellable);
    return error != GO_ON;
}

bool question_send(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result)
{
    if (ask(fd, m, flags, to, false, result))
        return true;
    if (!datagram_carry(fd, m, flags, to, result))
        return false;
    /* There is no way: the program need not wait for an answer. */
    if (*result < 0 && *result != -EAGAIN && *result != -EINTR)
        ask(fd, m, flags, to, true, result);
    return true;
}

bool question_is_own(struct assoc *a, const struct sockaddr *sa, socklen_t len)
{
    struct addr from;

    return atomic_load_explicit(&a->self, memory_order_relaxed) && addr_from_sockaddr(sa, len, &from) == 0 &&
           assoc_is_self(a, &from);
}

bool question_is_answer(struct assoc *a, const struct sockaddr *sa, socklen_t len)
{
    struct addr from, asked;

    return addr_from_sockaddr(sa, len, &from) == 0 && is_resolver(&from) && assoc_asked(a, &asked);
}

bool question_source(struct assoc *a, const struct addr *source, struct addr *known)
{
    const struct addr *server = &process.conf.resolver;
    struct addr asked;

    if (!assoc_asked(a, &asked))
        return false;
    *known = asked;
    /* The header carries no scope. */
    asked.scope = 0;
    if (addr_equal(&asked, source) || (server->kind != ADDR_NONE && addr_equal(server, source)))
        return true;
    *known = *source;
    return is_resolver(source);
}

void question_stream(struct route *r)
{
    if ((r->way != ROUTE_PROXY && !(r->way == ROUTE_REFUSED && question_is_near(r))) || !is_resolver(&r->target))
        return;
    r->error = 0;
    if (question_is_local(&r->target)) {
        r->way = ROUTE_DIRECT;
        r->why = "names are local";
    } else if (has_server(&r->target)) {
        r->way = ROUTE_PROXY;
        question_target(&r->target);
    } else {
        r->way = ROUTE_REFUSED;
        r->error = -ECONNREFUSED;
        r->why = "a resolver of this system would leak names";
    }
}
