/* SPDX-License-Identifier: ISC */
/* resolv.c - res_query() and its relatives: questions are answered here, and never sent
 *
 * Search lists are not used: a name is taken as it stands, as by getaddrinfo() here.
 */
#include <limits.h>
#include <string.h>

#include "../core/dns.h"
#include "../core/frame.h"
#include "../io/answer.h"
#include "inquiry.h"

enum { ASK_REAL = INT_MIN, ASK_PROXY, DOMAIN_SIZE = 1025 };

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

/* What the real resolver said; n: as its calls return it, the answer's whole length. */
static void learn(const unsigned char *answer, int n, int size)
{
    if (n > 0)
        learned_add_message(&process.state.direct, answer, (size_t)(n < size ? n : size));
}

/* Answer a message here.  forward: there is a resolver behind the proxy.
 * Returns the answer's length, cut to size; -EINVAL; ASK_REAL, or ASK_PROXY. */
OWN_FRAME static int serve_here(const unsigned char *query, int len, bool forward, unsigned char *answer, int size)
{
    struct answer a;
    int n;

    if (size < DNS_HEADER_SIZE || len < 0)
        return -EINVAL;
    switch (answer_question(&process.conf, &process.state, query, (size_t)len, forward, &a)) {
    case ANSWER_NONE:
        return -EINVAL;
    case ANSWER_REAL:
        return ASK_REAL;
    case ANSWER_FORWARD:
        return ASK_PROXY;
    default:
        n = (int)a.len;
    }
    if (n > size) {
        n = size;
        a.bytes[2] |= DNS_TC >> 8;
    }
    memcpy(answer, a.bytes, (size_t)n);
    return n;
}

/* Answer a message.  Returns the length of the answer, of which no more than size is written; a negative errno; or
 * ASK_REAL. */
OWN_FRAME static int serve(const unsigned char *query, int len, unsigned char *answer, int size)
{
    int n = serve_here(query, len, inquiry_possible(), answer, size);

    return n == ASK_PROXY ? inquiry_ask(query, (size_t)len, answer, (size_t)size) : n;
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
    learn(answer, n, size);
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
    learn(answer, n, size);
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
