/* SPDX-License-Identifier: ISC */
/* fuzz_dns_answer.c - any answer of a name server: read to its end without a byte too far, and cut to what fits
 *
 * Input: two bytes with the longest answer that the asker takes, then the message.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PLAIN_SIZE = 512 };

static void must(int holds)
{
    if (!holds)
        abort();
}

/* No more records than the header says, each of a whole address. */
static void read_all(const uint8_t *message, size_t len)
{
    struct dns_answer_reader r;
    struct addr a = { .kind = ADDR_NAME };
    unsigned count = 0;

    if (dns_answer_begin(&r, message, len) != 0)
        return;
    must(r.name[0] != '\0' && memchr(r.name, 0, sizeof r.name) != NULL);
    while (dns_answer_next(&r, &a) == 0) {
        must((a.kind == ADDR_IPV4 || a.kind == ADDR_IPV6) && a.port == 0);
        must(++count <= dns_message_answers(message));
        must(r.at <= len);
        a.kind = ADDR_NAME;
    }
    must(a.kind == ADDR_NAME);
    must(dns_answer_next(&r, &a) == -ENOENT && a.kind == ADDR_NAME);
}

/* What is cut is the beginning of the answer, says so, and holds nothing but a question that can be read again. */
static void cut(uint8_t *message, size_t len, uint16_t edns_size)
{
    struct dns_question q = { .edns = true, .edns_size = edns_size }, before, after;
    size_t limit = edns_size > PLAIN_SIZE ? edns_size : PLAIN_SIZE, left;
    size_t asked = dns_read_question(message, len, &before);
    uint8_t head[DNS_HEADER_SIZE];

    memcpy(head, message, sizeof head);
    left = dns_answer_cut(message, len, &q);
    must(left >= DNS_HEADER_SIZE && left <= limit && left <= len);
    must(memcmp(head, message, 2) == 0 && head[3] == message[3]);
    if (len <= limit) {
        must(left == len && memcmp(head, message, sizeof head) == 0);
        return;
    }
    must(bytes_get16(message + 2) & DNS_TC);
    must(dns_message_answers(message) == 0 && bytes_get16(message + 8) == 0 && bytes_get16(message + 10) == 0);
    must(bytes_get16(message + 4) == (left > DNS_HEADER_SIZE));
    if (left == DNS_HEADER_SIZE)
        return;
    if (asked == 0 || asked > limit)
        return;
    must(dns_read_question(message, left, &after) == left && left == asked);
    must(after.wire_len == before.wire_len && memcmp(after.wire, before.wire, before.wire_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *message;

    if (size < 2 + DNS_HEADER_SIZE)
        return 0;
    /* A block of its own, so that AddressSanitizer sees one byte too many. */
    message = malloc(size - 2);
    must(message != NULL);
    memcpy(message, data + 2, size - 2);
    read_all(message, size - 2);
    cut(message, size - 2, bytes_get16(data));
    free(message);
    return 0;
}
