/* SPDX-License-Identifier: ISC */
/* answer.h - a DNS question, as it stands in a message, and what becomes of it */
#ifndef SOCKSIFY_IO_ANSWER_H
#define SOCKSIFY_IO_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/dns.h"
#include "resolve.h"

enum answer_way {
    ANSWER_NONE,        /* nothing may be answered: no question at all */
    ANSWER_HERE,        /* the answer is in bytes */
    ANSWER_REAL,        /* a rule says direct: the resolver that was asked may see it */
    ANSWER_FORWARD      /* a record that nobody here knows: it is for a resolver behind the proxy */
};

/* An answer, and what is needed on the way to it: large (4 KiB), which is for the caller to place. */
struct answer {
    size_t len;
    uint8_t bytes[DNS_ANSWER_MAX];
    struct dns_question question;
    const struct addr *record;          /* in found */
    struct resolve_answer found;
};

/* Decide about a question to a resolver of this system, and answer it if that can be done here: A, AAAA and PTR as the
 * resolver calls do (resolve.h); HTTPS, SVCB and SRV of a name that has addresses with no data, so that programs take
 * those; a fault with the response code that it deserves.
 * c, s: as for resolve_name(); c->dns is not looked at.  query: len bytes.  forward: a resolver behind the proxy can be
 * asked; otherwise other records are answered with no data.  No answer is longer than 512 bytes, which is what
 * everybody can receive: only PTR has a name in it, and those questions are short.  Thread-safe and async-signal-safe
 * as resolve_name(). */
enum answer_way answer_question(const struct conf *c, struct state *s, const uint8_t *query, size_t len, bool forward,
                                struct answer *a);

/* The answer to a->question when something failed on the way.  a: as answer_question() left it. */
void answer_failure(struct answer *a, enum dns_rcode rcode);

#endif
