/* SPDX-License-Identifier: ISC */
/* assoc_branch.c - the associations of one socket at several proxies
 *
 * Branches are only ever added, at the front, until the socket is gone: readers take no lock.
 */
#include <errno.h>

#include "assoc_making.h"
#include "real.h"

static struct assoc *find(struct assoc *a, unsigned proxy)
{
    while (a && atomic_load_explicit(&a->proxy, memory_order_acquire) != (int)proxy)
        a = atomic_load_explicit(&a->branch, memory_order_acquire);
    return a;
}

/* The lock is held. */
static struct assoc *grow(struct assoc_table *t, struct assoc *a, unsigned proxy)
{
    struct assoc_facts f;
    struct assoc *b = find(a, proxy);

    /* Another thread is about to close the socket. */
    if (!atomic_load(&a->handle))
        return NULL;
    if (b)
        return b;
    if (atomic_load(&a->proxy) == ASSOC_NO_PROXY) {
        atomic_store_explicit(&a->proxy, (int)proxy, memory_order_release);
        return a;
    }
    if (assoc_facts(a, false, &f))
        b = assoc_occupy(t, -1, f.domain, atomic_load(&a->cookie), a);
    if (!b)
        return NULL;
    atomic_store(&b->numbers, 1);
    atomic_store(&b->proxy, (int)proxy);
    atomic_store(&b->branch, atomic_load(&a->branch));
    atomic_store_explicit(&a->branch, b, memory_order_release);
    return b;
}

struct assoc *assoc_branch(struct assoc_table *t, struct assoc *a, unsigned proxy)
{
    struct assoc *b = find(a, proxy);
    int saved_errno = errno;
    struct lock_hold hold;

    if (__builtin_expect(b != NULL, 1))
        return b;
    if (lock_take(&t->lock, t->space, &hold) != 0)
        return NULL;
    b = grow(t, a, proxy);
    lock_give(&t->lock, &hold);
    errno = saved_errno;
    return b;
}

void assoc_answered(struct assoc *a)
{
    for (; a; a = atomic_load_explicit(&a->branch, memory_order_acquire)) {
        if (atomic_load_explicit(&a->owed, memory_order_relaxed))
            atomic_store_explicit(&a->owed, false, memory_order_relaxed);
    }
}

bool assoc_branch_from(const struct assoc *a, const struct sockaddr *sa, uint32_t len)
{
    struct assoc_facts f;

    while ((a = atomic_load_explicit(&a->branch, memory_order_acquire))) {
        if (assoc_facts(a, false, &f) && assoc_address_equal(&f.relay, sa, len))
            return true;
    }
    return false;
}

void assoc_retire(struct assoc_table *t, struct assoc *a)
{
    assoc_control_close(t, a, atomic_load(&a->owed));
    atomic_store(&a->handle, 0);
}

void assoc_retire_all(struct assoc_table *t, struct assoc *a)
{
    for (struct assoc *next; a; a = next) {
        struct assoc_making *m = assoc_making_of(a);

        next = atomic_load(&a->branch);
        atomic_store(&a->numbers, 0);
        if (m)
            assoc_making_abort(t, m);
        else
            assoc_retire(t, a);
    }
}
