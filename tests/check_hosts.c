/* SPDX-License-Identifier: ISC */
/* check_hosts.c - /etc/hosts: what counts as a line, what is found first, and lines and files at the edges */
#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/hosts.h"
#include "io/hosts_known.h"
#include "io/real.h"
#include "io/textfile.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *make_suite(void);

static char path[] = "/tmp/check_hosts.XXXXXX";

static void setup(void)
{
    real_init();
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void teardown(void)
{
    unlink(path);
}

static void fill(const char *text, size_t len)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(text, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static bool is_address(const struct addr *a, const char *text)
{
    struct addr expected;

    if (!text)
        return a->kind == ADDR_NONE;
    ck_assert_int_eq(addr_from_text(text, strlen(text), &expected), 0);
    return addr_equal(a, &expected);
}

static const struct {
    const char *text, *name;
    const char *ipv4, *ipv6;        /* NULL: not found */
    const char *canonical;          /* of either */
    size_t count;
} rows[] = {
    { "192.0.2.1 one two three\n", "two", "192.0.2.1", NULL, "one", 3 },
    { "192.0.2.1 one\n", "one", "192.0.2.1", NULL, "one", 1 },
    { "192.0.2.1 one", "one", "192.0.2.1", NULL, "one", 1 },
    { "\n\n  \t192.0.2.1\t \tOne\t\n", "oNE", "192.0.2.1", NULL, "One", 1 },
    { "192.0.2.1 one\r\n192.0.2.2 two\r\n", "two", "192.0.2.2", NULL, "two", 1 },
    { "192.0.2.1 one\n192.0.2.2 one\n", "one", "192.0.2.1", NULL, "one", 1 },
    { "2001:db8::1 one x\n192.0.2.2 one y\n2001:db8::2 one\n", "one", "192.0.2.2", "2001:db8::1", "one", 2 },
    { "2001:db8::1 one\n", "one", NULL, "2001:db8::1", "one", 1 },
    { "::ffff:192.0.2.9 one\n", "one", "192.0.2.9", NULL, "one", 1 },
    { "#192.0.2.1 one\n192.0.2.2 one # two\n", "one", "192.0.2.2", NULL, "one", 1 },
    { "192.0.2.2 one # two\n", "two", NULL, NULL, NULL, 0 },
    { "192.0.2.2 one#two\n", "one", "192.0.2.2", NULL, "one", 1 },
    { "192.0.2.2 one#two\n", "one#two", NULL, NULL, NULL, 0 },
    { "192.0.2.1 onetwo two.one one.\n", "one", NULL, NULL, NULL, 0 },
    { "192.0.2.1\n192.0.2.2\none\n", "one", NULL, NULL, NULL, 0 },
    { "192.0.2 one\n192.0.2.256 one\n1.2.3.4x one\nfe80::1%1 one\n", "one", NULL, NULL, NULL, 0 },
    { "192.0.2.7 192.0.2.8 one\n", "192.0.2.8", "192.0.2.7", NULL, "192.0.2.8", 2 },
    { "", "one", NULL, NULL, NULL, 0 },
    { "192.0.2.1 b\xc3\xbc\n", "b\xc3\xbc", "192.0.2.1", NULL, "b\xc3\xbc", 1 },
};

START_TEST(name_any_found_as_listed)
{
    struct hosts_line ipv4, ipv6, *line;

    fill(rows[_i].text, strlen(rows[_i].text));
    errno = 4711;
    hosts_find_name(path, rows[_i].name, &ipv4, &ipv6);
    ck_assert_int_eq(errno, 4711);
    ck_assert(is_address(&ipv4.address, rows[_i].ipv4));
    ck_assert(is_address(&ipv6.address, rows[_i].ipv6));
    if (!rows[_i].canonical)
        return;
    line = rows[_i].ipv4 ? &ipv4 : &ipv6;
    ck_assert_str_eq(hosts_name(line, 0), rows[_i].canonical);
    ck_assert_uint_eq(line->count, rows[_i].count);
}
END_TEST

START_TEST(address_first_line_found)
{
    static const char text[] = "192.0.2.1 one alias\n::1 six\n192.0.2.1 other\n2001:db8::1 eight\n";
    struct hosts_line line;
    struct addr a;

    fill(text, sizeof text - 1);
    ck_assert_int_eq(addr_from_text("192.0.2.1", 9, &a), 0);
    a.port = 80;
    hosts_find_address(path, &a, &line);
    ck_assert_uint_eq(line.count, 2);
    ck_assert_str_eq(hosts_name(&line, 0), "one");
    ck_assert_str_eq(hosts_name(&line, 1), "alias");
    ck_assert_int_eq(addr_from_text("2001:db8::1%3", 13, &a), 0);
    hosts_find_address(path, &a, &line);
    ck_assert_str_eq(hosts_name(&line, 0), "eight");
    ck_assert_int_eq(addr_from_text("192.0.2.2", 9, &a), 0);
    hosts_find_address(path, &a, &line);
    ck_assert_int_eq(line.address.kind, ADDR_NONE);
}
END_TEST

/* Every place of the line relative to the pieces in which the file is read. */
START_TEST(piece_boundary_anywhere_line_found)
{
    static char text[10000];
    static const char wanted[] = "192.0.2.1 one two\n";
    struct hosts_line ipv4, ipv6;

    for (size_t at = 4 * TEXTFILE_PIECE - sizeof wanted; at < 4 * TEXTFILE_PIECE + 4; at++) {
        memset(text, '#', sizeof text);
        text[at - 1] = '\n';
        memcpy(text + at, wanted, sizeof wanted - 1);
        fill(text, sizeof text);
        hosts_find_name(path, "two", &ipv4, &ipv6);
        ck_assert(is_address(&ipv4.address, "192.0.2.1"));
        ck_assert_uint_eq(ipv4.count, 2);
    }
}
END_TEST

START_TEST(line_longer_than_any_buffer_all_of_it_counts)
{
    static char text[20000];
    struct hosts_line ipv4, ipv6;
    size_t used = (size_t)sprintf(text, "192.0.2.1 first");

    while (used < 9000)
        used += (size_t)sprintf(text + used, " n%zu", used);
    used += (size_t)sprintf(text + used, " last\n192.0.2.2 next\n");
    fill(text, used);
    hosts_find_name(path, "first", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, "192.0.2.1"));
    ck_assert_uint_gt(ipv4.count, 100);
    ck_assert_uint_le(strlen(hosts_name(&ipv4, ipv4.count - 1)), 6);
    hosts_find_name(path, "last", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, "192.0.2.1"));
    ck_assert_str_eq(hosts_name(&ipv4, 0), "first");
    hosts_find_name(path, "next", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, "192.0.2.2"));
}
END_TEST

/* The longest name that counts, and how many fit. */
START_TEST(names_many_and_long_kept_within_room)
{
    static char text[4096], name[300];
    struct hosts_line ipv4, ipv6;
    size_t used;

    for (size_t len = 250; len < 260; len++) {
        memset(name, 'n', len);
        name[len] = '\0';
        used = (size_t)sprintf(text, "192.0.2.1 %s short %s %s %s %s\n", name, name, name, name, name);
        fill(text, used);
        hosts_find_name(path, "short", &ipv4, &ipv6);
        ck_assert(is_address(&ipv4.address, "192.0.2.1"));
        ck_assert_str_eq(hosts_name(&ipv4, 0), len <= ADDR_NAME_MAX ? name : "short");
        ck_assert_uint_eq(ipv4.count, len <= ADDR_NAME_MAX ? 5 : 1);
        ck_assert(hosts_name(&ipv4, ipv4.count) <= ipv4.names + HOSTS_NAMES_SIZE);
    }
}
END_TEST

START_TEST(file_unreadable_nothing_found)
{
    struct hosts_line ipv4, ipv6;

    unlink(path);
    errno = 4711;
    hosts_find_name(path, "one", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, NULL) && is_address(&ipv6.address, NULL));
    hosts_find_name("/", "one", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, NULL));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    hosts_find_name(path, "one", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, NULL));
    ck_assert_int_eq(errno, 4711);
}
END_TEST

static int interruptions;

static long interrupted_syscall(long number, ...)
{
    long a[6];
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < sizeof a / sizeof a[0]; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_read && interruptions++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (number == SYS_read && a[2] > 3)
        a[2] = 3;
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

START_TEST(read_interrupted_and_short_line_found)
{
    static const char text[] = "192.0.2.1 one two\n192.0.2.2 three\n";
    struct hosts_line ipv4, ipv6;

    fill(text, sizeof text - 1);
    real.syscall = interrupted_syscall;
    hosts_find_name(path, "three", &ipv4, &ipv6);
    ck_assert(is_address(&ipv4.address, "192.0.2.2"));
    ck_assert_int_gt(interruptions, 20);
}
END_TEST

/* The system calls of the code under test: how often a file was opened, and files that look older than they are. */
static long (*libc_syscall)(long number, ...);
static int opened;
static int64_t aged_s;

static long counted_syscall(long number, ...)
{
    enum { CHANGED = 96, MODIFIED = 112 };    /* where struct statx has these */
    long a[6], result;
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    opened += number == SYS_openat;
    result = libc_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (number == SYS_statx && result == 0) {
        int64_t *changed = (int64_t *)(a[4] + CHANGED), *modified = (int64_t *)(a[4] + MODIFIED);

        *changed -= aged_s;
        *modified -= aged_s;
    }
    return result;
}

static void count_calls(int64_t age_s)
{
    libc_syscall = real.syscall;
    real.syscall = counted_syscall;
    aged_s = age_s;
}

/* Returns how often the file was opened. */
static int find(struct hosts_known *k, const char *name, const char *ipv4, const char *ipv6)
{
    struct hosts_line found[2];

    memset(found, 0xa5, sizeof found);
    opened = 0;
    errno = 4711;
    hosts_known_find(k, path, name, &found[0], &found[1]);
    ck_assert_int_eq(errno, 4711);
    ck_assert(is_address(&found[0].address, ipv4));
    ck_assert(is_address(&found[1].address, ipv6));
    return opened;
}

START_TEST(known_any_found_as_listed)
{
    struct hosts_known k = { .version = 0 };

    count_calls(60);
    fill(rows[_i].text, strlen(rows[_i].text));
    for (int i = 0; i < 3; i++)
        find(&k, rows[_i].name, rows[_i].ipv4, rows[_i].ipv6);
    ck_assert_int_eq(find(&k, "elsewhere.test", NULL, NULL), 0);
}
END_TEST

START_TEST(known_file_read_when_changed_alone)
{
    struct hosts_known k = { .version = 0 };

    count_calls(60);
    fill("192.0.2.1 one Two\n", 18);
    ck_assert_int_eq(find(&k, "three", NULL, NULL), 2);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(find(&k, "three", NULL, NULL), 0);
        ck_assert_int_eq(find(&k, "tWO", "192.0.2.1", NULL), 1);
    }
    aged_s = 59;
    fill("192.0.2.1 one three\n", 20);
    ck_assert_int_ge(find(&k, "three", "192.0.2.1", NULL), 1);
    ck_assert_int_eq(find(&k, "two", NULL, NULL), 0);
    unlink(path);
    ck_assert_int_eq(find(&k, "three", NULL, NULL), 0);
    fill("::1 two\n", 8);
    ck_assert_int_ge(find(&k, "two", NULL, "::1"), 1);
    ck_assert_int_eq(find(&k, "three", NULL, NULL), 0);
}
END_TEST

/* Its stamp may stay the same while it is changed once more. */
START_TEST(known_file_just_changed_always_read)
{
    struct hosts_known k = { .version = 0 };

    count_calls(0);
    fill("192.0.2.1 one\n", 14);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(find(&k, "two", NULL, NULL), 1);
    ck_assert_uint_eq(k.version, 0);
}
END_TEST

/* Another thread is in the middle of it, or has left it so: nothing it says counts. */
START_TEST(known_while_written_file_read)
{
    struct hosts_known k = { .version = 0 };

    count_calls(60);
    fill("192.0.2.1 one\n", 14);
    find(&k, "two", NULL, NULL);
    ck_assert_int_eq(find(&k, "two", NULL, NULL), 0);
    k.version++;
    memset((void *)k.bit, 0, sizeof k.bit);
    ck_assert_int_eq(find(&k, "one", "192.0.2.1", NULL), 1);
    ck_assert_int_eq(find(&k, "two", NULL, NULL), 1);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("hosts");
    TCase *t = tcase_create("hosts");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, name_any_found_as_listed, 0, COUNT(rows));
    tcase_add_test(t, address_first_line_found);
    tcase_add_test(t, piece_boundary_anywhere_line_found);
    tcase_add_test(t, line_longer_than_any_buffer_all_of_it_counts);
    tcase_add_test(t, names_many_and_long_kept_within_room);
    tcase_add_test(t, file_unreadable_nothing_found);
    tcase_add_test(t, read_interrupted_and_short_line_found);
    tcase_add_loop_test(t, known_any_found_as_listed, 0, COUNT(rows));
    tcase_add_test(t, known_file_read_when_changed_alone);
    tcase_add_test(t, known_file_just_changed_always_read);
    tcase_add_test(t, known_while_written_file_read);
    suite_add_tcase(s, t);
    return s;
}
