/* SPDX-License-Identifier: ISC */
/* dns.c - DNS messages: questions and answers */
#include "dns.h"

#include <errno.h>
#include <string.h>

#include "bytes.h"
#include "text.h"

enum {
    LABEL_MAX = 63,
    POINTER = 0xc0,                 /* the two high bits of a length octet: the rest of the name stands elsewhere */
    QUESTION_POINTER = POINTER << 8 | DNS_HEADER_SIZE,
    OPCODE_MASK = 0x7800,
    RCODE_MASK = 15,
    EDNS_PAYLOAD = 1232,            /* what fits a packet everywhere */
    EDNS_DO = 0x8000
};

struct reader {
    const uint8_t *in;
    size_t at, len;
};

static bool is_text(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != '.' && c != '\\';
}

static bool skip(struct reader *r, size_t n)
{
    if (n > r->len - r->at)
        return false;
    r->at += n;
    return true;
}

/* The first name of a message has nothing before it that a pointer could point to; so a pointer in it is a fault. */
static bool read_question_name(struct reader *r, struct dns_question *q)
{
    size_t start = r->at, used = 0;
    bool text = true;

    for (;;) {
        size_t label = r->at < r->len ? r->in[r->at] : POINTER;

        if (label > LABEL_MAX || r->at - start + label + 1 > DNS_NAME_SIZE || !skip(r, label + 1))
            return false;
        if (label == 0)
            break;
        if (used > 0)
            q->name[used++] = '.';
        for (size_t i = r->at - label; i < r->at; i++) {
            text = text && is_text(r->in[i]);
            q->name[used++] = (char)r->in[i];
        }
    }
    q->name[text ? used : 0] = '\0';
    return true;
}

static bool read_question(struct reader *r, struct dns_question *q)
{
    size_t start = r->at;

    if (!read_question_name(r, q) || !skip(r, 4))
        return false;
    q->type = bytes_get16(r->in + r->at - 4);
    q->class = bytes_get16(r->in + r->at - 2);
    q->wire_len = r->at - start;
    memcpy(q->wire, r->in + start, q->wire_len);
    return true;
}

size_t dns_skip_name(const uint8_t *in, size_t len, size_t at)
{
    size_t start = at;

    while (at < len && at - start < DNS_NAME_SIZE) {
        uint8_t label = in[at++];

        if (label == 0)
            return at;
        if ((label & POINTER) == POINTER)
            return at < len && ((label & ~POINTER) << 8 | in[at]) < (int)start ? at + 1 : 0;
        if (label > LABEL_MAX)
            return 0;
        at += label;
    }
    return 0;
}

static bool skip_name(struct reader *r)
{
    size_t behind = dns_skip_name(r->in, r->len, r->at);

    r->at = behind ? behind : r->at;
    return behind != 0;
}

static void read_opt(const uint8_t *name, const uint8_t *fixed, struct dns_question *q)
{
    if (q->edns || *name != 0) {
        q->rcode = DNS_FORMERR;
        return;
    }
    q->edns = true;
    q->edns_size = bytes_get16(fixed + 2);
    q->edns_flags = bytes_get16(fixed + 6) & EDNS_DO;
    if (fixed[5] != 0 && q->rcode == DNS_NOERROR)
        q->rcode = DNS_BADVERS;
}

static bool read_records(struct reader *r, unsigned count, bool additional, struct dns_question *q)
{
    for (; count > 0; count--) {
        size_t start = r->at;
        const uint8_t *fixed;

        if (!skip_name(r) || !skip(r, 10))
            return false;
        fixed = r->in + r->at - 10;
        if (!skip(r, bytes_get16(fixed + 8)))
            return false;
        if (additional && bytes_get16(fixed) == DNS_OPT)
            read_opt(r->in + start, fixed, q);
    }
    return true;
}

static void judge(const uint8_t *in, size_t len, struct dns_question *q)
{
    struct reader r = { in, DNS_HEADER_SIZE, len };

    if ((q->flags & OPCODE_MASK) != 0) {
        q->rcode = DNS_NOTIMP;
        return;
    }
    if (bytes_get16(in + 4) != 1 || !read_question(&r, q) ||
        !read_records(&r, bytes_get16(in + 6) + (unsigned)bytes_get16(in + 8), false, q) ||
        !read_records(&r, bytes_get16(in + 10), true, q)) {
        q->rcode = DNS_FORMERR;
        return;
    }
    if (q->rcode == DNS_NOERROR && q->class != DNS_IN && q->class != DNS_ANY_CLASS)
        q->rcode = DNS_REFUSED;
}

/* The next byte of a name in text, behind a backslash if there is one.  Returns -1 when the backslash is the last. */
static int next_byte(const char **p)
{
    uint32_t value;
    size_t len;

    if (*(*p)++ != '\\')
        return (unsigned char)(*p)[-1];
    len = strnlen(*p, 3);
    if (len == 3 && text_decimal(*p, len, 255, &value) == 0) {
        *p += len;
        return (int)value;
    }
    return len > 0 ? (unsigned char)*(*p)++ : -1;
}

/* Text to labels; out: DNS_NAME_SIZE bytes.  Returns the bytes written, or 0 for a name that is none. */
static size_t put_name(const char *p, uint8_t *out)
{
    size_t used = 1, label = 0;     /* label: where the length octet of the current one stands */

    if (strcmp(p, ".") == 0)
        p++;
    while (*p) {
        bool dot = *p == '.';
        int c = next_byte(&p);

        if (c < 0 || used > DNS_NAME_SIZE - 2u || (dot ? used == label + 1 : used - label > LABEL_MAX))
            return 0;
        if (dot) {
            out[label] = (uint8_t)(used - label - 1);
            label = used++;
        } else {
            out[used++] = (uint8_t)c;
        }
    }
    out[label] = (uint8_t)(used - label - 1);
    if (out[label] != 0)
        out[used++] = 0;
    return used;
}

/* Returns p itself when a name cannot be written. */
static uint8_t *put_record(uint8_t *p, const struct dns_question *q, const struct addr *record)
{
    uint8_t data[DNS_NAME_SIZE];
    size_t len = record->kind == ADDR_IPV4 ? 4 : 16;

    if (record->kind == ADDR_NAME)
        len = put_name(record->name, data);
    else
        memcpy(data, record->ip, len);
    if (len == 0)
        return p;
    p = bytes_put16(p, QUESTION_POINTER);
    p = bytes_put16(p, q->type);
    p = bytes_put16(p, DNS_IN);
    p = bytes_put32(p, DNS_TTL);
    p = bytes_put16(p, (uint16_t)len);
    memcpy(p, data, len);
    return p + len;
}

static bool fits(const struct dns_question *q, const struct addr *record)
{
    if (!record)
        return false;
    return (q->type == DNS_A && record->kind == ADDR_IPV4) || (q->type == DNS_AAAA && record->kind == ADDR_IPV6) ||
           (q->type == DNS_PTR && record->kind == ADDR_NAME);
}

static uint8_t *put_opt(uint8_t *p, const struct dns_question *q, enum dns_rcode rcode)
{
    *p++ = 0;
    p = bytes_put16(p, DNS_OPT);
    p = bytes_put16(p, EDNS_PAYLOAD);
    *p++ = (uint8_t)(rcode >> 4);
    *p++ = 0;                       /* version */
    p = bytes_put16(p, q->edns_flags);
    return bytes_put16(p, 0);
}

int dns_read(const uint8_t *in, size_t len, struct dns_question *out)
{
    if (len < DNS_HEADER_SIZE || (bytes_get16(in + 2) & DNS_QR))
        return -EBADMSG;
    memset(out, 0, sizeof *out);
    out->id = bytes_get16(in);
    out->flags = bytes_get16(in + 2);
    judge(in, len, out);
    return 0;
}

size_t dns_read_question(const uint8_t *in, size_t len, struct dns_question *out)
{
    struct reader r = { in, DNS_HEADER_SIZE, len };

    memset(out, 0, sizeof *out);
    return len >= DNS_HEADER_SIZE && bytes_get16(in + 4) == 1 && read_question(&r, out) ? r.at : 0;
}

size_t dns_answer(const struct dns_question *q, enum dns_rcode rcode, const struct addr *record, uint8_t *out)
{
    uint8_t *body = out + DNS_HEADER_SIZE + q->wire_len, *end = body, *p = out;
    unsigned flags = DNS_QR | DNS_RA | (q->flags & (OPCODE_MASK | DNS_RD | DNS_CD));

    if (q->rcode != DNS_NOERROR)
        rcode = q->rcode;
    if (rcode == DNS_NOERROR && fits(q, record))
        end = put_record(body, q, record);
    p = bytes_put16(p, q->id);
    p = bytes_put16(p, (uint16_t)(flags | (rcode & RCODE_MASK)));
    p = bytes_put16(p, q->wire_len > 0);
    p = bytes_put16(p, end > body);
    p = bytes_put16(p, 0);
    p = bytes_put16(p, q->edns);
    memcpy(p, q->wire, q->wire_len);
    if (q->edns)
        end = put_opt(end, q, rcode);
    return (size_t)(end - out);
}

int dns_query(uint16_t id, const char *name, uint16_t type, uint16_t class, uint8_t *out)
{
    uint8_t *p = bytes_put16(bytes_put16(out, id), DNS_RD);
    size_t len;

    p = bytes_put32(bytes_put32(p, 1u << 16), 0);
    len = put_name(name, p);
    if (len == 0)
        return -EINVAL;
    bytes_put16(bytes_put16(p + len, type), class);
    return (int)(DNS_HEADER_SIZE + len + 4);
}

enum dns_rcode dns_message_rcode(const uint8_t *message)
{
    return (enum dns_rcode)(message[3] & RCODE_MASK);
}

unsigned dns_message_answers(const uint8_t *message)
{
    return bytes_get16(message + 6);
}
