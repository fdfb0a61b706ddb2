/* SPDX-License-Identifier: ISC */
/* check_socks5.c - the machine against replies of real and of broken proxies, cut everywhere */
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "feed.h"
#include "reply.h"
#include "socks5.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define BYTES(literal) (literal), sizeof(literal) - 1

/* Replies of the request, as servers give them. */
#define OK4 "\5\0\0\1\x7f\0\0\1\x12\x34"
#define OK6 "\5\0\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb"
#define OKN "\5\0\0\3\5x.org\0\x50"
#define ERR4 "\5\5\0\1\0\0\0\0\0\0"

Suite *make_suite(void);

struct vector {
    const char *name;
    enum feed_options options;
    const char *in;
    size_t len;                 /* all of it must be taken when the machine is DONE, or fails with exact */
    bool eof, exact;
    enum socks5_want want;
    enum socks5_cause cause;
    int error;
    uint8_t rep;
    enum socks5_stage stage;
    const char *bound;          /* as addr_format() writes it */
};

#define DONE(name, options, in, bound) \
    { name, FEED_##options, BYTES(in), false, true, SOCKS5_DONE, SOCKS5_CAUSE_NONE, 0, 0, SOCKS5_STAGE_END, bound }
#define REFUSED(name, options, in, eof, exact, rep, bound) \
    { name, FEED_##options, BYTES(in), eof, exact, SOCKS5_FAILED, SOCKS5_CAUSE_REPLY, 0, rep, SOCKS5_STAGE_REPLY, \
      bound }
#define FAILS(name, options, in, eof, cause, error, stage) \
    { name, FEED_##options, BYTES(in), eof, false, SOCKS5_FAILED, SOCKS5_CAUSE_##cause, error, 0, \
      SOCKS5_STAGE_##stage, "-" }
#define WAITS(name, options, in, rep, stage) \
    { name, FEED_##options, BYTES(in), false, true, SOCKS5_RECV, SOCKS5_CAUSE_NONE, 0, rep, SOCKS5_STAGE_##stage, "-" }

static const struct vector vectors[] = {
    DONE("ipv4", PLAIN, "\5\0" OK4, "127.0.0.1:4660"),
    DONE("ipv6", PLAIN, "\5\0" OK6, "[2001:db8::1]:443"),
    DONE("name", PLAIN, "\5\0" OKN, "x.org:80"),
    DONE("empty name", PLAIN, "\5\0\5\0\0\3\0\0\x50", ":80"),
    DONE("any address", PLAIN, "\5\0\5\0\0\1\0\0\0\0\0\0", "0.0.0.0:0"),
    DONE("mapped", PLAIN, "\5\0\5\0\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4\0\x50", "1.2.3.4:80"),
    DONE("reserved octet not 0", PLAIN, "\5\0\5\0\7\1\1\2\3\4\0\x50", "1.2.3.4:80"),
    DONE("method 00 with credentials", AUTH, "\5\0" OK4, "127.0.0.1:4660"),
    DONE("method 02", AUTH, "\5\2\1\0" OK4, "127.0.0.1:4660"),
    DONE("method 02, name", AUTH, "\5\2\1\0" OKN, "x.org:80"),
    DONE("password reply of version 5", AUTH, "\5\2\5\0" OK4, "127.0.0.1:4660"),
    DONE("flight", FLIGHT, "\5\0" OK6, "[2001:db8::1]:443"),
    DONE("flight with password", AUTH_FLIGHT, "\5\2\1\0" OK4, "127.0.0.1:4660"),
    DONE("flight, method reply left out as tor does", AUTH_FLIGHT, "\1\0" OK4, "127.0.0.1:4660"),

    REFUSED("whole", PLAIN, "\5\0" ERR4, false, true, 5, "0.0.0.0:0"),
    REFUSED("whole with name as danted does", PLAIN, "\5\0\5\4\0\3\5x.org\0\x50", false, true, 4, "x.org:80"),
    REFUSED("whole ipv6", PLAIN, "\5\0\5\3\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0", false, true, 3, "[::1]:0"),
    REFUSED("after password as 3proxy does", AUTH, "\5\2\1\0\5\2\0\1\0\0\0\0\0\0", false, true, 2, "0.0.0.0:0"),
    REFUSED("flight as tor does", AUTH_FLIGHT, "\1\0\5\1\0\1\0\0\0\0\0\0", false, true, 1, "0.0.0.0:0"),
    REFUSED("two octets", PLAIN, "\5\0\5\7", true, true, 7, "-"),
    REFUSED("three octets", PLAIN, "\5\0\5\7\0", true, true, 7, "-"),
    REFUSED("four octets", PLAIN, "\5\0\5\7\0\1", true, true, 7, "-"),
    REFUSED("nine octets", PLAIN, "\5\0\5\x8\0\1\0\0\0\0\0", true, true, 8, "-"),
    REFUSED("name cut short", PLAIN, "\5\0\5\6\0\3\5x.o", true, true, 6, "-"),
    REFUSED("unknown atyp", PLAIN, "\5\0\5\1\0\0\0\0\0\0\0\0", false, false, 1, "-"),
    REFUSED("unknown atyp, four octets", PLAIN, "\5\0\5\1\0\x9", false, false, 1, "-"),
    REFUSED("nul in name", PLAIN, "\5\0\5\4\0\3\2x\0\0\x50", false, true, 4, "-"),
    REFUSED("unassigned code", PLAIN, "\5\0\5\xff\0\1\0\0\0\0\0\0", false, true, 255, "0.0.0.0:0"),
    WAITS("error of two octets, still open", PLAIN, "\5\0\5\7", 7, REPLY),
    WAITS("error of nine octets, still open", PLAIN, "\5\0\5\7\0\1\0\0\0\0\0", 7, REPLY),

    FAILS("no method", PLAIN, "\5\xff", false, METHOD, -EACCES, METHOD),
    FAILS("no method with credentials", AUTH, "\5\xff", true, METHOD, -EACCES, METHOD),
    FAILS("02 not offered", PLAIN, "\5\2", false, METHOD, -EACCES, METHOD),
    FAILS("gssapi not offered", AUTH, "\5\1", false, METHOD, -EACCES, METHOD),
    FAILS("flight, 00 not offered", AUTH_FLIGHT, "\5\0" OK4, false, METHOD, -EACCES, METHOD),
    FAILS("flight, 02 not offered", FLIGHT, "\5\2", false, METHOD, -EACCES, METHOD),
    FAILS("flight, method reply left out, looks like 01", FLIGHT, "\5\1\0\1\0\0", false, METHOD, -EACCES, METHOD),
    FAILS("password 01", AUTH, "\5\2\1\1", false, PASSWORD, -EACCES, AUTH),
    FAILS("password 02 as microsocks does", AUTH, "\5\2\1\2", true, PASSWORD, -EACCES, AUTH),
    FAILS("password ff as v2ray does", AUTH, "\5\2\1\xff", true, PASSWORD, -EACCES, AUTH),
    FAILS("flight, password refused", AUTH_FLIGHT, "\5\2\1\1", true, PASSWORD, -EACCES, AUTH),
    FAILS("flight, password refused, merged", AUTH_FLIGHT, "\1\1", true, PASSWORD, -EACCES, AUTH),

    FAILS("socks4 method", PLAIN, "\0\x5b", false, GARBAGE, -ECONNREFUSED, METHOD),
    FAILS("http", PLAIN, "HTTP/1.1 400 Bad Request\r\n", false, GARBAGE, -ECONNREFUSED, METHOD),
    FAILS("one octet of http", PLAIN, "H", false, GARBAGE, -ECONNREFUSED, METHOD),
    FAILS("password reply without credentials", FLIGHT, "\1\0", false, GARBAGE, -ECONNREFUSED, METHOD),
    FAILS("password reply in rfc order", AUTH, "\1\0", false, GARBAGE, -ECONNREFUSED, METHOD),
    FAILS("password reply of version 2", AUTH, "\5\2\2", false, GARBAGE, -ECONNREFUSED, AUTH),
    FAILS("password reply of version 0", AUTH, "\5\2\0\0", false, GARBAGE, -ECONNREFUSED, AUTH),
    FAILS("reply of version 4", PLAIN, "\5\0\4", false, GARBAGE, -ECONNREFUSED, REPLY),
    FAILS("reply of version 1", PLAIN, "\5\0\1\5\0\1\0\0\0\0\0\0", false, GARBAGE, -ECONNREFUSED, REPLY),
    FAILS("success of unknown atyp", PLAIN, "\5\0\5\0\0\0", false, GARBAGE, -ECONNREFUSED, REPLY),
    FAILS("success of atyp 2", PLAIN, "\5\0\5\0\0\2\0\0\0\0\0\0", false, GARBAGE, -ECONNREFUSED, REPLY),
    FAILS("success with nul in name", PLAIN, "\5\0\5\0\0\3\2x\0\0\x50", false, GARBAGE, -ECONNREFUSED, REPLY),

    FAILS("end at once", PLAIN, "", true, EOF, -ECONNREFUSED, METHOD),
    FAILS("end in method", PLAIN, "\5", true, EOF, -ECONNREFUSED, METHOD),
    FAILS("end after method", PLAIN, "\5\0", true, EOF, -ECONNREFUSED, REPLY),
    FAILS("end after method 02", AUTH, "\5\2", true, EOF, -ECONNREFUSED, AUTH),
    FAILS("end in password", AUTH, "\5\2\1", true, EOF, -ECONNREFUSED, AUTH),
    FAILS("end after password", AUTH, "\5\2\1\0", true, EOF, -ECONNREFUSED, REPLY),
    FAILS("end in merged password", AUTH_FLIGHT, "\1", true, EOF, -ECONNREFUSED, AUTH),
    FAILS("end after one octet of reply", PLAIN, "\5\0\5", true, EOF, -ECONNREFUSED, REPLY),
    FAILS("end after REP 0", PLAIN, "\5\0\5\0", true, EOF, -ECONNREFUSED, REPLY),
    FAILS("end before last octet", PLAIN, "\5\0\5\0\0\1\x7f\0\0\1\x12", true, EOF, -ECONNREFUSED, REPLY),
    FAILS("end before last octet of name", PLAIN, "\5\0\5\0\0\3\1x\0", true, EOF, -ECONNREFUSED, REPLY)
};

static void check_vector(const struct socks5 *s, const struct feed_result *r, void *context)
{
    const struct vector *v = context;
    struct socks5 copy = *s;
    char text[ADDR_TEXT_SIZE];
    size_t len;

    ck_assert_msg(socks5_want(s) == v->want, "%s: wants %d", v->name, socks5_want(s));
    ck_assert_msg(socks5_cause(s) == v->cause, "%s: cause %d", v->name, socks5_cause(s));
    ck_assert_int_eq(socks5_error(s), v->cause == SOCKS5_CAUSE_REPLY ? reply_errno(v->rep) : v->error);
    ck_assert_msg(socks5_rep(s) == v->rep, "%s: rep %d", v->name, socks5_rep(s));
    ck_assert_msg(socks5_stage(s) == v->stage, "%s: stage %d", v->name, socks5_stage(s));
    ck_assert_msg(!v->exact || r->used == v->len, "%s: took %zu", v->name, r->used);
    addr_format(socks5_bound(s), text, sizeof(text));
    ck_assert_msg(strcmp(text, v->bound) == 0, "%s: bound %s", v->name, text);
    if (v->want == SOCKS5_RECV)
        return;
    socks5_in(&copy, &len);
    ck_assert_uint_eq(len, 0);
    socks5_out(&copy, &len);
    ck_assert_uint_eq(len, 0);
    socks5_eof(&copy);
    socks5_received(&copy, 1);
    ck_assert_mem_eq(&copy, s, sizeof(copy));
}

START_TEST(reply_cut_anywhere_has_one_outcome)
{
    struct vector v = vectors[_i];
    struct socks5 s;

    feed_start(&s, v.options, SOCKS5_CONNECT, "example.org");
    feed_every_way(&s, (const uint8_t *)v.in, v.len, v.eof, check_vector, &v);
}
END_TEST

/* Reply and first bytes of the target arrive in one segment with every server: those must stay in the socket. */
START_TEST(reply_glued_to_data_leaves_the_data)
{
    struct vector v = vectors[_i];
    char glued[64];
    struct socks5 s;

    if (!v.exact || v.eof || v.want == SOCKS5_RECV)
        return;
    ck_assert_uint_lt(v.len + 8, sizeof(glued));
    memcpy(glued, v.in, v.len);
    memcpy(glued + v.len, "\5\0\0\1SSH-", 8);
    feed_start(&s, v.options, SOCKS5_CONNECT, "example.org");
    feed_every_way(&s, (const uint8_t *)glued, v.len + 8, true, check_vector, &v);
}
END_TEST

START_TEST(reply_name_of_every_length_is_read_whole)
{
    struct vector v = DONE("long name", PLAIN, "", NULL);
    uint8_t in[2 + 5 + 255 + 2] = { 5, 0, 5, 0, 0, 3 };
    char bound[ADDR_TEXT_SIZE];
    struct socks5 s;

    for (size_t len = 0; len < 256; len = len < 4 || len > 252 ? len + 1 : len + 31) {
        in[6] = (uint8_t)len;
        memset(in + 7, 'n', len);
        memcpy(in + 7 + len, "\x12\x34", 2);
        memset(bound, 'n', len);
        strcpy(bound + len, ":4660");
        v.len = 9 + len;
        v.bound = bound;
        feed_start(&s, FEED_PLAIN, SOCKS5_CONNECT, "example.org");
        feed_every_way(&s, in, v.len, false, check_vector, &v);
    }
}
END_TEST

START_TEST(end_while_sending_fails)
{
    struct socks5 s;

    feed_start(&s, FEED_PLAIN, SOCKS5_CONNECT, "example.org");
    ck_assert_int_eq(socks5_want(&s), SOCKS5_SEND);
    socks5_eof(&s);
    ck_assert_int_eq(socks5_want(&s), SOCKS5_FAILED);
    ck_assert_int_eq(socks5_error(&s), -ECONNREFUSED);
    ck_assert_int_eq(socks5_cause(&s), SOCKS5_CAUSE_EOF);
}
END_TEST

static void check_bind(const struct socks5 *s, const struct feed_result *r, void *context)
{
    static struct vector second[] = {
        DONE("second", PLAIN, OKN, "x.org:80"), REFUSED("second refused", PLAIN, ERR4, false, true, 5, "0.0.0.0:0"),
        REFUSED("second of two octets", PLAIN, "\5\2", true, true, 2, "127.0.0.1:4660"),
        { "second ends", FEED_PLAIN, BYTES("\5"), true, false, SOCKS5_FAILED, SOCKS5_CAUSE_EOF, -ECONNREFUSED, 0,
          SOCKS5_STAGE_REPLY, "127.0.0.1:4660" }
    };

    check_vector(s, r, context);
    for (int i = 0; i < COUNT(second); i++) {
        struct socks5 copy = *s;

        socks5_next_reply(&copy);
        ck_assert_int_eq(socks5_want(&copy), SOCKS5_RECV);
        feed_every_way(&copy, (const uint8_t *)second[i].in, second[i].len, second[i].eof, check_vector, &second[i]);
    }
}

START_TEST(bind_second_reply_cut_anywhere_has_one_outcome)
{
    struct vector first = DONE("first", PLAIN, "\5\0" OK4, "127.0.0.1:4660");
    struct socks5 s;

    feed_start(&s, FEED_PLAIN, SOCKS5_BIND, "192.0.2.1");
    feed_every_way(&s, (const uint8_t *)first.in, first.len, false, check_bind, &first);
}
END_TEST

START_TEST(next_reply_of_unfinished_machine_is_ignored)
{
    struct socks5 s, before;

    feed_start(&s, FEED_PLAIN, SOCKS5_BIND, "192.0.2.1");
    before = s;
    socks5_next_reply(&s);
    ck_assert_mem_eq(&s, &before, sizeof(s));
    socks5_eof(&s);
    before = s;
    socks5_next_reply(&s);
    ck_assert_mem_eq(&s, &before, sizeof(s));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("socks5");
    TCase *tc = tcase_create("machine");

    tcase_add_loop_test(tc, reply_cut_anywhere_has_one_outcome, 0, COUNT(vectors));
    tcase_add_loop_test(tc, reply_glued_to_data_leaves_the_data, 0, COUNT(vectors));
    tcase_add_test(tc, reply_name_of_every_length_is_read_whole);
    tcase_add_test(tc, end_while_sending_fails);
    tcase_add_test(tc, bind_second_reply_cut_anywhere_has_one_outcome);
    tcase_add_test(tc, next_reply_of_unfinished_machine_is_ignored);
    suite_add_tcase(suite, tc);
    return suite;
}
