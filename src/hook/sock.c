/* SPDX-License-Identifier: ISC */
/* sock.c - sockets made, and what they say of their peers */
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/kind.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "datagram.h"
#include "guard.h"
#include "inbound.h"
#include "number.h"
#include "stray.h"

static void remember(int fd, enum kind kind)
{
    if (process_is_guest())
        return;
    number_made(fd);
    if (kind == KIND_NATIVE)
        return;
    process_gate(GATE_FACTS);
    fdtab_set(&process.fdtab, fd, (uint32_t)kind | (kind == KIND_STREAM && process.pending.arena ? FDTAB_FRESH : 0));
}

int socket(int domain, int type, int protocol)
{
    enum kind kind;
    int fd;

    hook_enter();
    kind = kind_judge(domain, type, protocol);
    fd = real.socket(domain, type, protocol);
    if (fd < 0)
        return fd;
    if (kind == KIND_REFUSED) {
        /* Made first, so that a domain this kernel lacks fails as it always does. */
        real_close(fd);
        log_once(LOG_KIND, "socket of domain %d, type %d refused: it would reach the network in its own way", domain,
                 type);
        errno = EACCES;
        return -1;
    }
    remember(fd, kind);
    return fd;
}

int socketpair(int domain, int type, int protocol, int pair[2])
{
    int result;

    hook_enter();
    result = real.socketpair(domain, type, protocol, pair);
    if (result == 0) {
        number_made(pair[0]);
        number_made(pair[1]);
    }
    return result;
}

static int before_accept(int fd)
{
    int entry_errno = errno;

    return guard_idle() ? 0 : (int)hook_return(entry_errno, guard_accept(fd));
}

static int accept_inbound(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    int entry_errno = errno;

    return (int)hook_return(entry_errno, inbound_accept(fd, sa, len, flags));
}

int accept(int fd, struct sockaddr *sa, socklen_t *len)
{
    if (hook_idle(GATE_PENDING | GATE_BIND))
        return number_made(real.accept(fd, sa, len));
    if (inbound_is(fd))
        return accept_inbound(fd, sa, len, 0);
    return before_accept(fd) < 0 ? -1 : number_made(real.accept(fd, sa, len));
}

int accept4(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    if (hook_idle(GATE_PENDING | GATE_BIND))
        return number_made(real.accept4(fd, sa, len, flags));
    if (inbound_is(fd))
        return accept_inbound(fd, sa, len, flags);
    return before_accept(fd) < 0 ? -1 : number_made(real.accept4(fd, sa, len, flags));
}

/* One that is named and was not looked up yet may be any. */
static bool is_proxy(const struct sockaddr *sa, socklen_t len)
{
    struct addr a;

    return addr_from_sockaddr(sa, len, &a) == 0 &&
           upstreams_may_include(&process.proxies, process.conf.proxy_count, &a);
}

/* The target behind a socket that the kernel connected to the proxy.  *sa, *len: the kernel's answer, replaced. */
static void show_target(int fd, struct sockaddr_storage *sa, socklen_t *len)
{
    int family = sa->ss_family;
    uint64_t cookie = real_cookie(fd);
    struct addr peer;

    if (cookie && state_peer_get(&process.state, cookie, &peer))
        addr_to_sockaddr(&peer, family, sa, len);
}

int shutdown(int fd, int how)
{
    hook_enter();
    if (datagram_handle(fd)) {
        int entry_errno = errno, result = datagram_shutdown(fd, real.shutdown(fd, how));

        errno = result == 0 ? entry_errno : errno;
        return result;
    }
    if (inbound_listens(fd) && how >= SHUT_RD && how <= SHUT_RDWR)
        return inbound_shutdown(fd, how);
    /* What the kernel makes of a socket that is still connecting, and it succeeds. */
    if (how >= SHUT_RD && how <= SHUT_RDWR && guard_pending(fd) &&
        pending_abandon(&process.pending, fd, guard_handle(fd)))
        return 0;
    return real.shutdown(fd, how);
}

static int pending_so_error(int fd, int *value, socklen_t *len)
{
    int result;

    if (guard_pending(fd)) {
        if (!memory_writable(value, sizeof *value) || !memory_writable(len, sizeof *len)) {
            errno = EFAULT;
            return -1;
        }
        *value = 0;
        *len = sizeof *value;
        return 0;
    }
    result = real.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, len);
    if (result == 0 && *len == sizeof *value && *value)
        *value = pending_error(&process.pending, fd, *value);
    return result;
}

/* Hand an address to the program as the kernel does.  The kernel writes one of its own first, of the same size: it
 * knows best what is wrong with the program's pointers.
 * kernel: getsockname() or getpeername() of libc. */
static int show(int fd, __typeof__(getsockname) *kernel, const void *shown, socklen_t shown_len, struct sockaddr *sa,
                socklen_t *len)
{
    socklen_t room;

    if (!memory_take(&room, len, sizeof room))
        return -EFAULT;
    if (kernel(fd, sa, len) != 0)
        return -errno;
    memcpy(sa, shown, room < shown_len ? room : shown_len);
    *len = shown_len;
    return 0;
}

static int peer_of(int fd, struct sockaddr *sa, socklen_t *len)
{
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;
    int entry_errno = errno;
    struct assoc_address datagram_peer;

    hook_enter();
    /* The kernel has no peer here, but a name of its own. */
    if (datagram_handle(fd) && datagram_peer_name(fd, &datagram_peer) == 0)
        return (int)hook_return(entry_errno, show(fd, real.getsockname, &datagram_peer.sa, datagram_peer.len, sa, len));
    if (process.conf.state != CONF_READY)
        return real.getpeername(fd, sa, len);
    if (guard_pending(fd) || inbound_is(fd))
        return (int)hook_return(entry_errno, -ENOTCONN);
    if (real.getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        !is_proxy((struct sockaddr *)&peer, peer_len)) {
        errno = entry_errno;
        if (real.getpeername(fd, sa, len) == 0)
            return 0;
        if (errno != ENOTCONN || !datagram_found(fd) || datagram_peer_name(fd, &datagram_peer) != 0)
            return -1;
        return (int)hook_return(entry_errno,
                                show(fd, real.getsockname, &datagram_peer.sa, datagram_peer.len, sa, len));
    }
    show_target(fd, &peer, &peer_len);
    return (int)hook_return(entry_errno, show(fd, real.getpeername, &peer, peer_len, sa, len));
}

/* The peer that a handshake is still for. */
static bool coming_peer(int fd, struct sockaddr_storage *sa, socklen_t *len)
{
    struct addr peer;

    return guard_pending(fd) && pending_peer(&process.pending, fd, guard_handle(fd), &peer) &&
           real.getsockname(fd, (struct sockaddr *)sa, len) == 0 &&
           addr_to_sockaddr(&peer, sa->ss_family, sa, len) == 0;
}

/* SO_PEERNAME says what getpeername() does, and the peer of a socket that is still connecting.  The kernel's is the
 * proxy, or none where datagrams go through an association; by then it has read *len. */
static int peer_name(int fd, void *value, socklen_t *len)
{
    int entry_errno = errno, result = real.getsockopt(fd, SOL_SOCKET, SO_PEERNAME, value, len);
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof peer;

    if (result != 0 && !(errno == ENOTCONN && (datagram_handle(fd) || datagram_found(fd))))
        return result;
    errno = entry_errno;
    if (!coming_peer(fd, &peer, &peer_len)) {
        peer_len = sizeof peer;
        /* One that is still connecting to a direct address has no getpeername(). */
        if (peer_of(fd, (struct sockaddr *)&peer, &peer_len) != 0)
            return result == 0 && !guard_handle(fd) ? (int)hook_return(entry_errno, 0) : -1;
    }
    if (*len > peer_len)
        return (int)hook_return(entry_errno, -EINVAL);
    if (!memory_writable(value, *len))
        return (int)hook_return(entry_errno, -EFAULT);
    memcpy(value, &peer, *len);
    return (int)hook_return(entry_errno, 0);
}

int bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    int entry_errno = errno, way = DATAGRAM_NOT_OURS;
    struct sockaddr_storage own;

    hook_enter();
    sa = memory_address(sa, len, &own);
    if (sa == (struct sockaddr *)&own &&
        (own.ss_family == AF_INET || own.ss_family == AF_INET6))
        way = datagram_bind(fd, sa, len);
    errno = entry_errno;
    return way == DATAGRAM_NOT_OURS ? inbound_bind(fd, sa, len) : (int)hook_return(entry_errno, way);
}

static bool asks_mtu(int fd, int level, int option, const void *value, const socklen_t *len, int *mtu)
{
    return ((level == IPPROTO_IP && option == IP_MTU) || (level == IPPROTO_IPV6 && option == IPV6_MTU)) &&
           datagram_handle(fd) && memory_readable(len, sizeof *len) && *len >= sizeof(int) &&
           memory_readable(value, sizeof(int)) && datagram_mtu(fd, level, option, mtu) == 0;
}

/* While a handshake lasts the kernel's value is the handshake's. */
static int get_low_water(int fd, void *value, socklen_t *len)
{
    int kept = pending_low_water(&process.pending, guard_handle(fd));
    int result = real.getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, value, len);

    if (result == 0 && kept)
        memcpy(value, &kept, *len < sizeof kept ? *len : sizeof kept);
    return result;
}

/* To the kernel a listener is connected. */
static bool tells_listener(int level, int option)
{
    return (level == SOL_SOCKET && option == SO_ACCEPTCONN) || (level == IPPROTO_TCP && option == TCP_INFO);
}

static int of_listener(int fd, int level, int option, void *value, socklen_t *len)
{
    int one = 1, result = real.getsockopt(fd, level, option, value, len);

    if (result == 0 && level == SOL_SOCKET)
        memcpy(value, &one, *len < sizeof one ? *len : sizeof one);
    else if (result == 0 && *len > 0)
        *(uint8_t *)value = TCP_LISTEN;     /* tcpi_state */
    return result;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    int entry_errno = errno, mtu;

    hook_enter();
    if (level == SOL_SOCKET && option == SO_PEERNAME)
        return inbound_is(fd) ? (int)hook_return(errno, -ENOTCONN) : peer_name(fd, value, len);
    if (tells_listener(level, option) && inbound_listens(fd))
        return of_listener(fd, level, option, value, len);
    if (level == SOL_SOCKET && option == SO_RCVLOWAT && !hook_idle(GATE_PENDING))
        return get_low_water(fd, value, len);
    if (!hook_idle(GATE_DATAGRAM) && asks_mtu(fd, level, option, value, len, &mtu)) {
        if (!memory_writable(value, sizeof mtu) || !memory_writable(len, sizeof *len))
            return (int)hook_return(entry_errno, -EFAULT);
        memcpy(value, &mtu, sizeof mtu);
        *len = sizeof mtu;
        return (int)hook_return(entry_errno, 0);
    }
    errno = entry_errno;
    if (level != SOL_SOCKET || option != SO_ERROR || hook_idle(GATE_PENDING | GATE_DATAGRAM) ||
        !memory_readable(len, sizeof *len) || *len < sizeof(int) || *len > INT_MAX)
        return real.getsockopt(fd, level, option, value, len);
    return datagram_handle(fd) ? datagram_so_error(fd, value, len) : pending_so_error(fd, value, len);
}

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    int entry_errno = errno, error;

    hook_enter();
    error = datagram_option(fd, level, option, value, len);
    if (!error)
        error = stray_option(fd, level, option, value, len);
    if (!error && level == SOL_SOCKET && option == SO_RCVLOWAT && guard_pending(fd) &&
        pending_set_low_water(&process.pending, fd, guard_handle(fd), value, len, &error))
        return (int)hook_return(entry_errno, error);
    return error ? (int)hook_return(entry_errno, error) : real.setsockopt(fd, level, option, value, len);
}

OWN_FRAME static int own_name(int fd, struct sockaddr *sa, socklen_t *len)
{
    struct sockaddr_storage own;
    socklen_t own_len;

    return inbound_own_name(fd, &own, &own_len) == 0 ? show(fd, real.getsockname, &own, own_len, sa, len)
                                                     : INBOUND_NOT_OURS;
}

int getsockname(int fd, struct sockaddr *sa, socklen_t *len)
{
    struct assoc_address own;
    int entry_errno = errno, result;

    if (datagram_handle(fd) && datagram_own_name(fd, &own) == 0)
        return (int)hook_return(entry_errno, show(fd, real.getsockname, &own.sa, own.len, sa, len));
    hook_enter();
    result = hook_idle(GATE_BIND) ? INBOUND_NOT_OURS : own_name(fd, sa, len);
    if (result != INBOUND_NOT_OURS)
        return (int)hook_return(entry_errno, result);
    errno = entry_errno;
    return real.getsockname(fd, sa, len);
}

int getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
    return peer_of(fd, sa, len);
}
