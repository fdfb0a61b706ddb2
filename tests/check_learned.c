/* SPDX-License-Identifier: ISC */
/* check_learned.c - real addresses of names */
#include <check.h>
#include <string.h>

#include "learned.h"

Suite *make_suite(void);

static struct learned learned;

static struct addr ipv4(unsigned last)
{
    struct addr a = { .kind = ADDR_IPV4, .port = 443, .ip = { 192, 0, (uint8_t)(last >> 8), (uint8_t)last } };

    return a;
}

START_TEST(find_in_empty_table_nothing)
{
    struct addr a = ipv4(1), out = { .kind = ADDR_NONE };

    ck_assert(!learned_find(&learned, &a, &out));
    ck_assert_int_eq(out.kind, ADDR_NONE);
}
END_TEST

START_TEST(find_learned_address_gives_name_and_own_port)
{
    struct addr a = ipv4(1), b = { .kind = ADDR_IPV6, .ip = { 0x20, 1 }, .port = 80 }, out;

    learned_add(&learned, "intra.corp", &a);
    learned_add(&learned, "six.corp", &b);
    a.port = 22;
    ck_assert(learned_find(&learned, &a, &out));
    ck_assert_int_eq(out.kind, ADDR_NAME);
    ck_assert_str_eq(out.name, "intra.corp");
    ck_assert_uint_eq(out.port, 22);
    ck_assert(learned_find(&learned, &b, &out));
    ck_assert_str_eq(out.name, "six.corp");
    a = ipv4(2);
    ck_assert(!learned_find(&learned, &a, &out));
}
END_TEST

START_TEST(find_after_many_is_right_or_nothing)
{
    struct addr out;
    char name[] = "host-0000.corp";
    int found = 0;

    for (unsigned i = 0; i < 4096; i++) {
        struct addr a = ipv4(i);

        memcpy(name + 5, (char[]){ (char)('0' + i / 1000), (char)('0' + i / 100 % 10), (char)('0' + i / 10 % 10),
                                   (char)('0' + i % 10) }, 4);
        learned_add(&learned, name, &a);
    }
    for (unsigned i = 0; i < 4096; i++) {
        struct addr a = ipv4(i);

        memcpy(name + 5, (char[]){ (char)('0' + i / 1000), (char)('0' + i / 100 % 10), (char)('0' + i / 10 % 10),
                                   (char)('0' + i % 10) }, 4);
        if (!learned_find(&learned, &a, &out))
            continue;
        found++;
        ck_assert_str_eq(out.name, name);
    }
    ck_assert_int_gt(found, LEARNED_SIZE / 4);
    ck_assert_int_le(found, LEARNED_SIZE);
}
END_TEST

START_TEST(add_name_or_too_long_ignored)
{
    struct addr a = ipv4(1), name = { .kind = ADDR_NAME, .name = "x" }, out;
    char too_long[ADDR_NAME_SIZE + 8];

    memset(too_long, 'a', sizeof too_long - 1);
    too_long[sizeof too_long - 1] = '\0';
    learned_add(&learned, too_long, &a);
    learned_add(&learned, "x", &name);
    ck_assert(!learned_find(&learned, &a, &out));
    ck_assert(!learned_find(&learned, &name, &out));
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("learned");
    TCase *tc = tcase_create("table");

    tcase_add_test(tc, find_in_empty_table_nothing);
    tcase_add_test(tc, find_learned_address_gives_name_and_own_port);
    tcase_add_test(tc, find_after_many_is_right_or_nothing);
    tcase_add_test(tc, add_name_or_too_long_ignored);
    suite_add_tcase(suite, tc);
    return suite;
}
