/* SPDX-License-Identifier: ISC */
/* datagram_source.c - whom a datagram that came is from, and whether the program is to see it */
#include "datagram_source.h"

#include <string.h>

#include "../core/frame.h"
#include "question.h"

/* A source that the relay names by its name: the addresses that stand for it.  A name that nobody here has asked for is
 * none: a proxy must not be able to fill the map. */
static bool from_name(struct assoc *a, int domain, const struct addr *source, struct addr *shown)
{
    struct addr alias[2] = { { .kind = ADDR_NONE }, { .kind = ADDR_NONE } };
    int count = 0;

    /* A batch has less room for a header than a name may take. */
    if (!atomic_load_explicit(&a->by_names, memory_order_relaxed))
        atomic_store_explicit(&a->by_names, true, memory_order_relaxed);
    /* Meanwhile *shown is the name: recvmmsg() has no stack to spare. */
    if (addr_from_name(source->name, strlen(source->name), shown) != 0)
        return false;
    if (state_name_look(&process.state, shown->name, AF_INET, &alias[count]) == 0)
        count++;
    if (domain == AF_INET6 && state_name_look(&process.state, shown->name, AF_INET6, &alias[count]) == 0)
        count++;
    if (count)
        assoc_source_name(a, alias, source->port, shown);
    return count != 0;
}

/* Returns the header's length, or a negative errno for what is to be dropped. */
OWN_FRAME static int from_relay(struct assoc *a, const struct assoc_facts *f, const void *head, size_t len,
                      struct assoc_address *shown)
{
    struct addr source, known;
    int used = udp_header_get(head, len, &source);

    if (used < 0)
        return used;
    if (source.kind != ADDR_NAME && question_source(a, &source, &known))
        return assoc_address_set(shown, (int)f->domain, &known) ? used : -EAFNOSUPPORT;
    assoc_answered(a);
    if (source.kind != ADDR_NAME)
        assoc_source(a, &source, &known);
    else if (!from_name(a, (int)f->domain, &source, &known))
        return -EPROTO;
    /* An IPv6 host can be no source to an IPv4 socket. */
    return assoc_address_set(shown, (int)f->domain, &known) ? used : -EAFNOSUPPORT;
}

OWN_FRAME static bool is_direct(const struct sockaddr *sa, socklen_t len)
{
    struct route r;

    route_judge(&process.conf, &process.state, &process.proxies, sa, len, false, &r);
    return r.way == ROUTE_DIRECT || question_is_local(&r.target);
}

/* Other proxies have relays of their own, and so have other processes that send from this socket. */
OWN_FRAME static bool from_other_relay(const struct assoc *a, const struct sockaddr *sa, socklen_t len)
{
    struct addr from;

    return assoc_branch_from(a, sa, len) ||
           (addr_from_sockaddr(sa, len, &from) == 0 &&
            state_relay_has(&process.state, atomic_load_explicit(&a->cookie, memory_order_relaxed), &from));
}

bool datagram_from_relay(const struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len)
{
    return HOOK_LIKELY(assoc_address_equal(&f->relay, sa, len)) || from_other_relay(a, sa, len);
}

void datagram_count(struct assoc *a, const struct sockaddr *sa, socklen_t len)
{
    if (process.assoc.tally && !question_is_own(a, sa, len))
        tally_add(process.assoc.tally, TALLY_RECEIVED, 1);
}

int datagram_source(struct assoc *a, const struct assoc_facts *f, const struct sockaddr *sa, socklen_t len,
                    const void *head, size_t head_len, struct assoc_address *shown)
{
    int skip = 0;

    if (assoc_is_wake(head, head_len, atomic_load_explicit(&a->cookie, memory_order_relaxed)))
        return -ENODATA;
    if (!sa || datagram_from_relay(a, f, sa, len) || question_is_own(a, sa, len)) {
        skip = from_relay(a, f, head, head_len, shown);
    } else if (len <= sizeof shown->sa && (is_direct(sa, len) || question_is_answer(a, sa, len))) {
        shown->len = len;
        memcpy(&shown->sa, sa, len);
        /* A direct name's addresses are direct as well; those that the head has room for will do. */
        if (question_is_answer(a, sa, len) && head_len > 2 && assoc_id_is(a, head))
            learned_add_message(&process.state.direct, head, head_len);
    } else {
        skip = -EPERM;
    }
    if (skip >= 0 && f->peer.len &&
        !assoc_address_equal(&f->peer, (const struct sockaddr *)&shown->sa, shown->len))
        return -EPERM;
    return skip;
}
