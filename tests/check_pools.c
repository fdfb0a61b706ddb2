/* SPDX-License-Identifier: ISC */
/* check_pools.c - which networks may be pools of placeholder addresses */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/pools.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *make_suite(void);

static const char no4[] = "not an IPv4 network", no6[] = "not an IPv6 network",
                  bits[] = "the address has bits beyond the prefix", small4[] = "the network is smaller than a /15",
                  small6[] = "the network is smaller than a /64", hosts[] = "not a network of single hosts";

/* fault: NULL for a good one; first: then its first address. */
static const struct {
    const char *text, *fault;
    uint32_t first;
} ipv4[] = {
    { "198.18.0.0/15", NULL, 0xc6120000 }, { "10.0.0.0/8", NULL, 0x0a000000 }, { "10.2.0.0/15", NULL, 0x0a020000 },
    { "100.64.0.0/10", NULL, 0x64400000 }, { "223.254.0.0/15", NULL, 0xdffe0000 }, { "10.1.0.0/15", bits, 0 },
    { "10.0.0.1/8", bits, 0 }, { "10.0.0.0/16", small4, 0 }, { "10.0.0.0/32", small4, 0 }, { "10.0.0.0/33", no4, 0 },
    { "10.0.0.0", no4, 0 }, { "10.0.0.0/", no4, 0 }, { "10.0.0/8", no4, 0 }, { "/8", no4, 0 }, { "", no4, 0 },
    { "10.0.0.0/8x", no4, 0 }, { "10.0.0.0/-1", no4, 0 }, { " 10.0.0.0/8", no4, 0 }, { "fd00::/8", no4, 0 },
    { "::ffff:10.0.0.0/104", no4, 0 }, { "a.test/8", no4, 0 }, { "0.0.0.0/0", bits, 0 }, { "0.0.0.0/8", hosts, 0 },
    { "127.0.0.0/8", hosts, 0 }, { "127.2.0.0/15", hosts, 0 }, { "169.254.0.0/15", hosts, 0 },
    { "224.0.0.0/8", hosts, 0 }, { "240.0.0.0/4", hosts, 0 }, { "254.0.0.0/15", hosts, 0 },
};

START_TEST(ipv4_as_listed)
{
    const char *fault = NULL;
    struct pools p, before;
    int error;

    pools_default(&p);
    before = p;
    error = pools_parse_ipv4(&p, ipv4[_i].text, &fault);
    ck_assert_msg(error == (ipv4[_i].fault ? -EINVAL : 0), "%s: %s", ipv4[_i].text, fault);
    if (error) {
        ck_assert_msg(strcmp(fault, ipv4[_i].fault) == 0, "%s: %s", ipv4[_i].text, fault);
        ck_assert(pools_equal(&p, &before));
    } else {
        ck_assert_uint_eq(p.ipv4, ipv4[_i].first);
    }
}
END_TEST

static const struct {
    const char *text, *fault;
    unsigned prefix;
} ipv6[] = {
    { "fd00::/8", NULL, 8 }, { "fd12:3456:789a::/48", NULL, 48 }, { "2001:db8::/32", NULL, 32 },
    { "fd00:0:0:1::/64", NULL, 64 }, { "fd00::/65", small6, 0 }, { "fd00::/128", small6, 0 }, { "fd00::/129", no6, 0 },
    { "fd00::1/64", bits, 0 }, { "fd80::/8", bits, 0 }, { "fd00::", no6, 0 }, { "[fd00::]/8", no6, 0 },
    { "10.0.0.0/8", no6, 0 }, { "::ffff:0:0/32", no6, 0 }, { "::/8", hosts, 0 }, { "::/0", bits, 0 },
    { "::1/64", bits, 0 }, { "fe80::/10", hosts, 0 }, { "ff00::/8", hosts, 0 }, { "64:ff9b::/64", hosts, 0 },
    { "fd00::%1/64", no6, 0 }, { "fc00::/7", NULL, 7 }, { "fc00::/6", hosts, 0 }, { "f800::/5", hosts, 0 },
    { "f000::/4", hosts, 0 }, { "fe00::/7", hosts, 0 }, { "fe00::/8", hosts, 0 }, { "fe00::/9", NULL, 9 },
    { "fe80::/9", hosts, 0 }, { "fe80::/11", hosts, 0 }, { "fea0::/11", hosts, 0 }, { "fec0::/10", NULL, 10 },
    { "ff80::/9", hosts, 0 }, { "2000::/4", NULL, 4 }, { "e000::/4", NULL, 4 },
};

START_TEST(ipv6_as_listed)
{
    const char *fault = NULL;
    struct pools p, before;
    int error;

    pools_default(&p);
    before = p;
    error = pools_parse_ipv6(&p, ipv6[_i].text, &fault);
    ck_assert_msg(error == (ipv6[_i].fault ? -EINVAL : 0), "%s: %s", ipv6[_i].text, fault);
    if (error) {
        ck_assert_msg(strcmp(fault, ipv6[_i].fault) == 0, "%s: %s", ipv6[_i].text, fault);
        ck_assert(pools_equal(&p, &before));
    } else {
        ck_assert_uint_eq(p.ipv6_prefix, ipv6[_i].prefix);
    }
}
END_TEST

START_TEST(number_of_the_default_0_of_others_different)
{
    uint32_t seen[64];
    const char *fault;
    struct pools p;
    char text[32];

    pools_default(&p);
    ck_assert_uint_eq(pools_number(&p), 0);
    for (int i = 0; i < 64; i++) {
        snprintf(text, sizeof text, "10.%d.0.0/15", 2 * i);
        ck_assert_int_eq(pools_parse_ipv4(&p, text, &fault), 0);
        seen[i] = pools_number(&p);
        ck_assert_uint_ne(seen[i], 0);
        for (int k = 0; k < i; k++)
            ck_assert_uint_ne(seen[i], seen[k]);
    }
    pools_default(&p);
    ck_assert_int_eq(pools_parse_ipv6(&p, "fd00::/16", &fault), 0);
    ck_assert_uint_ne(pools_number(&p), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("pools");
    TCase *t = tcase_create("pools");

    tcase_add_loop_test(t, ipv4_as_listed, 0, COUNT(ipv4));
    tcase_add_loop_test(t, ipv6_as_listed, 0, COUNT(ipv6));
    tcase_add_test(t, number_of_the_default_0_of_others_different);
    suite_add_tcase(s, t);
    return s;
}
