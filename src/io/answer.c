/* SPDX-License-Identifier: ISC */
/* answer.c - a DNS question, as it stands in a message, and what becomes of it */
#include "answer.h"

#include <string.h>

#include "report.h"

/* What the judging functions say besides response codes. */
enum { TO_REAL = -1, TO_PROXY = -2 };

static int judge_reverse(const struct conf *c, struct state *s, const struct addr *address, struct answer *a)
{
    if (a->question.type != DNS_PTR)
        return DNS_NOERROR;
    resolve_address(c, s, address, &a->found);
    if (a->found.kind == RESOLVE_UNKNOWN)
        return DNS_NXDOMAIN;
    /* All that was found is in the other line. */
    a->found.ipv6.address.kind = ADDR_NAME;
    memcpy(a->found.ipv6.address.name, a->found.ipv4.names, strlen(a->found.ipv4.names) + 1);
    a->record = &a->found.ipv6.address;
    return DNS_NOERROR;
}

static bool is_for_others(const struct dns_question *q, bool forward)
{
    switch (q->type) {
    case DNS_A:
    case DNS_AAAA:
    case DNS_SRV:
    case DNS_SVCB:
    case DNS_HTTPS:
        return false;
    default:
        return forward;
    }
}

static int judge_name(const struct conf *c, struct state *s, bool forward, struct answer *a)
{
    const struct dns_question *q = &a->question;
    unsigned families = q->type == DNS_A ? RESOLVE_IPV4 : q->type == DNS_AAAA ? RESOLVE_IPV6 : 0;
    const struct addr *record = q->type == DNS_AAAA ? &a->found.ipv6.address : &a->found.ipv4.address;

    resolve_name(c, s, q->name, 0, families, &a->found);
    report_name(c, "DNS question", q->name, &a->found);
    switch (a->found.kind) {
    case RESOLVE_MAPPED:
        if (is_for_others(q, forward))
            return TO_PROXY;
        a->record = record;
        return DNS_NOERROR;
    case RESOLVE_FIXED:
        learned_add(&s->direct, q->name, record);
        a->record = record;
        return DNS_NOERROR;
    case RESOLVE_DIRECT:
        return TO_REAL;
    case RESOLVE_FAILED:
        return DNS_SERVFAIL;
    default:
        return DNS_NXDOMAIN;
    }
}

static int judge(const struct conf *c, struct state *s, bool forward, struct answer *a)
{
    const struct dns_question *q = &a->question;
    struct addr address;

    if (q->rcode != DNS_NOERROR)
        return q->rcode;
    /* The root, which has neither addresses nor a name; or a name of other bytes. */
    if (q->name[0] == '\0')
        return q->wire[0] != 0 ? DNS_NXDOMAIN : is_for_others(q, forward) ? TO_PROXY : DNS_NOERROR;
    if (dns_reverse(q->name, &address) == 0)
        return judge_reverse(c, s, &address, a);
    return judge_name(c, s, forward, a);
}

static void put(struct answer *a, int rcode, const struct addr *record)
{
    a->len = dns_answer(&a->question, (enum dns_rcode)rcode, record, a->bytes);
}

enum answer_way answer_question(const struct conf *c, struct state *s, const uint8_t *query, size_t len, bool forward,
                                struct answer *a)
{
    int rcode;

    a->record = NULL;
    if (dns_read(query, len, &a->question) < 0)
        return ANSWER_NONE;
    rcode = judge(c, s, forward, a);
    if (rcode < 0)
        return rcode == TO_REAL ? ANSWER_REAL : ANSWER_FORWARD;
    put(a, rcode, a->record);
    return ANSWER_HERE;
}

void answer_failure(struct answer *a, enum dns_rcode rcode)
{
    put(a, rcode, NULL);
}
