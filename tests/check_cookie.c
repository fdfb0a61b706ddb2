/* SPDX-License-Identifier: ISC */
/* check_cookie.c - what is done to a number while the kernel does not say whose it is */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assoc_making.h"
#include "real.h"

Suite *make_suite(void);

static int (*kernel)(int, int, int, void *, socklen_t *);
static int failures;

/* SO_COOKIE fails as often as that. */
static int failing(int fd, int level, int option, void *value, socklen_t *len)
{
    if (level != SOL_SOCKET || option != SO_COOKIE || failures <= 0)
        return kernel(fd, level, option, value, len);
    failures--;
    errno = ENOMEM;
    return -1;
}

static int begin(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    real_init();
    ck_assert_int_ge(fd, 0);
    kernel = real.getsockopt;
    real.getsockopt = failing;
    failures = 0;
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

START_TEST(unknown_is_neither_the_same_nor_another)
{
    int fd = begin(), other = socket(AF_INET, SOCK_DGRAM, 0), file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    uint64_t cookie = real_cookie(fd);

    ck_assert_uint_ne(cookie, 0);
    ck_assert(real_is(fd, cookie) && !real_is_other(fd, cookie));
    ck_assert(!real_is(other, cookie) && real_is_other(other, cookie));
    ck_assert(!real_is(file, cookie) && real_is_other(file, cookie));
    ck_assert(!real_is(file, 0));
    ck_assert(!real_is(-1, 0));
    failures = 2;
    ck_assert(!real_is(fd, cookie));
    ck_assert(!real_is_other(fd, cookie));
    failures = 1;
    ck_assert(!real_is(fd, 0));
    close(fd);
    close(other);
    close(file);
}
END_TEST

START_TEST(own_number_is_closed_once_the_kernel_says_whose_it_is)
{
    int fd = begin(), other = socket(AF_INET, SOCK_DGRAM, 0);
    uint64_t cookie = real_cookie(fd);

    real_close_own(fd, 0);
    real_close_own(other, cookie);
    ck_assert(is_open(fd) && is_open(other));
    failures = 100;
    real_close_own(fd, cookie);
    ck_assert(is_open(fd));
    failures = 2;
    real_close_own(fd, cookie);
    ck_assert(!is_open(fd));
    close(other);
}
END_TEST

/* The numbers of the process. */
static int count_open(void)
{
    int n = 0;

    for (int i = 0; i < 1024; i++)
        n += is_open(i);
    return n;
}

START_TEST(control_connection_that_cannot_be_told_from_others_is_not_begun)
{
    static struct assoc_making making;
    static struct assoc_table table;
    int fd = begin(), before;
    assoc_handle handle;

    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    making.a = assoc_of(&table, handle);
    making.socket = fd;
    making.proxy = (struct addr){ .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = 1 };
    before = count_open();
    failures = 1;
    ck_assert_int_eq(assoc_control_begin(&table, &making), -ENOBUFS);
    ck_assert_int_eq(failures, 0);
    ck_assert_int_lt(atomic_load(&making.a->control), 0);
    ck_assert_int_eq(count_open(), before);
    close(fd);
}
END_TEST

/* Another socket is found by a look; that the kernel does not say is not taken for that. */
START_TEST(look_that_is_not_answered_is_made_again)
{
    static struct assoc_table table;
    int fd = begin(), other = socket(AF_INET, SOCK_DGRAM, 0);
    int64_t later = INT64_MAX / 2;
    assoc_handle handle;
    struct assoc *a;

    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    a = assoc_of(&table, handle);
    failures = 2;
    ck_assert_int_eq(assoc_look(&table, a, fd, later), -EAGAIN);
    ck_assert_int_eq(failures, 0);
    ck_assert_int_eq(assoc_look(&table, a, other, later), -ESTALE);
    ck_assert_int_eq(assoc_look(&table, a, fd, later), 0);
    close(fd);
    close(other);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("cookie");
    TCase *tc = tcase_create("cookie");

    tcase_add_test(tc, unknown_is_neither_the_same_nor_another);
    tcase_add_test(tc, own_number_is_closed_once_the_kernel_says_whose_it_is);
    tcase_add_test(tc, control_connection_that_cannot_be_told_from_others_is_not_begun);
    tcase_add_test(tc, look_that_is_not_answered_is_made_again);
    suite_add_tcase(suite, tc);
    return suite;
}
