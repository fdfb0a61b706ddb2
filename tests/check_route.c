/* SPDX-License-Identifier: ISC */
/* check_route.c - what becomes of a call that names an address */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "real.h"
#include "route.h"

Suite *make_suite(void);

static struct conf conf;
static struct state state;
static struct rule rule[16];
static char text[256];
static const struct addr first[2] = { { .kind = ADDR_IPV4, .port = 1080, .ip = { 192, 0, 2, 9 } } };
static const struct addr second[2] = { { .kind = ADDR_IPV4, .port = 1081, .ip = { 192, 0, 2, 10 } } };
static struct upstreams proxies;
static char directory[] = "/tmp/check_route.XXXXXX";

static void setup(void)
{
    struct state_options o = { .directory = directory };

    real_init();
    upstream_set(&proxies.of[0], first);
    upstream_set(&proxies.of[1], second);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    state_open(&state, &o);
    conf.state = CONF_READY;
    conf.proxy_count = 2;
    rules_init(&conf.rules, rule, 16, text, sizeof text);
}

static void teardown(void)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static void judge(const char *host, uint16_t port, bool stream, struct route *out)
{
    struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
    struct sockaddr_in *in = (struct sockaddr_in *)&sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&sa;

    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, host, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
    }
    route_judge(&conf, &state, &proxies, (struct sockaddr *)&sa, sizeof sa, stream, out);
}

static const struct {
    const char *host;
    uint16_t port;
    bool stream;
    enum route_way way;
    int error;
} table[] = {
    { "198.51.100.1", 80, true, ROUTE_PROXY, 0 },
    { "198.51.100.1", 80, false, ROUTE_PROXY, 0 },
    { "2001:db8::1", 80, true, ROUTE_PROXY, 0 },
    { "127.0.0.1", 80, true, ROUTE_DIRECT, 0 },
    { "127.9.9.9", 80, false, ROUTE_DIRECT, 0 },
    { "::1", 80, true, ROUTE_DIRECT, 0 },
    { "0.0.0.0", 80, true, ROUTE_DIRECT, 0 },
    { "::ffff:127.0.0.1", 80, true, ROUTE_DIRECT, 0 },
    { "127.0.0.53", 53, true, ROUTE_PROXY, 0 },
    { "127.0.0.53", 53, false, ROUTE_PROXY, 0 },
    { "192.0.2.9", 1080, true, ROUTE_DIRECT, 0 },
    { "::ffff:192.0.2.9", 1080, true, ROUTE_DIRECT, 0 },
    { "192.0.2.9", 1080, false, ROUTE_PROXY, 0 },
    { "192.0.2.9", 1081, true, ROUTE_PROXY, 0 },
    { "198.51.100.1", 0, true, ROUTE_REFUSED, -ECONNREFUSED },
    { "224.0.0.1", 80, false, ROUTE_REFUSED, -EACCES },
    { "255.255.255.255", 80, false, ROUTE_REFUSED, -EACCES },
    { "169.254.1.1", 80, true, ROUTE_REFUSED, -EACCES },
    { "fe80::1", 80, true, ROUTE_REFUSED, -EACCES },
    { "198.18.0.77", 80, true, ROUTE_REFUSED, -EHOSTUNREACH },
    { "198.19.255.255", 80, false, ROUTE_REFUSED, -EHOSTUNREACH },
    { "198.20.0.0", 80, true, ROUTE_PROXY, 0 }
};

START_TEST(judge_address_goes_its_way)
{
    struct route r;

    judge(table[_i].host, table[_i].port, table[_i].stream, &r);
    ck_assert_int_eq(r.way, table[_i].way);
    ck_assert_int_eq(r.error, table[_i].error);
    ck_assert_ptr_nonnull(r.why);
}
END_TEST

START_TEST(judge_address_of_a_name_gives_the_name)
{
    struct sockaddr_storage sa;
    socklen_t len;
    struct addr a;
    struct route r;

    ck_assert_int_eq(state_name_assign(&state, "www.example.org", _i ? AF_INET6 : AF_INET, &a), 0);
    a.port = 443;
    ck_assert_int_eq(addr_to_sockaddr(&a, AF_INET6, &sa, &len), 0);
    route_judge(&conf, &state, &proxies, (struct sockaddr *)&sa, len, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
    ck_assert_int_eq(r.target.kind, ADDR_NAME);
    ck_assert_str_eq(r.target.name, "www.example.org");
    ck_assert_uint_eq(r.target.port, 443);
}
END_TEST

START_TEST(judge_without_configuration_only_loopback)
{
    struct route r;

    conf.state = _i ? CONF_BROKEN : CONF_NONE;
    judge("198.51.100.1", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_REFUSED);
    ck_assert_int_eq(r.error, -ENETUNREACH);
    judge("127.0.0.1", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("127.0.0.1", 53, false, &r);
    ck_assert_int_eq(r.way, ROUTE_REFUSED);
    ck_assert_int_eq(r.error, -ENETUNREACH);
    /* Asked to be proxied by what is broken elsewhere. */
    conf.rules.loopback = false;
    judge("127.0.0.1", 80, true, &r);
    ck_assert_int_eq(r.way, _i ? ROUTE_REFUSED : ROUTE_DIRECT);
}
END_TEST

START_TEST(judge_loopback_proxied_on_demand)
{
    struct route r;

    conf.rules.loopback = false;
    judge("127.0.0.1", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
    judge("0.0.0.0", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
    ck_assert_int_eq(memcmp(r.target.ip, "\177\0\0\1", 4), 0);
    judge("::", 80, true, &r);
    ck_assert_int_eq(r.target.kind, ADDR_IPV6);
    ck_assert_int_eq(r.target.ip[15], 1);
}
END_TEST

START_TEST(judge_rules_block_and_direct)
{
    size_t bad_len;
    const char *bad;
    struct route r;

    ck_assert_int_eq(rules_add(&conf.rules, "198.51.100.0/24", RULES_BLOCK, &bad, &bad_len), 0);
    ck_assert_int_eq(rules_add(&conf.rules, "203.0.113.0/24,224.0.0.1,127.0.0.53:53", RULES_DIRECT, &bad, &bad_len), 0);
    judge("198.51.100.7", 80, true, &r);
    ck_assert_int_eq(r.error, -EACCES);
    judge("203.0.113.7", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("224.0.0.1", 80, false, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("127.0.0.53", 53, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
}
END_TEST

START_TEST(judge_rules_choose_a_proxy)
{
    size_t bad_len;
    const char *bad;
    struct route r;

    ck_assert_int_eq(rules_add(&conf.rules, "198.51.100.0/24", RULES_PROXY, &bad, &bad_len), 0);
    rules_send(&conf.rules, 0, 1);
    judge("198.51.100.7", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
    ck_assert_uint_eq(r.proxy, 1);
    judge("198.51.101.7", 80, true, &r);
    ck_assert_uint_eq(r.proxy, 0);
    /* Both proxies themselves are direct. */
    judge("192.0.2.9", 1080, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("192.0.2.10", 1081, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("192.0.2.10", 1080, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
}
END_TEST

START_TEST(judge_address_of_a_direct_name_direct)
{
    struct addr a = { .kind = ADDR_IPV4, .ip = { 198, 51, 100, 8 } };
    size_t bad_len;
    const char *bad;
    struct route r;

    ck_assert_int_eq(rules_add(&conf.rules, ".corp:443", RULES_DIRECT, &bad, &bad_len), 0);
    learned_add(&state.direct, "intra.corp", &a);
    judge("198.51.100.8", 443, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    judge("198.51.100.8", 80, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
    judge("198.51.100.9", 443, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
}
END_TEST

/* What /etc/hosts has as 10.1.1.1, under one list of each kind. */
static const struct {
    const char *block, *direct, *via;
    uint16_t port;
    enum route_way way;
    int error;
    unsigned proxy;
} by_name[] = {
    { "", "!secret.corp 10.0.0.0/8", "", 25, ROUTE_PROXY, 0, 0 },
    { "", "!secret.corp:25 10.0.0.0/8", "", 26, ROUTE_DIRECT, 0, 0 },
    { "", "10.0.0.0/8 !secret.corp", "", 25, ROUTE_PROXY, 0, 0 },
    { "secret.corp:25", "10.0.0.0/8", "", 25, ROUTE_REFUSED, -EACCES, 0 },
    { "secret.corp:25", "10.0.0.0/8", "", 26, ROUTE_DIRECT, 0, 0 },
    { "secret.corp:25", ".corp", "", 25, ROUTE_REFUSED, -EACCES, 0 },
    { "secret.corp:25", ".corp", "", 26, ROUTE_DIRECT, 0, 0 },
    { "10.0.0.0/8", ".corp", "", 25, ROUTE_DIRECT, 0, 0 },
    { "", "", "secret.corp", 25, ROUTE_PROXY, 0, 1 },
    { "", "10.0.0.0/8", "secret.corp", 25, ROUTE_PROXY, 0, 1 },
    { "", "!secret.corp 10.0.0.0/8", "*", 25, ROUTE_PROXY, 0, 0 },
    { "", "!secret.corp 10.0.0.0/8", "", 0, ROUTE_REFUSED, -ECONNREFUSED, 0 },
    /* `*` is about addresses as well, and what stands before it may be. */
    { "10.0.0.0/8", "*", "", 25, ROUTE_REFUSED, -EACCES, 0 },
    { "", "!10.0.0.0/8 *", "", 25, ROUTE_PROXY, 0, 0 },
    { "", "10.0.0.0/8", "*", 25, ROUTE_DIRECT, 0, 0 },
    { "*:25", "secret.corp", "", 25, ROUTE_REFUSED, -EACCES, 0 },
    { "", "*", "secret.corp", 25, ROUTE_DIRECT, 0, 0 },
    { "", "other.corp", "10.0.0.0/8", 25, ROUTE_PROXY, 0, 1 },
    { "", "", "", 25, ROUTE_PROXY, 0, 0 },
};

static void add(const char *list, enum rules_verdict verdict)
{
    size_t bad_len;
    const char *bad;

    ck_assert_int_eq(rules_add(&conf.rules, list, verdict, &bad, &bad_len), 0);
}

START_TEST(judge_address_by_the_rules_for_its_name)
{
    struct addr a = { .kind = ADDR_IPV4, .ip = { 10, 1, 1, 1 } };
    size_t first_via;
    struct route r;

    add(by_name[_i].block, RULES_BLOCK);
    add(by_name[_i].direct, RULES_DIRECT);
    first_via = conf.rules.count;
    add(by_name[_i].via, RULES_PROXY);
    rules_send(&conf.rules, first_via, 1);
    learned_add(&state.direct, "Secret.Corp.", &a);
    judge("10.1.1.1", by_name[_i].port, true, &r);
    ck_assert_msg(r.way == by_name[_i].way, "row %d: %d, %s", _i, r.way, r.why);
    ck_assert_int_eq(r.error, by_name[_i].error);
    ck_assert_uint_eq(r.proxy, by_name[_i].proxy);
    ck_assert_int_eq(r.target.kind, ADDR_IPV4);
    ck_assert_mem_eq(r.target.ip, a.ip, 4);
}
END_TEST

START_TEST(judge_names_of_this_machine_to_no_proxy)
{
    struct addr a = { .kind = ADDR_IPV4, .ip = { 10, 1, 1, 1 } }, any = { .kind = ADDR_IPV4 };
    struct addr loopback = { .kind = ADDR_IPV4, .ip = { 127, 0, 1, 1 } };
    struct route r;

    add("localhost:25", RULES_BLOCK);
    add("!localhost 10.0.0.0/8 !far.corp", RULES_DIRECT);
    learned_add(&state.direct, "localhost", &a);
    judge("10.1.1.1", 25, true, &r);
    ck_assert_int_eq(r.error, -EACCES);
    judge("10.1.1.1", 26, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    learned_add(&state.direct, "far.corp", &any);
    judge("0.0.0.0", 26, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    learned_add(&state.direct, "far.corp", &loopback);
    judge("127.0.1.1", 26, true, &r);
    ck_assert_int_eq(r.way, ROUTE_DIRECT);
    conf.rules.loopback = false;
    judge("127.0.1.1", 26, true, &r);
    ck_assert_int_eq(r.way, ROUTE_PROXY);
}
END_TEST

START_TEST(judge_other_families_and_no_address_native)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct route r;

    route_judge(&conf, &state, &proxies, (struct sockaddr *)&un, sizeof un, true, &r);
    ck_assert_int_eq(r.way, ROUTE_NATIVE);
    route_judge(&conf, &state, &proxies, NULL, 16, true, &r);
    ck_assert_int_eq(r.way, ROUTE_NATIVE);
    route_judge(&conf, &state, &proxies, (struct sockaddr *)&in, 15, true, &r);
    ck_assert_int_eq(r.way, ROUTE_NATIVE);
    route_judge(&conf, &state, &proxies, (struct sockaddr *)&in, 1, true, &r);
    ck_assert_int_eq(r.way, ROUTE_NATIVE);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("route");
    TCase *tc = tcase_create("ways");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, judge_address_goes_its_way, 0, sizeof table / sizeof table[0]);
    tcase_add_loop_test(tc, judge_address_of_a_name_gives_the_name, 0, 2);
    tcase_add_loop_test(tc, judge_without_configuration_only_loopback, 0, 2);
    tcase_add_test(tc, judge_loopback_proxied_on_demand);
    tcase_add_test(tc, judge_rules_block_and_direct);
    tcase_add_test(tc, judge_rules_choose_a_proxy);
    tcase_add_test(tc, judge_address_of_a_direct_name_direct);
    tcase_add_loop_test(tc, judge_address_by_the_rules_for_its_name, 0, sizeof by_name / sizeof by_name[0]);
    tcase_add_test(tc, judge_names_of_this_machine_to_no_proxy);
    tcase_add_test(tc, judge_other_families_and_no_address_native);
    suite_add_tcase(suite, tc);
    return suite;
}
