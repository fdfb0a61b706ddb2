/* SPDX-License-Identifier: ISC */
/* pending_start.c - how a pending handshake begins */
#include <errno.h>

#include "arena.h"
#include "clock.h"
#include "epollset_table.h"
#include "handshake.h"
#include "real.h"

static void fill(struct arena_slot *s, const struct pending *p, const struct pending_request *q, uint64_t cookie)
{
    s->pid = p->pid;
    s->domain = q->domain;
    s->binding = q->binding;
    s->unwatched = q->unwatched;
    s->awaited = q->awaited;
    s->cookie = cookie;
    s->began = clock_ms();
    s->limits = q->limits;
    s->proxy = *q->proxy;
    s->target = *q->target;
    s->peer = *q->peer;
    s->machine = *q->machine;
    s->flight = *q->flight;
    s->fd[0] = q->fd;
    for (int i = 1; i < ARENA_NUMBERS; i++)
        s->fd[i] = -1;
    handshake_limit(s, q->fd);
}

/* Registrations are armed before the connection begins: a waiter must never see the socket writable.  So is the
 * handle known: who comes to the number meanwhile, or is about to exec, waits for the lock. */
static int start(struct pending *p, struct arena_slot *s, const struct pending_request *q)
{
    pending_handle handle = arena_handle_of(p->arena, s);
    int error = -EINPROGRESS;

    s->wants = EPOLLOUT;
    s->phase = ARENA_CONNECTING;
    atomic_fetch_add(&p->arena->count, 1);
    epollset_arm(&p->arena->set, p->pid, s->cookie, EPOLLOUT, handle);
    if (q->announce)
        q->announce(q->fd, handle);
    if (!q->dialled)
        error = tunnel_dial_opening(q->fd, q->domain, q->proxy, &s->machine, &s->flight);
    if (error == -EOPNOTSUPP)
        error = tunnel_dial(q->fd, q->domain, q->proxy, q->nonblocking);
    if (error && error != -EINPROGRESS) {
        handshake_drop(p, s, q->fd);
        return error;
    }
    /* Of an earlier attempt whose error was never asked for. */
    arena_take_error(p->arena, s->cookie);
    handshake_deadline(p->arena, s);
    return -EINPROGRESS;
}

int pending_begin(struct pending *p, const struct pending_request *q, uint64_t cookie, pending_handle *handle)
{
    struct arena_slot *s = arena_take(p->arena);

    if (!s && pending_expire_dead(p))
        s = arena_take(p->arena);
    if (!s)
        return -EAGAIN;
    fill(s, p, q, cookie);
    *handle = arena_handle_of(p->arena, s);
    return start(p, s, q);
}

/* Has another thread, or a process, been faster?  It may have come to the tunnel already. */
static bool is_begun(const struct pending *p, const struct pending_request *q)
{
    bool shared = q->shared(q->fd);

    return (shared && arena_slot_of_cookie(p->arena, q->cookie)) ||
           (!q->dialled && (shared || !real_is_alone()) && real_has_peer(q->fd));
}

int pending_start(struct pending *p, const struct pending_request *q, pending_handle *handle)
{
    struct lock_hold hold;
    int error;

    if (!q->cookie)
        return -ENOSYS;
    if (!arena_enter_own(p, &hold))
        return -EDEADLK;
    error = is_begun(p, q) ? -EBUSY : pending_begin(p, q, q->cookie, handle);
    arena_leave(p, &hold);
    return error;
}
