/* SPDX-License-Identifier: ISC */
/* fuzz_dns.c - any message: no over-read, an answer that fits, and an answer that is itself well-formed */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* A heap block of the exact length, so that AddressSanitizer sees one byte too many. */
static int read_exact(const uint8_t *data, size_t len, struct dns_question *q)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int rc;

    must(copy != NULL);
    memcpy(copy, data, len);
    rc = dns_read(len > 0 ? copy : copy + 1, len, q);
    free(copy);
    return rc;
}

/* The answer, made a question again, asks the same; its bytes are the question's. */
static void check_answer(const struct dns_question *q, const struct addr *record)
{
    uint8_t out[DNS_ANSWER_MAX];
    struct dns_question again;
    size_t len = dns_answer(q, DNS_NOERROR, record, out);

    must(len >= DNS_HEADER_SIZE + q->wire_len && len <= sizeof out);
    must(memcmp(out + DNS_HEADER_SIZE, q->wire, q->wire_len) == 0);
    must(dns_message_answers(out) <= 1);
    must(q->rcode == DNS_NOERROR || dns_message_answers(out) == 0);
    must(dns_message_rcode(out) == (q->rcode & 15));
    if (q->wire_len == 0)
        return;
    out[2] &= 0x7f;
    must(read_exact(out, len, &again) == 0);
    must(again.wire_len == q->wire_len || again.rcode == DNS_NOTIMP);
    must(again.edns == q->edns && strcmp(again.name, q->name) == 0);
}

static void check_text(const struct dns_question *q)
{
    uint8_t wire[DNS_QUERY_MAX];
    struct addr a;

    must(memchr(q->name, 0, sizeof q->name) != NULL);
    dns_reverse(q->name, &a);
    if (q->name[0] == '\0')
        return;
    must(dns_query(q->id, q->name, q->type, q->class, wire) == (int)(DNS_HEADER_SIZE + q->wire_len));
    must(memcmp(wire + DNS_HEADER_SIZE, q->wire, q->wire_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr record = { .kind = ADDR_IPV4, .ip = { 198, 18, 0, 1 } };
    struct dns_question q;
    uint8_t wire[DNS_QUERY_MAX];
    char name[ADDR_NAME_SIZE];
    int rc = read_exact(data, size, &q);

    if (rc < 0) {
        must(rc == -EBADMSG && (size < DNS_HEADER_SIZE || data[2] >= 0x80));
        return 0;
    }
    if (q.wire_len > 0)
        check_text(&q);
    check_answer(&q, NULL);
    check_answer(&q, &record);
    record.kind = ADDR_IPV6;
    check_answer(&q, &record);
    /* The bytes once more, as a name that a program asks for. */
    memset(name, 0, sizeof name);
    memcpy(name, data, size < sizeof name - 1 ? size : sizeof name - 1);
    rc = dns_query(1, name, 1, 1, wire);
    must(rc == -EINVAL || (rc > DNS_HEADER_SIZE && rc <= DNS_QUERY_MAX && read_exact(wire, (size_t)rc, &q) == 0 &&
                           q.rcode == DNS_NOERROR && (int)q.wire_len == rc - DNS_HEADER_SIZE));
    record.kind = ADDR_NAME;
    memcpy(record.name, name, sizeof name);
    check_answer(&q, &record);
    return 0;
}
