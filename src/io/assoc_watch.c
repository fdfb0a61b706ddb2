/* SPDX-License-Identifier: ISC */
/* assoc_watch.c - one epoll set of ours holds what all associations under way wait for
 *
 * Waits of the program have it beside what is theirs.  In an epoll set of the program's it is registered once, by edge:
 * each event of a control connection wakes one waiter, which brings all associations on, and none is woken again for
 * what it has seen.
 */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assoc_making.h"
#include "real.h"

enum { HIGH_LIMIT = 4096 };    /* a number beyond costs the kernel a bigger table */

/* Away from the numbers that programs count on, and that shells close by hand. */
int assoc_number_high(int fd)
{
    struct { uint64_t soft, hard; } limit = { 1024, 1024 };
    uint64_t top;
    int high;

    real.syscall(SYS_prlimit64, 0L, 7L /* RLIMIT_NOFILE */, NULL, &limit);
    top = limit.soft < HIGH_LIMIT ? limit.soft : HIGH_LIMIT;
    high = real.fcntl(fd, F_DUPFD_CLOEXEC, (int)(top - top / 4));
    if (high < 0)
        high = real.fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return high < 0 ? -errno : high;
}

/* Returns what is watched of fd from now on: nothing when the kernel refuses.  was: what is so far. */
static short watch(int set, int fd, short was, short events)
{
    struct epoll_event event = { .events = (uint32_t)events };    /* EPOLLIN is POLLIN, and so on */
    int op = !events ? EPOLL_CTL_DEL : was ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    return events == was || real.epoll_ctl(set, op, fd, &event) == 0 ? events : 0;
}

void assoc_watch_update(struct assoc_table *t, struct assoc_making *m, short events, bool room)
{
    int set = atomic_load(&t->watch);

    if (!set)
        return;
    m->watched = watch(set, atomic_load(&m->a->control), m->watched, events);
    m->alarmed = watch(set, m->socket, m->alarmed ? POLLOUT : 0, room ? POLLOUT : 0) != 0;
    if (m->watched != events || m->alarmed != room)
        atomic_store_explicit(&t->blind, true, memory_order_relaxed);
}

static int make(struct assoc_table *t)
{
    int set = (int)real.syscall(SYS_epoll_create1, (long)EPOLL_CLOEXEC), high;

    if (set < 0)
        return -1;
    high = assoc_number_high(set);
    real_close(set);
    if (high < 0)
        return -1;
    atomic_store(&t->watch, high);
    for (struct assoc_making *m = t->making; m; m = m->next)
        assoc_watch_update(t, m, assoc_making_events(m), m->relay.len != 0);
    return high;
}

int assoc_watch(struct assoc_table *t, bool *made)
{
    int set = atomic_load_explicit(&t->watch, memory_order_relaxed), saved_errno = errno;
    struct lock_hold hold;

    if (set || !made || !assoc_any(t))
        return set ? set : -1;
    if (lock_take(&t->lock, t->space, &hold) != 0)
        return -1;
    set = atomic_load(&t->watch);
    if (!set) {
        set = make(t);
        *made = set > 0;
    }
    lock_give(&t->lock, &hold);
    errno = saved_errno;
    return set;
}

void assoc_watch_join(struct assoc_table *t, int epfd)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.u64 = ASSOC_TOKEN };
    int set = atomic_load_explicit(&t->watch, memory_order_relaxed), saved_errno = errno;

    if (set && set != epfd)
        real.epoll_ctl(epfd, EPOLL_CTL_ADD, set, &event);
    errno = saved_errno;
}

void assoc_watch_forget(struct assoc_table *t, int fd)
{
    struct lock_hold hold;

    if (atomic_load(&t->watch) != fd || lock_take(&t->lock, t->space, &hold) != 0)
        return;
    atomic_store(&t->watch, 0);
    for (struct assoc_making *m = t->making; m; m = m->next) {
        m->watched = 0;
        m->alarmed = false;
    }
    lock_give(&t->lock, &hold);
}
