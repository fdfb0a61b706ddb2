/* SPDX-License-Identifier: ISC */
/* check_symbol.c - functions found without dlsym() are those that dlsym() finds */
#include <check.h>
#include <dlfcn.h>
#include <string.h>

#include "real.h"
#include "symbol.h"

Suite *make_suite(void);

/* The table, and others: of several versions, chosen by the processor, in other libraries, data, and no such thing. */
static const char *const names[] = {
#define HOOK(fn) #fn,
#define FACE(fn)
#define USE(fn) HOOK(fn)
#include "real.def"
#undef HOOK
#undef FACE
#undef USE
    "posix_spawn", "pthread_cond_wait", "realpath", "glob", "memcpy", "strlen", "time", "gettimeofday", "cos",
    "suite_create", "environ", "stdout", "errno", "no_such_function", "",
};

enum { NAMES = sizeof names / sizeof names[0] };

static struct symbol_list behind;

static const void *address_of_dlsym(void)
{
    void *(*function)(void *, const char *) = dlsym;
    const void *address;

    memcpy(&address, &function, sizeof address);
    return address;
}

static void set_up(void)
{
    symbol_behind(&behind, address_of_dlsym());
    ck_assert(behind.whole);
    ck_assert_uint_lt(behind.libc, behind.count);
}

START_TEST(what_is_found_is_what_dlsym_finds)
{
    unsigned found = 0;

    for (size_t i = 0; i < NAMES; i++) {
        void *function = NULL, *expected = dlsym(RTLD_NEXT, names[i]);

        switch (symbol_first(&behind, names[i], &function)) {
        case SYMBOL_FOUND:
            ck_assert_msg(function == expected, "%s", names[i]);
            found++;
            break;
        case SYMBOL_NONE:
            ck_assert_msg(!expected, "%s", names[i]);
            break;
        default:
            ck_assert_ptr_null(function);
        }
    }
    /* A sanitizer's library has many of them before libc. */
    ck_assert_uint_gt(found, 40);
}
END_TEST

/* Another library may call its own function by that name. */
START_TEST(libraries_before_libc_are_left_to_dlsym)
{
    void *function = NULL;

    behind.libc = behind.count;
    ck_assert_int_eq(symbol_first(&behind, "connect", &function), SYMBOL_ASK);
    ck_assert_ptr_null(function);
}
END_TEST

START_TEST(what_was_not_looked_at_is_left_to_dlsym)
{
    void *function = NULL;

    ck_assert_int_eq(symbol_first(&behind, "no_such_function", &function), SYMBOL_NONE);
    behind.whole = false;
    ck_assert_int_eq(symbol_first(&behind, "no_such_function", &function), SYMBOL_ASK);
    ck_assert_int_eq(symbol_first(&behind, "connect", &function), SYMBOL_FOUND);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("symbol");
    TCase *c = tcase_create("symbol");

    tcase_add_checked_fixture(c, set_up, NULL);
    suite_add_tcase(s, c);
    tcase_add_test(c, what_is_found_is_what_dlsym_finds);
    tcase_add_test(c, libraries_before_libc_are_left_to_dlsym);
    tcase_add_test(c, what_was_not_looked_at_is_left_to_dlsym);
    return s;
}
