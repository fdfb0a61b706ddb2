/* SPDX-License-Identifier: ISC */
/* check_fdtab.c - the table of descriptors */
#include <check.h>
#include <limits.h>

#include "fdtab.h"

Suite *make_suite(void);

static struct fdtab table;

static void clear(void)
{
    fdtab_drop_range(&table, 0, UINT_MAX);
}

START_TEST(set_any_number_is_got)
{
    static const int numbers[] = { 0, 1, 1023, 1024, 65535, FDTAB_SIZE - 1 };

    clear();
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        ck_assert_uint_eq(fdtab_get(&table, numbers[i]), 0);
        fdtab_set(&table, numbers[i], (uint32_t)i + 1);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        ck_assert_uint_eq(fdtab_get(&table, numbers[i]), i + 1);
}
END_TEST

START_TEST(numbers_outside_are_never_remembered)
{
    static const int numbers[] = { -1, INT_MIN, FDTAB_SIZE, INT_MAX };

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        fdtab_set(&table, numbers[i], 1);
        fdtab_change(&table, numbers[i], 0, 1);
        ck_assert_uint_eq(fdtab_get(&table, numbers[i]), 0);
        fdtab_copy(&table, 0, numbers[i]);
        fdtab_drop(&table, numbers[i]);
    }
}
END_TEST

START_TEST(change_touches_only_its_bits)
{
    fdtab_set(&table, 7, 0xabcdef00u | FDTAB_FRESH | 1);
    fdtab_change(&table, 7, FDTAB_FRESH, FDTAB_REGISTERED);
    ck_assert_uint_eq(fdtab_get(&table, 7), 0xabcdef00u | FDTAB_REGISTERED | 1);
    ck_assert_uint_eq(fdtab_handle(fdtab_get(&table, 7)), 0xabcdef);
}
END_TEST

START_TEST(lasting_bits_have_one_meaning)
{
    uint32_t all = FDTAB_REGISTERED | FDTAB_PORT_0 | FDTAB_SHARED;

    ck_assert_uint_eq(fdtab_lasting(FDTAB_FRESH | FDTAB_STDIO), all | FDTAB_STDIO);
    /* The same bit says there that a direct attempt has begun. */
    ck_assert_uint_eq(fdtab_lasting(FDTAB_TRIED), all);
}
END_TEST

START_TEST(turn_changes_one_kind_alone)
{
    fdtab_set(&table, 7, 0x100u | FDTAB_REGISTERED | 2);
    fdtab_turn(&table, 7, 1, 3);
    ck_assert_uint_eq(fdtab_get(&table, 7), 0x100u | FDTAB_REGISTERED | 2);
    fdtab_turn(&table, 7, 2, 3);
    ck_assert_uint_eq(fdtab_get(&table, 7), 0x100u | FDTAB_REGISTERED | 3);
    fdtab_turn(&table, -1, 0, 3);
    fdtab_turn(&table, FDTAB_SIZE, 0, 3);
}
END_TEST

START_TEST(copy_leaves_registrations_behind)
{
    fdtab_set(&table, 7, 0x100u | FDTAB_FRESH | FDTAB_REGISTERED | 2);
    fdtab_copy(&table, 7, 8);
    ck_assert_uint_eq(fdtab_get(&table, 8), 0x100u | FDTAB_FRESH | 2);
    fdtab_set(&table, 7, FDTAB_REGISTERED | FDTAB_PORT_0 | 2);
    fdtab_copy(&table, 7, 8);
    ck_assert_uint_eq(fdtab_get(&table, 8), FDTAB_PORT_0 | 2);
    fdtab_set(&table, 7, FDTAB_SET);
    fdtab_copy(&table, 7, 8);
    ck_assert_uint_eq(fdtab_get(&table, 8), 0);
}
END_TEST

START_TEST(drop_range_drops_exactly_the_range)
{
    clear();
    for (int fd = 0; fd < 50; fd++)
        fdtab_set(&table, fd, 1);
    fdtab_drop_range(&table, 10, 20);
    for (int fd = 0; fd < 50; fd++)
        ck_assert_uint_eq(fdtab_get(&table, fd), fd < 10 || fd > 20);
    fdtab_drop_range(&table, 40, UINT_MAX);
    ck_assert_uint_eq(fdtab_get(&table, 39), 1);
    ck_assert_uint_eq(fdtab_get(&table, 49), 0);
    fdtab_drop_range(&table, 30, 5);
    ck_assert_uint_eq(fdtab_get(&table, 30), 1);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("fdtab");
    TCase *c = tcase_create("fdtab");

    tcase_add_test(c, set_any_number_is_got);
    tcase_add_test(c, numbers_outside_are_never_remembered);
    tcase_add_test(c, change_touches_only_its_bits);
    tcase_add_test(c, lasting_bits_have_one_meaning);
    tcase_add_test(c, turn_changes_one_kind_alone);
    tcase_add_test(c, copy_leaves_registrations_behind);
    tcase_add_test(c, drop_range_drops_exactly_the_range);
    suite_add_tcase(s, c);
    return s;
}
