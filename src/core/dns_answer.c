/* SPDX-License-Identifier: ISC */
/* dns_answer.c - reads the addresses out of a DNS answer (RFC 1035 section 4.1), and cuts long ones */
#include "dns_answer.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "text.h"

enum { FIXED = 10, PLAIN_SIZE = 512 };     /* what everybody can receive (RFC 1035 section 4.2.1) */
enum { QUESTIONS_AT = 4, TYPE_AND_CLASS = 4 };

int dns_answer_begin(struct dns_answer_reader *r, const uint8_t *message, size_t len)
{
    struct dns_question q;
    struct addr host;

    *r = (struct dns_answer_reader){ .message = message, .at = dns_read_question(message, len, &q), .len = len };
    if (r->at == 0 || !(bytes_get16(message + 2) & DNS_QR) || dns_message_rcode(message) != DNS_NOERROR ||
        addr_from_name(q.name, strlen(q.name), &host) != 0)
        return -EBADMSG;
    memcpy(r->name, q.name, strlen(q.name) + 1);
    r->left = dns_message_answers(message);
    return 0;
}

int dns_answer_next(struct dns_answer_reader *r, struct addr *out)
{
    while (r->left > 0 && (r->at = dns_skip_name(r->message, r->len, r->at)) != 0 && r->at + FIXED <= r->len) {
        const uint8_t *fixed = r->message + r->at;
        uint16_t type = bytes_get16(fixed), size = bytes_get16(fixed + 8);
        bool fits = (type == DNS_A && size == 4) || (type == DNS_AAAA && size == 16);

        r->left--;
        r->at += FIXED + (size_t)size;
        if (r->at > r->len)
            break;
        if (!fits || bytes_get16(fixed + 2) != DNS_IN)
            continue;
        *out = (struct addr){ .kind = type == DNS_A ? ADDR_IPV4 : ADDR_IPV6 };
        memcpy(out->ip, fixed + FIXED, size);
        return 0;
    }
    r->left = 0;
    return -ENOENT;
}

size_t dns_answer_cut(uint8_t *message, size_t len, const struct dns_question *q)
{
    size_t limit = q->edns_size > PLAIN_SIZE ? q->edns_size : PLAIN_SIZE, at;

    if (len <= limit)
        return len;
    at = dns_skip_name(message, len, DNS_HEADER_SIZE);
    at = at && at + 4 <= limit && bytes_get16(message + 4) == 1 ? at + 4 : DNS_HEADER_SIZE;
    message[2] |= DNS_TC >> 8;
    bytes_put16(message + 4, at > DNS_HEADER_SIZE);
    memset(message + 6, 0, DNS_HEADER_SIZE - 6);
    return at;
}

/* The end of the one question of a message; 0 when there is none. */
static size_t end_of_question(const uint8_t *message, size_t len)
{
    size_t at = bytes_get16(message + QUESTIONS_AT) == 1 ? dns_skip_name(message, len, DNS_HEADER_SIZE) : 0;

    return at && at + TYPE_AND_CLASS <= len ? at + TYPE_AND_CLASS : 0;
}

bool dns_answer_belongs(const uint8_t *answer, size_t len, const uint8_t *question, size_t question_len)
{
    size_t end = end_of_question(question, question_len);

    if (memcmp(question, answer, 2) != 0)
        return false;
    if (!end || bytes_get16(answer + QUESTIONS_AT) == 0)
        return true;
    for (size_t i = DNS_HEADER_SIZE; i < end; i++) {
        if (i >= len || text_lower((char)question[i]) != text_lower((char)answer[i]))
            return false;
    }
    return true;
}
