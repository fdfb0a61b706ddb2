/* SPDX-License-Identifier: ISC */
/* assoc_source.c - where an association's datagrams went, and whom their answers are from
 *
 * Only sockets that send to names come to the table; a few steps there are kept apart by one flag.  Whoever cannot have
 * it soon (its holder may be this very thread, below a signal handler) goes without: a source is then shown as it is,
 * and what may be the socket's own is judged by its header.
 */
#include <sched.h>
#include <string.h>

#include "assoc.h"

enum { TRIES = 100 };

static bool enter(struct assoc *a)
{
    for (int i = 0; i < TRIES; i++) {
        if (!atomic_exchange_explicit(&a->busy, true, memory_order_acquire))
            return true;
        sched_yield();
    }
    return false;
}

static void leave(struct assoc *a)
{
    atomic_store_explicit(&a->busy, false, memory_order_release);
}

void assoc_sent(struct assoc *a, const struct addr *shown, bool by_name)
{
    if (!by_name && !atomic_load_explicit(&a->named, memory_order_relaxed))
        return;
    if (!enter(a))
        return;
    if (by_name)
        sources_sent_name(&a->sources, shown);
    else
        sources_sent_plain(&a->sources, shown);
    atomic_store_explicit(&a->named, true, memory_order_relaxed);
    leave(a);
}

void assoc_source(struct assoc *a, const struct addr *source, struct addr *out)
{
    if (!atomic_load_explicit(&a->named, memory_order_relaxed) || !enter(a)) {
        *out = *source;
        return;
    }
    sources_from(&a->sources, source, out);
    leave(a);
}

void assoc_source_name(struct assoc *a, const struct addr alias[2], uint16_t port, struct addr *out)
{
    if (!enter(a)) {
        *out = alias[0];
        out->port = port;
        return;
    }
    sources_from_name(&a->sources, alias, port, out);
    leave(a);
}

void assoc_asked_set(struct assoc *a, const struct addr *resolver)
{
    if (!enter(a))
        return;
    a->asked = *resolver;
    leave(a);
    atomic_store_explicit(&a->questions, true, memory_order_release);
}

bool assoc_asked(struct assoc *a, struct addr *out)
{
    if (!atomic_load_explicit(&a->questions, memory_order_acquire) || !enter(a))
        return false;
    *out = a->asked;
    leave(a);
    return true;
}

void assoc_id_add(struct assoc *a, const uint8_t *message)
{
    if (!enter(a))
        return;
    memmove(a->id + 1, a->id, sizeof a->id - sizeof a->id[0]);
    memcpy(a->id[0], message, sizeof a->id[0]);
    a->ids += a->ids < ASSOC_IDS;
    leave(a);
}

bool assoc_id_is(struct assoc *a, const uint8_t *message)
{
    bool found = false;

    if (!enter(a))
        return false;
    for (unsigned i = 0; i < a->ids; i++)
        found = found || memcmp(a->id[i], message, sizeof a->id[i]) == 0;
    leave(a);
    return found;
}

bool assoc_self_set(struct assoc *a, const struct addr *self)
{
    if (!enter(a))
        return false;
    a->self_address = *self;
    leave(a);
    atomic_store_explicit(&a->self, self->port, memory_order_release);
    return true;
}

bool assoc_is_self(struct assoc *a, const struct addr *source)
{
    bool is;

    if (source->port != atomic_load_explicit(&a->self, memory_order_acquire) || source->port == 0)
        return false;
    /* Shown as it is, it would be our header and all. */
    if (!enter(a))
        return true;
    is = addr_equal(&a->self_address, source);
    leave(a);
    return is;
}
