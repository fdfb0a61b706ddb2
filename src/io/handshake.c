/* SPDX-License-Identifier: ISC */
/* handshake.c - the steps of a pending handshake */
#include "handshake.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/syscall.h>
#include <time.h>

#include "clock.h"
#include "detour.h"
#include "real.h"
#include "refuse.h"
#include "report.h"

enum { LATE_MS = 500 };

void handshake_deadline(struct pending_arena *a, struct arena_slot *s)
{
    int64_t next = atomic_load_explicit(&a->next_deadline, memory_order_relaxed);
    uint32_t patience = s->limits.step_ms;
    uint8_t step = UINT8_MAX;

    if (s->phase == ARENA_HANDSHAKE)
        patience = tunnel_patience(&s->machine, &s->flight, &s->limits, &step);
    if (s->deadline && step == s->step)
        return;
    s->step = step;
    s->deadline = clock_ms() + patience;
    if (next == 0 || s->deadline < next)
        atomic_store_explicit(&a->next_deadline, s->deadline, memory_order_relaxed);
}

void handshake_limit(struct arena_slot *s, int fd)
{
    int value = (int)s->limits.step_ms + LATE_MS, kept = 1;
    socklen_t len = sizeof kept;

    if (!s->unwatched && real.getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kept, &len) == 0 && kept == 0 &&
        real.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, sizeof value) == 0)
        s->kernel_limit = value;
}

/* The program may have set its own meanwhile. */
static void lift_limit(struct arena_slot *s, int fd)
{
    int value = 0, none = 0;
    socklen_t len = sizeof value;

    if (s->kernel_limit && real.getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len) == 0 &&
        value == s->kernel_limit)
        real.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &none, sizeof none);
    s->kernel_limit = 0;
}

static short ready(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    struct timespec none = { 0, 0 };

    return real.syscall(SYS_ppoll, &p, 1L, &none, NULL, 0L) == 1 ? p.revents : 0;
}

void handshake_drop(struct pending *p, struct arena_slot *s, int fd)
{
    if (fd >= 0) {
        lift_limit(s, fd);
        tunnel_low_water_end(fd, s->low_water);
    }
    epollset_arm(&p->arena->set, p->pid, s->cookie, 0, 0);
    arena_give(p->arena, s);
    if (atomic_fetch_sub_explicit(&p->arena->count, 1, memory_order_relaxed) == 1)
        atomic_store_explicit(&p->arena->joined, false, memory_order_relaxed);
}

/* How it ended, for the log, and for the listener whose request it was. */
static void tell(struct pending *p, const struct arena_slot *s, int error)
{
    if (!s->binding) {
        report_connect(p->tally, &s->target, &s->proxy, &s->machine, error, s->began);
        return;
    }
    report_bind(&s->target, &s->proxy, &s->machine, error, s->began);
    binding_ended(p->arena, s, error);
}

void handshake_fail(struct pending *p, struct arena_slot *s, int fd, int error)
{
    bool mapped = s->domain == AF_INET6 && s->proxy.kind == ADDR_IPV4;
    /* What is bound to a device has no way to loopback, where refusals come from. */
    bool genuine = !detour_has_device(fd, true);

    tell(p, s, error);
    /* Kept before the socket fails, since from then on another thread may ask for it. */
    if ((error != -ECONNREFUSED || !genuine) && !s->binding)
        arena_keep_error(p->arena, s->cookie, -error);
    refuse_socket(fd, s->domain, mapped, genuine);
    handshake_drop(p, s, fd);
}

static void succeed(struct pending *p, struct arena_slot *s, int fd)
{
    tell(p, s, 0);
    /* A listener's registrations are moved from one control connection to the next. */
    if (s->binding) {
        handshake_drop(p, s, fd);
        return;
    }
    state_peer_set(p->state, s->cookie, &s->peer);
    s->stands = true;
    handshake_drop(p, s, fd);
    /* A connected socket needs no followed registrations. */
    epollset_forget(&p->arena->set, s->cookie);
}

/* The step has not come to its end: -EAGAIN with the registrations armed for it, or the error of its deadline. */
static int wait_on(struct pending *p, struct arena_slot *s, int fd)
{
    short events = s->phase == ARENA_CONNECTING ? POLLOUT : tunnel_events(&s->machine);

    if (events == POLLIN && !s->low_water)
        s->low_water = tunnel_low_water_begin(fd);
    atomic_store_explicit(&s->wants, events == POLLOUT ? EPOLLOUT : EPOLLIN, memory_order_relaxed);
    handshake_deadline(p->arena, s);
    if (clock_ms() >= s->deadline)
        return tunnel_timeout(&s->machine);
    epollset_arm(&p->arena->set, p->pid, s->cookie, s->wants, arena_handle_of(p->arena, s));
    return -EAGAIN;
}

void handshake_connected(struct arena_slot *s, int fd)
{
    if (s->phase != ARENA_CONNECTING)
        return;
    atomic_store_explicit(&s->phase, ARENA_HANDSHAKE, memory_order_relaxed);
    lift_limit(s, fd);
    flight_greet(&s->flight);
}

/* While the kernel connects: 0 when it has, -EAGAIN while it does, 1 when it failed and holds the error. */
static int step_connecting(struct arena_slot *s, int fd)
{
    short got = ready(fd, POLLOUT);

    /* POLLERR may be of the error queue (time stamps), which no new connection empties. */
    if (got & POLLHUP)
        return 1;
    if (!(got & POLLOUT))
        return -EAGAIN;
    handshake_connected(s, fd);
    return 0;
}

/* Registrations are armed before the connection begins, as at the first time. */
static int begin_anew(struct pending *p, struct arena_slot *s, int fd)
{
    int error;

    atomic_store_explicit(&s->phase, ARENA_CONNECTING, memory_order_relaxed);
    s->deadline = 0;
    handshake_limit(s, fd);
    error = tunnel_redial(fd, s->domain, &s->proxy);
    return error && error != -EINPROGRESS ? error : wait_on(p, s, fd);
}

int handshake_step(struct pending *p, struct arena_slot *s, int fd)
{
    int error;

    if (atomic_load_explicit(&s->refused, memory_order_relaxed)) {
        handshake_drop(p, s, fd);
        return 0;
    }
    error = s->phase == ARENA_CONNECTING ? step_connecting(s, fd) : 0;
    if (error == 1) {
        tell(p, s, clock_ms() < s->deadline ? -ECONNREFUSED : -ETIMEDOUT);
        handshake_drop(p, s, fd);
        return 0;
    }
    if (!error)
        error = tunnel_step(fd, &s->machine);
    if (error == -EAGAIN)
        error = wait_on(p, s, fd);
    if (flight_again(&s->flight, &s->machine, error))
        error = begin_anew(p, s, fd);
    if (error == -EAGAIN)
        return error;
    flight_learn(&s->flight, &s->machine);
    if (!error && s->binding)
        error = binding_judge(s);
    if (error)
        handshake_fail(p, s, fd, error);
    else
        succeed(p, s, fd);
    return 0;
}
