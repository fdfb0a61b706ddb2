/* SPDX-License-Identifier: ISC */
/* datagram.c - datagrams: where they may go, and the sockets that go through the proxy */
#include "datagram.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/local.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "guard.h"
#include "question.h"
#include "stray.h"
#include "stream.h"

enum { OPTION_TO_DEVICE = 25, DEVICE_SIZE = 16 };     /* SO_BINDTODEVICE, IFNAMSIZ */

static int judge_proxied(int fd, const struct route *r, const struct sockaddr *sa, socklen_t len,
                         struct datagram_to *to)
{
    if (question_is_local(&r->target))
        return stray_socket(fd, &r->target, false) ? -EACCES : DATAGRAM_NOT_OURS;
    to->target = r->target;
    /* Questions are answered here, or go where the res_ calls send theirs. */
    to->proxy = resolvers_has(&process.resolvers, &r->target) ? 0 : (uint16_t)r->proxy;
    to->family = sa->sa_family;
    addr_from_sockaddr(sa, len, &to->shown);
    /* Whoever answers there has another address. */
    to->any = addr_is_any(&to->shown);
    if (to->any)
        to->shown = r->target;
    question_target(&to->target);
    return DATAGRAM_PROXIED;
}

int datagram_judge(int fd, enum kind kind, const struct sockaddr *sa, socklen_t len, struct datagram_to *to)
{
    char text[ADDR_TEXT_SIZE];
    struct route r;
    int error;

    route_judge(&process.conf, &process.state, &process.proxies, sa, len, false, &r);
    switch (r.way) {
    case ROUTE_REFUSED:
        return kind == KIND_DATAGRAM && question_is_near(&r) ? judge_proxied(fd, &r, sa, len, to) : stream_refused(&r);
    case ROUTE_PROXY:
        if (kind == KIND_DATAGRAM) {
            error = stray_unknown(fd);
            return error ? error : judge_proxied(fd, &r, sa, len, to);
        }
        addr_format(&r.target, text, sizeof text);
        log_once(LOG_KIND, "%s refused: SOCKS carries TCP and UDP, not this kind of socket", text);
        return -EACCES;
    case ROUTE_DIRECT:
        error = stray_socket(fd, &r.target, false);
        return error ? error : DATAGRAM_NOT_OURS;
    default:
        return DATAGRAM_NOT_OURS;
    }
}

bool datagram_to_nobody(int fd, const struct sockaddr *sa, socklen_t len)
{
    int domain;

    return sa && sa != MEMORY_NOWHERE && len >= sizeof(sa_family_t) && len <= sizeof(struct sockaddr_storage) &&
           sa->sa_family == AF_UNSPEC && kind_ask(fd, &domain) == KIND_DATAGRAM && domain == AF_INET6;
}

void datagram_forget(int fd)
{
    assoc_handle handle = datagram_handle(fd);

    if (!handle || process_is_guest())
        return;
    fdtab_drop(&process.fdtab, fd);
    assoc_drop(&process.assoc, handle);
}

int datagram_attach(int fd, struct assoc **a)
{
    assoc_handle handle = datagram_handle(fd);
    int domain, kind, error;
    uint32_t before;

    *a = assoc_of(&process.assoc, handle);
    if (HOOK_LIKELY(*a))
        return 0;
    kind = kind_ask(fd, &domain);
    if (kind != KIND_DATAGRAM)
        return kind < 0 ? kind : -EACCES;
    if (fd >= FDTAB_SIZE || process_is_guest()) {
        log_once(LOG_UDP, "UDP refused: %s", fd >= FDTAB_SIZE ? "the descriptor's number is too high"
                                                              : "the process has the memory of another");
        return -EACCES;
    }
    process_gate(GATE_FACTS);
    process_gate(GATE_DATAGRAM);
    error = assoc_attach(&process.assoc, fd, domain, &handle);
    if (error)
        return error;
    before = fdtab_exchange(&process.fdtab, fd, KIND_DATAGRAM | handle << FDTAB_HANDLE_SHIFT);
    /* Another thread was here first, or the number was another socket's. */
    if ((before & FDTAB_KIND) == KIND_DATAGRAM)
        assoc_drop(&process.assoc, fdtab_handle(before));
    *a = assoc_of(&process.assoc, handle);
    return *a ? 0 : -EBADF;
}

/* A socket that is bound to IPv6 alone needs a relay there, which a proxy with both addresses may have. */
static void prefer_ipv6(int fd, unsigned number, struct addr *proxy)
{
    const struct addr *known = process.proxies.of[number].address;
    int only = 0;
    socklen_t len = sizeof only;

    if (real.getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) != 0 || !only)
        return;
    for (int i = 0; i < UPSTREAM_ADDRESSES; i++) {
        if (known[i].kind == ADDR_IPV6)
            *proxy = known[i];
    }
}

/* Answers to questions that go by TCP are sent by the socket to itself, which must stay on this machine. */
OWN_FRAME static int judge_stream(int fd, unsigned proxy, bool *sleeps)
{
    static const struct addr here = { .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 } };
    struct assoc_address as;
    struct addr own;
    int error;

    if (!assoc_refuses(&process.assoc, proxy))
        return 0;
    *sleeps = false;
    error = stray_socket(fd, &here, false);
    if (!error && datagram_kernel_name(fd, &own, &as) && !addr_is_any(&own) && !local_is(&own))
        error = question_untold();
    return error;
}

OWN_FRAME static void tell_unknown(unsigned number)
{
    char proxy[ADDR_TEXT_SIZE];

    addr_format(&process.conf.proxies[number].address, proxy, sizeof proxy);
    log_once(LOG_FAMILY, "UDP refused: no address is known of the proxy %s", proxy);
}

int datagram_ready(int fd, struct assoc *a, int domain, bool sleeps, bool asks)
{
    const struct conf *c = &process.conf;
    unsigned number = (unsigned)atomic_load_explicit(&a->proxy, memory_order_relaxed);
    struct assoc_request q = { .fd = fd, .number = number, .account = &c->proxies[number], .pipeline = c->pipeline,
                               .limits = { c->step_ms, c->step_ms }, .asks = asks };
    struct addr proxy;
    int error = process_proxy(number, domain, &proxy);

    /* The control connection may be of another family than the socket. */
    if (error == -EAFNOSUPPORT)
        error = process_proxy(number, AF_INET6, &proxy);
    if (!error && domain == AF_INET6 && proxy.kind == ADDR_IPV4)
        prefer_ipv6(fd, number, &proxy);
    if (error)
        tell_unknown(number);
    if (!error && process_is_guest())
        error = -EACCES;
    if (!error && asks)
        error = judge_stream(fd, number, &sleeps);
    if (error)
        return error;
    q.proxy = &proxy;
    q.limit = sleeps ? guard_limit(fd, POLLOUT) : 0;
    return sleeps ? assoc_ready_wait(&process.assoc, a, &q) : assoc_ready(&process.assoc, a, &q);
}

void datagram_open_to_relay(int fd, int domain)
{
    int off = 0;
    bool any = false;

    for (unsigned i = 0; i < CONF_PROXIES; i++)
        any = any || process.proxies.of[i].address[0].kind == ADDR_IPV4;
    if (domain == AF_INET6 && any)
        real.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
}

/* connect() would give the socket a port; whoever asks for it, or only receives, must find one. */
void datagram_give_port(int fd, int domain)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    struct assoc_address as;
    struct addr own;

    if (!datagram_kernel_name(fd, &own, &as) || own.port != 0)
        return;
    datagram_open_to_relay(fd, domain);
    any.sin6_family = (sa_family_t)domain;
    real.syscall(SYS_bind, (long)fd, &any, domain == AF_INET6 ? (long)sizeof any : (long)sizeof(struct sockaddr_in));
}

/* Put a port back that went with the kernel's peer, at the address that is left. */
static void take_port(int fd, int domain, uint16_t port)
{
    struct assoc_address as;
    struct addr own;

    if (!port || !datagram_kernel_name(fd, &own, &as) || own.port != 0)
        return;
    datagram_open_to_relay(fd, domain);
    as.sa.sin6_port = htons(port);
    real.syscall(SYS_bind, (long)fd, &as.sa, (long)as.len);
}

/* Take the kernel's peer from a socket.  That takes its device as well, and its port if the kernel chose that: a
 * connect() to another peer would not have, nor would the relay know the socket by another port. */
OWN_FRAME static int leave_peer(int fd, int domain)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    char device[DEVICE_SIZE] = "";
    socklen_t len = sizeof device;
    struct assoc_address as;
    struct addr own = { .port = 0 };
    int error;

    /* A device that is gone binds no more. */
    if (real.getsockopt(fd, SOL_SOCKET, OPTION_TO_DEVICE, device, &len) != 0 && errno != ENODEV)
        return -errno;
    datagram_kernel_name(fd, &own, &as);
    error = real_connect(fd, &nowhere, sizeof nowhere);
    if (!error && device[0] && real.setsockopt(fd, SOL_SOCKET, OPTION_TO_DEVICE, device, len) != 0)
        error = -errno;
    if (!error)
        take_port(fd, domain, own.port);
    return error;
}

static int record(int fd, int domain, const struct datagram_to *to)
{
    struct assoc *a;
    int error = to->family == AF_INET6 && domain == AF_INET ? -EAFNOSUPPORT : datagram_attach(fd, &a);

    if (!error && real_has_peer(fd))
        error = leave_peer(fd, domain);
    if (error)
        return error;
    datagram_give_port(fd, domain);
    error = assoc_peer(&process.assoc, a, &to->target, &to->shown, to->proxy);
    if (!error)
        state_datagram_peer(&process.state, atomic_load(&a->cookie), &to->shown);
    return error;
}

static int dissolve(struct assoc *a)
{
    state_peer_forget(&process.state, atomic_load(&a->cookie));
    return assoc_peer(&process.assoc, a, NULL, NULL, 0);
}

int datagram_connect(int fd, int domain, const struct sockaddr *sa, socklen_t len)
{
    struct datagram_to to;
    struct assoc *a;
    int way = datagram_judge(fd, KIND_DATAGRAM, sa, len, &to), error;

    if (way == DATAGRAM_PROXIED)
        return record(fd, domain, &to);
    /* The peer that goes may be known to another number alone. */
    if (way == DATAGRAM_NOT_OURS)
        datagram_found(fd);
    a = way == DATAGRAM_NOT_OURS ? datagram_of(fd) : NULL;
    if (!a || process_is_guest())
        return way;
    /* As the kernel: a failure leaves the peer as it was. */
    error = real_connect(fd, sa, len);
    return error ? error : dissolve(a);
}

int datagram_disconnect(int fd)
{
    struct assoc *a = datagram_of(fd);
    struct assoc_facts f;

    if (!a || process_is_guest() || !assoc_facts(a, false, &f))
        return DATAGRAM_NOT_OURS;
    if (f.peer.len)
        return dissolve(a);
    /* The relay may know the socket by its port. */
    return f.relay.len || assoc_unsettled(a) ? leave_peer(fd, (int)f.domain) : DATAGRAM_NOT_OURS;
}

enum {
    LEVEL_UDP = 17, OPTION_CORK = 1, OPTION_SEGMENT = 103, OPTION_GRO = 104,
    OPTION_ZEROCOPY = 60, OPTION_PEEK_OFF = 42     /* as asm-generic has them; some headers lack them */
};

int datagram_option(int fd, int level, int option, const void *value, socklen_t len)
{
    bool bypasses = (level == LEVEL_UDP && (option == OPTION_SEGMENT || option == OPTION_GRO)) ||
                    (level == SOL_SOCKET && (option == OPTION_ZEROCOPY || option == OPTION_PEEK_OFF));
    int saved_errno = errno;
    struct assoc *a;

    if (bypasses && process.conf.state == CONF_READY && kind_ask(fd, NULL) == KIND_DATAGRAM)
        return -ENOPROTOOPT;
    errno = saved_errno;
    a = level == LEVEL_UDP && option == OPTION_CORK && len >= sizeof(int) && value
            ? datagram_of(fd) : NULL;
    if (a) {
        int on;

        if (!memory_take(&on, value, sizeof on))
            return 0;
        atomic_store(&a->corked, on != 0);
        if (!on)
            assoc_uncork(&process.assoc, a);
    }
    return 0;
}

int datagram_shutdown(int fd, int result)
{
    struct assoc_address peer;

    return result != 0 && errno == ENOTCONN && datagram_peer_name(fd, &peer) == 0 ? 0 : result;
}
