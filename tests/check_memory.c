/* SPDX-License-Identifier: ISC */
/* check_memory.c - looking where a program's pointer leads */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"
#include "real.h"

Suite *make_suite(void);

static unsigned char *pages;    /* one to write, one that is nothing, one to read */
static size_t page;

static void set_up(void)
{
    real_init();
    page = (size_t)sysconf(_SC_PAGESIZE);
    pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    memset(pages, 7, 3 * page);
    ck_assert_int_eq(mprotect(pages + page, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(pages + 2 * page, page, PROT_READ), 0);
}

static void tear_down(void)
{
    munmap(pages, 3 * page);
}

START_TEST(good_where_it_is_mapped)
{
    for (int again = 0; again < 2; again++) {
        ck_assert(memory_readable(pages, page));
        ck_assert(memory_readable(pages + page - 1, 1));
        ck_assert(!memory_readable(pages + page - 1, 2));
        ck_assert(!memory_readable(pages + page, 1));
        ck_assert(!memory_readable(pages, 3 * page));
        ck_assert(memory_readable(pages + 2 * page, page));
        ck_assert(memory_writable(pages, page));
        ck_assert(!memory_writable(pages + page - 1, 2));
        ck_assert(!memory_writable(pages + 2 * page, 1));
    }
    ck_assert_int_eq(pages[0], 7);
    ck_assert_int_eq(pages[page - 1], 7);
}
END_TEST

START_TEST(bad_pointers)
{
    char byte[16];

    errno = ENOTTY;
    ck_assert(!memory_readable(NULL, 1));
    ck_assert(!memory_writable(NULL, 1));
    ck_assert(memory_readable(NULL, 0));
    ck_assert(!memory_readable(MEMORY_NOWHERE, 1));
    ck_assert(!memory_readable(pages, SIZE_MAX));
    ck_assert(!memory_take(byte, (void *)-8, sizeof byte));
    ck_assert(!memory_probe(pages + page));
    ck_assert(memory_probe(pages));
    ck_assert_int_eq(errno, ENOTTY);
}
END_TEST

START_TEST(address_taken_once)
{
    struct sockaddr_storage own;
    const struct sockaddr *sa = (const struct sockaddr *)pages;

    ck_assert_ptr_eq(memory_address(sa, 16, &own), &own);
    ck_assert_mem_eq(&own, pages, 16);
    ck_assert_ptr_eq(memory_address(NULL, 16, &own), NULL);
    ck_assert_ptr_eq(memory_address(sa, 0, &own), sa);
    ck_assert_ptr_eq(memory_address(sa, sizeof own + 1, &own), sa);
    ck_assert_ptr_eq(memory_address(sa, (socklen_t)-1, &own), sa);
    ck_assert_ptr_eq(memory_address((const struct sockaddr *)(pages + page - 8), 16, &own), MEMORY_NOWHERE);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("memory");
    TCase *tc = tcase_create("pointers");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, good_where_it_is_mapped);
    tcase_add_test(tc, bad_pointers);
    tcase_add_test(tc, address_taken_once);
    suite_add_tcase(suite, tc);
    return suite;
}
