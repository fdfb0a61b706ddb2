/* SPDX-License-Identifier: ISC */
/* binding_take.c - a connection comes off its listener, and a new request takes its place */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "arena.h"
#include "binding.h"
#include "kind.h"
#include "real.h"

enum { VALUE_MAX = 32, REP_DENIED = 2 };

/* A socket just made, and its SO_COOKIE. */
struct fresh {
    int fd;
    uint64_t cookie;
};

/* What the next socket inherits from the one before, as an accepted connection would from its listener. */
static const struct { int level, option; } inherited[] = {
    { SOL_SOCKET, SO_REUSEADDR }, { SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_LINGER },
    { SOL_SOCKET, SO_RCVTIMEO }, { SOL_SOCKET, SO_SNDTIMEO }, { SOL_SOCKET, SO_OOBINLINE },
    { SOL_SOCKET, SO_PRIORITY }, { SOL_SOCKET, SO_MARK }, { SOL_SOCKET, SO_BINDTODEVICE },
    { IPPROTO_TCP, TCP_NODELAY }, { IPPROTO_TCP, TCP_KEEPIDLE }, { IPPROTO_TCP, TCP_KEEPINTVL },
    { IPPROTO_TCP, TCP_KEEPCNT }, { IPPROTO_TCP, TCP_USER_TIMEOUT }, { IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_TTL },
    { IPPROTO_IPV6, IPV6_V6ONLY }, { IPPROTO_IPV6, IPV6_TCLASS }, { IPPROTO_IPV6, IPV6_UNICAST_HOPS },
};

/* The kernel doubles the size of a buffer that it is told, and tells it doubled. */
static void inherit_buffer(int from, int to, int option)
{
    int old = 0, fresh = 0;
    socklen_t old_len = sizeof old, fresh_len = sizeof fresh;

    if (real.getsockopt(from, SOL_SOCKET, option, &old, &old_len) != 0 ||
        real.getsockopt(to, SOL_SOCKET, option, &fresh, &fresh_len) != 0 || old == fresh)
        return;
    old /= 2;
    real.setsockopt(to, SOL_SOCKET, option, &old, sizeof old);
}

static void inherit(int from, int to)
{
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0]; i++) {
        char old[VALUE_MAX] = { 0 }, fresh[VALUE_MAX] = { 0 };
        socklen_t old_len = sizeof old, fresh_len = sizeof fresh;

        if (real.getsockopt(from, inherited[i].level, inherited[i].option, old, &old_len) == 0 &&
            real.getsockopt(to, inherited[i].level, inherited[i].option, fresh, &fresh_len) == 0 &&
            (old_len != fresh_len || memcmp(old, fresh, old_len) != 0))
            real.setsockopt(to, inherited[i].level, inherited[i].option, old, old_len);
    }
    /* A tunnel's own receive buffer grows by itself: only what the program has set is worth keeping. */
    inherit_buffer(from, to, SO_SNDBUF);
}

/* From the same address, but a port of its own: that of the old one belongs to the connection. */
OWN_FRAME static void bind_alike(int fd, const struct binding_about *about)
{
    struct addr own = about->own;
    struct sockaddr_storage sa;
    socklen_t len;

    own.port = 0;
    if (about->own.port != 0 && !addr_is_any(&own) && own.kind == about->proxy.kind &&
        addr_to_sockaddr(&own, about->domain, &sa, &len) == 0)
        real.syscall(SYS_bind, (long)fd, &sa, (long)len);
}

/* The socket for the next request.  from: the one before, or -1 when it is another process's connection by now.
 * One that cannot be told from others is no use.  Returns 0 or -errno. */
static int make_control(int from, const struct binding_about *about, struct fresh *out)
{
    int fd = real_socket(about->domain, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    *out = (struct fresh){ fd, real_cookie(fd) };
    if (!out->cookie) {
        real_close(fd);
        return -ENOBUFS;
    }
    if (from >= 0)
        inherit(from, fd);
    bind_alike(fd, about);
    real.fcntl(fd, F_SETFL, about->status);
    return 0;
}

static void remember_taken(struct pending_arena *a, uint64_t cookie, const struct binding_about *about)
{
    struct binding_taken *t = &a->binding.taken[a->binding.next_taken++ % BINDING_TAKEN_KEPT];

    t->cookie = cookie;
    t->about = *about;
}

/* Nothing can be put on a number beyond the limit, which may have been lowered since: 0 if the old socket has none
 * there in this process, else -EMFILE. */
static int can_replace(const struct binding_request *q, uint64_t old)
{
    unsigned top = atomic_load_explicit(&q->numbers->top, memory_order_relaxed);
    struct { uint64_t soft, hard; } limit = { UINT64_MAX, UINT64_MAX };

    real.syscall(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NULL, &limit);
    for (uint64_t n = limit.soft; n < top; n++) {
        if ((fdtab_get(q->numbers, (int)n) & FDTAB_KIND) == KIND_LISTENER && real_is((int)n, old))
            return -EMFILE;
    }
    return 0;
}

/* Put a new socket on all numbers of this process that lead to the old one.  A registration that stayed with the old
 * one while its number becomes another's could not be removed by anybody: out before, in after.
 * control: is closed here; made: the number of the connection, or -1. */
static void replace(struct pending *p, const struct binding_request *q, uint64_t old, const struct fresh *control,
                    int made)
{
    unsigned top = atomic_load_explicit(&q->numbers->top, memory_order_relaxed);

    epollset_take_out(&p->arena->set, p->pid, old);
    for (unsigned n = 0; n < top; n++) {
        int flags;

        if ((int)n == made || (fdtab_get(q->numbers, (int)n) & FDTAB_KIND) != KIND_LISTENER ||
            !real_is((int)n, old))
            continue;
        flags = real.fcntl((int)n, F_GETFD);
        real.dup3(control->fd, (int)n, flags >= 0 && flags & FD_CLOEXEC ? O_CLOEXEC : 0);
    }
    epollset_put_in(&p->arena->set, p->pid, old, control->cookie);
    real_close(control->fd);
}

int binding_open_to_mapped(struct pending *p, const struct binding_request *q, struct binding *b)
{
    int only = 0, off = 0, status = real.fcntl(q->fd, F_GETFL), error;
    uint64_t old = b->cookie;
    struct fresh control;
    socklen_t len = sizeof only;

    if (b->about.domain != AF_INET6 || b->about.proxy.kind != ADDR_IPV4 || b->about.own.port == 0 ||
        b->about.own.kind != ADDR_IPV6 ||
        real.getsockopt(q->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len) != 0 ||
        (!only && addr_is_any(&b->about.own)))
        return 0;
    b->about.status = status < 0 ? 0 : status;
    b->about.only_ipv6 = only;
    error = can_replace(q, old);
    if (!error)
        error = make_control(q->fd, &b->about, &control);
    if (error)
        return error;
    real.setsockopt(control.fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    b->cookie = control.cookie;
    replace(p, q, old, &control, -1);
    return 0;
}

static bool is_readable(int fd)
{
    char byte;
    ssize_t n = real_recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n != -EAGAIN && n != -EINTR;
}

/* The second reply, as far as it is there.  What it takes to go on is made before: once the reply is read nothing may
 * fail.  made: gets the number of the connection, or -1.
 * Returns 0 when the request is over, -EAGAIN while the reply is not whole, -EMFILE and the like. */
static int read_reply(struct binding *b, int fd, int flags, struct fresh *control, int *made)
{
    int status = real.fcntl(fd, F_GETFL), error, lacking;

    b->about.status = status < 0 ? 0 : status;
    *made = real.fcntl(fd, flags & SOCK_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
    if (*made < 0)
        return -errno;
    lacking = make_control(fd, &b->about, control);
    error = lacking ? lacking : tunnel_step(fd, &b->machine);
    if (lacking || error == -EAGAIN) {
        real_close(*made);
        if (!lacking)
            real_close(control->fd);
        return error;
    }
    if (error)
        real_close(*made);
    *made = error ? -1 : *made;
    return 0;
}

static int take(struct pending *p, struct binding *b, const struct binding_request *q, int flags,
                struct binding_peer *out)
{
    uint64_t old = b->cookie;
    struct fresh control;
    int made = -1, error;

    if (!b->listening || b->state == BINDING_FAILED || b->state == BINDING_REFUSED)
        return -EINVAL;
    if (b->state == BINDING_ARMING)
        return arena_slot_of(p->arena, b->handle) ? -EAGAIN : -EINVAL;
    if (!is_readable(q->fd))
        return -EAGAIN;
    error = can_replace(q, old);
    if (!error)
        error = read_reply(b, q->fd, flags, &control, &made);
    if (error)
        return error;
    out->cookie = old;
    out->domain = b->about.domain;
    out->from = *socks5_bound(&b->machine);
    out->target = b->about.target;
    out->shown = b->about.shown;
    /* Somebody else has come: the proxy has sent him away, and gives up. */
    error = socks5_rep(&b->machine) == REP_DENIED ? -EAGAIN : -ECONNABORTED;
    remember_taken(p->arena, old, &b->about);
    b->cookie = control.cookie;
    replace(p, q, old, &control, made);
    if (made >= 0)
        real.fcntl(made, F_SETFL, flags & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    binding_arm(p, q, b);
    return made >= 0 ? made : error;
}

/* Returns 0, or -errno: nothing has changed then. */
static int follow(struct pending *p, const struct binding_request *q, const struct binding_taken *t)
{
    uint64_t old = t->cookie;
    struct fresh control;
    struct binding *b;
    int error = can_replace(q, old);

    if (!error)
        error = make_control(-1, &t->about, &control);
    if (error)
        return error;
    b = binding_place(p->arena);
    if (!b) {
        real_close(control.fd);
        return -ENOBUFS;
    }
    b->cookie = control.cookie;
    b->listening = true;
    b->about = t->about;
    replace(p, q, old, &control, -1);
    binding_arm(p, q, b);
    return 0;
}

int binding_take(struct pending *p, const struct binding_request *q, int flags, struct binding_peer *out)
{
    int saved_errno = errno, result;
    struct lock_hold hold;
    struct binding_taken *t;
    struct binding *b;
    uint64_t cookie;

    out->shared = false;
    if (!arena_enter(p, &hold))
        return -EAGAIN;
    /* Under the lock: another thread may just have put another socket there. */
    result = real_tells_cookie(q->fd, &cookie) ? -ESTALE : -ENOBUFS;
    b = binding_of(p->arena, cookie);
    /* close() in another thread has let the number go: the next request's socket could not be put there. */
    if ((fdtab_get(q->numbers, q->fd) & FDTAB_KIND) != KIND_LISTENER) {
        result = -ESTALE;
    } else if (b) {
        out->shared = b->forked;
        result = take(p, b, q, flags, out);
    } else if (t = binding_taken_of(p->arena, cookie), t) {
        result = follow(p, q, t);
        result = result ? result : -EAGAIN;
    }
    arena_leave(p, &hold);
    errno = saved_errno;
    return result;
}

void binding_follow(struct pending *p, const struct binding_request *q)
{
    int saved_errno = errno;
    struct binding_taken *t;
    struct lock_hold hold;
    uint64_t cookie;

    if (!arena_enter(p, &hold))
        return;
    cookie = real_cookie(q->fd);
    t = binding_taken_of(p->arena, cookie);
    if (t && !binding_of(p->arena, cookie))
        follow(p, q, t);
    arena_leave(p, &hold);
    errno = saved_errno;
}
