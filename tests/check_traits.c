/* SPDX-License-Identifier: ISC */
/* check_traits.c - what is known of proxies */
#include <check.h>

#include "traits.h"

Suite *make_suite(void);

enum { NOW = 500000 };

static struct traits traits;

static uint64_t key_of(unsigned host, uint16_t port, bool has_auth)
{
    struct addr a = { .kind = ADDR_IPV4, .port = port, .ip = { 192, 0, (uint8_t)(host >> 8), (uint8_t)host } };

    return traits_key(&a, has_auth);
}

START_TEST(get_unknown_proxy_unknown)
{
    ck_assert_int_eq(traits_get(&traits, key_of(1, 1080, false), NOW), TRAIT_UNKNOWN);
}
END_TEST

START_TEST(get_what_was_set_for_this_address_port_and_method)
{
    struct addr six = { .kind = ADDR_IPV6, .port = 1080, .ip = { 192, 0, 0, 1 } };

    traits_set(&traits, key_of(1, 1080, false), NOW, TRAIT_FIT);
    traits_set(&traits, key_of(2, 1080, false), NOW, TRAIT_UNFIT);
    ck_assert_int_eq(traits_get(&traits, key_of(1, 1080, false), NOW), TRAIT_FIT);
    ck_assert_int_eq(traits_get(&traits, key_of(2, 1080, false), NOW), TRAIT_UNFIT);
    ck_assert_int_eq(traits_get(&traits, key_of(1, 1081, false), NOW), TRAIT_UNKNOWN);
    ck_assert_int_eq(traits_get(&traits, key_of(1, 1080, true), NOW), TRAIT_UNKNOWN);
    ck_assert_int_eq(traits_get(&traits, traits_key(&six, false), NOW), TRAIT_UNKNOWN);
    six.scope = 2;
    traits_set(&traits, traits_key(&six, false), NOW, TRAIT_FIT);
    six.scope = 3;
    ck_assert_int_eq(traits_get(&traits, traits_key(&six, false), NOW), TRAIT_UNKNOWN);
}
END_TEST

START_TEST(set_again_changes_it)
{
    uint64_t key = key_of(1, 1080, false);

    traits_set(&traits, key, NOW, TRAIT_FIT);
    traits_set(&traits, key, NOW + 1, TRAIT_UNFIT);
    ck_assert_int_eq(traits_get(&traits, key, NOW + 1), TRAIT_UNFIT);
}
END_TEST

START_TEST(get_after_seven_days_or_with_another_clock_unknown)
{
    uint64_t key = key_of(1, 1080, false);

    traits_set(&traits, key, NOW, TRAIT_FIT);
    ck_assert_int_eq(traits_get(&traits, key, NOW + TRAITS_HOURS - 1), TRAIT_FIT);
    ck_assert_int_eq(traits_get(&traits, key, NOW + TRAITS_HOURS), TRAIT_UNKNOWN);
    ck_assert_int_eq(traits_get(&traits, key, NOW - 1), TRAIT_FIT);
    ck_assert_int_eq(traits_get(&traits, key, NOW - 2), TRAIT_UNKNOWN);
}
END_TEST

/* Of very many proxies the last ones are known, and nothing is known wrongly. */
START_TEST(set_in_full_table_takes_the_oldest_place)
{
    unsigned known = 0;

    for (unsigned i = 0; i < 1000; i++) {
        traits_set(&traits, key_of(i, 1080, false), NOW + i / 100, i % 3 ? TRAIT_FIT : TRAIT_UNFIT);
        ck_assert_int_eq(traits_get(&traits, key_of(i, 1080, false), NOW + 9), i % 3 ? TRAIT_FIT : TRAIT_UNFIT);
    }
    for (unsigned i = 0; i < 1000; i++) {
        enum trait trait = traits_get(&traits, key_of(i, 1080, false), NOW + 9);

        ck_assert(trait == TRAIT_UNKNOWN || trait == (i % 3 ? TRAIT_FIT : TRAIT_UNFIT));
        known += trait != TRAIT_UNKNOWN;
        ck_assert(trait == TRAIT_UNKNOWN || i >= 500);
    }
    ck_assert_uint_ge(known, TRAITS_PLACES * 3 / 4);
    ck_assert_uint_le(known, TRAITS_PLACES);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("traits");
    TCase *tc = tcase_create("traits");

    tcase_add_test(tc, get_unknown_proxy_unknown);
    tcase_add_test(tc, get_what_was_set_for_this_address_port_and_method);
    tcase_add_test(tc, set_again_changes_it);
    tcase_add_test(tc, get_after_seven_days_or_with_another_clock_unknown);
    tcase_add_test(tc, set_in_full_table_takes_the_oldest_place);
    suite_add_tcase(suite, tc);
    return suite;
}
