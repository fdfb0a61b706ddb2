/* SPDX-License-Identifier: ISC */
/* datagram_name.c - what a datagram socket is called, and what it is told of the way to its peer */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>

#include "../io/clock.h"
#include "datagram.h"

bool datagram_kernel_name(int fd, struct addr *own, struct assoc_address *as)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (real.getsockname(fd, (struct sockaddr *)&sa, &len) != 0 || len > sizeof as->sa ||
        addr_from_sockaddr((struct sockaddr *)&sa, len, own) != 0)
        return false;
    memcpy(&as->sa, &sa, len);
    as->len = len;
    return true;
}

int datagram_peer_name(int fd, struct assoc_address *out)
{
    struct assoc *a = datagram_of(fd);
    struct assoc_facts f;

    /* No data path: the socket itself is looked at each time. */
    if (a)
        assoc_doubt(a);
    if (!a || assoc_look(&process.assoc, a, fd, clock_ms()) != 0 || !assoc_facts(a, false, &f) || !f.peer.len)
        return DATAGRAM_NOT_OURS;
    *out = f.peer;
    return 0;
}

/* A socket connected to the proxy tells what the program's would, if it could be.  Returns its number, or -errno. */
static int towards_proxy(unsigned number, int domain)
{
    struct sockaddr_storage sa;
    struct addr proxy;
    socklen_t len;
    int error = process_proxy(number, domain, &proxy), fd;

    if (!error)
        error = addr_to_sockaddr(&proxy, domain, &sa, &len);
    if (error)
        return error;
    fd = real_socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && (error = real_connect(fd, (struct sockaddr *)&sa, len)) != 0) {
        real_close(fd);
        fd = error;
    }
    return fd;
}

/* The address that the kernel would send from to the proxy. */
static bool address_towards(unsigned number, int domain, struct addr *own)
{
    struct assoc_address as;
    int fd = towards_proxy(number, domain);
    bool good = fd >= 0 && datagram_kernel_name(fd, own, &as);

    if (fd >= 0)
        real_close(fd);
    return good;
}

int datagram_own_name(int fd, struct assoc_address *out)
{
    struct assoc *a = datagram_of(fd);
    struct assoc_address peer, as;
    struct assoc_facts f;
    struct addr own, shown;
    int domain;

    if (!a || !datagram_kernel_name(fd, &own, &as) || !addr_is_any(&own))
        return DATAGRAM_NOT_OURS;
    domain = as.sa.sin6_family;
    if (atomic_load_explicit(&a->bound, memory_order_acquire))
        addr_from_sockaddr((struct sockaddr *)&a->own.sa, a->own.len, &shown);
    else if (datagram_peer_name(fd, &peer) != 0 || !assoc_facts(a, false, &f) ||
             !address_towards(f.proxy, domain, &shown))
        return DATAGRAM_NOT_OURS;
    shown.port = own.port;
    return assoc_address_set(out, domain, &shown) ? 0 : DATAGRAM_NOT_OURS;
}

/* An address of this machine, no loopback, and any port: what the kernel takes for the route to the target, and not to
 * the relay. */
static bool is_own_address(int domain, const struct sockaddr *sa, socklen_t len, struct addr *a)
{
    struct sockaddr_storage bare;
    socklen_t bare_len;
    int fd;
    bool good;

    if (len < sizeof(sa_family_t) || sa->sa_family != domain || addr_from_sockaddr(sa, len, a) != 0 || a->port != 0 ||
        addr_is_any(a) || addr_is_loopback(a) || addr_is_local_scope(a) ||
        addr_to_sockaddr(a, domain, &bare, &bare_len) != 0)
        return false;
    fd = real_socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    good = fd >= 0 && real.syscall(SYS_bind, (long)fd, &bare, (long)bare_len) == 0;
    if (fd >= 0)
        real_close(fd);
    return good;
}

/* The socket of a client that wants IPv6 alone: once bound it could not send to an IPv4 relay. */
static bool is_any_of_ipv6(int domain, const struct sockaddr *sa, socklen_t len)
{
    struct addr a;

    return domain == AF_INET6 && addr_from_sockaddr(sa, len, &a) == 0 && a.kind == ADDR_IPV6 && addr_is_any(&a) &&
           a.port == 0;
}

int datagram_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct sockaddr_storage any = { .ss_family = AF_INET };
    struct addr own;
    struct assoc *a;
    int domain, error;

    if (process.conf.state != CONF_READY || kind_ask(fd, &domain) != KIND_DATAGRAM || process_is_guest())
        return DATAGRAM_NOT_OURS;
    if (is_any_of_ipv6(domain, sa, len))
        datagram_open_to_relay(fd, domain);
    if (!hook_idle(GATE_DEVICE) || !is_own_address(domain, sa, len, &own) || datagram_attach(fd, &a) != 0)
        return DATAGRAM_NOT_OURS;
    datagram_open_to_relay(fd, domain);
    any.ss_family = (sa_family_t)domain;
    if (real.syscall(SYS_bind, (long)fd, &any, (long)(domain == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                         : sizeof(struct sockaddr_in))) != 0) {
        error = -errno;
        return error;
    }
    assoc_address_set(&a->own, domain, &own);
    atomic_store_explicit(&a->bound, true, memory_order_release);
    return 0;
}

int datagram_mtu(int fd, int level, int option, int *value)
{
    struct assoc *a = datagram_of(fd);
    struct assoc_facts f;
    socklen_t len = sizeof *value;
    int towards, error;

    if (!a || !assoc_facts(a, false, &f) || !f.peer.len)
        return DATAGRAM_NOT_OURS;
    towards = towards_proxy(f.proxy, f.domain);
    if (towards < 0)
        return DATAGRAM_NOT_OURS;
    error = real.getsockopt(towards, level, option, value, &len) == 0 ? 0 : -errno;
    real_close(towards);
    *value -= error ? 0 : f.header_len;
    return error;
}
