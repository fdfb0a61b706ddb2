/* SPDX-License-Identifier: ISC */
/* dns_answer.c - reads the addresses out of a DNS answer (RFC 1035 section 4.1) */
#include "dns_answer.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "dns.h"

enum { LABEL_MAX = 63, POINTER = 0xc0, FIXED = 10 };

/* Moves behind a name; nothing needs to be read of it. */
static bool skip_name(struct dns_answer_reader *r)
{
    while (r->at < r->len) {
        uint8_t label = r->message[r->at++];

        if (label == 0)
            return true;
        if ((label & POINTER) == POINTER) {
            r->at++;
            return r->at <= r->len;
        }
        if (label > LABEL_MAX)
            return false;
        r->at += label;
    }
    return false;
}

/* The labels from the header on, as text.  Returns false for a name that is none of a host. */
static bool read_name(struct dns_answer_reader *r)
{
    struct addr host;
    size_t used = 0, at = DNS_HEADER_SIZE;

    while (at < r->len && r->message[at] != 0) {
        size_t label = r->message[at++];

        if (label > LABEL_MAX || at + label > r->len || used + label + 1 >= sizeof r->name)
            return false;
        if (used)
            r->name[used++] = '.';
        memcpy(r->name + used, r->message + at, label);
        used += label;
        at += label;
    }
    r->name[used] = '\0';
    return at < r->len && addr_from_name(r->name, used, &host) == 0;
}

int dns_answer_begin(struct dns_answer_reader *r, const uint8_t *message, size_t len)
{
    *r = (struct dns_answer_reader){ .message = message, .at = DNS_HEADER_SIZE, .len = len };
    if (len < DNS_HEADER_SIZE || !(bytes_get16(message + 2) & DNS_QR) || dns_message_rcode(message) != DNS_NOERROR ||
        bytes_get16(message + 4) != 1 || !read_name(r) || !skip_name(r))
        return -EBADMSG;
    r->at += 4;
    r->left = dns_message_answers(message);
    return 0;
}

int dns_answer_next(struct dns_answer_reader *r, struct addr *out)
{
    while (r->left > 0 && skip_name(r) && r->at + FIXED <= r->len) {
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
