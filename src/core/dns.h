/* SPDX-License-Identifier: ISC */
/* dns.h - DNS messages: read a question, write an answer with one record or none, and questions of our own
 *
 * Bytes in, bytes out (RFC 1035 section 4, RFC 6891 for EDNS).  All functions are pure and async-signal-safe.  Numbers
 * are in host order in structures, in network order in messages.
 */
#ifndef SOCKSIFY_CORE_DNS_H
#define SOCKSIFY_CORE_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

enum {
    DNS_HEADER_SIZE = 12,
    DNS_NAME_SIZE = 255,                            /* a name on the wire, the root's empty label included */
    DNS_QUESTION_SIZE = DNS_NAME_SIZE + 4,
    DNS_OPT_SIZE = 11,
    DNS_QUERY_MAX = DNS_HEADER_SIZE + DNS_QUESTION_SIZE,
    DNS_ANSWER_MAX = DNS_HEADER_SIZE + DNS_QUESTION_SIZE + 12 + DNS_NAME_SIZE + DNS_OPT_SIZE,
    DNS_TTL = 60                                    /* seconds; an address may go to another name one day */
};

enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_AAAA = 28, DNS_SRV = 33, DNS_OPT = 41, DNS_SVCB = 64, DNS_HTTPS = 65 };
enum dns_class { DNS_IN = 1, DNS_ANY_CLASS = 255 };

/* Response codes, RFC 1035 section 4.1.1; the last one is RFC 6891's and needs an OPT record to carry it. */
enum dns_rcode {
    DNS_NOERROR = 0, DNS_FORMERR = 1, DNS_SERVFAIL = 2, DNS_NXDOMAIN = 3, DNS_NOTIMP = 4, DNS_REFUSED = 5,
    DNS_BADVERS = 16
};

/* Flags of the second header word. */
enum { DNS_QR = 0x8000, DNS_TC = 0x0200, DNS_RD = 0x0100, DNS_RA = 0x0080, DNS_CD = 0x0010 };

struct dns_question {
    uint16_t id, flags;                     /* the query's first two header words */
    uint16_t type, class;
    enum dns_rcode rcode;                   /* not DNS_NOERROR: the query has a fault, and this must be the answer */
    bool edns;
    uint16_t edns_flags;                    /* the DO bit as it was asked for */
    uint16_t edns_size;                     /* the longest answer that the asker takes in one datagram */
    size_t wire_len;                        /* 0 when the query holds no question that can be read */
    uint8_t wire[DNS_QUESTION_SIZE];        /* name, type and class byte for byte: case carries entropy */
    char name[ADDR_NAME_SIZE];              /* the name as text without its last dot; empty for the root, and when a
                                               label holds a dot, a NUL or other bytes that no host name has */
};

/* Read a query.
 * in: len bytes.  Returns 0, also for a query with a fault (see rcode); -EBADMSG when nothing may be answered, since it
 * is shorter than a header or is an answer itself (out untouched). */
int dns_read(const uint8_t *in, size_t len, struct dns_question *out);

/* Read the one question of a message, be it a query or an answer; of *out id, flags, rcode and EDNS stay 0.
 * in: len bytes, or the beginning of a longer message.  Returns where what follows the question begins; 0 when there is
 * no such question (out may have been written to). */
size_t dns_read_question(const uint8_t *in, size_t len, struct dns_question *out);

/* Returns where what follows the name at in[at] begins, whatever the name is; 0 for what is none: labels that are too
 * long or end behind len, more than DNS_NAME_SIZE bytes, a pointer that does not lead back. */
size_t dns_skip_name(const uint8_t *in, size_t len, size_t at);

/* Write the answer to q.
 * rcode: q->rcode goes first when it is not DNS_NOERROR.  record: the one record of the answer, IPv4 for A, IPv6 for
 * AAAA, a name for PTR; NULL, one that does not fit the question's type, or a name that DNS cannot hold: no record.
 * out: DNS_ANSWER_MAX bytes.  Returns the number of bytes written. */
size_t dns_answer(const struct dns_question *q, enum dns_rcode rcode, const struct addr *record, uint8_t *out);

/* Write a query with one question, recursion desired, no EDNS.
 * name: NUL-terminated text; a backslash takes the special meaning off the next character, and with three digits it is
 * a byte (RFC 1035 section 5.1); one last dot is allowed, "" and "." are the root.  out: DNS_QUERY_MAX bytes.
 * Returns the number of bytes written; -EINVAL for a name that is none (out may have been written to). */
int dns_query(uint16_t id, const char *name, uint16_t type, uint16_t class, uint8_t *out);

/* Read the address that a name in in-addr.arpa or ip6.arpa asks about (RFC 1035 section 3.5, RFC 3596 section 2.5);
 * v4-mapped IPv6 becomes IPv4.  name: NUL-terminated.  Returns 0 or -EINVAL (out untouched). */
int dns_reverse(const char *name, struct addr *out);

/* The response code of a message, without EDNS's upper bits.  message: DNS_HEADER_SIZE bytes at least. */
enum dns_rcode dns_message_rcode(const uint8_t *message);

/* The number of answer records of a message.  message: DNS_HEADER_SIZE bytes at least. */
unsigned dns_message_answers(const uint8_t *message);

#endif
