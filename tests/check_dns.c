/* SPDX-License-Identifier: ISC */
/* check_dns.c - DNS messages: what is read, what is answered, what is refused */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/dns.h"
#include "feed.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define BYTES(literal) literal, sizeof(literal) - 1
#define HEAD "\x12\x34\x01\x00\0\1\0\0\0\0\0\0"         /* one question, recursion desired */
#define HEAD_OPT "\x12\x34\x01\x00\0\1\0\0\0\0\0\1"     /* the same and one additional record */
#define QUESTION "\3wWw\7exAMple\3org\0\0\1\0\1"
#define OPT "\0\0\x29\x10\0\0\0\x80\0\0\0"
#define LABEL_63 "\x3f" "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define LABEL_61 "\x3d" "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxy"
#define LABEL_62 "\x3e" "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz"

Suite *make_suite(void);

/* Reads a copy that lies against a page that faults. */
static int read_exact(const void *bytes, size_t len, struct dns_question *q)
{
    uint8_t *copy = guard_new(bytes, len);
    int rc = dns_read(copy, len, q);

    guard_free(copy, len);
    return rc;
}

static const struct {
    const char *bytes;
    size_t len;
    enum dns_rcode rcode;
    size_t wire_len;
    const char *name;
    bool edns;
} queries[] = {
    { BYTES(HEAD QUESTION), DNS_NOERROR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD QUESTION "trailing bytes"), DNS_NOERROR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION OPT), DNS_NOERROR, 21, "wWw.exAMple.org", true },
    { BYTES(HEAD "\0\0\2\0\1"), DNS_NOERROR, 5, "", false },
    { BYTES(HEAD "\1a\0\0\1\0\xff"), DNS_NOERROR, 7, "a", false },
    { BYTES(HEAD "\1a\0\0\1\0\3"), DNS_REFUSED, 7, "a", false },
    { BYTES(HEAD "\3a.b\0\0\1\0\1"), DNS_NOERROR, 9, "", false },
    { BYTES(HEAD "\3a\0b\0\0\1\0\1"), DNS_NOERROR, 9, "", false },
    { BYTES(HEAD "\1a\2\xc3\xbc\0\0\1\0\1"), DNS_NOERROR, 10, "", false },
    { BYTES(HEAD "\1\\\0\0\1\0\1"), DNS_NOERROR, 7, "", false },
    { BYTES(HEAD LABEL_63 LABEL_63 LABEL_63 LABEL_61 "\0\0\1\0\1"), DNS_NOERROR, 259,
      "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
      "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
      "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0."
      "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxy", false },
    { BYTES(HEAD LABEL_63 LABEL_63 LABEL_63 LABEL_62 "\0\0\1\0\1"), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD "\1a"), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD "\1a\0\0\1\0"), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD "\xc0\x0c\0\1\0\1"), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD "\1a\xc0\x0c\0\1\0\1"), DNS_FORMERR, 0, NULL, false },
    { BYTES(HEAD "\x40" "a\0\0\1\0\1"), DNS_FORMERR, 0, NULL, false },
    { BYTES("\x12\x34\x01\0\0\0\0\0\0\0\0\0"), DNS_FORMERR, 0, NULL, false },
    { BYTES("\x12\x34\x01\0\0\2\0\0\0\0\0\0" QUESTION QUESTION), DNS_FORMERR, 0, NULL, false },
    { BYTES("\x12\x34\x10\0\0\1\0\0\0\0\0\0" QUESTION), DNS_NOTIMP, 0, NULL, false },
    { BYTES("\x12\x34\x28\0\0\1\0\0\0\0\0\0" QUESTION), DNS_NOTIMP, 0, NULL, false },
    /* records before and behind the OPT, with names compressed or not */
    { BYTES("\x12\x34\x01\0\0\1\0\1\0\1\0\2" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\0\0\4abcd"
            "\1x\xc0\x10\0\2\0\1\0\0\0\0\0\0" "\1y\0\0\x10\0\1\0\0\0\0\0\1z" OPT), DNS_NOERROR, 21, "wWw.exAMple.org",
      true },
    { BYTES(HEAD_OPT QUESTION "\xc0\x21\0\1\0\1\0\0\0\0\0\0"), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION "\xc0"), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION "\0\0\x29\x10\0\0\0\0\0\0"), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION "\0\0\x29\x10\0\0\0\0\0\0\1"), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES(HEAD_OPT QUESTION "\0\0\x29\x10\0\0\0\0\0\0\4\0\xa\0\0"), DNS_NOERROR, 21, "wWw.exAMple.org", true },
    { BYTES(HEAD_OPT QUESTION "\0\0\x29\x10\0\0\1\0\0\0\0"), DNS_BADVERS, 21, "wWw.exAMple.org", true },
    { BYTES(HEAD_OPT QUESTION "\1a\0\0\x29\x10\0\0\0\0\0\0\0"), DNS_FORMERR, 21, "wWw.exAMple.org", false },
    { BYTES("\x12\x34\x01\0\0\1\0\0\0\0\0\2" QUESTION OPT OPT), DNS_FORMERR, 21, "wWw.exAMple.org", true },
    { BYTES("\x12\x34\x01\0\0\1\xff\xff\xff\xff\xff\xff" QUESTION), DNS_FORMERR, 21, "wWw.exAMple.org", false },
};

START_TEST(query_any_read_as_listed)
{
    struct dns_question q;

    ck_assert_int_eq(read_exact(queries[_i].bytes, queries[_i].len, &q), 0);
    ck_assert_uint_eq(q.id, 0x1234);
    ck_assert_int_eq(q.rcode, queries[_i].rcode);
    ck_assert_uint_eq(q.wire_len, queries[_i].wire_len);
    ck_assert_mem_eq(q.wire, queries[_i].bytes + DNS_HEADER_SIZE, q.wire_len);
    ck_assert_int_eq(q.edns, queries[_i].edns);
    ck_assert_uint_eq(q.edns_size, q.edns ? 4096 : 0);
    if (queries[_i].name)
        ck_assert_str_eq(q.name, queries[_i].name);
}
END_TEST

START_TEST(query_cut_anywhere_no_overread)
{
    struct dns_question q, before;

    memset(&before, 0xa5, sizeof before);
    for (size_t len = 0; len < queries[_i].len; len++) {
        q = before;
        if (len < DNS_HEADER_SIZE) {
            ck_assert_int_eq(read_exact(queries[_i].bytes, len, &q), -EBADMSG);
            ck_assert_mem_eq(&q, &before, sizeof q);
        } else {
            ck_assert_int_eq(read_exact(queries[_i].bytes, len, &q), 0);
            ck_assert(q.wire_len == 0 || q.wire_len == queries[_i].wire_len);
        }
    }
}
END_TEST

START_TEST(query_response_bit_refused)
{
    struct dns_question q;

    ck_assert_int_eq(read_exact(BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" QUESTION), &q), -EBADMSG);
}
END_TEST

static struct addr address(const char *text)
{
    struct addr a;

    if (addr_from_text(text, strlen(text), &a) != 0)
        ck_assert_int_eq(addr_from_name(text, strlen(text), &a), 0);
    return a;
}

static const struct {
    const char *query;
    size_t query_len;
    enum dns_rcode rcode;
    const char *record;
    const char *answer;
    size_t answer_len;
} answers[] = {
    { BYTES(HEAD QUESTION), DNS_NOERROR, "198.18.0.1",
      BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\1") },
    { BYTES("\x12\x34\x00\x10\0\1\0\0\0\0\0\0" QUESTION), DNS_NOERROR, "198.18.0.1",
      BYTES("\x12\x34\x80\x90\0\1\0\1\0\0\0\0" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\1") },
    { BYTES(HEAD "\1a\0\0\x1c\0\1"), DNS_NOERROR, "fd00::1",
      BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" "\1a\0\0\x1c\0\1"
            "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1") },
    { BYTES(HEAD "\1a\0\0\x0c\0\1"), DNS_NOERROR, "a.Test",
      BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\0" "\1a\0\0\x0c\0\1" "\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0\x8\1a\4Test\0") },
    { BYTES(HEAD QUESTION), DNS_NOERROR, "fd00::1", BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" QUESTION) },
    { BYTES(HEAD QUESTION), DNS_NOERROR, NULL, BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" QUESTION) },
    { BYTES(HEAD "\1a\0\0\x41\0\1"), DNS_NOERROR, "198.18.0.1",
      BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\0" "\1a\0\0\x41\0\1") },
    { BYTES(HEAD QUESTION), DNS_NXDOMAIN, "198.18.0.1", BYTES("\x12\x34\x81\x83\0\1\0\0\0\0\0\0" QUESTION) },
    { BYTES(HEAD_OPT QUESTION OPT), DNS_NOERROR, "198.18.0.1",
      BYTES("\x12\x34\x81\x80\0\1\0\1\0\0\0\1" QUESTION "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x12\0\1"
            "\0\0\x29\x04\xd0\0\0\x80\0\0\0") },
    { BYTES(HEAD_OPT QUESTION "\0\0\x29\x10\0\0\1\x80\0\0\0"), DNS_NOERROR, "198.18.0.1",
      BYTES("\x12\x34\x81\x80\0\1\0\0\0\0\0\1" QUESTION "\0\0\x29\x04\xd0\1\0\x80\0\0\0") },
    { BYTES(HEAD "\xc0\x0c\0\1\0\1"), DNS_NOERROR, "198.18.0.1", BYTES("\x12\x34\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES("\x12\x34\x28\0\0\1\0\0\0\0\0\0" QUESTION), DNS_NOERROR, NULL,
      BYTES("\x12\x34\xa8\x84\0\0\0\0\0\0\0\0") },
};

START_TEST(answer_any_bytes_as_listed)
{
    struct dns_question q;
    struct addr record = { .kind = ADDR_NONE };
    uint8_t *out = guard_new(NULL, DNS_ANSWER_MAX);
    size_t len;

    if (answers[_i].record)
        record = address(answers[_i].record);
    ck_assert_int_eq(read_exact(answers[_i].query, answers[_i].query_len, &q), 0);
    len = dns_answer(&q, answers[_i].rcode, answers[_i].record ? &record : NULL, out);
    ck_assert_uint_eq(len, answers[_i].answer_len);
    ck_assert_mem_eq(out, answers[_i].answer, len);
    ck_assert_int_eq(dns_message_rcode(out), answers[_i].answer[3] & 15);
    ck_assert_uint_eq(dns_message_answers(out), (unsigned)answers[_i].answer[7]);
    guard_free(out, DNS_ANSWER_MAX);
}
END_TEST

START_TEST(answer_longest_fits_exactly)
{
    static const char query[] = HEAD_OPT LABEL_63 LABEL_63 LABEL_63 LABEL_61 "\0\0\x0c\0\1" OPT;
    uint8_t *out = guard_new(NULL, DNS_ANSWER_MAX);
    struct dns_question q;
    struct addr record;

    ck_assert_int_eq(read_exact(query, sizeof query - 1, &q), 0);
    record = address(q.name);
    ck_assert_uint_eq(dns_answer(&q, DNS_NOERROR, &record, out), DNS_ANSWER_MAX);
    guard_free(out, DNS_ANSWER_MAX);
}
END_TEST

START_TEST(answer_name_impossible_no_record)
{
    static const char *const bad[] = { "a..b", ".a", "a\\", "" };
    struct addr record = { .kind = ADDR_NAME };
    uint8_t out[DNS_ANSWER_MAX];
    struct dns_question q;

    ck_assert_int_eq(read_exact(BYTES(HEAD "\1a\0\0\x0c\0\1"), &q), 0);
    for (int i = 0; i < COUNT(bad) - 1; i++) {
        strcpy(record.name, bad[i]);
        ck_assert_uint_eq(dns_answer(&q, DNS_NOERROR, &record, out), DNS_HEADER_SIZE + q.wire_len);
        ck_assert_uint_eq(dns_message_answers(out), 0);
    }
}
END_TEST

static const struct {
    const char *name;
    const char *wire;       /* NULL: no name */
    size_t len;
} names[] = {
    { "a.test", BYTES("\1a\4test\0") }, { "a.test.", BYTES("\1a\4test\0") }, { "", BYTES("\0") }, { ".", BYTES("\0") },
    { "A_b-.x", BYTES("\4A_b-\1x\0") }, { "a\\.b.c", BYTES("\3a.b\1c\0") }, { "\\065\\\\.b", BYTES("\2A\\\1b\0") },
    { "\\1.b", BYTES("\1" "1\1b\0") }, { "\\300", BYTES("\3" "300\0") }, { "a b", BYTES("\3a b\0") },
    { "\\000", BYTES("\1\0\0") }, { "a..b", NULL, 0 }, { "..", NULL, 0 }, { ".a", NULL, 0 }, { "a\\", NULL, 0 },
    { "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0", BYTES(LABEL_63 "\0") },
    { "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0x", NULL, 0 },
};

START_TEST(query_written_name_as_listed)
{
    uint8_t *out = guard_new(NULL, DNS_QUERY_MAX);
    int len = dns_query(0x1234, names[_i].name, 28, 1, out);

    if (!names[_i].wire) {
        ck_assert_int_eq(len, -EINVAL);
    } else {
        ck_assert_int_eq(len, (int)names[_i].len + 16);
        ck_assert_mem_eq(out, HEAD, DNS_HEADER_SIZE);
        ck_assert_mem_eq(out + DNS_HEADER_SIZE, names[_i].wire, names[_i].len);
        ck_assert_mem_eq(out + DNS_HEADER_SIZE + names[_i].len, "\0\x1c\0\1", 4);
    }
    guard_free(out, DNS_QUERY_MAX);
}
END_TEST

START_TEST(query_written_length_253_is_the_limit)
{
    char name[300];
    uint8_t *out = guard_new(NULL, DNS_QUERY_MAX);

    for (size_t len = 240; len < 270; len++) {
        for (size_t i = 0; i < len; i++)
            name[i] = i % 50 == 49 && i + 1 < len ? '.' : 'a';
        name[len] = '\0';
        ck_assert_int_eq(dns_query(1, name, 1, 1, out), len <= 253 ? (int)len + 2 + 16 : -EINVAL);
    }
    guard_free(out, DNS_QUERY_MAX);
}
END_TEST

static const struct {
    const char *name, *text;        /* text NULL: no reverse name */
} reverse[] = {
    { "1.0.18.198.in-addr.arpa", "198.18.0.1" }, { "1.0.18.198.IN-ADDR.Arpa.", "198.18.0.1" },
    { "001.0.0.10.in-addr.arpa", "10.0.0.1" }, { "256.0.18.198.in-addr.arpa", NULL },
    { "0.18.198.in-addr.arpa", NULL }, { "5.1.0.18.198.in-addr.arpa", NULL }, { "in-addr.arpa", NULL },
    { ".in-addr.arpa", NULL }, { "1.0.18..in-addr.arpa", NULL }, { "1.0.18.198in-addr.arpa", NULL }, { "", NULL },
    { "a.0.18.198.in-addr.arpa", NULL }, { "1.0.18.198.in-addr.arpax", NULL }, { "0001.0.0.10.in-addr.arpa", NULL },
    { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "2001:db8::1" },
    { "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.IP6.ARPA.", "2001:db8::1" },
    { "1.0.0.0.2.1.6.C.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa", "198.18.0.1" },
    { "g.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", NULL },
    { "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", NULL },
    { "10.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", NULL }, { "ip6.arpa", NULL },
};

START_TEST(reverse_any_read_as_listed)
{
    size_t size = strlen(reverse[_i].name) + 1;
    char *name = guard_new(reverse[_i].name, size);
    struct addr a, expected, before;

    memset(&a, 0xa5, sizeof a);
    before = a;
    if (!reverse[_i].text) {
        ck_assert_int_eq(dns_reverse(name, &a), -EINVAL);
        ck_assert_mem_eq(&a, &before, sizeof a);
    } else {
        expected = address(reverse[_i].text);
        ck_assert_int_eq(dns_reverse(name, &a), 0);
        ck_assert(addr_equal(&a, &expected));
    }
    guard_free(name, size);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("dns");
    TCase *t = tcase_create("dns");

    tcase_add_loop_test(t, query_any_read_as_listed, 0, COUNT(queries));
    tcase_add_loop_test(t, query_cut_anywhere_no_overread, 0, COUNT(queries));
    tcase_add_test(t, query_response_bit_refused);
    tcase_add_loop_test(t, answer_any_bytes_as_listed, 0, COUNT(answers));
    tcase_add_test(t, answer_longest_fits_exactly);
    tcase_add_test(t, answer_name_impossible_no_record);
    tcase_add_loop_test(t, query_written_name_as_listed, 0, COUNT(names));
    tcase_add_test(t, query_written_length_253_is_the_limit);
    tcase_add_loop_test(t, reverse_any_read_as_listed, 0, COUNT(reverse));
    suite_add_tcase(s, t);
    return s;
}
