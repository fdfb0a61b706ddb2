/* SPDX-License-Identifier: ISC */
/* inbound.c - connections that come in through the proxy: which sockets, and what their names are */
#include "inbound.h"

#include <netinet/in.h>
#include <string.h>

#include "../core/bindrule.h"
#include "../core/errname.h"
#include "../core/frame.h"
#include "../io/binding.h"
#include "../io/log.h"
#include "guard.h"
#include "inbound_request.h"
#include "stray.h"

/* An open tunnel of this process. */
struct tunnel_found {
    int age;                    /* 0: the youngest; -1: there is none */
    bool unsure;                /* the kernel does not say of some number whether it is one */
    unsigned which;             /* its proxy */
    struct addr local, shown, proxy;
};

void inbound_tunnel(uint64_t cookie, unsigned which)
{
    unsigned at;

    if (!cookie || process.conf.bind == CONF_BIND_OFF)
        return;
    at = atomic_fetch_add_explicit(&process.tunnels, 1, memory_order_relaxed) % PROCESS_TUNNELS;
    atomic_store_explicit(&process.tunnel[at].proxy, (uint8_t)which, memory_order_relaxed);
    atomic_store_explicit(&process.tunnel[at].cookie, cookie, memory_order_release);
    process_gate(GATE_BIND);
}

/* How many were made after it, or -1.  *which: its proxy. */
static int age_of(uint64_t cookie, unsigned *which)
{
    unsigned made = atomic_load_explicit(&process.tunnels, memory_order_relaxed);

    for (unsigned age = 0; age < PROCESS_TUNNELS && age < made; age++) {
        unsigned at = (made - 1 - age) % PROCESS_TUNNELS;

        if (atomic_load_explicit(&process.tunnel[at].cookie, memory_order_acquire) == cookie) {
            *which = atomic_load_explicit(&process.tunnel[at].proxy, memory_order_relaxed);
            return (int)age;
        }
    }
    return -1;
}

static int name_of(int fd, __typeof__(getsockname) *kernel, struct addr *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    return kernel(fd, (struct sockaddr *)&sa, &len) != 0 ? -errno
                                                          : addr_from_sockaddr((struct sockaddr *)&sa, len, out);
}

/* Look at one number: is it an open tunnel, and younger than what was found before?  own: the address it must leave
 * from, or NULL for one to a port that announces others. */
OWN_FRAME static void look_at(int fd, const struct addr *own, struct tunnel_found *found)
{
    uint64_t cookie;
    unsigned which = 0;
    bool told = real_tells_cookie(fd, &cookie);
    int age = cookie ? age_of(cookie, &which) : -1;
    struct tunnel_found t = { .age = age, .unsure = found->unsure, .which = which };

    /* Where there are no cookies no tunnel was noted. */
    if (!told && atomic_load_explicit(&process.tunnels, memory_order_relaxed))
        found->unsure = true;
    if (age < 0 || (found->age >= 0 && found->age <= age) ||
        pending_is_live(&process.pending, guard_handle(fd)) ||
        !state_peer_get(&process.state, cookie, &t.shown) || name_of(fd, real.getpeername, &t.proxy) != 0 ||
        name_of(fd, real.getsockname, &t.local) != 0)
        return;
    if (own ? addr_same_host(own, &t.local) : bindrule_has_port(&process.conf, t.shown.port))
        *found = t;
}

static void find_tunnel(const struct addr *own, struct tunnel_found *found)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);

    found->age = -1;
    found->unsure = false;
    for (unsigned fd = 0; fd < top; fd++) {
        if ((fdtab_get(&process.fdtab, (int)fd) & FDTAB_KIND) == KIND_STREAM)
            look_at((int)fd, own, found);
    }
}

/* Which peer a socket is for.  Returns the rule that matches, with *about filled in unless BINDRULE_NATIVE; -ENOBUFS
 * when the tunnel that it is for cannot be told. */
OWN_FRAME static int judge(int fd, bool listens, struct binding_about *about)
{
    struct tunnel_found primary, same = { .age = -1 };
    struct bindrule_facts f = { .local = &about->own, .listens = listens };
    enum bindrule rule;

    f.chosen = about->own.port != 0 && !(fdtab_get(&process.fdtab, fd) & FDTAB_PORT_0);
    /* Most servers: no tunnel is looked for on their behalf. */
    if (bindrule_never(&process.conf, &f))
        return BINDRULE_NATIVE;
    find_tunnel(NULL, &primary);
    f.primary = primary.age >= 0 ? &primary.local : NULL;
    if (listens && about->own.port != 0 && !addr_is_any(&about->own))
        find_tunnel(&about->own, &same);
    f.same = same.age >= 0 ? &same.local : NULL;
    if (primary.unsure || same.unsure)
        return -ENOBUFS;
    rule = bindrule_judge(&process.conf, &f);
    if (rule == BINDRULE_SAME)
        primary = same;
    if (rule != BINDRULE_PRIMARY && rule != BINDRULE_SAME)
        return (int)rule;
    about->which = primary.which;
    about->proxy = primary.proxy;
    about->shown = primary.shown;
    about->local = primary.local;
    if (state_name_find(&process.state, &about->shown, &about->target) != 0)
        about->target = about->shown;
    return (int)rule;
}

/* For whoever comes. */
OWN_FRAME static int for_anyone(struct binding_about *about)
{
    int error = process_proxy(0, about->domain, &about->proxy);

    about->which = 0;
    about->shown.kind = about->local.kind = ADDR_NONE;
    memset(&about->target, 0, sizeof about->target);
    about->target.kind = about->proxy.kind;
    return error;
}

OWN_FRAME static void say_refused(const struct binding_about *about, int error)
{
    char text[ADDR_TEXT_SIZE];

    addr_format(&about->target, text, sizeof text);
    log_once(LOG_BIND, "listen refused: the proxy takes no connections (BIND) for the peer %s (%s)", text,
             errname(error));
}

/* What listen() may fail with. */
static int listen_error(int error)
{
    return error == -EOPNOTSUPP ? error : -ECONNREFUSED;
}

/* Send the request and wait for the first reply.  Returns 0 or -errno: the socket is as it was before, and
 * REFUSED if listen() has yet to say so. */
OWN_FRAME static int begin(int fd, const struct binding_about *about, bool listens)
{
    struct binding_request q;
    int error = stray_socket(fd, &about->proxy, true);

    if (error)
        return error;
    process_gate(GATE_FACTS);
    process_gate(GATE_PENDING);
    inbound_request(fd, &q);
    error = binding_begin(&process.pending, &q, about, listens);
    if (error == -EINPROGRESS) {
        guard_drain(fd);
        error = binding_look(&process.pending, fd, NULL, NULL) == BINDING_WAITING
                    ? 0 : binding_error(&process.pending, fd);
        if (error && listens)
            binding_drop(&process.pending, &process.fdtab, fd);
        else if (error)
            binding_refuse(&process.pending, &process.fdtab, fd, error);
    }
    if (error)
        say_refused(about, error);
    return error;
}

/* A socket that is neither connected, or about to be, nor listening. */
static bool is_idle(int fd, struct addr *own)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    struct addr peer;

    return !guard_pending(fd) && name_of(fd, real.getpeername, &peer) == -ENOTCONN &&
           real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) == 0 && !listens &&
           name_of(fd, real.getsockname, own) == 0;
}

/* Judge, and begin.  Returns INBOUND_NOT_OURS, 0 or -errno. */
OWN_FRAME static int try(int fd, bool listens)
{
    struct binding_about about;
    int error, rule;

    about.status = 0;
    about.only_ipv6 = false;
    if (process.conf.state != CONF_READY || kind_ask(fd, &about.domain) != KIND_STREAM || !is_idle(fd, &about.own))
        return INBOUND_NOT_OURS;
    rule = judge(fd, listens, &about);
    if (rule < 0)
        return rule;
    if (rule == BINDRULE_NATIVE)
        return INBOUND_NOT_OURS;
    /* There is nowhere to keep it. */
    if (!process.pending.arena || process_is_guest())
        return -EOPNOTSUPP;
    if (rule == BINDRULE_ANY && (error = for_anyone(&about)) != 0)
        return listen_error(error);
    error = begin(fd, &about, listens);
    return error ? listen_error(error) : 0;
}

int inbound_listen(int fd)
{
    bool listening = false;
    int error;

    if (!inbound_is(fd))
        return try(fd, true);
    switch (binding_look(&process.pending, fd, &listening, NULL)) {
    case BINDING_NONE:
        fdtab_turn(&process.fdtab, fd, KIND_LISTENER, KIND_STREAM);
        return try(fd, true);
    case BINDING_UNKNOWN:
        return -ENOBUFS;
    case BINDING_REFUSED:
        error = listen_error(binding_error(&process.pending, fd));
        binding_drop(&process.pending, &process.fdtab, fd);
        return error;
    default:
        binding_listen(&process.pending, fd);
        return 0;
    }
}

/* A request that is on its way will tell an address: the program may be about to tell it to a peer. */
OWN_FRAME static bool listener_name(int fd, struct addr *own)
{
    struct binding_request q;
    enum binding_state state = binding_look(&process.pending, fd, NULL, own);

    if (state == BINDING_TAKEN) {
        inbound_request(fd, &q);
        binding_follow(&process.pending, &q);
    }
    if (state == BINDING_TAKEN || state == BINDING_ARMING) {
        guard_drain(fd);
        state = binding_look(&process.pending, fd, NULL, own);
    }
    return state == BINDING_WAITING;
}

/* The tunnel to a peer that a request waits for, and connections that came in. */
OWN_FRAME static bool tunnel_name(int fd, struct addr *own)
{
    uint64_t cookie = binding_any(&process.pending) ? real_cookie(fd) : 0;
    struct addr peer;

    return cookie && name_of(fd, real.getsockname, own) == 0 &&
           binding_own_name(&process.pending, cookie, state_peer_get(&process.state, cookie, &peer) ? &peer : NULL,
                            own);
}

int inbound_own_name(int fd, struct sockaddr_storage *sa, socklen_t *len)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);
    struct addr own;
    int domain;

    if ((word & FDTAB_KIND) == KIND_STREAM && word & FDTAB_PORT_0 && word & FDTAB_FRESH)
        try(fd, false);
    if (inbound_is(fd) ? !listener_name(fd, &own) : !tunnel_name(fd, &own))
        return INBOUND_NOT_OURS;
    return kind_ask(fd, &domain) == KIND_STREAM && addr_to_sockaddr(&own, domain, sa, len) == 0 ? 0 : INBOUND_NOT_OURS;
}

/* An address that was shown as the socket's own, though it is the proxy's outside, is none of this machine. */
OWN_FRAME static int bind_real(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct addr shown, local;
    struct sockaddr_storage behind;

    if (hook_idle(GATE_BIND) || !binding_any(&process.pending) || addr_from_sockaddr(sa, len, &shown) != 0 ||
        !binding_real_local(&process.pending, &shown, &local))
        return -EADDRNOTAVAIL;
    local.port = shown.port;
    if (addr_to_sockaddr(&local, sa->sa_family, &behind, &len) != 0)
        return -EADDRNOTAVAIL;
    return real.bind(fd, (struct sockaddr *)&behind, len) == 0 ? 0 : -errno;
}

OWN_FRAME static bool is_port_0(const struct sockaddr *sa, socklen_t len)
{
    struct addr a;

    return addr_from_sockaddr(sa, len, &a) == 0 && a.port == 0;
}

int inbound_bind(int fd, const struct sockaddr *sa, socklen_t len)
{
    int entry_errno = errno, result = real.bind(fd, sa, len);

    if (hook_idle(GATE_FACTS) || (fdtab_get(&process.fdtab, fd) & FDTAB_KIND) != KIND_STREAM)
        return result;
    if (result != 0 && errno == EADDRNOTAVAIL)
        result = (int)hook_return(entry_errno, bind_real(fd, sa, len));
    if (result == 0 && is_port_0(sa, len) && !process_is_guest())
        fdtab_change(&process.fdtab, fd, 0, FDTAB_PORT_0);
    return result == 0 ? (int)hook_return(entry_errno, 0) : result;
}

bool inbound_listens(int fd)
{
    bool listening = false;

    return inbound_is(fd) && binding_look(&process.pending, fd, &listening, NULL) != BINDING_NONE && listening;
}

int inbound_connect(int fd, bool away)
{
    bool listening = false;
    enum binding_state state = binding_look(&process.pending, fd, &listening, NULL);

    if (!away && (state == BINDING_UNKNOWN || (listening && state != BINDING_NONE)))
        return -EISCONN;
    binding_drop(&process.pending, &process.fdtab, fd);
    return away ? 0 : INBOUND_NOT_OURS;
}

/* As the kernel, for which only the reading half of a listener means anything. */
int inbound_shutdown(int fd, int how)
{
    if (how != SHUT_WR)
        binding_drop(&process.pending, &process.fdtab, fd);
    return 0;
}

uint32_t inbound_close(int fd)
{
    return binding_close(&process.pending, &process.fdtab, fd);
}
