/* SPDX-License-Identifier: ISC */
/* dns_answer.c - reads the addresses out of a DNS answer (RFC 1035 section 4.1), and cuts long ones */
#include "dns_answer.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"

enum { FIXED = 10, PLAIN_SIZE = 512 };     /* what everybody can receive (RFC 1035 section 4.2.1) */

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
