/* SPDX-License-Identifier: ISC */
/* pending_fd.c - pending handshakes when descriptors come and go, and around fork() */
#include <errno.h>
#include <unistd.h>

#include "arena.h"
#include "epollset_table.h"
#include "handshake.h"
#include "real.h"

/* In a vfork child memory is the parent's, descriptors are not: what it closes is none of the parent's business. */
static bool is_child(const struct pending *p)
{
    return getpid() != p->pid;
}

static void close_slot(struct pending *p, struct arena_slot *s, int fd)
{
    bool held = false;

    /* Once shared by fork it is left to whoever still holds it, and at last to its deadline. */
    if (s->forked || s->pid != p->pid)
        return;
    for (int i = 0; i < ARENA_NUMBERS; i++) {
        if (s->fd[i] == fd)
            s->fd[i] = -1;
        held |= s->fd[i] >= 0;
    }
    if (held)
        return;
    /* The number may be another socket's by now.  If not, it is this one's for a moment more: a thread in another call
     * on it, connect() above all, must not take what is connected to the proxy for the tunnel. */
    if (real_is(fd, s->cookie) && !real_is_alone())
        tunnel_reset(fd);
    handshake_drop(p, s, real_is(fd, s->cookie) ? fd : -1);
}

/* Another number of this process for the socket of a slot, or -1. */
static int other_number(const struct pending *p, const struct arena_slot *s, int fd)
{
    if (s->pid != p->pid && !s->forked)
        return -1;
    for (int i = 0; i < ARENA_NUMBERS; i++) {
        if (s->fd[i] >= 0 && s->fd[i] != fd && real_is(s->fd[i], s->cookie))
            return s->fd[i];
    }
    return -1;
}

/* The kernel keeps a registration as long as the file is open, but nobody can change one whose number is gone. */
static int close_registered(struct pending *p, struct arena_slot *s, int fd)
{
    uint64_t cookie = real_cookie(fd);
    int other = s && s->cookie == cookie ? other_number(p, s, fd) : -1;

    if (other >= 0)
        epollset_move(&p->arena->set, p->pid, cookie, fd, other, s->wants);
    else
        epollset_close_socket(&p->arena->set, p->pid, cookie, fd,
                              s && s->cookie == cookie && s->pid == p->pid && !s->forked);
    return other;
}

int pending_close(struct pending *p, int fd, pending_handle handle, bool registered)
{
    int saved_errno = errno, other = -1;
    struct arena_slot *s;
    struct lock_hold hold;

    if ((!registered && !pending_is_live(p, handle)) || !arena_enter_own(p, &hold))
        return -1;
    s = arena_slot_of(p->arena, handle);
    if (registered)
        other = close_registered(p, s, fd);
    if (s)
        close_slot(p, s, fd);
    arena_leave(p, &hold);
    errno = saved_errno;
    return other;
}

void pending_close_set(struct pending *p, int epfd)
{
    int saved_errno = errno;
    struct lock_hold hold;

    if (is_child(p) || !arena_enter(p, &hold))
        return;
    epollset_close_set(&p->arena->set, p->pid, epfd);
    arena_leave(p, &hold);
    errno = saved_errno;
}

void pending_forget(struct pending *p, int fd)
{
    int saved_errno = errno;
    struct lock_hold hold;

    if (!arena_enter(p, &hold))
        return;
    epollset_forget(&p->arena->set, real_cookie(fd));
    arena_leave(p, &hold);
    errno = saved_errno;
}

bool pending_recall(struct pending *p, int epfd, int fd)
{
    int saved_errno = errno;
    struct lock_hold hold;
    uint64_t cookie = real_cookie(fd);
    bool found;

    if (!cookie || !arena_enter(p, &hold))
        return false;
    found = epollset_recall(&p->arena->set, p->pid, cookie, epfd, fd) == 0;
    arena_leave(p, &hold);
    errno = saved_errno;
    return found;
}

/* Without room to follow a number: as if another process held it, no close() of ours ends the handshake. */
static void follow(struct arena_slot *s, int fd)
{
    for (int i = 0; i < ARENA_NUMBERS; i++) {
        if (s->fd[i] == fd)
            return;
    }
    for (int i = 0; i < ARENA_NUMBERS; i++) {
        if (s->fd[i] >= 0)
            continue;
        s->fd[i] = fd;
        return;
    }
    s->forked = true;
}

void pending_dup(struct pending *p, pending_handle handle, int to)
{
    struct arena_slot *s;
    struct lock_hold hold;

    if (!pending_is_live(p, handle) || is_child(p) || !arena_enter(p, &hold))
        return;
    s = arena_slot_of(p->arena, handle);
    if (s)
        follow(s, to);
    arena_leave(p, &hold);
}

/* Numbers are those of the process that has begun it. */
static void join(struct pending *p, struct arena_slot *s, int fd)
{
    if (s->pid == p->pid) {
        follow(s, fd);
        return;
    }
    s->forked = true;
    atomic_store_explicit(&p->shares, true, memory_order_relaxed);
    atomic_store_explicit(&p->arena->joined, true, memory_order_relaxed);
}

/* A kernel that has no SO_COOKIE lets no handshake begin. */
static bool never_has_cookie(int fd)
{
    uint64_t cookie;
    socklen_t len = sizeof cookie;

    return real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0 &&
           (errno == EBADF || errno == ENOTSOCK || errno == ENOPROTOOPT);
}

pending_handle pending_find(struct pending *p, int fd)
{
    int saved_errno = errno;
    uint64_t cookie = p->arena ? real_cookie(fd) : 0;
    pending_handle handle = 0;
    struct arena_slot *s;
    struct lock_hold hold;

    if (!p->arena || !atomic_load_explicit(&p->arena->count, memory_order_relaxed))
        return 0;
    /* What is taken for over gets the program's bytes into the handshake. */
    if (!cookie || !arena_enter(p, &hold)) {
        handle = !cookie && never_has_cookie(fd) ? 0 : PENDING_UNKNOWN;
        errno = saved_errno;
        return handle;
    }
    s = arena_slot_of_cookie(p->arena, cookie);
    if (s)
        handle = arena_handle_of(p->arena, s);
    if (s && !is_child(p))
        join(p, s, fd);
    arena_leave(p, &hold);
    errno = saved_errno;
    return handle;
}

void pending_share(struct pending *p, pending_handle handle)
{
    struct arena_slot *s;
    struct lock_hold hold;

    if (!arena_enter(p, &hold))
        return;
    s = arena_slot_of(p->arena, handle);
    if (s) {
        s->forked = true;
        atomic_store_explicit(&p->shares, true, memory_order_relaxed);
    }
    arena_leave(p, &hold);
}

/* One whose process was killed is nobody's to go on with. */
bool pending_awaited(const struct pending *p, pending_handle handle, bool replaces)
{
    const struct arena_slot *s = handle && p->arena ? arena_slot_of(p->arena, handle) : NULL;
    int saved_errno = errno;
    bool gone;

    if (!s || !atomic_load_explicit(&s->awaited, memory_order_relaxed))
        return false;
    if (s->pid == getpid())
        return !replaces;
    gone = epollset_is_gone(s->pid);
    errno = saved_errno;
    return !gone;
}

/* At worst the place belongs to the next handshake already, which others then wait for. */
void pending_unawait(struct pending *p, pending_handle handle)
{
    struct arena_slot *s = handle && p->arena ? arena_slot_of(p->arena, handle) : NULL;

    if (s)
        atomic_store_explicit(&s->awaited, false, memory_order_relaxed);
}

void pending_leave(struct pending *p, pending_handle handle)
{
    struct arena_slot *s = handle && p->arena ? arena_slot_of(p->arena, handle) : NULL;

    if (s && s->pid == p->pid)
        atomic_store_explicit(&s->leaving, true, memory_order_relaxed);
}

void pending_stay(struct pending *p)
{
    for (unsigned i = 0; p->arena && i < p->arena->unused; i++)
        if (p->arena->slot[i].pid == p->pid)
            atomic_store_explicit(&p->arena->slot[i].leaving, false, memory_order_relaxed);
}

bool pending_abandon(struct pending *p, int fd, pending_handle handle)
{
    struct arena_slot *s;
    struct lock_hold hold;
    bool done;

    if (!arena_enter(p, &hold))
        return false;
    s = arena_slot_of(p->arena, handle);
    done = s && real_is(fd, s->cookie);
    if (done) {
        struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

        /* As the kernel: the error it leaves behind stays for the program. */
        real_connect(fd, &nowhere, sizeof nowhere);
        handshake_drop(p, s, fd);
    }
    arena_leave(p, &hold);
    return done;
}

int pending_error(struct pending *p, int fd, int error)
{
    int saved_errno = errno, kept = 0;
    uint64_t cookie;
    struct lock_hold hold;

    if ((error != ECONNREFUSED && error != ECONNRESET) || !p->arena ||
        !atomic_load_explicit(&p->arena->errors, memory_order_relaxed))
        return error;
    cookie = real_cookie(fd);
    if (cookie && arena_enter(p, &hold)) {
        kept = arena_take_error(p->arena, cookie);
        arena_leave(p, &hold);
    }
    errno = saved_errno;
    return kept ? kept : error;
}

bool pending_fork_before(struct pending *p, struct lock_hold *hold)
{
    if (!arena_enter(p, hold))
        return false;
    epollset_share(&p->arena->set, p->pid);
    binding_share(p->arena, p->pid);
    for (unsigned i = 0; i < p->arena->unused; i++) {
        struct arena_slot *s = &p->arena->slot[i];

        if (s->phase == ARENA_FREE || (s->pid != p->pid && !s->forked))
            continue;
        s->forked = true;
        atomic_store_explicit(&p->shares, true, memory_order_relaxed);
    }
    return true;
}

void pending_fork_parent(struct pending *p, const struct lock_hold *hold)
{
    arena_leave(p, hold);
}

/* The parent holds the lock, in memory that is the child's too, and gives it back. */
void pending_fork_child(struct pending *p, const struct lock_hold *hold)
{
    p->pid = getpid();
    sigprocmask(SIG_SETMASK, &hold->signals, NULL);
}
