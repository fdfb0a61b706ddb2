/* SPDX-License-Identifier: ISC */
/* dns_answer.h - reads the addresses out of a DNS answer, cuts one that is too long for a datagram */
#ifndef SOCKSIFY_CORE_DNS_ANSWER_H
#define SOCKSIFY_CORE_DNS_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "dns.h"

/* A position in an answer; a plain value. */
struct dns_answer_reader {
    const uint8_t *message;
    size_t at, len;
    unsigned left;                  /* records */
    char name[ADDR_NAME_SIZE];      /* what was asked for */
};

/* Begin with the records of an answer to a question for a host's name.
 * message: len bytes, which may be the beginning of a longer one; need live as long as r is used.
 * Returns 0, or -EBADMSG for anything else (a query, a failure, no host's name).  Pure. */
int dns_answer_begin(struct dns_answer_reader *r, const uint8_t *message, size_t len);

/* The next A or AAAA record, whatever its name: aliases lead there.  Returns 0, or -ENOENT behind the last one that is
 * wholly there (out untouched).  Pure. */
int dns_answer_next(struct dns_answer_reader *r, struct addr *out);

/* Make an answer that came by TCP one for a datagram: one that is longer than the asker takes is cut behind its
 * question, with TC set, so that he asks by TCP himself.
 * message: len bytes, DNS_HEADER_SIZE at least.  q: as dns_read() read it.  Returns the length that is left.  Pure. */
size_t dns_answer_cut(uint8_t *message, size_t len, const struct dns_question *q);

/* Is this the answer to a question: by its id, and by the question that it repeats, if it does (RFC 7766 section 7)?
 * Some servers change the case of the name.  answer, question: messages of len and question_len bytes, DNS_HEADER_SIZE
 * at least.  Pure. */
bool dns_answer_belongs(const uint8_t *answer, size_t len, const uint8_t *question, size_t question_len);

#endif
