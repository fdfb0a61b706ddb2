/* SPDX-License-Identifier: ISC */
/* epollset_table.c - the table of registrations */
#include "epollset_table.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "clock.h"
#include "real.h"

enum { SLOT_BITS = 13, SLOT_MASK = (1 << SLOT_BITS) - 1 };

uint16_t *epollset_bucket(struct epollset *e, uint64_t cookie)
{
    return &e->bucket[cookie % EPOLLSET_BUCKETS];
}

uint64_t epollset_token(const struct epollset *e, const struct epollset_entry *r)
{
    return (uint64_t)e->prefix << 32 | r->serial;
}

bool epollset_is_gone(pid_t pid)
{
    return real.syscall(SYS_kill, (long)pid, 0L) != 0 && errno == ESRCH;
}

void epollset_mark_left(struct epollset *e, struct epollset_entry *r, bool left)
{
    if (r->left == left)
        return;
    r->left = left;
    if (left)
        r->owner = (uint32_t)clock_ms();
    if (left)
        atomic_fetch_add_explicit(&e->left, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&e->left, 1, memory_order_relaxed);
}

void epollset_init(struct epollset *e, uint32_t random)
{
    e->prefix = EPOLLSET_MARK << 16 | (random & 0xffff);
}

bool epollset_is_token(const struct epollset *e, uint64_t data)
{
    return data >> 32 == e->prefix;
}

bool epollset_left(const struct epollset *e)
{
    return atomic_load_explicit(&e->left, memory_order_relaxed);
}

struct epollset_entry *epollset_of_token(struct epollset *e, uint64_t data)
{
    struct epollset_entry *r = &e->entry[(uint32_t)data & SLOT_MASK];

    return r->armed && r->serial == (uint32_t)data ? r : NULL;
}

struct epollset_entry *epollset_insert(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd)
{
    uint16_t *head = epollset_bucket(e, cookie);
    unsigned i = e->free ? e->free - 1u : e->unused;
    struct epollset_entry *r = &e->entry[i];

    if (e->free)
        e->free = r->next;
    else
        e->unused++;
    r->serial = ++e->counter << SLOT_BITS | i;
    if (r->serial >> SLOT_BITS == 0)
        r->serial |= ++e->counter << SLOT_BITS;
    r->cookie = cookie;
    r->pid = pid;
    r->epfd = epfd;
    r->fd = fd;
    r->shared = r->armed = r->left = false;
    r->hidden = 0;
    r->next = *head;
    *head = (uint16_t)(i + 1);
    return r;
}

void epollset_drop(struct epollset *e, struct epollset_entry *r)
{
    unsigned i = (unsigned)(r - e->entry) + 1;

    epollset_mark_left(e, r, false);
    for (uint16_t *p = epollset_bucket(e, r->cookie); *p; p = &e->entry[*p - 1].next) {
        if (*p != i)
            continue;
        *p = r->next;
        r->next = e->free;
        r->serial = 0;
        r->armed = false;
        e->free = (uint16_t)i;
        return;
    }
}

/* Processes end without a word; what they registered is looked for when room is short. */
bool epollset_full(struct epollset *e, pid_t pid)
{
    if (e->free || e->unused < EPOLLSET_SIZE)
        return false;
    for (unsigned i = 0; i < e->unused; i++) {
        struct epollset_entry *r = &e->entry[i];

        if (r->serial && r->pid != pid && !(r->armed && r->shared) && epollset_is_gone(r->pid))
            epollset_drop(e, r);
    }
    return !e->free;
}

void epollset_hide(struct epollset *e, uint64_t cookie, uint32_t events)
{
    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        struct epollset_entry *r = &e->entry[i - 1];

        if (r->cookie != cookie)
            continue;
        r->hidden |= r->events & events;
        r->events &= ~events;
    }
}

void epollset_hide_one(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd, uint32_t events)
{
    struct epollset_entry *r = epollset_find(e, pid, cookie, epfd, fd);

    if (r)
        r->hidden = events;
}

void epollset_forget(struct epollset *e, uint64_t cookie)
{
    unsigned next;

    for (unsigned i = *epollset_bucket(e, cookie); i; i = next) {
        struct epollset_entry *r = &e->entry[i - 1];

        next = r->next;
        if (r->cookie == cookie && !r->armed)
            epollset_drop(e, r);
    }
}

int epollset_number(struct epollset *e, pid_t pid, uint64_t cookie)
{
    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        if (e->entry[i - 1].cookie == cookie && e->entry[i - 1].pid == pid)
            return e->entry[i - 1].fd;
    }
    return -1;
}

void epollset_share(struct epollset *e, pid_t pid)
{
    for (unsigned i = 0; i < e->unused; i++) {
        if (e->entry[i].serial && e->entry[i].pid == pid)
            e->entry[i].shared = true;
    }
}

void epollset_desert(struct epollset *e, pid_t pid, uint64_t cookie)
{
    for (unsigned i = *epollset_bucket(e, cookie); i; i = e->entry[i - 1].next) {
        struct epollset_entry *r = &e->entry[i - 1];

        if (r->cookie == cookie && r->pid == pid && r->left)
            r->pid = NOBODY;
    }
}

/* Who has the lock may have stopped in the middle of a change: what is walked here ends in any case, and what is not
 * found is not put back. */
void epollset_release(struct epollset *e, pid_t pid, uint64_t cookie)
{
    unsigned i = *epollset_bucket(e, cookie);

    for (unsigned n = 0; i && i <= EPOLLSET_SIZE && n < EPOLLSET_SIZE; n++) {
        struct epollset_entry *r = &e->entry[i - 1];

        i = r->next;
        if (r->serial && r->cookie == cookie && r->pid == pid)
            epollset_arm_one(e, r, 0, 0);
    }
}
