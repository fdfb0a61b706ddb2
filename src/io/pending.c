/* SPDX-License-Identifier: ISC */
/* pending.c - handshakes that go on after connect() has returned */
#include "pending.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"
#include "clock.h"
#include "detour.h"
#include "epollset_table.h"
#include "file.h"
#include "handshake.h"
#include "real.h"
#include "refuse.h"

enum {
    AGAIN_MS = 50,      /* between two looks at a handshake whose time is over and that another process must end */
    GRACE_MS = 2000
};

int pending_open(struct pending *p, struct state *s)
{
    void *memory = mmap(NULL, sizeof *p->arena, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                        -1, 0);

    p->state = s;
    p->pid = getpid();
    p->space = file_namespace("pid");
    p->arena = memory == MAP_FAILED ? NULL : memory;
    if (!p->arena)
        return -ENOMEM;
    epollset_init(&p->arena->set, (uint32_t)p->pid * 2654435761u ^ (uint32_t)clock_ms());
    return 0;
}

/* Nobody can be told.  If somebody holds the socket after all (a forked process that sleeps, one in another PID
 * namespace), it must not take the open connection for the tunnel: guard_settle() finds this errno. */
static void give_up(struct pending *p, struct arena_slot *s)
{
    bool leaving = s->leaving;
    pid_t pid = s->pid;
    uint64_t cookie = s->cookie;

    arena_keep_error(p->arena, s->cookie, ETIMEDOUT);
    atomic_store_explicit(&p->arena->orphans, true, memory_order_relaxed);
    handshake_drop(p, s, -1);
    if (leaving)
        epollset_desert(&p->arena->set, pid, cookie);
}

/* Nobody comes who made it. */
static bool is_left(const struct arena_slot *s)
{
    return (s->leaving && s->deadline <= clock_ms()) || epollset_is_gone(s->pid);
}

bool pending_expire_dead(struct pending *p)
{
    for (unsigned i = 0; i < p->arena->unused; i++) {
        struct arena_slot *s = &p->arena->slot[i];

        if (s->phase != ARENA_FREE && !s->forked && s->pid != p->pid && is_left(s))
            give_up(p, s);
    }
    return p->arena->free != 0;
}

/* The lock is lost, or held for ever: who waits for this handshake is told in time all the same, by a socket that is
 * refused.  The slot stays until somebody can step it after all. */
static int expire_unlocked(const struct pending *p, int fd, pending_handle handle)
{
    struct arena_slot *s = arena_slot_of(p->arena, handle);

    if (!s || clock_ms() - s->deadline < GRACE_MS || !real_is(fd, s->cookie))
        return -EAGAIN;
    /* Another number of the socket comes here as well. */
    if (atomic_exchange(&s->refused, true))
        return 0;
    refuse_socket(fd, s->domain, s->domain == AF_INET6 && s->proxy.kind == ADDR_IPV4, !detour_has_device(fd, true));
    return 0;
}

/* The same for those that no call looks at by number: their waiters sleep in epoll sets.  What this process has begun,
 * by the numbers it had. */
static void expire_own_unlocked(struct pending *p)
{
    if (!pending_is_stuck(p) || getpid() != p->pid)
        return;
    for (unsigned i = 0; i < p->arena->unused; i++) {
        struct arena_slot *s = &p->arena->slot[i];

        for (int k = 0; k < ARENA_NUMBERS && s->phase != ARENA_FREE && s->pid == p->pid; k++) {
            if (s->fd[k] < 0 || expire_unlocked(p, s->fd[k], arena_handle_of(p->arena, s)) != 0)
                continue;
            epollset_release(&p->arena->set, p->pid, s->cookie);
            break;
        }
    }
}

int pending_poke(struct pending *p, int fd, pending_handle handle)
{
    int saved_errno = errno, result = 0;
    struct arena_slot *s;
    struct lock_hold hold;

    if (!pending_is_live(p, handle))
        return 0;
    /* Who cannot look must not take it for over: what the program sends would go into the handshake. */
    if (!arena_enter(p, &hold)) {
        result = expire_unlocked(p, fd, handle);
        errno = saved_errno;
        return result;
    }
    s = arena_slot_of(p->arena, handle);
    if (s && !real_is_other(fd, s->cookie))
        result = real_is(fd, s->cookie) ? handshake_step(p, s, fd) : -EAGAIN;
    arena_leave(p, &hold);
    errno = saved_errno;
    return result;
}

bool pending_is_live(const struct pending *p, pending_handle handle)
{
    return handle && p->arena && arena_slot_of(p->arena, handle);
}

bool pending_is_of(const struct pending *p, int fd, pending_handle handle)
{
    const struct arena_slot *s = handle && p->arena ? arena_slot_of(p->arena, handle) : NULL;

    /* Refused without the lock it is the program's own again; the slot waits for who can free it. */
    return s && !atomic_load_explicit(&s->refused, memory_order_relaxed) && !real_is_other(fd, s->cookie);
}

short pending_wants(const struct pending *p, pending_handle handle)
{
    const struct arena_slot *s = p->arena ? arena_slot_of(p->arena, handle) : NULL;

    return s ? (short)atomic_load_explicit(&s->wants, memory_order_relaxed) : 0;
}

bool pending_any(const struct pending *p)
{
    return p->arena && (atomic_load_explicit(&p->arena->count, memory_order_relaxed) || epollset_left(&p->arena->set));
}

bool pending_matters(const struct pending *p)
{
    return p->arena && (atomic_load_explicit(&p->arena->count, memory_order_relaxed) ||
                        atomic_load_explicit(&p->arena->orphans, memory_order_relaxed));
}

bool pending_is_stuck(const struct pending *p)
{
    return p->arena && lock_is_lost(&p->arena->lock);
}

bool pending_shares(const struct pending *p)
{
    return atomic_load_explicit(&p->shares, memory_order_relaxed) ||
           (p->arena && atomic_load_explicit(&p->arena->joined, memory_order_relaxed));
}

int pending_next_ms(const struct pending *p)
{
    int64_t next = pending_any(p) ? atomic_load_explicit(&p->arena->next_deadline, memory_order_relaxed) : 0;
    int64_t left;

    if (!next)
        return -1;
    left = next - clock_ms();
    return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* A number of this process that leads to the socket of a slot, or -1. */
static int number_of(const struct pending *p, const struct arena_slot *s)
{
    int fd;

    if (s->pid != p->pid && !s->forked)
        return -1;
    for (int i = 0; i < ARENA_NUMBERS; i++) {
        if (s->fd[i] >= 0 && real_is(s->fd[i], s->cookie))
            return s->fd[i];
    }
    fd = epollset_number(&p->arena->set, p->pid, s->cookie);
    return fd >= 0 && real_is(fd, s->cookie) ? fd : -1;
}

/* What the program did not look for may have come in time: a step tells, and ends what has not.  A slot that nobody can
 * reach any more must not last for ever.  One that other processes may hold is given a while longer, for those that
 * wait to find it themselves. */
static void expire_slot(struct pending *p, struct arena_slot *s, int fd, int64_t now)
{
    if (fd >= 0)
        handshake_step(p, s, fd);
    else if (s->forked && now - s->deadline < GRACE_MS)
        return;
    else if (s->pid == p->pid || is_left(s))
        give_up(p, s);
}

static void tend_slot(struct pending *p, struct arena_slot *s, enum pending_some some, int64_t now, bool *shares)
{
    int fd = -1;

    if (s->deadline <= now || some == PENDING_ALL || (some == PENDING_SHARED && s->forked))
        fd = number_of(p, s);
    if (s->deadline <= now)
        expire_slot(p, s, fd, now);
    else if (fd >= 0)
        handshake_step(p, s, fd);
    *shares |= s->phase != ARENA_FREE && s->forked && fd >= 0;
}

void pending_tend(struct pending *p, enum pending_some some)
{
    int saved_errno = errno;
    int64_t now = clock_ms(), next = 0;
    bool shares = false;
    struct lock_hold hold;

    if (some == PENDING_DUE && pending_next_ms(p) != 0)
        return;
    if (!arena_enter(p, &hold)) {
        expire_own_unlocked(p);
        errno = saved_errno;
        return;
    }
    for (unsigned i = 0; i < p->arena->unused; i++) {
        struct arena_slot *s = &p->arena->slot[i];
        int64_t look;

        if (s->phase != ARENA_FREE)
            tend_slot(p, s, some, now, &shares);
        if (s->phase == ARENA_FREE)
            continue;
        /* What another process must end is looked at again in a while. */
        look = s->deadline > now ? s->deadline : now + AGAIN_MS;
        if (!next || look < next)
            next = look;
    }
    atomic_store(&p->arena->next_deadline, next);
    if (some != PENDING_DUE)
        atomic_store_explicit(&p->shares, shares, memory_order_relaxed);
    arena_leave(p, &hold);
    errno = saved_errno;
}

void pending_tidy(struct pending *p)
{
    int saved_errno = errno;
    struct lock_hold hold;

    if (!p->arena || !epollset_left(&p->arena->set) || !arena_enter(p, &hold))
        return;
    epollset_tidy(&p->arena->set, p->pid);
    arena_leave(p, &hold);
    errno = saved_errno;
}

/* The entry, and the handle, are gone with the handshake. */
static void step_token(struct pending *p, struct arena_slot *s, const struct epollset_entry *r, pending_over *over)
{
    pending_handle handle = r->owner;
    int fd = r->fd;

    if (handshake_step(p, s, fd) == 0 && s->stands && over)
        over(fd, handle);
}

bool pending_token(struct pending *p, const struct epoll_event *event, bool quiet, pending_over *over)
{
    struct lock_hold hold;
    uint64_t data = event->data.u64;
    struct epollset_entry *r;
    struct arena_slot *s;

    if (!p->arena || !epollset_is_token(&p->arena->set, data))
        return false;
    if (!(over ? arena_enter_own(p, quiet ? NULL : &hold) : arena_enter(p, quiet ? NULL : &hold)))
        return true;
    r = epollset_of_token(&p->arena->set, data);
    s = r ? arena_slot_of(p->arena, r->owner) : NULL;
    if (s && s->cookie == r->cookie && real_is(r->fd, s->cookie)) {
        /* With other threads it may be of a connection before this one. */
        if (event->events == EPOLLOUT && real_is_alone())
            handshake_connected(s, r->fd);
        step_token(p, s, r, over);
    }
    arena_leave(p, quiet ? NULL : &hold);
    return true;
}

int pending_control(struct pending *p, pending_handle (*tell)(int fd), int epfd, int op, int fd,
                    const struct epoll_event *event)
{
    pending_handle handle;
    struct epoll_event inbound;
    uint32_t hidden = 0;
    struct arena_slot *s;
    struct lock_hold hold;
    uint64_t cookie;
    int error;

    if (!arena_enter_own(p, &hold))
        return -EDEADLK;
    handle = tell(fd);
    s = arena_slot_of(p->arena, handle);
    cookie = real_cookie(fd);
    /* A registration whose socket is not known could not be told from others. */
    if (s && !cookie && !real_is_other(fd, s->cookie)) {
        arena_leave(p, &hold);
        return -ENOMEM;
    }
    if (s && s->cookie != cookie)
        s = NULL;
    /* A listener is never writable. */
    if (event && binding_has(p->arena, cookie)) {
        inbound = *event;
        hidden = inbound.events & BINDING_HIDDEN;
        inbound.events &= ~hidden;
        event = &inbound;
    }
    error = epollset_control(&p->arena->set, p->pid, cookie, epfd, op, fd, event, s ? s->wants : 0,
                             handle);
    if (!error && hidden && op != EPOLL_CTL_DEL)
        epollset_hide_one(&p->arena->set, p->pid, cookie, epfd, fd, hidden);
    arena_leave(p, &hold);
    return error;
}
