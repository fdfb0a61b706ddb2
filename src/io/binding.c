/* SPDX-License-Identifier: ISC */
/* binding.c - listening sockets whose connections come through the proxy (BIND) */
#include "binding.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/relay.h"
#include "arena.h"
#include "epollset_table.h"
#include "handshake.h"
#include "kind.h"
#include "real.h"

struct binding *binding_of(struct pending_arena *a, uint64_t cookie)
{
    for (int i = 0; cookie && i < BINDING_PLACES; i++) {
        if (a->binding.place[i].cookie == cookie)
            return &a->binding.place[i];
    }
    return NULL;
}

struct binding_taken *binding_taken_of(struct pending_arena *a, uint64_t cookie)
{
    for (int i = 0; cookie && i < BINDING_TAKEN_KEPT; i++) {
        if (a->binding.taken[i].cookie == cookie)
            return &a->binding.taken[i];
    }
    return NULL;
}

bool binding_has(const struct pending_arena *a, uint64_t cookie)
{
    return binding_of((struct pending_arena *)a, cookie) != NULL;
}

/* Processes end without a word, and what others may hold they leave behind: the oldest such place is used again. */
static struct binding *abandoned(struct pending_arena *a)
{
    struct binding *oldest = NULL;

    for (int i = 0; i < BINDING_PLACES; i++) {
        struct binding *b = &a->binding.place[i];

        if ((b->pid == 0 || epollset_is_gone(b->pid)) && (!oldest || (int32_t)(b->age - oldest->age) < 0))
            oldest = b;
    }
    return oldest;
}

struct binding *binding_place(struct pending_arena *a)
{
    struct binding *b = NULL;

    for (int i = 0; !b && i < BINDING_PLACES; i++) {
        if (a->binding.place[i].cookie == 0)
            b = &a->binding.place[i];
    }
    if (!b)
        b = abandoned(a);
    if (b)
        memset(b, 0, sizeof *b);
    return b;
}

/* All numbers of this process that lead to the listener lead to the handshake as well. */
static void set_words(struct pending *p, const struct binding_request *q, const struct binding *b)
{
    struct arena_slot *s = arena_slot_of(p->arena, b->handle);
    unsigned top = atomic_load_explicit(&q->numbers->top, memory_order_relaxed), used = 1;

    for (unsigned n = 0; n < top; n++) {
        uint32_t word = fdtab_get(q->numbers, (int)n);

        if ((int)n != q->fd && ((word & FDTAB_KIND) != KIND_LISTENER || !real_is((int)n, b->cookie)))
            continue;
        fdtab_set(q->numbers, (int)n, KIND_LISTENER | FDTAB_FRESH | (word & fdtab_lasting(word)) |
                                          b->handle << FDTAB_HANDLE_SHIFT);
        if ((int)n == q->fd || !s)
            continue;
        if (used < ARENA_NUMBERS)
            s->fd[used++] = (int)n;
        else
            s->forked = true;
    }
}

int binding_arm(struct pending *p, const struct binding_request *q, struct binding *b)
{
    const struct flight_plan plan = { .account = &q->proxies[b->about.which], .proxy = &b->about.proxy,
                                      .pipeline = q->pipeline, .traits = state_traits(p->state) };
    int flags = real.fcntl(q->fd, F_GETFL), error;
    struct flight flight;
    struct pending_request r = { .fd = q->fd, .domain = b->about.domain, .proxy = &b->about.proxy,
                                 .target = &b->about.target, .peer = &b->about.target, .machine = &b->machine,
                                 .flight = &flight, .limits = q->limits, .binding = true,
                                 .nonblocking = flags >= 0 && flags & O_NONBLOCK };

    b->pid = p->pid;
    b->forked = false;
    b->state = BINDING_ARMING;
    b->age = ++p->arena->binding.ages;
    b->about.bound.kind = ADDR_NONE;
    flight_prepare(&flight, &b->machine, &plan, SOCKS5_BIND, &b->about.target);
    epollset_hide(&p->arena->set, b->cookie, BINDING_HIDDEN);
    error = pending_begin(p, &r, b->cookie, &b->handle);
    if (error != -EINPROGRESS) {
        epollset_arm(&p->arena->set, p->pid, b->cookie, 0, 0);
        b->handle = 0;
        b->state = BINDING_FAILED;
        b->error = error;
    }
    set_words(p, q, b);
    return error;
}

/* All numbers of this process that lead to the socket are the listener's; of one from before exec nothing is known. */
static void claim(struct fdtab *numbers, int fd, uint64_t cookie)
{
    fdtab_change(numbers, fd, FDTAB_KIND, KIND_LISTENER);
    for (unsigned n = 0; n < atomic_load_explicit(&numbers->top, memory_order_relaxed); n++)
        if ((fdtab_get(numbers, (int)n) & FDTAB_KIND) == KIND_STREAM && real_is((int)n, cookie))
            fdtab_change(numbers, (int)n, FDTAB_KIND, KIND_LISTENER);
}

int binding_begin(struct pending *p, const struct binding_request *q, const struct binding_about *about,
                  bool listening)
{
    uint64_t cookie = real_cookie(q->fd);
    struct lock_hold hold;
    struct binding *b;
    int error = -ENOBUFS;

    if (!cookie || q->fd >= FDTAB_SIZE)
        return -ENOBUFS;
    if (!arena_enter(p, &hold))
        return -EDEADLK;
    atomic_store_explicit(&p->arena->binding.used, true, memory_order_relaxed);
    b = binding_place(p->arena);
    if (b) {
        b->cookie = cookie;
        b->about = *about;
        b->listening = listening;
        claim(q->numbers, q->fd, cookie);
        error = binding_open_to_mapped(p, q, b);
        if (!error)
            error = binding_arm(p, q, b);
        if (error != -EINPROGRESS)
            binding_undo(p, q->numbers, q->fd, b, 0);
    }
    arena_leave(p, &hold);
    return error;
}

static enum binding_state state_of(struct pending_arena *a, uint64_t cookie)
{
    struct binding *b = binding_of(a, cookie);

    if (!b)
        return binding_taken_of(a, cookie) ? BINDING_TAKEN : BINDING_NONE;
    /* Given up by a process that could not reach it. */
    if (b->state == BINDING_ARMING && !arena_slot_of(a, b->handle)) {
        b->state = BINDING_FAILED;
        b->error = -ETIMEDOUT;
    }
    return (enum binding_state)b->state;
}

enum binding_state binding_look(struct pending *p, int fd, bool *listening, struct addr *bound)
{
    enum binding_state state;
    struct lock_hold hold;
    struct binding *b;
    uint64_t cookie;

    if (!arena_enter(p, &hold))
        return BINDING_UNKNOWN;
    state = real_tells_cookie(fd, &cookie) ? state_of(p->arena, cookie) : BINDING_UNKNOWN;
    b = binding_of(p->arena, cookie);
    if (listening)
        *listening = b ? b->listening : state == BINDING_TAKEN;
    if (b && state == BINDING_WAITING && bound)
        *bound = b->about.bound;
    arena_leave(p, &hold);
    return state;
}

int binding_error(struct pending *p, int fd)
{
    struct lock_hold hold;
    struct binding *b;
    int error = -ECONNREFUSED;

    if (!arena_enter(p, &hold))
        return -EDEADLK;
    b = binding_of(p->arena, real_cookie(fd));
    if (b && b->error)
        error = b->error;
    arena_leave(p, &hold);
    return error;
}

void binding_listen(struct pending *p, int fd)
{
    struct lock_hold hold;
    struct binding *b;

    if (!arena_enter(p, &hold))
        return;
    b = binding_of(p->arena, real_cookie(fd));
    if (b)
        b->listening = true;
    arena_leave(p, &hold);
}

/* A number of this process other than fd that leads to the same socket. */
static bool has_other(const struct fdtab *numbers, int fd, uint64_t cookie)
{
    unsigned top = atomic_load_explicit(&numbers->top, memory_order_relaxed);

    for (unsigned n = 0; n < top; n++) {
        if ((int)n != fd && (fdtab_get(numbers, (int)n) & FDTAB_KIND) == KIND_LISTENER &&
            real_is((int)n, cookie))
            return true;
    }
    return false;
}

uint32_t binding_close(struct pending *p, struct fdtab *numbers, int fd)
{
    int saved_errno = errno;
    uint32_t word;
    struct lock_hold hold;
    struct binding *b;
    uint64_t cookie;

    if (!arena_enter(p, &hold))
        return fdtab_exchange(numbers, fd, 0);
    /* With the lock: accept() in another thread may have put the next request's socket there meanwhile. */
    word = fdtab_exchange(numbers, fd, 0);
    cookie = real_cookie(fd);
    b = binding_of(p->arena, cookie);
    if (b && b->pid == p->pid && !has_other(numbers, fd, cookie)) {
        b->pid = 0;
        if (!b->forked)
            b->cookie = 0;
    }
    arena_leave(p, &hold);
    errno = saved_errno;
    return word;
}

bool binding_any(const struct pending *p)
{
    return p->arena && atomic_load_explicit(&p->arena->binding.used, memory_order_relaxed);
}

static const struct addr *bound_for(const struct pending_arena *a, const struct addr *peer)
{
    const struct binding *youngest = NULL;

    for (int i = 0; i < BINDING_PLACES; i++) {
        const struct binding *b = &a->binding.place[i];

        if (b->cookie && b->about.bound.kind != ADDR_NONE && addr_same_host(&b->about.shown, peer) &&
            (!youngest || (int32_t)(b->age - youngest->age) > 0))
            youngest = b;
    }
    return youngest ? &youngest->about.bound : NULL;
}

bool binding_own_name(struct pending *p, uint64_t cookie, const struct addr *peer, struct addr *own)
{
    const struct binding_taken *t;
    const struct addr *bound;
    struct lock_hold hold;
    uint16_t port = own->port;
    bool found;

    if (!arena_enter(p, &hold))
        return false;
    t = binding_taken_of(p->arena, cookie);
    bound = t ? &t->about.bound : peer ? bound_for(p->arena, peer) : NULL;
    found = bound && bound->kind != ADDR_NONE;
    if (found) {
        *own = *bound;
        own->port = t ? bound->port : port;
    }
    arena_leave(p, &hold);
    return found;
}

static bool was_shown(const struct binding_about *about, const struct addr *a)
{
    return about->bound.kind != ADDR_NONE && about->local.kind != ADDR_NONE && addr_same_host(&about->bound, a);
}

/* Also of requests that are over: programs keep what they were shown. */
bool binding_real_local(struct pending *p, const struct addr *a, struct addr *local)
{
    const struct binding_about *found = NULL;
    struct lock_hold hold;

    if (!arena_enter(p, &hold))
        return false;
    for (int i = 0; !found && i < BINDING_PLACES; i++)
        found = was_shown(&p->arena->binding.place[i].about, a) ? &p->arena->binding.place[i].about : NULL;
    for (int i = 0; !found && i < BINDING_TAKEN_KEPT; i++)
        found = was_shown(&p->arena->binding.taken[i].about, a) ? &p->arena->binding.taken[i].about : NULL;
    if (found)
        *local = found->local;
    arena_leave(p, &hold);
    return found;
}

int binding_judge(const struct arena_slot *s)
{
    struct addr outside;
    int error = relay_outside(socks5_bound(&s->machine), &s->proxy, &outside);

    /* An IPv4 socket has no form for an IPv6 address. */
    return !error && s->domain == AF_INET && outside.kind != ADDR_IPV4 ? -EOPNOTSUPP : error;
}

void binding_ended(struct pending_arena *a, const struct arena_slot *s, int error)
{
    struct binding *b = binding_of(a, s->cookie);

    if (!b || b->state != BINDING_ARMING)
        return;
    b->state = error ? BINDING_FAILED : BINDING_WAITING;
    b->error = error;
    b->handle = 0;
    if (error)
        return;
    relay_outside(socks5_bound(&s->machine), &s->proxy, &b->about.bound);
    b->machine = s->machine;
    socks5_next_reply(&b->machine);
}

void binding_share(struct pending_arena *a, int32_t pid)
{
    for (int i = 0; i < BINDING_PLACES; i++) {
        if (a->binding.place[i].cookie && a->binding.place[i].pid == pid)
            a->binding.place[i].forked = true;
    }
}
