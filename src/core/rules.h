/* SPDX-License-Identifier: ISC */
/* rules.h - which way a target goes: through the proxy, directly, or nowhere
 *
 * A rule set is built once at start-up in memory that the caller provides, and never changes after; reading it needs
 * no lock and is async-signal-safe.  A list is items separated by commas or blanks.  An item is
 *
 *     192.0.2.1  192.0.2.0/24  2001:db8::/32  [2001:db8::1]  example.org  .example.org  *
 *
 * each with an optional `:PORT` or `:PORT-PORT` (IPv6 then in brackets, the prefix length inside or after them).
 * `.example.org` (also `*.example.org`) is the domain and all below it; `example.org` that name alone.  Address items
 * match addresses, name items match names; `*` both.  Host bits beyond a prefix are dropped; a v4-mapped item is its
 * IPv4 form; a scope id is refused, and so is a name whose last label is a number (a mistyped address).  In a list of
 * what is direct `!ITEM` is an exception, which goes through the proxy; it stands before what it is an exception to.
 */
#ifndef SOCKSIFY_CORE_RULES_H
#define SOCKSIFY_CORE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum rules_verdict { RULES_PROXY, RULES_DIRECT, RULES_BLOCK };

struct rule {
    enum rules_verdict verdict;
    enum addr_kind kind;      /* ADDR_NONE matches every target */
    uint8_t prefix;           /* bits of ip that count */
    bool subdomains;          /* name: those below it as well */
    uint16_t port_low, port_high;   /* inclusive, host order; 0 and 65535 for any */
    uint8_t ip[16];           /* network order, bits beyond prefix zero */
    uint8_t proxy;            /* which one, when verdict is RULES_PROXY */
    const char *why;          /* for the log: where it stands; NULL: nobody said */
    const char *name;         /* lower case, without leading dot, NUL-terminated; points into the set's text */
};

struct rules {
    struct rule *rule;        /* the first match decides */
    size_t count, capacity;
    char *text;               /* names, and where rules stand, in the caller's memory */
    size_t text_used, text_size;
    bool loopback;            /* the built-in last rule: loopback is direct, except for port 53 */
};

/* Prepare an empty set with the built-in loopback rule on.
 * rule: room for capacity rules; text: text_size bytes for names; both stay the caller's and must outlive the set. */
void rules_init(struct rules *r, struct rule *rule, size_t capacity, char *text, size_t text_size);

/* The number of items in a list, good and bad: with strlen(list) + 1 bytes of text, room for this many rules is
 * enough for rules_add() and rules_add_no_proxy().  list: NUL-terminated, not NULL. */
size_t rules_count(const char *list);

/* Append the items of a list, all with one verdict.  Only for one thread, before the set is shared.
 * list: NUL-terminated, not NULL; may be empty.  *bad: on error the first item within list that is bad or has no room,
 * *bad_len its length; untouched on success; neither may be NULL.
 * Returns 0; for a bad item -ERANGE when its port is at fault, -EDOM when a prefix length behind an address is, else
 * -EINVAL; -ENOSPC when the set is full.  On error nothing was appended. */
int rules_add(struct rules *r, const char *list, enum rules_verdict verdict, const char **bad, size_t *bad_len);

/* Have the rules from number first on send to another proxy than the first, 0. */
void rules_send(struct rules *r, size_t first, unsigned proxy);

/* Have rules_judge() say why for the rules from number first on.
 * why: NUL-terminated, copied into the set's text, for which strlen(why) + 1 bytes more are to be there; else it stays
 * "rule".  Only for one thread, before the set is shared. */
void rules_explain(struct rules *r, size_t first, const char *why);

/* Append the items of a NO_PROXY list as direct: as rules_add(), but `example.org` and `.example.org` both mean the
 * domain with all below it, and items that are none of ours are skipped, since this list belongs to other programs.
 * Returns 0 or -ENOSPC. */
int rules_add_no_proxy(struct rules *r, const char *list);

/* Decide.  target: an address or a name.  The order: the rules as they were added; then, when r->loopback, loopback is
 * direct unless its port is 53 (a local resolver would leak names); then multicast, broadcast and link-local are
 * blocked; then proxy.  *why (may be NULL): a phrase for the log that lives as long as the set: that of
 * rules_explain(), "rule", "loopback", rules_local_scope, "default". */
enum rules_verdict rules_judge(const struct rules *r, const struct addr *target, const char **why);

/* True if the first rule that matches a name is one about names; false when that is `*`, or there is none, so that the
 * rules for its address decide, where it is known.  name: ADDR_NAME. */
bool rules_name_decides(const struct rules *r, const struct addr *name);

/* "multicast, broadcast or link-local address": blocked, though no rule says so. */
extern const char rules_local_scope[];

/* Which proxy a target goes to for which rules_judge() says RULES_PROXY: the number of rules_send(), else 0. */
unsigned rules_proxy(const struct rules *r, const struct addr *target);

#endif
