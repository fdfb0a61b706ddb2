/* SPDX-License-Identifier: ISC */
/* check_dns_answer.c - the addresses in an answer, and what is no answer */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/dns_answer.h"
#include "feed.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define BYTES(literal) literal, sizeof(literal) - 1
#define HEAD(records) "\x12\x34\x81\x80\0\1\0" records "\0\0\0\0"
#define NAME "\1a\4test\0"
#define ASKED NAME "\0\1\0\1"
#define A(last) "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2" last
#define AAAA "\xc0\x0c\0\x1c\0\1\0\0\0\x3c\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
#define ALIAS "\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x0e"

Suite *make_suite(void);

/* found: the addresses with blanks between them; NULL: no answer. */
static const struct {
    const char *bytes;
    size_t len;
    const char *found;
} rows[] = {
    { BYTES(HEAD("\1") ASKED A("\1")), "192.0.2.1 " },
    { BYTES(HEAD("\3") ASKED ALIAS "\1b\xc0\x0e\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\2" AAAA), "192.0.2.2 2001:db8::7 " },
    { BYTES(HEAD("\1") ASKED "\1a\4test\0\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\3"), "192.0.2.3 " },
    { BYTES(HEAD("\2") ASKED A("\1") "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0"), "192.0.2.1 " },   /* cut off */
    { BYTES(HEAD("\5") ASKED A("\1")), "192.0.2.1 " },
    { BYTES(HEAD("\0") ASKED A("\1")), "" },
    { BYTES(HEAD("\1") ASKED "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\5\xc0\0\2\1\1"), "" },
    { BYTES(HEAD("\1") ASKED "\xc0\x0c\0\1\0\3\0\0\0\x3c\0\4\xc0\0\2\1"), "" },
    { BYTES(HEAD("\1") ASKED "\x40"), "" },
    { BYTES(HEAD("\1") ASKED), "" },
    { BYTES("\x12\x34\1\0\0\1\0\1\0\0\0\0" ASKED A("\1")), NULL },
    { BYTES("\x12\x34\x81\x83\0\1\0\1\0\0\0\0" ASKED A("\1")), NULL },
    { BYTES("\x12\x34\x81\x80\0\2\0\1\0\0\0\0" ASKED ASKED A("\1")), NULL },
    { BYTES(HEAD("\1") "\2a/\0\0\1\0\1" A("\1")), NULL },
    { BYTES(HEAD("\1") "\xc0\x0c\0\1\0\1" A("\1")), NULL },
    { BYTES(HEAD("\1") "\0\0\1\0\1" A("\1")), NULL },
    { BYTES(HEAD("\1") "\4a"), NULL },
    { BYTES(HEAD("\1")), NULL },
    { BYTES("\x12\x34\x81\x80\0\1"), NULL },
    { BYTES(""), NULL },
};

static void read_all(const void *bytes, size_t len, char out[200])
{
    uint8_t *copy = guard_new(bytes, len);
    struct dns_answer_reader r;
    struct addr a;
    int error = dns_answer_begin(&r, copy, len);

    strcpy(out, error ? "-" : "");
    while (!error && dns_answer_next(&r, &a) == 0) {
        inet_ntop(a.kind == ADDR_IPV4 ? AF_INET : AF_INET6, a.ip, out + strlen(out), INET6_ADDRSTRLEN);
        strcat(out, " ");
    }
    ck_assert(error || strcmp(r.name, "a.test") == 0);
    guard_free(copy, len);
}

START_TEST(answer_addresses_as_listed)
{
    char found[200];

    read_all(rows[_i].bytes, rows[_i].len, found);
    ck_assert_str_eq(found, rows[_i].found ? rows[_i].found : "-");
}
END_TEST

/* Whatever is cut off, or changed, nothing beyond the end is read. */
START_TEST(answer_any_prefix_and_byte_ends)
{
    char found[200], bytes[200];

    for (size_t len = 0; len < rows[_i].len; len++)
        read_all(rows[_i].bytes, len, found);
    for (size_t i = 12 + 8; i < rows[_i].len; i++) {
        memcpy(bytes, rows[_i].bytes, rows[_i].len);
        for (int c = 0; c < 256; c += 3) {
            bytes[i] = (char)c;
            read_all(bytes, rows[_i].len, found);
        }
    }
}
END_TEST

enum { LONG = 700, QUESTION_END = 12 + 12 };

/* Behind its question, unless the asker takes so much. */
static const struct {
    size_t len;
    uint16_t edns_size;
    size_t left;
} cuts[] = {
    { 12, 0, 12 }, { 512, 0, 512 }, { 513, 0, QUESTION_END }, { LONG, 511, QUESTION_END }, { LONG, 699, QUESTION_END },
    { LONG, 700, LONG }, { LONG, 4096, LONG },
};

START_TEST(answer_is_cut_behind_its_question)
{
    static const char head[] = "\x12\x34\x81\x80\0\1\0\2\0\3\0\4" ASKED;
    struct dns_question q = { .edns_size = cuts[_i].edns_size };
    uint8_t message[LONG] = { 0 }, before[LONG], *copy;
    bool cut = cuts[_i].left != cuts[_i].len;

    memcpy(message, head, sizeof head - 1);
    memcpy(before, message, sizeof message);
    if (cut) {
        before[2] |= 2;
        memset(before + 6, 0, 6);
    }
    copy = guard_new(message, cuts[_i].len);
    ck_assert_uint_eq(dns_answer_cut(copy, cuts[_i].len, &q), cuts[_i].left);
    ck_assert_mem_eq(copy, before, cuts[_i].left);
    guard_free(copy, cuts[_i].len);
}
END_TEST

/* Of one whose question cannot be told the header is left, which says that there is none. */
START_TEST(answer_without_a_question_is_cut_to_its_header)
{
    static const char odd[][18] = { "\x12\x34\x81\x80\0\1\0\2\0\3\0\4\x40", "\x12\x34\x81\x80\0\2\0\2\0\3\0\4\1a" };
    struct dns_question q = { .edns_size = 0 };
    uint8_t message[LONG] = { 0 };

    memcpy(message, odd[_i], sizeof odd[_i]);
    ck_assert_uint_eq(dns_answer_cut(message, LONG, &q), 12);
    ck_assert_mem_eq(message, "\x12\x34\x83\x80\0\0\0\0\0\0\0\0", 12);
}
END_TEST

START_TEST(answer_belongs_by_id_and_question)
{
    static const struct {
        const char *answer;
        size_t len;
        bool belongs;
    } answers[] = {
        { "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1A\0\0\1\0\1", 19, true },
        { "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\0\0\1\0\1rest", 23, true },
        { "\x12\x34\x81\x82\0\0\0\0\0\0\0\0", 12, true },
        { "\x12\x35\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\1\0\1", 19, false },
        { "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1b\0\0\1\0\1", 19, false },
        { "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\x1c\0\1", 19, false },
        { "\x12\x34\x81\x80\0\1\0\0\0\0\0\0\1a\0\0\1\0", 18, false }
    };
    static const uint8_t question[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1";
    uint8_t *copy = guard_new(answers[_i].answer, answers[_i].len);

    ck_assert_int_eq(dns_answer_belongs(copy, answers[_i].len, question, sizeof question - 1), answers[_i].belongs);
    guard_free(copy, answers[_i].len);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("dns_answer");
    TCase *t = tcase_create("dns_answer");

    tcase_add_loop_test(t, answer_addresses_as_listed, 0, COUNT(rows));
    tcase_add_loop_test(t, answer_any_prefix_and_byte_ends, 0, COUNT(rows));
    tcase_add_loop_test(t, answer_is_cut_behind_its_question, 0, COUNT(cuts));
    tcase_add_loop_test(t, answer_without_a_question_is_cut_to_its_header, 0, 2);
    tcase_add_loop_test(t, answer_belongs_by_id_and_question, 0, 7);
    suite_add_tcase(s, t);
    return s;
}
