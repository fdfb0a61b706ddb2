/* SPDX-License-Identifier: ISC */
/* epollset.c - the program's epoll registrations of sockets whose handshake is to come or under way */
#include "epollset_table.h"

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "clock.h"
#include "fdinfo.h"
#include "real.h"

/* What the kernel allows beside EPOLLEXCLUSIVE, and what it keeps of a registration that EPOLLONESHOT has used up. */
#define EXCLUSIVE_OK (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE)
#define PRIVATE_BITS (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

enum { GRACE_MS = 2000 };

/* In a process forked off the same numbers may mean other files by now. */
static bool reaches(const struct epollset *e, const struct epollset_entry *r, pid_t pid)
{
    uint32_t events;
    uint64_t data;

    if (r->pid == pid)
        return true;
    return r->shared && fdinfo_epoll(r->epfd, r->fd, &events, &data) == 0 &&
           data == (r->armed ? epollset_token(e, r) : r->data);
}

struct epollset_entry *epollset_find(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd)
{
    struct epollset_entry *inherited = NULL;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        struct epollset_entry *r = &e->entry[i - 1];

        if (r->cookie != cookie || r->epfd != epfd || r->fd != fd)
            continue;
        if (r->pid == pid)
            return r;
        inherited = r;
    }
    return inherited && reaches(e, inherited, pid) ? inherited : NULL;
}

/* The entry of a registration that was made by another number of the set: the kernel shows its token, or its data, in
 * this one as well. */
static struct epollset_entry *find_alias(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd)
{
    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        struct epollset_entry *r = &e->entry[i - 1];
        uint32_t events;
        uint64_t data;

        if (r->cookie == cookie && r->fd == fd && r->epfd != epfd && reaches(e, r, pid) &&
            fdinfo_epoll(epfd, fd, &events, &data) == 0 && data == (r->armed ? epollset_token(e, r) : r->data))
            return r;
    }
    return NULL;
}

static int control(int epfd, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event event = { .events = events, .data.u64 = data };

    return real.epoll_ctl(epfd, op, fd, &event) == 0 ? 0 : -errno;
}

/* A registration with EPOLLEXCLUSIVE cannot be modified: it is taken out and put in. */
static int replace(const struct epollset_entry *r, uint32_t events, uint64_t data)
{
    int error;

    if (!(r->events & EPOLLEXCLUSIVE))
        return control(r->epfd, EPOLL_CTL_MOD, r->fd, events, data);
    error = control(r->epfd, EPOLL_CTL_DEL, r->fd, 0, 0);
    return error ? error : control(r->epfd, EPOLL_CTL_ADD, r->fd, events, data);
}

static uint32_t armed_events(uint32_t events, uint32_t want)
{
    return want | EPOLLONESHOT | (events & EPOLLWAKEUP);
}

/* The checks of the kernel that the private registration would hide. */
static int check(int op, const struct epollset_entry *known, uint32_t events)
{
    if (op == EPOLL_CTL_MOD && (events & EPOLLEXCLUSIVE || (known && known->events & EPOLLEXCLUSIVE)))
        return -EINVAL;
    if (events & EPOLLEXCLUSIVE && events & ~(uint32_t)EXCLUSIVE_OK)
        return -EINVAL;
    return 0;
}

static int control_entry(struct epollset *e, struct epollset_entry *r, int op, const struct epoll_event *event,
                         uint32_t want, uint32_t owner)
{
    r->events = event->events;
    r->hidden = 0;
    r->data = event->data.u64;
    r->armed = want != 0;
    r->owner = owner;
    epollset_mark_left(e, r, false);
    return want ? control(r->epfd, op, r->fd, armed_events(r->events, want), epollset_token(e, r))
                : control(r->epfd, op, r->fd, r->events, r->data);
}

int epollset_control(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int op, int fd,
                     const struct epoll_event *event, uint32_t want, uint32_t owner)
{
    struct epollset_entry *r = epollset_find(e, pid, cookie, epfd, fd);
    struct epollset_entry kept;
    int error;

    if (!r && op != EPOLL_CTL_ADD)
        r = find_alias(e, pid, cookie, epfd, fd);
    if (op == EPOLL_CTL_DEL || (op != EPOLL_CTL_ADD && op != EPOLL_CTL_MOD) || !event) {
        error = real.epoll_ctl(epfd, op, fd, (struct epoll_event *)event) == 0 ? 0 : -errno;
        if (!error && r)
            epollset_drop(e, r);
        return error;
    }
    error = check(op, r, event->events);
    if (!error && !r && epollset_full(e, pid))
        error = -ENOSPC;
    if (error)
        return error;
    if (r) {
        kept = *r;
        error = control_entry(e, r, op, event, want, owner);
        if (error) {
            epollset_mark_left(e, r, kept.left);
            *r = kept;
        }
        return error;
    }
    r = epollset_insert(e, pid, cookie, epfd, fd);
    error = control_entry(e, r, op, event, want, owner);
    if (error)
        epollset_drop(e, r);
    return error;
}

int epollset_recall(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd)
{
    struct epollset_entry *r = epollset_find(e, pid, cookie, epfd, fd);
    uint32_t events;
    uint64_t data;
    int error = r ? 0 : fdinfo_epoll(epfd, fd, &events, &data);

    if (r || error)
        return error;
    if (epollset_full(e, pid))
        return -ENOSPC;
    r = epollset_insert(e, pid, cookie, epfd, fd);
    r->events = events;
    r->data = data;
    return 0;
}

/* A registration with EPOLLONESHOT that has fired before connect() is disarmed, and waits for nothing until the program
 * modifies it; to put it back as it was made would arm it again.  Only the kernel knows. */
static bool is_disarmed(const struct epollset_entry *r)
{
    uint32_t events;
    uint64_t data;

    return r->events & EPOLLONESHOT && fdinfo_epoll(r->epfd, r->fd, &events, &data) == 0 &&
           !(events & ~(uint32_t)PRIVATE_BITS);
}

int epollset_arm_one(struct epollset *e, struct epollset_entry *r, uint32_t want, uint32_t owner)
{
    int error;

    if (!want && !r->armed)
        return 0;
    if (want && !r->armed && is_disarmed(r))
        return 0;
    error = want ? replace(r, armed_events(r->events, want), epollset_token(e, r)) : replace(r, r->events, r->data);
    if (error)
        return error;
    r->armed = want != 0;
    r->owner = owner;
    epollset_mark_left(e, r, false);
    return 0;
}

/* In the child of a vfork memory is the parent's, but its numbers are not: what it cannot reach the parent can. */
static bool is_own(const struct epollset_entry *r, pid_t pid)
{
    return r->pid == pid && getpid() == pid;
}

void epollset_arm(struct epollset *e, pid_t pid, uint64_t cookie, uint32_t want, uint32_t owner)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = next) {
        struct epollset_entry *r = &e->entry[i - 1];

        next = r->next;
        if (r->cookie != cookie || (reaches(e, r, pid) && epollset_arm_one(e, r, want, owner) == 0))
            continue;
        /* ENOENT, EBADF: the registration went away by a call we did not see. */
        if (is_own(r, pid))
            epollset_drop(e, r);
        else if (r->armed && !want)
            epollset_mark_left(e, r, true);
    }
}

void epollset_unhide(struct epollset *e, pid_t pid, uint64_t cookie)
{
    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        struct epollset_entry *r = &e->entry[i - 1];

        if (r->cookie != cookie || !r->hidden)
            continue;
        r->events |= r->hidden;
        r->hidden = 0;
        if (!r->armed && reaches(e, r, pid) && !is_disarmed(r))
            replace(r, r->events, r->data);
    }
}

/* One with EPOLLONESHOT that has fired stays without events when it is put in. */
void epollset_take_out(struct epollset *e, pid_t pid, uint64_t cookie)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = next) {
        struct epollset_entry *r = &e->entry[i - 1];

        next = r->next;
        if (r->cookie != cookie || !reaches(e, r, pid))
            continue;
        if (!r->armed && is_disarmed(r))
            r->events &= PRIVATE_BITS;
        if (control(r->epfd, EPOLL_CTL_DEL, r->fd, 0, 0) != 0)
            epollset_drop(e, r);
        else
            r->pid = pid;
    }
}

void epollset_put_in(struct epollset *e, pid_t pid, uint64_t old, uint64_t cookie)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, old); i; i = next) {
        struct epollset_entry kept = e->entry[i - 1], *r;

        next = kept.next;
        if (kept.cookie != old || kept.pid != pid)
            continue;
        epollset_drop(e, &e->entry[i - 1]);
        r = epollset_insert(e, pid, cookie, kept.epfd, kept.fd);
        r->events = kept.events;
        r->hidden = kept.hidden;
        r->data = kept.data;
        r->owner = 0;
        r->armed = true;
        /* Until the connection begins it would report that it is unconnected. */
        if (control(r->epfd, EPOLL_CTL_ADD, r->fd, armed_events(r->events, EPOLLOUT), epollset_token(e, r)) != 0)
            epollset_drop(e, r);
    }
}

static bool nobody_comes(const struct epollset_entry *r)
{
    return r->pid == NOBODY ? (uint32_t)clock_ms() - r->owner > GRACE_MS : epollset_is_gone(r->pid);
}

void epollset_tidy(struct epollset *e, pid_t pid)
{
    for (unsigned i = 0; i < e->unused; i++) {
        struct epollset_entry *r = &e->entry[i];

        if (!r->serial || !r->left)
            continue;
        if (real_is(r->fd, r->cookie) && reaches(e, r, pid) && epollset_arm_one(e, r, 0, 0) == 0)
            epollset_drop(e, r);
        else if (is_own(r, pid) || nobody_comes(r))
            epollset_drop(e, r);
    }
}

/* Children may still use the set with the socket in it: then only the maker gives it up.  over: the file goes with the
 * number, and to put the program's events back would show them to who waits. */
static void give_back(struct epollset *e, struct epollset_entry *r, bool over)
{
    if (r->armed && r->shared) {
        r->pid = NOBODY;
        return;
    }
    if (over)
        control(r->epfd, EPOLL_CTL_DEL, r->fd, 0, 0);
    else
        epollset_arm_one(e, r, 0, 0);
    epollset_drop(e, r);
}

void epollset_close_socket(struct epollset *e, pid_t pid, uint64_t cookie, int fd, bool over)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = next) {
        struct epollset_entry *r = &e->entry[i - 1];

        next = r->next;
        if (r->cookie == cookie && r->pid == pid && r->fd == fd)
            give_back(e, r, over);
    }
}

void epollset_move(struct epollset *e, pid_t pid, uint64_t cookie, int from, int to, uint32_t want)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = next) {
        struct epollset_entry *r = &e->entry[i - 1];

        next = r->next;
        if (r->cookie != cookie || r->pid != pid || r->fd != from)
            continue;
        if (!r->armed || r->shared ||
            control(r->epfd, EPOLL_CTL_ADD, to, armed_events(r->events, want), epollset_token(e, r)) != 0) {
            give_back(e, r, false);
            continue;
        }
        control(r->epfd, EPOLL_CTL_DEL, from, 0, 0);
        r->fd = to;
    }
}

void epollset_close_set(struct epollset *e, pid_t pid, int epfd)
{
    for (unsigned i = 0; i < e->unused; i++) {
        struct epollset_entry *r = &e->entry[i];

        if (r->serial && r->pid == pid && r->epfd == epfd)
            give_back(e, r, false);
    }
}
