/* SPDX-License-Identifier: ISC */
/* check_socks5_order.c - what the machine sends, in which order, and when */
#include <check.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "feed.h"
#include "socks5.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define BYTES(literal) (literal), sizeof(literal) - 1

#define OK4 "\5\0\0\1\x7f\0\0\1\x12\x34"

#define GREET "\5\1\0"
#define GREET_AUTH "\5\2\0\2"
#define GREET_FLIGHT "\5\1\2"
#define LOGIN "\1\2me\6secret"
#define ASK_NAME "\5\1\0\3\xb" "example.org\1\xbb"

Suite *make_suite(void);

static const struct {
    const char *name;
    enum feed_options options;
    const char *in;
    size_t len;
    const char *sent;
    size_t sent_len;
    int messages;
    size_t message_len[3], used_before[3];
} orders[] = {
    { "plain", FEED_PLAIN, BYTES("\5\0" OK4), BYTES(GREET ASK_NAME), 2, { 3, 18 }, { 0, 2 } },
    { "credentials, 02", FEED_AUTH, BYTES("\5\2\1\0" OK4),
      BYTES(GREET_AUTH LOGIN ASK_NAME), 3, { 4, 11, 18 }, { 0, 2, 4 } },
    { "credentials, 00", FEED_AUTH, BYTES("\5\0" OK4), BYTES(GREET_AUTH ASK_NAME), 2, { 4, 18 }, { 0, 2 } },
    { "flight", FEED_FLIGHT, BYTES("\5\0" OK4), BYTES(GREET ASK_NAME), 1, { 21 }, { 0 } },
    { "flight with credentials", FEED_AUTH_FLIGHT, BYTES("\5\2\1\0" OK4),
      BYTES(GREET_FLIGHT LOGIN ASK_NAME), 1, { 32 }, { 0 } },
    { "no method", FEED_AUTH, BYTES("\5\xff"), BYTES(GREET_AUTH), 1, { 4 }, { 0 } },
    { "no method, password not shown", FEED_PLAIN, BYTES("\5\2"), BYTES(GREET), 1, { 3 }, { 0 } },
    { "password refused", FEED_AUTH, BYTES("\5\2\1\1"), BYTES(GREET_AUTH LOGIN), 2, { 4, 11 }, { 0, 2 } },
    { "half a method reply", FEED_AUTH, BYTES("\5"), BYTES(GREET_AUTH), 1, { 4 }, { 0 } },
    { "half a password reply", FEED_AUTH, BYTES("\5\2\1"), BYTES(GREET_AUTH LOGIN), 2, { 4, 11 }, { 0, 2 } }
};

static void check_order(const struct socks5 *s, const struct feed_result *r, void *context)
{
    int i = *(const int *)context;

    ck_assert_ptr_nonnull(s);
    ck_assert_msg(r->sent_len == orders[i].sent_len, "%s: sent %zu", orders[i].name, r->sent_len);
    ck_assert_mem_eq(r->sent, orders[i].sent, r->sent_len);
    ck_assert_uint_eq(r->messages, (size_t)orders[i].messages);
    for (int m = 0; m < orders[i].messages; m++) {
        ck_assert_uint_eq(r->message_len[m], orders[i].message_len[m]);
        ck_assert_uint_eq(r->used_before[m], orders[i].used_before[m]);
    }
}

START_TEST(messages_in_order_are_whole_and_wait_for_replies)
{
    struct socks5 s;

    feed_start(&s, orders[_i].options, SOCKS5_CONNECT, "example.org");
    feed_every_way(&s, (const uint8_t *)orders[_i].in, orders[_i].len, false, check_order, &_i);
}
END_TEST

START_TEST(request_of_each_command_and_kind_has_rfc_bytes)
{
    static const struct { enum socks5_command command; const char *host, *bytes; size_t len; } asks[] = {
        { SOCKS5_CONNECT, "192.0.2.1", BYTES("\5\1\0\1\xc0\0\2\1\1\xbb") },
        { SOCKS5_BIND, "2001:db8::1", BYTES("\5\2\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\1\xbb") },
        { SOCKS5_ASSOCIATE, "0.0.0.0", BYTES("\5\3\0\1\0\0\0\0\1\xbb") },
        { SOCKS5_CONNECT, "::ffff:192.0.2.1", BYTES("\5\1\0\1\xc0\0\2\1\1\xbb") },
        { SOCKS5_CONNECT, "x.org.", BYTES("\5\1\0\3\5x.org\1\xbb") }
    };

    for (int i = 0; i < COUNT(asks); i++) {
        struct feed_result r;
        struct socks5 s;

        feed_start(&s, FEED_PLAIN, asks[i].command, asks[i].host);
        feed_run(&s, (const uint8_t *)"\5\0", 2, (struct feed_cut) { 2, 2 }, false, &r);
        ck_assert_uint_eq(r.message_len[1], asks[i].len);
        ck_assert_mem_eq(r.sent + 3, asks[i].bytes, asks[i].len);
    }
}
END_TEST

START_TEST(messages_of_greatest_length_fit)
{
    char long_text[256] = { 0 };
    struct socks5_options o = { long_text, long_text, _i != 0 };
    struct addr target = { .kind = ADDR_NAME, .port = 443 };
    struct socks5 *s = guard_new(NULL, sizeof(*s));
    struct feed_result r;

    memset(long_text, 'u', 255);
    memset(target.name, 'n', 255);
    socks5_init(s, &o, SOCKS5_CONNECT, &target);
    feed_run(s, (const uint8_t *)"\5\2\1\0" OK4, 14, (struct feed_cut) { 14, 14 }, false, &r);
    ck_assert_int_eq(socks5_want(s), SOCKS5_DONE);
    ck_assert_uint_eq(r.sent_len, (_i != 0 ? 3u : 4u) + 513 + 262);
    ck_assert_mem_eq(r.sent + r.sent_len - 5, "nnn\1\xbb", 5);
    guard_free(s, sizeof(*s));
}
END_TEST

START_TEST(send_short_goes_on_where_it_stopped)
{
    static const char whole[] = GREET_FLIGHT LOGIN ASK_NAME;
    struct socks5 s;
    size_t len, sent = 0;

    feed_start(&s, FEED_AUTH_FLIGHT, SOCKS5_CONNECT, "example.org");
    while (socks5_want(&s) == SOCKS5_SEND) {
        const uint8_t *p = socks5_out(&s, &len);

        ck_assert_uint_eq(len, sizeof(whole) - 1 - sent);
        ck_assert_mem_eq(p, whole + sent, len);
        socks5_sent(&s, 0);
        ck_assert_ptr_eq(socks5_out(&s, &len), p);
        socks5_sent(&s, 1);
        sent++;
    }
    ck_assert_uint_eq(sent, sizeof(whole) - 1);
    socks5_in(&s, &len);
    ck_assert_uint_eq(len, 2);
}
END_TEST

START_TEST(again_after_a_flight_is_in_order)
{
    struct socks5 s;
    struct feed_result r;

    feed_start(&s, FEED_AUTH_FLIGHT, SOCKS5_CONNECT, "example.org");
    feed_run(&s, (const uint8_t *)"\5\2\1\0\5\1\0", 7, (struct feed_cut) { 7, 7 }, true, &r);
    ck_assert_int_eq(socks5_want(&s), SOCKS5_FAILED);
    socks5_again(&s);
    ck_assert_int_eq(socks5_error(&s), 0);
    ck_assert_uint_eq(socks5_rep(&s), 0);
    ck_assert_int_eq(socks5_stage(&s), SOCKS5_STAGE_METHOD);
    feed_run(&s, (const uint8_t *)"\5\2\1\0" OK4, 14, (struct feed_cut) { 14, 14 }, false, &r);
    ck_assert_int_eq(socks5_want(&s), SOCKS5_DONE);
    ck_assert_uint_eq(r.messages, 3);
    ck_assert_uint_eq(r.sent_len, sizeof("\5\2\0\2" LOGIN ASK_NAME) - 1);
    ck_assert_mem_eq(r.sent, "\5\2\0\2" LOGIN ASK_NAME, r.sent_len);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("socks5_order");
    TCase *tc = tcase_create("messages");

    tcase_add_loop_test(tc, messages_in_order_are_whole_and_wait_for_replies, 0, COUNT(orders));
    tcase_add_test(tc, request_of_each_command_and_kind_has_rfc_bytes);
    tcase_add_loop_test(tc, messages_of_greatest_length_fit, 0, 2);
    tcase_add_test(tc, again_after_a_flight_is_in_order);
    tcase_add_test(tc, send_short_goes_on_where_it_stopped);
    suite_add_tcase(suite, tc);
    return suite;
}
