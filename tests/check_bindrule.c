/* SPDX-License-Identifier: ISC */
/* check_bindrule.c - which listening sockets go through the proxy, and what BND means for them */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "core/bindrule.h"
#include "core/relay.h"
#include "addr_at.h"

Suite *make_suite(void);

enum { LISTENS = 1, CHOSEN = 2, UNBOUND = 4 };

#define OWN "198.51.100.2"

static const struct {
    enum conf_bind mode;
    const char *local;
    unsigned flags;
    const char *primary, *same;
    enum bindrule expected;
} rules[] = {
    /* Without a tunnel that announces ports nothing matches, whatever is listened on. */
    { CONF_BIND_AUTO, "0.0.0.0", LISTENS | UNBOUND, NULL, NULL, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "0.0.0.0", LISTENS, NULL, NULL, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "127.0.0.1", LISTENS, NULL, NULL, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, OWN, LISTENS, NULL, NULL, BINDRULE_NATIVE },
    /* With one: no port of the program's choice, and an address that could be the tunnel's. */
    { CONF_BIND_AUTO, "0.0.0.0", LISTENS | UNBOUND, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, "0.0.0.0", LISTENS, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, "0.0.0.0", 0, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, "::", LISTENS, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, OWN, LISTENS, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, OWN, 0, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, "127.0.0.1", LISTENS, "127.0.0.1", NULL, BINDRULE_PRIMARY },
    { CONF_BIND_AUTO, "0.0.0.0", LISTENS | CHOSEN, OWN, NULL, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, OWN, CHOSEN, OWN, OWN, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "127.0.0.1", LISTENS, OWN, NULL, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "192.0.2.9", LISTENS, OWN, NULL, BINDRULE_NATIVE },
    /* Some other tunnel's address, chosen on purpose: at listen() alone, and not on loopback. */
    { CONF_BIND_AUTO, OWN, LISTENS, NULL, OWN, BINDRULE_SAME },
    { CONF_BIND_AUTO, OWN, 0, NULL, OWN, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, OWN, LISTENS | CHOSEN, NULL, OWN, BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "127.0.0.1", LISTENS, NULL, "127.0.0.1", BINDRULE_NATIVE },
    { CONF_BIND_AUTO, "192.0.2.9", LISTENS, OWN, "192.0.2.9", BINDRULE_SAME },
    /* on: all that is not on loopback. */
    { CONF_BIND_ON, "0.0.0.0", LISTENS | UNBOUND, NULL, NULL, BINDRULE_ANY },
    { CONF_BIND_ON, "::", LISTENS | CHOSEN, NULL, NULL, BINDRULE_ANY },
    { CONF_BIND_ON, "192.0.2.9", LISTENS | CHOSEN, NULL, NULL, BINDRULE_ANY },
    { CONF_BIND_ON, "192.0.2.9", LISTENS | CHOSEN, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_ON, OWN, LISTENS, NULL, OWN, BINDRULE_SAME },
    { CONF_BIND_ON, "0.0.0.0", 0, NULL, NULL, BINDRULE_NATIVE },
    { CONF_BIND_ON, "0.0.0.0", 0, OWN, NULL, BINDRULE_PRIMARY },
    { CONF_BIND_ON, "127.0.0.1", LISTENS, NULL, NULL, BINDRULE_NATIVE },
    { CONF_BIND_ON, "::1", LISTENS | CHOSEN, OWN, NULL, BINDRULE_NATIVE },
    { CONF_BIND_ON, "127.0.0.1", LISTENS, "127.0.0.1", NULL, BINDRULE_PRIMARY },
    { CONF_BIND_OFF, "0.0.0.0", LISTENS, OWN, OWN, BINDRULE_NATIVE },
    { CONF_BIND_OFF, OWN, LISTENS, OWN, OWN, BINDRULE_NATIVE },
};

START_TEST(rule_each_case_judged)
{
    struct conf c = { .bind = rules[_i].mode };
    struct addr local = at(rules[_i].local, rules[_i].flags & UNBOUND ? 0 : 4000), primary, same;
    struct bindrule_facts f = { .local = &local, .chosen = rules[_i].flags & CHOSEN,
                                .listens = rules[_i].flags & LISTENS };

    if (rules[_i].primary) {
        primary = at(rules[_i].primary, 5000);
        f.primary = &primary;
    }
    if (rules[_i].same) {
        same = at(rules[_i].same, 5001);
        f.same = &same;
    }
    ck_assert_int_eq(bindrule_judge(&c, &f), rules[_i].expected);
}
END_TEST

START_TEST(ports_of_ranges_are_known)
{
    struct conf c = { .bind_ports = 2, .bind_port = { { 21, 21 }, { 8000, 8010 }, { 9, 9 } } };

    ck_assert(bindrule_has_port(&c, 21));
    ck_assert(bindrule_has_port(&c, 8000));
    ck_assert(bindrule_has_port(&c, 8010));
    ck_assert(!bindrule_has_port(&c, 20));
    ck_assert(!bindrule_has_port(&c, 22));
    ck_assert(!bindrule_has_port(&c, 7999));
    ck_assert(!bindrule_has_port(&c, 8011));
    ck_assert(!bindrule_has_port(&c, 9));
}
END_TEST

static const struct {
    const char *bound, *proxy, *outside;
} outsides[] = {
    { "0.0.0.0", "192.0.2.1", "192.0.2.1" },
    { "::", "192.0.2.1", "192.0.2.1" },
    { "::", "2001:db8::1", "2001:db8::1" },
    { "127.0.0.1", "192.0.2.1", "192.0.2.1" },
    { "::1", "192.0.2.1", "192.0.2.1" },
    { "::1", "127.0.0.1", "127.0.0.1" },
    { "127.0.0.1", "::1", "::1" },
    { "::1", "::1", "::1" },
    { "127.0.0.1", "127.0.0.5", "127.0.0.1" },
    { "10.0.0.7", "203.0.113.1", "203.0.113.1" },
    { "10.0.0.7", "192.168.1.1", "10.0.0.7" },
    { "10.0.0.7", "127.0.0.1", "10.0.0.7" },
    { "203.0.113.9", "10.0.0.1", "203.0.113.9" },
    { "203.0.113.9", "198.51.100.1", "203.0.113.9" },
    { "2001:db8::9", "198.51.100.1", "2001:db8::9" },
    { "203.0.113.9", "2001:db8::1", "203.0.113.9" },
    { "169.254.0.9", "10.0.0.1", "10.0.0.1" },
    { "outside.example", "203.0.113.1", "203.0.113.1" },
};

START_TEST(outside_of_each_kind_is_fixed_up)
{
    struct addr bound = at(outsides[_i].bound, 4000), proxy = at(outsides[_i].proxy, 1080), got;
    struct addr expected = at(outsides[_i].outside, 4000);

    ck_assert_int_eq(relay_outside(&bound, &proxy, &got), 0);
    ck_assert(addr_equal(&got, &expected));
}
END_TEST

static const struct {
    const char *bound;
    uint16_t port;
    const char *proxy;
} useless[] = {
    { "203.0.113.9", 0, "203.0.113.1" },
    { "203.0.113.1", 1080, "203.0.113.1" },
    { "0.0.0.0", 1080, "203.0.113.1" },
    { "127.0.0.1", 1080, "127.0.0.1" },
};

START_TEST(outside_of_no_use_is_an_error)
{
    struct addr bound = at(useless[_i].bound, useless[_i].port), proxy = at(useless[_i].proxy, 1080);
    struct addr got = at("192.0.2.9", 9), before = got;

    ck_assert_int_eq(relay_outside(&bound, &proxy, &got), -EOPNOTSUPP);
    ck_assert(addr_equal(&got, &before));
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *make_suite(void)
{
    Suite *suite = suite_create("bindrule");
    TCase *tcase = tcase_create("bindrule");

    tcase_add_loop_test(tcase, rule_each_case_judged, 0, COUNT(rules));
    tcase_add_test(tcase, ports_of_ranges_are_known);
    tcase_add_loop_test(tcase, outside_of_each_kind_is_fixed_up, 0, COUNT(outsides));
    tcase_add_loop_test(tcase, outside_of_no_use_is_an_error, 0, COUNT(useless));
    suite_add_tcase(suite, tcase);
    return suite;
}
