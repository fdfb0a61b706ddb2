/* SPDX-License-Identifier: ISC */
/* check_rules.c - rule lists: what each item means and what is refused */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rules_set.h"

Suite *make_suite(void);

static const struct {
    const char *item;
    enum addr_kind kind;
    const char *host;           /* the address or name kept */
    unsigned prefix;
    bool subdomains;
    unsigned low, high;
} good[] = {
    { "192.0.2.1", ADDR_IPV4, "192.0.2.1", 32, false, 0, 65535 },
    { "192.0.2.1:80", ADDR_IPV4, "192.0.2.1", 32, false, 80, 80 },
    { "192.0.2.1:1-65535", ADDR_IPV4, "192.0.2.1", 32, false, 1, 65535 },
    { "192.0.2.77/24", ADDR_IPV4, "192.0.2.0", 24, false, 0, 65535 },
    { "192.0.2.77/24:8000-8080", ADDR_IPV4, "192.0.2.0", 24, false, 8000, 8080 },
    { "255.255.255.255/0", ADDR_IPV4, "0.0.0.0", 0, false, 0, 65535 },
    { "255.255.255.255/1", ADDR_IPV4, "128.0.0.0", 1, false, 0, 65535 },
    { "255.255.255.255/31", ADDR_IPV4, "255.255.255.254", 31, false, 0, 65535 },
    { "10.1.2.3/08", ADDR_IPV4, "10.0.0.0", 8, false, 0, 65535 },
    { "2001:db8::1", ADDR_IPV6, "2001:db8::1", 128, false, 0, 65535 },
    { "2001:db8:ffff::/33", ADDR_IPV6, "2001:db8:8000::", 33, false, 0, 65535 },
    { "[2001:db8::1]", ADDR_IPV6, "2001:db8::1", 128, false, 0, 65535 },
    { "[2001:db8::1]:53", ADDR_IPV6, "2001:db8::1", 128, false, 53, 53 },
    { "[2001:db8::1]/32", ADDR_IPV6, "2001:db8::", 32, false, 0, 65535 },
    { "[2001:db8::1/32]", ADDR_IPV6, "2001:db8::", 32, false, 0, 65535 },
    { "[2001:db8::1]/32:1-2", ADDR_IPV6, "2001:db8::", 32, false, 1, 2 },
    { "[2001:db8::1/32]:7", ADDR_IPV6, "2001:db8::", 32, false, 7, 7 },
    { "::/0", ADDR_IPV6, "::", 0, false, 0, 65535 },
    { "::1", ADDR_IPV6, "::1", 128, false, 0, 65535 },
    { "::ffff:192.0.2.9", ADDR_IPV4, "192.0.2.9", 32, false, 0, 65535 },
    { "::ffff:192.0.2.9/120", ADDR_IPV4, "192.0.2.0", 24, false, 0, 65535 },
    { "[::ffff:192.0.2.9]/96:9", ADDR_IPV4, "0.0.0.0", 0, false, 9, 9 },
    { "example.org", ADDR_NAME, "example.org", 0, false, 0, 65535 },
    { "Example.ORG.:443", ADDR_NAME, "example.org", 0, false, 443, 443 },
    { ".example.org", ADDR_NAME, "example.org", 0, true, 0, 65535 },
    { "*.example.org:80-90", ADDR_NAME, "example.org", 0, true, 80, 90 },
    { ".org", ADDR_NAME, "org", 0, true, 0, 65535 },
    { "x", ADDR_NAME, "x", 0, false, 0, 65535 },
    { "a-b_c", ADDR_NAME, "a-b_c", 0, false, 0, 65535 },
    { "4u.example", ADDR_NAME, "4u.example", 0, false, 0, 65535 },
    { "1.2.3.4.example", ADDR_NAME, "1.2.3.4.example", 0, false, 0, 65535 },
    { "*", ADDR_NONE, NULL, 0, false, 0, 65535 },
    { "*:53", ADDR_NONE, NULL, 0, false, 53, 53 },
    { "*:65535-65535", ADDR_NONE, NULL, 0, false, 65535, 65535 },
};

START_TEST(item_good_kept)
{
    struct addr host = target(good[_i].host, 0);
    struct rule *r = &room[0];

    start();
    add(good[_i].item, RULES_BLOCK);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_int_eq(r->verdict, RULES_BLOCK);
    ck_assert_msg(r->kind == good[_i].kind, "%s", good[_i].item);
    ck_assert_uint_eq(r->prefix, good[_i].prefix);
    ck_assert_int_eq(r->subdomains, good[_i].subdomains);
    ck_assert_uint_eq(r->port_low, good[_i].low);
    ck_assert_uint_eq(r->port_high, good[_i].high);
    if (r->kind == ADDR_NAME) {
        ck_assert_str_eq(r->name, good[_i].host);
        ck_assert(r->name >= text && r->name + strlen(r->name) < text + set.text_used);
    } else if (r->kind != ADDR_NONE) {
        ck_assert_mem_eq(r->ip, host.ip, r->kind == ADDR_IPV4 ? 4 : 16);
    }
}
END_TEST

static const struct {
    const char *item;
    int error;
} bad_items[] = {
    { "192.0.2.0/33", -EDOM }, { "192.0.2.0/", -EDOM }, { "192.0.2.0/x", -EDOM }, { "192.0.2.0/-1", -EDOM },
    { "192.0.2.0/24/8", -EDOM }, { "192.0.2.0/4294967296", -EDOM }, { "2001:db8::/129", -EDOM },
    { "2001:db8::/", -EDOM }, { "[2001:db8::1]/129", -EDOM }, { "[2001:db8::1]/", -EDOM },
    { "[2001:db8::1]/:80", -EDOM }, { "2001:db8::/32:80", -EDOM }, { "::ffff:192.0.2.9/95", -EDOM },
    { "::ffff:192.0.2.9/129", -EDOM },
    { "192.0.2.1:0", -ERANGE }, { "192.0.2.1:70000", -ERANGE }, { "192.0.2.1:65536", -ERANGE },
    { "192.0.2.1:", -ERANGE }, { "192.0.2.1:-", -ERANGE }, { "192.0.2.1:80-", -ERANGE }, { "192.0.2.1:-80", -ERANGE },
    { "192.0.2.1:90-80", -ERANGE }, { "192.0.2.1:0-80", -ERANGE }, { "192.0.2.1:80-65536", -ERANGE },
    { "192.0.2.1:80-90-95", -ERANGE }, { "192.0.2.1:8x", -ERANGE }, { "192.0.2.1:+80", -ERANGE }, { ":", -ERANGE },
    { "a:b", -ERANGE }, { "*:", -ERANGE }, { "*:0", -ERANGE }, { "http://example.org", -ERANGE },
    { "/24", -EINVAL }, { "/", -EINVAL }, { "[2001:db8::/32", -EINVAL }, { "2001:db8::1]", -EINVAL },
    { "[2001:db8::1]x", -EINVAL }, { "[", -EINVAL }, { "[2001:db8::/32]/32", -EINVAL }, { "[]", -EINVAL },
    { "[]:80", -EINVAL }, { "[192.0.2.1]", -EINVAL }, { "[example.org]", -EINVAL }, { "[2001:db8::1]80", -EINVAL },
    { "fe80::1%2", -EINVAL }, { "[fe80::1%2]", -EINVAL }, { "fe80::%2/64", -EINVAL }, { "192.0.2", -EINVAL },
    { "192.0.2.256", -EINVAL }, { "192.0.2.1.", -EINVAL }, { "10", -EINVAL }, { "10.", -EINVAL }, { ".10", -EINVAL },
    { "example.10", -EINVAL }, { "*.192.0.2.1", -EINVAL }, { ".", -EINVAL }, { "..", -EINVAL }, { "*.", -EINVAL },
    { "**", -EINVAL }, { "*x", -EINVAL }, { "*example.org", -EINVAL }, { "x*", -EINVAL }, { "a..b", -EINVAL },
    { "..example.org", -EINVAL }, { ".*", -EINVAL }, { "*.*.org", -EINVAL }, { ":80", -EINVAL }, { "*/8", -EINVAL },
    { "example.org/24", -EINVAL }, { "user@example.org", -EINVAL }, { "ex\xc3\xa4mple.org", -EINVAL },
    { "invalid", -EINVAL }, { ".invalid", -EINVAL },
};

START_TEST(item_bad_named)
{
    char list[300];
    const char *flushed, *bad = NULL;
    size_t bad_len = 0, len = strlen(bad_items[_i].item);

    start();
    add("first.example", RULES_BLOCK);
    snprintf(list, sizeof list, "192.0.2.1,good.example,%s,other.example,alsobad:", bad_items[_i].item);
    ck_assert_msg(rules_add(&set, list, RULES_DIRECT, &bad, &bad_len) == bad_items[_i].error, "%s", bad_items[_i].item);
    ck_assert_ptr_eq(bad, list + strlen("192.0.2.1,good.example,"));
    ck_assert_uint_eq(bad_len, len);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_uint_eq(set.text_used, sizeof "first.example");
    flushed = flush(bad_items[_i].item);
    ck_assert_int_eq(rules_add(&set, flushed, RULES_DIRECT, &bad, &bad_len), bad_items[_i].error);
    ck_assert_ptr_eq(bad, flushed);
}
END_TEST

static const struct {
    const char *list;
    size_t count;
} counted[] = {
    { "", 0 }, { " ", 0 }, { ",", 0 }, { " ,\t,\r\n", 0 }, { "a", 1 }, { "a,b", 2 }, { "a b", 2 }, { ",a,,b, ", 2 },
    { "\ta\tb\nc", 3 }, { "a,  b ,c", 3 }, { "!,?", 2 },
};

START_TEST(count_separators_any_mix)
{
    ck_assert_msg(rules_count(flush(counted[_i].list)) == counted[_i].count, "row %d", _i);
    start();
    if (!strpbrk(counted[_i].list, "!?"))
        add(counted[_i].list, RULES_BLOCK);
    else
        ck_assert_int_eq(rules_add_no_proxy(&set, counted[_i].list), 0);
    ck_assert_uint_eq(set.count, strpbrk(counted[_i].list, "!?") ? 0 : counted[_i].count);
}
END_TEST

START_TEST(capacity_short_nothing_appended)
{
    const char list[] = "a.test,192.0.2.1,b.test", *bad = NULL;
    size_t bad_len = 0, rules, bytes;

    for (rules = 0; rules <= 3; rules++) {
        for (bytes = 0; bytes <= 14; bytes++) {
            bool fits = rules == 3 && bytes == 14;

            rules_init(&set, room, rules, text, bytes);
            memset(text, '#', 32);
            ck_assert_int_eq(rules_add(&set, list, RULES_BLOCK, &bad, &bad_len), fits ? 0 : -ENOSPC);
            ck_assert_int_eq(rules_add_no_proxy(&set, list), -ENOSPC);
            ck_assert_uint_eq(set.count, fits ? 3 : 0);
            ck_assert_uint_eq(set.text_used, fits ? 14 : 0);
            ck_assert_int_eq(text[bytes], '#');
            if (!fits)
                ck_assert(bad >= list && bad + bad_len < list + sizeof list && bad_len > 0);
        }
    }
    rules_init(&set, NULL, 0, NULL, 0);
    ck_assert_int_eq(rules_add(&set, "", RULES_BLOCK, &bad, &bad_len), 0);
    ck_assert_int_eq(rules_add(&set, "*", RULES_BLOCK, &bad, &bad_len), -ENOSPC);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("rules");
    TCase *t = tcase_create("rules");

    tcase_add_loop_test(t, item_good_kept, 0, COUNT(good));
    tcase_add_loop_test(t, item_bad_named, 0, COUNT(bad_items));
    tcase_add_loop_test(t, count_separators_any_mix, 0, COUNT(counted));
    tcase_add_test(t, capacity_short_nothing_appended);
    suite_add_tcase(s, t);
    return s;
}
