/* SPDX-License-Identifier: ISC */
/* assoc.c - UDP associations of this process' datagram sockets */
#include "assoc_making.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "real.h"

#ifndef UDP_CORK
#define UDP_CORK 1
#endif

enum {
    INDEX_BITS = 14,
    GENERATIONS = 1 << 10,
    READ_TRIES = 10000,
    PORT_DOMAIN = 53
};

_Static_assert(sizeof(struct assoc_facts) % 8 == 0 && offsetof(struct assoc_facts, header) % 8 == 0,
               "facts are copied by words");
_Static_assert(offsetof(struct assoc_facts, relay) % 8 == 0, "relay and header are read apart from the peer");
_Static_assert(ASSOC_PLACES == 1 << INDEX_BITS, "a handle holds the index of every place");

bool assoc_facts(const struct assoc *a, bool header, struct assoc_facts *out)
{
    typedef uint64_t __attribute__((may_alias)) fact;
    fact *word = (fact *)out;

    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t sequence = atomic_load_explicit(&a->sequence, memory_order_acquire);
        size_t count = ASSOC_HEADER_WORD;

        for (size_t w = 0; w < count; w++) {
            word[w] = atomic_load_explicit(&a->word[w], memory_order_acquire);
            if (header && w + 1 == ASSOC_HEADER_WORD && out->header_len <= UDP_HEADER_MAX)
                count += (out->header_len + 7u) / 8;
        }
        if (sequence % 2 == 0 && atomic_load_explicit(&a->sequence, memory_order_relaxed) == sequence)
            return true;
        sched_yield();
    }
    return false;
}

void assoc_publish(struct assoc *a, const struct assoc_facts *f)
{
    uint32_t sequence = atomic_load_explicit(&a->sequence, memory_order_relaxed);
    uint64_t word[ASSOC_WORDS];

    memcpy(word, f, sizeof *f);
    atomic_store_explicit(&a->sequence, sequence + 1, memory_order_seq_cst);
    for (size_t w = 0; w < ASSOC_WORDS; w++)
        atomic_store_explicit(&a->word[w], word[w], memory_order_release);
    atomic_store_explicit(&a->sequence, sequence + 2, memory_order_release);
}

static struct assoc *map_places(struct assoc_table *t)
{
    struct assoc *place = atomic_load_explicit(&t->place, memory_order_acquire);
    void *memory;

    if (place)
        return place;
    memory = mmap(NULL, sizeof *place * ASSOC_PLACES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    atomic_store_explicit(&t->place, memory, memory_order_release);
    return memory;
}

void assoc_open(struct assoc_table *t, uint64_t space, struct state *s)
{
    t->state = s;
    t->space = space;
    map_places(t);
    t->spare = assoc_making_map();
}

static struct assoc *find(struct assoc *place, unsigned top, uint64_t cookie)
{
    for (unsigned i = 1; i < top; i++) {
        if (atomic_load(&place[i].handle) && atomic_load(&place[i].cookie) == cookie && place[i].trunk == &place[i])
            return &place[i];
    }
    return NULL;
}

/* The sequence count goes on, so that a reader of the place's last life notices; it is the generation as well. */
static assoc_handle prepare(struct assoc_table *t, unsigned index, int fd, int domain, uint64_t cookie)
{
    struct assoc *a = &atomic_load(&t->place)[index];
    struct assoc_facts f = { .domain = (uint16_t)domain };
    int cork = 0;
    socklen_t len = sizeof cork;

    atomic_store(&a->cookie, cookie);
    atomic_store(&a->numbers, 0);
    atomic_store(&a->making, NULL);
    atomic_store(&a->branch, NULL);
    atomic_store(&a->proxy, ASSOC_NO_PROXY);
    atomic_store(&a->ended, 0);
    atomic_store(&a->failed, 0);
    atomic_store(&a->unsent, 0);
    atomic_store(&a->looked, clock_ms());
    atomic_store(&a->control, -1);
    atomic_store(&a->dropped, 0);
    atomic_store(&a->owed, false);
    atomic_store(&a->more, false);
    atomic_store(&a->named, false);
    atomic_store(&a->by_names, false);
    atomic_store(&a->bound, false);
    atomic_store(&a->busy, false);
    atomic_store(&a->asks, false);
    atomic_store(&a->self, 0);
    memset(&a->sources, 0, sizeof a->sources);
    for (int i = 0; i < ASSOC_JUDGED; i++)
        atomic_store_explicit(&a->judged[i], 0, memory_order_relaxed);
    atomic_store(&a->questions, false);
    a->ids = 0;
    if (real.getsockopt(fd, IPPROTO_UDP, UDP_CORK, &cork, &len) == 0)
        atomic_store(&a->corked, cork != 0);
    assoc_publish(a, &f);
    if (index >= atomic_load(&t->top))
        atomic_store(&t->top, index + 1);
    return (a->sequence / 2 % GENERATIONS) << INDEX_BITS | index;
}

struct assoc *assoc_occupy(struct assoc_table *t, int fd, int domain, uint64_t cookie, struct assoc *trunk)
{
    struct assoc *place = atomic_load(&t->place);

    for (unsigned i = 1; i < ASSOC_PLACES; i++) {
        if (atomic_load(&place[i].handle))
            continue;
        place[i].trunk = trunk ? trunk : &place[i];
        atomic_store(&place[i].handle, prepare(t, i, fd, domain, cookie));
        return &place[i];
    }
    return NULL;
}

static int attach(struct assoc_table *t, int fd, int domain, uint64_t cookie, assoc_handle *handle)
{
    struct assoc *place = map_places(t);
    struct assoc *a = place ? find(place, atomic_load(&t->top), cookie) : NULL;

    if (place && !a)
        a = assoc_occupy(t, fd, domain, cookie, NULL);
    if (!a)
        return -ENOBUFS;
    atomic_fetch_add(&a->numbers, 1);
    *handle = atomic_load(&a->handle);
    return 0;
}

int assoc_attach(struct assoc_table *t, int fd, int domain, assoc_handle *handle)
{
    int saved_errno = errno, error = -ENOBUFS;
    uint64_t cookie = real_cookie(fd);
    struct lock_hold hold;

    if (!cookie)
        return -ENOBUFS;
    if (lock_take(&t->lock, t->space, &hold) != 0)
        return -EDEADLK;
    error = attach(t, fd, domain, cookie, handle);
    lock_give(&t->lock, &hold);
    errno = saved_errno;
    return error;
}

void assoc_dup(struct assoc_table *t, assoc_handle handle)
{
    struct lock_hold hold;
    struct assoc *a;

    /* Another thread may close the last number, and the place be the next socket's. */
    if (!assoc_of(t, handle) || lock_take(&t->lock, t->space, &hold) != 0)
        return;
    a = assoc_of(t, handle);
    if (a)
        atomic_fetch_add(&a->numbers, 1);
    lock_give(&t->lock, &hold);
}

void assoc_dropped(struct assoc_table *t, struct assoc *a)
{
    atomic_fetch_add_explicit(&a->dropped, 1, memory_order_relaxed);
    tally_add(t->tally, TALLY_DROPPED, 1);
}

static void say_lost(uint32_t dropped, uint32_t unsent)
{
    if (dropped)
        log_line(CONF_LOG_INFO, "UDP: %u datagrams dropped: not from the relay, malformed or in fragments", dropped);
    if (unsent)
        log_line(CONF_LOG_INFO, "UDP: %u datagrams never sent: no room in the queue, or no association", unsent);
}

void assoc_drop(struct assoc_table *t, assoc_handle handle)
{
    int saved_errno = errno;
    struct assoc *a = assoc_of(t, handle);
    struct lock_hold hold;
    uint32_t dropped = 0, unsent = 0;

    if (a && atomic_load(&a->numbers) == 1)
        assoc_drain_one(t, a);
    if (!a || lock_take(&t->lock, t->space, &hold) != 0)
        return;
    a = assoc_of(t, handle);
    if (a && atomic_fetch_sub(&a->numbers, 1) == 1) {
        assoc_retire_all(t, a);
        dropped = atomic_load(&a->dropped);
        unsent = atomic_load(&a->unsent);
    }
    lock_give(&t->lock, &hold);
    say_lost(dropped, unsent);
    errno = saved_errno;
}

int assoc_peer(struct assoc_table *t, struct assoc *a, const struct addr *target, const struct addr *shown,
               unsigned proxy)
{
    struct assoc_facts f = { .domain = 0 };
    struct lock_hold hold;
    int error = 0;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return -EDEADLK;
    if (!assoc_facts(a, false, &f))
        error = -EDEADLK;
    f.peer.len = 0;
    f.header_len = 0;
    if (!error && target && !assoc_address_set(&f.peer, (int)f.domain, shown))
        error = -EAFNOSUPPORT;
    if (!error && target) {
        f.by_name = target->kind == ADDR_NAME;
        f.proxy = (uint16_t)proxy;
        f.header_len = (uint16_t)udp_header_put(target, f.header);
    }
    if (!error) {
        atomic_store(&a->asks, target && shown->port == PORT_DOMAIN);
        assoc_publish(a, &f);
    }
    lock_give(&t->lock, &hold);
    return error;
}

void assoc_adopt(struct assoc_table *t, struct assoc *a, const struct addr *relay)
{
    struct assoc_facts f = { .domain = 0 };
    struct lock_hold hold;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return;
    if (assoc_facts(a, true, &f) && !f.relay.len && assoc_address_set(&f.relay, (int)f.domain, relay)) {
        f.alive = 0;
        assoc_publish(a, &f);
    }
    lock_give(&t->lock, &hold);
}

static void lost(struct assoc_table *t, struct assoc *a)
{
    struct assoc_facts f = { .domain = 0 };
    struct lock_hold hold;

    if (lock_take(&t->lock, t->space, &hold) != 0)
        return;
    if (!assoc_making_of(a) && !assoc_control_stands(a) && assoc_facts(a, true, &f)) {
        f.alive = 0;
        assoc_publish(a, &f);
        assoc_control_close(t, a, false);
    }
    assoc_control_tidy(t, clock_ms());
    lock_give(&t->lock, &hold);
}

int assoc_look_now(struct assoc_table *t, struct assoc *a, int fd, int64_t now)
{
    int64_t looked = atomic_load_explicit(&a->looked, memory_order_relaxed);
    int saved_errno = errno;

    if (!atomic_compare_exchange_strong(&a->looked, &looked, now))
        return 0;
    if (!real_is(fd, atomic_load(&a->cookie))) {
        bool other = real_is_other(fd, atomic_load(&a->cookie));

        /* Whoever is told goes another way, and may ask again there. */
        assoc_doubt(a);
        errno = saved_errno;
        return other ? -ESTALE : -EAGAIN;
    }
    if (atomic_load(&a->control) >= 0 && !assoc_making_of(a) && !assoc_control_stands(a))
        lost(t, a);
    errno = saved_errno;
    return 0;
}

void assoc_doubt(struct assoc *a)
{
    atomic_store_explicit(&a->looked, 0, memory_order_relaxed);
}

bool assoc_fork_before(struct assoc_table *t, struct lock_hold *hold)
{
    return lock_take(&t->lock, t->space, hold) == 0;
}

void assoc_fork_parent(struct assoc_table *t, const struct lock_hold *hold)
{
    atomic_store(&t->forked, true);
    lock_give(&t->lock, hold);
}

/* What the parent is making is the parent's: the child makes its own, and what is queued goes out once. */
void assoc_fork_child(struct assoc_table *t, const struct lock_hold *hold)
{
    struct assoc *place = atomic_load(&t->place);
    int watch = atomic_exchange(&t->watch, 0);

    memset(&t->lock, 0, sizeof t->lock);
    atomic_store(&t->forked, true);
    while (t->making)
        assoc_making_leave(t, t->making);
    if (watch)
        real_close(watch);
    assoc_control_forked(t);
    for (unsigned i = 1; i < atomic_load(&t->top); i++) {
        if (!atomic_load(&place[i].handle))
            continue;
        atomic_store(&place[i].busy, false);
        atomic_store(&place[i].failed, 0);
        /* The parent's control connection carries on what it has sent. */
        atomic_store(&place[i].owed, false);
    }
    if (hold)
        sigprocmask(SIG_SETMASK, &hold->signals, NULL);
}
