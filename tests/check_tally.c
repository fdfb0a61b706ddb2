/* SPDX-License-Identifier: ISC */
/* check_tally.c - the counts for the summary */
#include <check.h>
#include <string.h>

#include "tally.h"

Suite *make_suite(void);

START_TEST(counts_and_clears)
{
    struct tally t;

    memset(&t, 0, sizeof t);
    tally_add(&t, TALLY_FAILED, 3);
    tally_add(&t, TALLY_FAILED, 4);
    tally_add(NULL, TALLY_FAILED, 4);
    ck_assert_uint_eq(t.count[TALLY_FAILED], 7);
    ck_assert_uint_eq(t.count[TALLY_CONNECTED], 0);
    tally_time(&t, 5);
    tally_time(NULL, 5);
    tally_clear(&t);
    ck_assert_uint_eq(t.count[TALLY_FAILED], 0);
    ck_assert_uint_eq(tally_median(&t), 0);
}
END_TEST

/* Any time alone is its own median, at most a quarter too small. */
START_TEST(one_time)
{
    struct tally t;

    for (int64_t ms = 0; ms < (int64_t)1 << 26; ms += 1 + ms / 13) {
        memset(&t, 0, sizeof t);
        tally_time(&t, ms);
        ck_assert_uint_le(tally_median(&t), (uint32_t)ms);
        ck_assert_uint_ge((uint64_t)tally_median(&t) * 4, (uint64_t)ms * 3);
    }
}
END_TEST

START_TEST(extreme_times)
{
    struct tally t;

    memset(&t, 0, sizeof t);
    tally_time(&t, -1);
    ck_assert_uint_eq(t.times[0], 1);
    tally_time(&t, INT64_MAX);
    ck_assert_uint_eq(t.times[TALLY_TIMES - 1], 1);
}
END_TEST

START_TEST(median_of_many)
{
    struct tally t;

    memset(&t, 0, sizeof t);
    for (int i = 0; i < 10; i++)
        tally_time(&t, 3);
    for (int i = 0; i < 9; i++)
        tally_time(&t, 5000);
    ck_assert_uint_eq(tally_median(&t), 3);
    tally_time(&t, 5000);
    tally_time(&t, 5000);
    ck_assert_uint_ge(tally_median(&t), 3750);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("tally");
    TCase *c = tcase_create("tally");

    tcase_add_test(c, counts_and_clears);
    tcase_add_test(c, one_time);
    tcase_add_test(c, extreme_times);
    tcase_add_test(c, median_of_many);
    suite_add_tcase(s, c);
    return s;
}
