/* SPDX-License-Identifier: ISC */
/* check_resolve.c - what a name is told to be: numeric forms, local names, rules, the map, and no configuration */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/real.h"
#include "io/resolve.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define LABEL_63 "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 ".abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrst.test"

Suite *make_suite(void);

static struct conf conf;
static struct state state;
static struct rule room[16];
static char text[512];
static char directory[] = "/tmp/check_resolve.XXXXXX";

static void add(const char *list, enum rules_verdict verdict)
{
    const char *bad;
    size_t bad_len;

    ck_assert_int_eq(rules_add(&conf.rules, list, verdict, &bad, &bad_len), 0);
}

static void setup(void)
{
    struct state_options options = { .directory = directory };

    real_init();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(state_open(&state, &options), 0);
    rules_init(&conf.rules, room, COUNT(room), text, sizeof text);
    conf.state = CONF_READY;
    add("blocked.test,.below.test,portal.test:443", RULES_BLOCK);
    add("direct.test,*.lan", RULES_DIRECT);
}

static void teardown(void)
{
    char command[sizeof directory + 10];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

static const struct {
    const char *node;
    uint16_t port;
    enum resolve_kind kind;
} rows[] = {
    { "www.example.test", 0, RESOLVE_MAPPED }, { "www.example.test.", 0, RESOLVE_MAPPED },
    { "single", 0, RESOLVE_MAPPED },
    { "UPPER.Test", 0, RESOLVE_MAPPED }, { "under_score.test", 0, RESOLVE_MAPPED }, { "-x.test", 0, RESOLVE_MAPPED },
    { NAME_253, 0, RESOLVE_MAPPED }, { NAME_253 ".", 0, RESOLVE_MAPPED }, { "x" NAME_253, 0, RESOLVE_UNKNOWN },
    { LABEL_63 ".test", 0, RESOLVE_MAPPED }, { LABEL_63 "0.test", 0, RESOLVE_UNKNOWN },
    { "", 0, RESOLVE_UNKNOWN }, { ".", 0, RESOLVE_UNKNOWN }, { "..", 0, RESOLVE_UNKNOWN },
    { "a..test", 0, RESOLVE_UNKNOWN }, { "a.test..", 0, RESOLVE_UNKNOWN }, { ".a.test", 0, RESOLVE_UNKNOWN },
    { "b\xc3\xbc.test", 0, RESOLVE_UNKNOWN }, { "a b", 0, RESOLVE_UNKNOWN }, { "a/b", 0, RESOLVE_UNKNOWN },
    { "a%b", 0, RESOLVE_UNKNOWN }, { "[::1]", 0, RESOLVE_NUMERIC }, { "x.invalid", 0, RESOLVE_UNKNOWN },
    { "1.2.3.4.5", 0, RESOLVE_UNKNOWN }, { "1.2.3.256", 0, RESOLVE_UNKNOWN }, { "1.2.3.4.", 0, RESOLVE_UNKNOWN },
    { "10.0.0.0x1.", 0, RESOLVE_UNKNOWN }, { "0x7f000001.", 0, RESOLVE_UNKNOWN }, { "0X7F.1.", 0, RESOLVE_UNKNOWN },
    { "0x7f.0x1.", 0, RESOLVE_UNKNOWN }, { "0x7g.", 0, RESOLVE_MAPPED }, { "0x1.0x2.0x3.0x4.0x5", 0, RESOLVE_MAPPED },
    { "x.1", 0, RESOLVE_UNKNOWN }, { "127.0.0.1", 0, RESOLVE_NUMERIC }, { "127.1", 0, RESOLVE_NUMERIC },
    { "0x7f.1", 0, RESOLVE_NUMERIC }, { "::1", 0, RESOLVE_NUMERIC }, { "fe80::1%eth0", 0, RESOLVE_NUMERIC },
    { "foo:bar", 0, RESOLVE_NUMERIC }, { "*", 0, RESOLVE_NUMERIC }, { "localhost", 0, RESOLVE_FIXED },
    { "LOCALHOST.", 0, RESOLVE_FIXED }, { "a.b.localhost", 0, RESOLVE_FIXED }, { "notlocalhost", 0, RESOLVE_MAPPED },
    { "localhost.test", 0, RESOLVE_MAPPED }, { "blocked.test", 0, RESOLVE_BLOCKED },
    { "Blocked.Test.", 80, RESOLVE_BLOCKED }, { "x.blocked.test", 0, RESOLVE_MAPPED },
    { "x.below.test", 0, RESOLVE_BLOCKED }, { "portal.test", 443, RESOLVE_BLOCKED },
    { "portal.test", 80, RESOLVE_MAPPED },
    { "portal.test", 0, RESOLVE_MAPPED }, { "direct.test", 0, RESOLVE_DIRECT }, { "nas.lan", 445, RESOLVE_DIRECT },
};

START_TEST(name_any_kind_as_listed)
{
    size_t size = strlen(rows[_i].node) + 1;
    struct resolve_answer found;
    char *node = malloc(size);

    memcpy(node, rows[_i].node, size);
    errno = 4711;
    resolve_name(&conf, &state, node, rows[_i].port, RESOLVE_IPV4 | RESOLVE_IPV6, &found);
    ck_assert_int_eq(errno, 4711);
    ck_assert_msg(found.kind == rows[_i].kind, "%s: %d %s", node, found.kind, found.why);
    ck_assert(found.kind != RESOLVE_MAPPED || (found.ipv4.address.kind == ADDR_IPV4 && found.ipv4.count == 1));
    ck_assert(found.kind != RESOLVE_MAPPED || (found.ipv6.address.kind == ADDR_IPV6 && found.ipv6.count == 1));
    free(node);
}
END_TEST

/* Only what this machine knows by itself has an answer, and numbers need none. */
START_TEST(name_unconfigured_only_local)
{
    static const enum conf_state states[] = { CONF_NONE, CONF_BROKEN };
    struct resolve_answer found;
    struct state unopened;

    memset(&unopened, 0, sizeof unopened);
    for (int i = 0; i < 2; i++) {
        conf.state = states[i];
        ck_assert(resolve_wanted(&conf));
        resolve_name(&conf, &unopened, rows[_i].node, rows[_i].port, RESOLVE_EITHER, &found);
        if (rows[_i].kind == RESOLVE_NUMERIC || rows[_i].kind == RESOLVE_FIXED)
            ck_assert_int_eq(found.kind, rows[_i].kind);
        else
            ck_assert_msg(found.kind == RESOLVE_FAILED || found.kind == RESOLVE_UNKNOWN, "%s", rows[_i].node);
        if (rows[_i].kind == RESOLVE_MAPPED)
            ck_assert_int_eq(found.kind, RESOLVE_FAILED);
    }
}
END_TEST

START_TEST(name_families_only_those_asked)
{
    static const struct {
        unsigned families;
        bool ipv4, ipv6;
    } asked[] = { { 0, false, false }, { RESOLVE_IPV4, true, false }, { RESOLVE_IPV6, false, true },
                  { RESOLVE_EITHER, true, false }, { RESOLVE_IPV4 | RESOLVE_IPV6, true, true } };
    struct resolve_answer found;

    for (int i = 0; i < COUNT(asked); i++) {
        resolve_name(&conf, &state, "families.test", 0, asked[i].families, &found);
        ck_assert_int_eq(found.kind, RESOLVE_MAPPED);
        ck_assert_int_eq(found.ipv4.address.kind, asked[i].ipv4 ? ADDR_IPV4 : ADDR_NONE);
        ck_assert_int_eq(found.ipv6.address.kind, asked[i].ipv6 ? ADDR_IPV6 : ADDR_NONE);
    }
}
END_TEST

START_TEST(name_own_loopback_without_a_line)
{
    char own[256];
    struct resolve_answer found;

    ck_assert_int_eq(gethostname(own, sizeof own), 0);
    resolve_name(&conf, &state, own, 0, RESOLVE_EITHER, &found);
    ck_assert_int_eq(found.kind, RESOLVE_FIXED);
    ck_assert(found.ipv4.address.kind == ADDR_IPV4 || found.ipv6.address.kind == ADDR_IPV6);
    add("*", RULES_BLOCK);
    resolve_name(&conf, &state, own, 0, RESOLVE_EITHER, &found);
    ck_assert_int_eq(found.kind, RESOLVE_FIXED);
}
END_TEST

START_TEST(own_names_told_from_others)
{
    char own[256];

    ck_assert_int_eq(gethostname(own, sizeof own), 0);
    ck_assert(resolve_is_own(own) && resolve_is_own("LocalHost") && resolve_is_own("a.b.localhost"));
    ck_assert(!resolve_is_own("notlocalhost") && !resolve_is_own("localhost.test") && !resolve_is_own(""));
}
END_TEST

START_TEST(address_of_the_map_gives_its_name)
{
    struct resolve_answer found, back;

    resolve_name(&conf, &state, "There.And.Back.test", 0, RESOLVE_IPV4 | RESOLVE_IPV6, &found);
    ck_assert_str_eq(hosts_name(&found.ipv4, 0), "There.And.Back.test");
    resolve_address(&conf, &state, &found.ipv4.address, &back);
    ck_assert_int_eq(back.kind, RESOLVE_MAPPED);
    ck_assert_str_eq(hosts_name(&back.ipv4, 0), "there.and.back.test");
    resolve_address(&conf, &state, &found.ipv6.address, &back);
    ck_assert_str_eq(hosts_name(&back.ipv4, 0), "there.and.back.test");
    found.ipv4.address.ip[3] ^= 0x55;
    resolve_address(&conf, &state, &found.ipv4.address, &back);
    ck_assert_int_eq(back.kind, RESOLVE_UNKNOWN);
    conf.state = CONF_BROKEN;
    resolve_address(&conf, &state, &found.ipv6.address, &back);
    ck_assert_int_eq(back.kind, RESOLVE_UNKNOWN);
}
END_TEST

static const char *const numbers[] = {
    "0", "1", "127.1", "1.2.3.4", "1.2.3", "1.2", "255.255.255.255", "256.1", "1.256.1", "1.2.256.1", "1.2.3.256",
    "1.16777215", "1.16777216", "1.2.65535", "1.2.65536", "4294967295", "4294967296", "99999999999999999999",
    "0x7f.1", "0X7F.0.0.1", "0x", "0x.1", "0xg", "0x7f", "0xffffffff", "0x100000000", "0177.1", "08", "09.1", "0008",
    "00000000000000000000000000177.1", "0x000000000000000000000000007f000001", "", ".", "1.", ".1", "1..2", "1.2.3.4.",
    "1.2.3.4.5", "-1", "+1", "1.-2", "a", "1a", "1.2.3.x", "0x1.0x2.0x3.0x4", "01.02.03.04", "1,2", "1.2.3.4:80",
};

/* libc's own reader is the measure, but for what it allows behind a blank. */
START_TEST(ipv4_any_form_as_inet_aton)
{
    struct in_addr expected = { 0 };
    struct addr a, before;
    size_t size = strlen(numbers[_i]) + 1;
    char *number = malloc(size);

    memcpy(number, numbers[_i], size);
    memset(&a, 0xa5, sizeof a);
    before = a;
    if (inet_aton(number, &expected)) {
        ck_assert_msg(resolve_ipv4(number, &a) == 0, "%s", number);
        ck_assert_int_eq(a.kind, ADDR_IPV4);
        ck_assert_mem_eq(a.ip, &expected, 4);
        ck_assert_uint_eq(a.port, 0);
    } else {
        ck_assert_msg(resolve_ipv4(number, &a) == -EINVAL, "%s", number);
        ck_assert_mem_eq(&a, &before, sizeof a);
    }
    free(number);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("resolve");
    TCase *t = tcase_create("resolve");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, name_any_kind_as_listed, 0, COUNT(rows));
    tcase_add_loop_test(t, name_unconfigured_only_local, 0, COUNT(rows));
    tcase_add_test(t, name_families_only_those_asked);
    tcase_add_test(t, name_own_loopback_without_a_line);
    tcase_add_test(t, own_names_told_from_others);
    tcase_add_test(t, address_of_the_map_gives_its_name);
    tcase_add_loop_test(t, ipv4_any_form_as_inet_aton, 0, COUNT(numbers));
    suite_add_tcase(s, t);
    return s;
}
