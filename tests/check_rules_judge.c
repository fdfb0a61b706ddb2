/* SPDX-License-Identifier: ISC */
/* check_rules_judge.c - which way a target goes under a set of rules */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rules_set.h"

Suite *make_suite(void);

/* One list of each kind, added as the configuration does it: block, then direct. */
static const struct {
    const char *block, *direct, *host;
    unsigned port;
    enum rules_verdict verdict;
    const char *why;
} judged[] = {
    { "", "", "192.0.2.1", 80, RULES_PROXY, "default" },
    { "", "", "example.org", 80, RULES_PROXY, "default" },
    { "", "", "localhost", 80, RULES_PROXY, "default" },
    { "", "", "127.0.0.1", 80, RULES_DIRECT, "loopback" },
    { "", "", "127.255.255.255", 0, RULES_DIRECT, "loopback" },
    { "", "", "::1", 80, RULES_DIRECT, "loopback" },
    { "", "", "0.0.0.0", 80, RULES_DIRECT, "loopback" },
    { "", "", "::", 80, RULES_DIRECT, "loopback" },
    { "", "", "::ffff:127.0.0.1", 80, RULES_DIRECT, "loopback" },
    { "", "", "127.0.0.53", 53, RULES_PROXY, "default" },
    { "", "", "::1", 53, RULES_PROXY, "default" },
    { "", "127.0.0.53", "127.0.0.53", 53, RULES_DIRECT, "rule" },
    { "", "127.0.0.53:53", "127.0.0.54", 53, RULES_PROXY, "default" },
    { "127.0.0.1:5432", "", "127.0.0.1", 5432, RULES_BLOCK, "rule" },
    { "127.0.0.1:5432", "", "127.0.0.1", 5433, RULES_DIRECT, "loopback" },
    { "", "", "224.0.0.1", 80, RULES_BLOCK, "multicast, broadcast or link-local address" },
    { "", "", "255.255.255.255", 80, RULES_BLOCK, "multicast, broadcast or link-local address" },
    { "", "", "169.254.169.254", 80, RULES_BLOCK, "multicast, broadcast or link-local address" },
    { "", "", "fe80::1", 80, RULES_BLOCK, "multicast, broadcast or link-local address" },
    { "", "", "ff02::fb", 5353, RULES_BLOCK, "multicast, broadcast or link-local address" },
    { "", "ff02::fb", "ff02::fb", 5353, RULES_DIRECT, "rule" },
    { "", "fe80::/10", "fe80::1%2", 80, RULES_DIRECT, "rule" },
    { "", "*", "239.1.2.3", 80, RULES_DIRECT, "rule" },
    { "192.0.2.1", "192.0.2.0/24", "192.0.2.1", 80, RULES_BLOCK, "rule" },
    { "192.0.2.1", "192.0.2.0/24", "192.0.2.2", 80, RULES_DIRECT, "rule" },
    { "192.0.2.1", "192.0.2.0/24", "192.0.3.1", 80, RULES_PROXY, "default" },
    { "*:25", "*", "192.0.2.1", 25, RULES_BLOCK, "rule" },
    { "*:25", "*", "example.org", 25, RULES_BLOCK, "rule" },
    { "*:25", "*", "example.org", 26, RULES_DIRECT, "rule" },
    { "*:20-21", "", "192.0.2.1", 19, RULES_PROXY, "default" },
    { "*:20-21", "", "192.0.2.1", 20, RULES_BLOCK, "rule" },
    { "*:20-21", "", "192.0.2.1", 21, RULES_BLOCK, "rule" },
    { "*:20-21", "", "192.0.2.1", 22, RULES_PROXY, "default" },
    { "", "0.0.0.0/0", "8.8.8.8", 80, RULES_DIRECT, "rule" },
    { "", "0.0.0.0/0", "2001:db8::1", 80, RULES_PROXY, "default" },
    { "", "0.0.0.0/0 ::/0", "example.org", 80, RULES_PROXY, "default" },
    { "", "::/0", "2001:db8::1", 80, RULES_DIRECT, "rule" },
    { "", "::/0", "192.0.2.1", 80, RULES_PROXY, "default" },
    { "", "192.0.2.0/24", "::ffff:192.0.2.8", 80, RULES_DIRECT, "rule" },
    { "", "::ffff:192.0.2.0/120", "192.0.2.8", 80, RULES_DIRECT, "rule" },
    { "", "example.org", "example.org", 80, RULES_DIRECT, "rule" },
    { "", "example.org", "EXAMPLE.Org", 80, RULES_DIRECT, "rule" },
    { "", "eXaMple.org", "example.oRG", 80, RULES_DIRECT, "rule" },
    { "", "example.org", "www.example.org", 80, RULES_PROXY, "default" },
    { "", "example.org", "example.or", 80, RULES_PROXY, "default" },
    { "", "example.org", "xample.org", 80, RULES_PROXY, "default" },
    { "", ".example.org", "example.org", 80, RULES_DIRECT, "rule" },
    { "", ".example.org", "a.b.example.org", 80, RULES_DIRECT, "rule" },
    { "", ".example.org", "A.EXAMPLE.ORG", 80, RULES_DIRECT, "rule" },
    { "", ".example.org", "notexample.org", 80, RULES_PROXY, "default" },
    { "", ".example.org", "example.org.evil.test", 80, RULES_PROXY, "default" },
    { "", ".example.org", "org", 80, RULES_PROXY, "default" },
    { "", "*.example.org:443", "www.example.org", 443, RULES_DIRECT, "rule" },
    { "", "*.example.org:443", "www.example.org", 80, RULES_PROXY, "default" },
    { "a.example.org", ".example.org", "a.example.org", 80, RULES_BLOCK, "rule" },
    { "*", "", NULL, 0, RULES_BLOCK, "rule" },
    { "0.0.0.0/0", "", NULL, 0, RULES_PROXY, "default" },
};

START_TEST(target_judged_by_order)
{
    struct addr a = target(judged[_i].host, judged[_i].port);
    const char *why = NULL;

    start();
    add(judged[_i].block, RULES_BLOCK);
    add(judged[_i].direct, RULES_DIRECT);
    ck_assert_msg(rules_judge(&set, &a, &why) == judged[_i].verdict, "row %d: %s", _i, judged[_i].host);
    ck_assert_str_eq(why, judged[_i].why);
    ck_assert_int_eq(rules_judge(&set, &a, NULL), judged[_i].verdict);
}
END_TEST

START_TEST(name_decided_by_a_rule_about_names)
{
    static const struct {
        const char *list, *name;
        unsigned port;
        bool decided;
    } rows[] = {
        { "", "example.org", 80, false }, { "example.org", "Example.Org", 80, true },
        { ".org:80", "example.org", 80, true }, { ".org:80", "example.org", 81, false },
        { "*", "example.org", 80, false }, { "*,example.org", "example.org", 80, false },
        { "*:81,example.org", "example.org", 80, true }, { "0.0.0.0/0", "example.org", 80, false },
        { "!example.org,*", "example.org", 80, true },
    };

    for (int i = 0; i < COUNT(rows); i++) {
        struct addr a = target(rows[i].name, rows[i].port);

        start();
        add(rows[i].list, RULES_DIRECT);
        ck_assert_msg(rules_name_decides(&set, &a) == rows[i].decided, "row %d", i);
    }
}
END_TEST

START_TEST(loopback_rule_off_proxied)
{
    static const char *const hosts[] = { "127.0.0.1", "::1", "0.0.0.0" };
    struct addr a;
    size_t i;

    start();
    set.loopback = false;
    for (i = 0; i < 3; i++) {
        a = target(hosts[i], 80);
        ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_PROXY);
    }
}
END_TEST

START_TEST(verdict_proxy_beats_loopback_and_multicast)
{
    struct addr a = target("127.0.0.1", 80), b = target("224.0.0.1", 80);

    start();
    add("*", RULES_PROXY);
    ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_PROXY);
    ck_assert_int_eq(rules_judge(&set, &b, NULL), RULES_PROXY);
}
END_TEST

/* Is each bit of an address within the prefix looked at, and none beyond it? */
static void check_prefix(const char *base, unsigned bits, unsigned prefix)
{
    char item[80];
    struct addr a = target(base, 1);
    unsigned bit;

    start();
    snprintf(item, sizeof item, "%s/%u", base, prefix);
    add(item, RULES_DIRECT);
    ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_DIRECT);
    for (bit = 0; bit < bits; bit++) {
        a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        ck_assert_msg((rules_judge(&set, &a, NULL) == RULES_DIRECT) == (bit >= prefix), "/%u bit %u", prefix, bit);
        a.ip[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
}

START_TEST(prefix_each_length_each_bit_counted)
{
    unsigned prefix;

    for (prefix = 0; prefix <= 32; prefix++)
        check_prefix("165.195.90.60", 32, prefix);
    for (prefix = 0; prefix <= 128; prefix++)
        check_prefix("a5c3:5a3c:a5c3:5a3c:a5c3:5a3c:a5c3:5a3c", 128, prefix);
}
END_TEST

static const struct {
    const char *list, *host;
    unsigned port;
    enum rules_verdict verdict;
} no_proxy[] = {
    { "example.org", "example.org", 80, RULES_DIRECT },
    { "example.org", "www.example.org", 80, RULES_DIRECT },
    { "example.org", "notexample.org", 80, RULES_PROXY },
    { ".example.org", "example.org", 80, RULES_DIRECT },
    { ".example.org", "www.example.org", 80, RULES_DIRECT },
    { "*.example.org", "www.example.org", 80, RULES_DIRECT },
    { "localhost, 10.0.0.0/8", "10.9.8.7", 80, RULES_DIRECT },
    { "localhost, 10.0.0.0/8", "11.9.8.7", 80, RULES_PROXY },
    { "localhost, 10.0.0.0/8", "localhost", 80, RULES_DIRECT },
    { "10.0.0.0/33,<local>,192.168.*,10.,http://x,[::1,fd00::/8", "fd00::1", 80, RULES_DIRECT },
    { "10.0.0.0/33,<local>,192.168.*,10.,http://x,[::1,fd00::/8", "10.0.0.1", 80, RULES_PROXY },
    { "10.0.0.0/33,<local>,192.168.*,10.,http://x,[::1,fd00::/8", "192.168.0.1", 80, RULES_PROXY },
    { "example.org:8080", "www.example.org", 8080, RULES_DIRECT },
    { "example.org:8080", "www.example.org", 80, RULES_PROXY },
    { "*", "anything.test", 80, RULES_DIRECT },
    { "", "example.org", 80, RULES_PROXY },
};

START_TEST(no_proxy_item_direct)
{
    struct addr a = target(no_proxy[_i].host, no_proxy[_i].port);

    start();
    ck_assert_int_eq(rules_add_no_proxy(&set, flush(no_proxy[_i].list)), 0);
    ck_assert_msg(rules_judge(&set, &a, NULL) == no_proxy[_i].verdict, "row %d", _i);
}
END_TEST

/* 500 names and 500 networks, each with a verdict of its place. */
START_TEST(thousand_items_each_found)
{
    static char list[64000];
    struct addr a;
    size_t used = 0;
    unsigned i;

    for (i = 0; i < 500; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, ".host%u.example:%u,10.%u.%u.0/24 ", i, i + 1,
                                 i / 250, i % 250);
    ck_assert_uint_eq(rules_count(list), 1000);
    start();
    rules_init(&set, room, 1000, text, strlen(list) + 1);
    add(list, RULES_BLOCK);
    for (i = 0; i < 500; i++) {
        char name[64];

        snprintf(name, sizeof name, "a.HOST%u.example", i);
        a = target(name, i + 1);
        ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_BLOCK);
        a.port++;
        ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_PROXY);
        snprintf(name, sizeof name, "10.%u.%u.9", i / 250, i % 250);
        a = target(name, 1);
        ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_BLOCK);
        a.ip[1] = (uint8_t)(a.ip[1] + 2);
        ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_PROXY);
    }
}
END_TEST

START_TEST(name_longest_matched_one_more_refused)
{
    char name[260];
    const char *bad = NULL;
    struct addr a;
    size_t i, bad_len = 0;

    for (i = 0; i < 253; i++)
        name[i] = i % 2 ? '.' : 'a';
    name[253] = '\0';
    start();
    add(name, RULES_BLOCK);
    a = target(name, 9);
    ck_assert_int_eq(rules_judge(&set, &a, NULL), RULES_BLOCK);
    strcpy(name + 253, "bc");
    ck_assert_int_eq(rules_add(&set, name, RULES_BLOCK, &bad, &bad_len), -EINVAL);
    ck_assert_uint_eq(bad_len, 255);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("rules_judge");
    TCase *t = tcase_create("rules_judge");

    tcase_add_loop_test(t, target_judged_by_order, 0, COUNT(judged));
    tcase_add_loop_test(t, no_proxy_item_direct, 0, COUNT(no_proxy));
    tcase_add_test(t, name_decided_by_a_rule_about_names);
    tcase_add_test(t, loopback_rule_off_proxied);
    tcase_add_test(t, verdict_proxy_beats_loopback_and_multicast);
    tcase_add_test(t, prefix_each_length_each_bit_counted);
    tcase_add_test(t, thousand_items_each_found);
    tcase_add_test(t, name_longest_matched_one_more_refused);
    suite_add_tcase(s, t);
    return s;
}
