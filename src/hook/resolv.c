/* SPDX-License-Identifier: ISC */
/* resolv.c - res_query() and its relatives: questions are answered here, and never sent
 *
 * Search lists are not used: a name is taken as it stands, as by getaddrinfo() here.
 */
#include <limits.h>
#include <string.h>

#include "../core/dns.h"
#include "../core/frame.h"
#include "../io/log.h"
#include "../io/resolve.h"
#include "hook.h"

enum { ASK_REAL = INT_MIN, DOMAIN_SIZE = 1025 };

/* glibc before 2.34 may have a function under its other name only, or in a library that was loaded later. */
static void find(void *slot, const char *name)
{
    void *symbol;

    memcpy(&symbol, slot, sizeof symbol);
    if (!symbol)
        symbol = real.dlsym(RTLD_NEXT, name);
    memcpy(slot, &symbol, sizeof symbol);
}

static int fail(res_state state, int error, int h_error)
{
    if (state)
        state->res_h_errno = h_error;
    h_errno = h_error;
    if (error != 0)
        errno = error;
    return -1;
}

OWN_FRAME static enum dns_rcode judge_reverse(const struct dns_question *q, const struct addr *a, struct addr *record)
{
    struct resolve_answer found;

    if (q->type != DNS_PTR)
        return DNS_NOERROR;
    resolve_address(&process.conf, &process.state, a, &found);
    if (found.kind == RESOLVE_UNKNOWN)
        return DNS_NXDOMAIN;
    record->kind = ADDR_NAME;
    memcpy(record->name, found.ipv4.names, strlen(found.ipv4.names) + 1);
    return DNS_NOERROR;
}

OWN_FRAME static int judge_forward(const struct dns_question *q, struct addr *record)
{
    struct resolve_answer found;
    unsigned families = q->type == DNS_A ? RESOLVE_IPV4 : q->type == DNS_AAAA ? RESOLVE_IPV6 : 0;

    resolve_name(&process.conf, &process.state, q->name, 0, families, &found);
    log_line(CONF_LOG_DEBUG, "DNS question, type %d: %s: %s", q->type, q->name, found.why);
    switch (found.kind) {
    case RESOLVE_FIXED:
    case RESOLVE_MAPPED:
        *record = q->type == DNS_AAAA ? found.ipv6.address : found.ipv4.address;
        return DNS_NOERROR;
    case RESOLVE_DIRECT:
        return ASK_REAL;
    case RESOLVE_FAILED:
        log_once(LOG_CONF, "%s not resolved: %s", q->name, found.why);
        return DNS_SERVFAIL;
    default:
        return DNS_NXDOMAIN;
    }
}

static int judge(const struct dns_question *q, struct addr *record)
{
    struct addr a;

    if (q->rcode != DNS_NOERROR)
        return q->rcode;
    if (q->name[0] == '\0')     /* the root, which has neither addresses nor a name, or a name of other bytes */
        return q->wire[0] == 0 ? DNS_NOERROR : DNS_NXDOMAIN;
    if (dns_reverse(q->name, &a) == 0)
        return (int)judge_reverse(q, &a, record);
    return judge_forward(q, record);
}

/* Write the answer to a question, cut to size.  Returns its length. */
OWN_FRAME static int put_answer(const struct dns_question *q, int rcode, const struct addr *record,
                                unsigned char *answer, int size)
{
    uint8_t whole[DNS_ANSWER_MAX];
    int n = (int)dns_answer(q, (enum dns_rcode)rcode, record, whole);

    if (n > size) {
        n = size;
        whole[2] |= DNS_TC >> 8;
    }
    memcpy(answer, whole, (size_t)n);
    return n;
}

/* Answer a message.  Returns the answer's length, cut to size; -EINVAL; or ASK_REAL. */
OWN_FRAME static int serve(const unsigned char *query, int len, unsigned char *answer, int size)
{
    struct addr record = { .kind = ADDR_NONE };
    struct dns_question q;
    int rcode;

    if (size < DNS_HEADER_SIZE || len < 0 || dns_read(query, (size_t)len, &q) < 0)
        return -EINVAL;
    rcode = judge(&q, &record);
    return rcode == ASK_REAL ? ASK_REAL : put_answer(&q, rcode, &record, answer, size);
}

static int code_of(const unsigned char *answer)
{
    switch (dns_message_rcode(answer)) {
    case DNS_NOERROR:
        return NO_DATA;
    case DNS_NXDOMAIN:
        return HOST_NOT_FOUND;
    case DNS_SERVFAIL:
        return TRY_AGAIN;
    default:
        return NO_RECOVERY;
    }
}

OWN_FRAME static int query(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    uint8_t message[DNS_QUERY_MAX];
    int n = process_leaves_names() ? ASK_REAL : dns_query(0, name, (uint16_t)type, (uint16_t)class, message);

    if (n == ASK_REAL)
        return n;
    if (n < 0)
        return fail(state, EMSGSIZE, NO_RECOVERY);
    n = serve(message, n, answer, size);
    if (n == ASK_REAL)
        return n;
    if (n < 0)
        return fail(state, -n, TRY_AGAIN);
    if (dns_message_rcode(answer) != DNS_NOERROR || dns_message_answers(answer) == 0)
        return fail(state, 0, code_of(answer));
    return n;
}

/* Questions by name: res_query() and res_search(), each with and without a state. */
struct question_call {
    __typeof__(res_query) *plain;
    __typeof__(res_nquery) *stated;
    const char *old_plain, *old_stated;
};

static int ask(struct question_call call, res_state state, const char *name, int class, int type,
               unsigned char *answer, int size)
{
    int n = query(state, name, class, type, answer, size);
    struct process_call own;

    if (n != ASK_REAL)
        return n;
    find(&call.plain, call.old_plain);
    find(&call.stated, call.old_stated);
    if (state ? !call.stated : !call.plain)
        return fail(state, ENOSYS, NO_RECOVERY);
    process_enter(&own);
    n = state ? call.stated(state, name, class, type, answer, size) : call.plain(name, class, type, answer, size);
    process_leave(&own);
    return n;
}

static int do_query(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    hook_enter();
    return ask((struct question_call){ real.res_query, real.res_nquery, "__res_query", "__res_nquery" }, state, name,
               class, type, answer, size);
}

static int do_search(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    hook_enter();
    return ask((struct question_call){ real.res_search, real.res_nsearch, "__res_search", "__res_nsearch" }, state,
               name, class, type, answer, size);
}

/* "name.domain", or the name alone without its last dot.  Returns 0 or -EMSGSIZE. */
static int join(const char *name, const char *domain, char out[DOMAIN_SIZE])
{
    size_t name_len = strnlen(name, DOMAIN_SIZE), domain_len = domain ? strnlen(domain, DOMAIN_SIZE) : 0;

    if (name_len + domain_len + 2 > DOMAIN_SIZE)
        return -EMSGSIZE;
    if (!domain && name_len > 0 && name[name_len - 1] == '.')
        name_len--;
    memcpy(out, name, name_len);
    if (domain) {
        out[name_len++] = '.';
        memcpy(out + name_len, domain, domain_len);
    }
    out[name_len + domain_len] = '\0';
    return 0;
}

static int do_querydomain(res_state state, const char *name, const char *domain, int class, int type,
                          unsigned char *answer, int size)
{
    char whole[DOMAIN_SIZE];

    hook_enter();
    if (join(name, domain, whole) < 0)
        return fail(state, EMSGSIZE, NO_RECOVERY);
    return do_query(state, whole, class, type, answer, size);
}

static int do_send(res_state state, const unsigned char *message, int len, unsigned char *answer, int size)
{
    __typeof__(res_send) *plain = real.res_send;
    __typeof__(res_nsend) *stated = real.res_nsend;
    struct process_call own;
    int n;

    hook_enter();
    n = process_leaves_names() ? ASK_REAL : serve(message, len, answer, size);
    if (n != ASK_REAL) {
        errno = n < 0 ? -n : errno;
        return n < 0 ? -1 : n;
    }
    find(&plain, "__res_send");
    find(&stated, "__res_nsend");
    if (state ? !stated : !plain)
        return fail(state, ENOSYS, NO_RECOVERY);
    process_enter(&own);
    n = state ? stated(state, message, len, answer, size) : plain(message, len, answer, size);
    process_leave(&own);
    return n;
}

int res_query(const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_query(NULL, name, class, type, answer, size);
}

int res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_query(state, name, class, type, answer, size);
}

int res_search(const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_search(NULL, name, class, type, answer, size);
}

int res_nsearch(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_search(state, name, class, type, answer, size);
}

int res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int size)
{
    return do_querydomain(NULL, name, domain, class, type, answer, size);
}

int res_nquerydomain(res_state state, const char *name, const char *domain, int class, int type,
                     unsigned char *answer, int size)
{
    return do_querydomain(state, name, domain, class, type, answer, size);
}

int res_send(const unsigned char *message, int len, unsigned char *answer, int size)
{
    return do_send(NULL, message, len, answer, size);
}

int res_nsend(res_state state, const unsigned char *message, int len, unsigned char *answer, int size)
{
    return do_send(state, message, len, answer, size);
}

int __res_query(const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_query(NULL, name, class, type, answer, size);
}

int __res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_query(state, name, class, type, answer, size);
}

int __res_search(const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_search(NULL, name, class, type, answer, size);
}

int __res_nsearch(res_state state, const char *name, int class, int type, unsigned char *answer, int size)
{
    return do_search(state, name, class, type, answer, size);
}

int __res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int size)
{
    return do_querydomain(NULL, name, domain, class, type, answer, size);
}

int __res_nquerydomain(res_state state, const char *name, const char *domain, int class, int type,
                       unsigned char *answer, int size)
{
    return do_querydomain(state, name, domain, class, type, answer, size);
}

int __res_send(const unsigned char *message, int len, unsigned char *answer, int size)
{
    return do_send(NULL, message, len, answer, size);
}

int __res_nsend(res_state state, const unsigned char *message, int len, unsigned char *answer, int size)
{
    return do_send(state, message, len, answer, size);
}
