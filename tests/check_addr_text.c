/* SPDX-License-Identifier: ISC */
/* check_addr_text.c - addresses and names as text */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "feed.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *make_suite(void);

static const struct {
    const char *text, *shown;   /* shown: NULL when refused */
} texts[] = {
    { "192.0.2.1", "192.0.2.1" }, { "0.0.0.0", "0.0.0.0" }, { "255.255.255.255", "255.255.255.255" },
    { "::", "::" }, { "::1", "::1" }, { "1::", "1::" }, { "2001:DB8::00a1", "2001:db8::a1" },
    { "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8" }, { "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
    { "::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8" }, { "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
    { "1:0:0:2:3:0:0:4", "1::2:3:0:0:4" },
    { "::ffff:192.0.2.1", "192.0.2.1" }, { "::ffff:c000:201", "192.0.2.1" },
    { "0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1" },
    { "::192.0.2.1", "::c000:201" }, { "64:ff9b::192.0.2.1", "64:ff9b::c000:201" },
    { "1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201" }, { "::ffff:192.0.2.1%3", "192.0.2.1" },
    { "fe80::1%2", "fe80::1%2" }, { "fe80::1%4294967295", "fe80::1%4294967295" }, { "fe80::1%0", "fe80::1" },
    { "", NULL }, { ".", NULL }, { "1", NULL }, { "1.2.3", NULL }, { "1.2.3.", NULL }, { "1.2.3.4.", NULL },
    { "1.2.3.4.5", NULL }, { ".1.2.3.4", NULL }, { "1..2.3", NULL }, { "256.1.1.1", NULL }, { "1.1.1.256", NULL },
    { "01.2.3.4", NULL }, { "1.2.3.00", NULL }, { "1.2.3.0x4", NULL }, { "1.2.3.4 ", NULL }, { " 1.2.3.4", NULL },
    { "1.2.3.4%1", NULL }, { "1.2.3.1000", NULL }, { "-1.2.3.4", NULL }, { ":", NULL }, { ":::", NULL }, { "1:", NULL },
    { ":1", NULL }, { "::1:", NULL }, { ":1::", NULL }, { "1::2::3", NULL }, { "1::2::", NULL }, { "1:::2", NULL },
    { "1:2:3:4:5:6:7", NULL }, { "1:2:3:4:5:6:7:8:9", NULL },
    { "1:2:3:4:5:6:7:8::", NULL }, { "::1:2:3:4:5:6:7:8", NULL },
    { "1:2:3:4::5:6:7:8", NULL }, { "12345::", NULL }, { "::g", NULL }, { "[::1]", NULL }, { "::1.2.3", NULL },
    { "::1:2:3:4:5:6:1.2.3.4", NULL }, { "::1:2:3:4:5:1.2.3.4", "0:1:2:3:4:5:102:304" },
    { "1:2:3:4:5:6:7:1.2.3.4", NULL }, { "::1.2.3.4:5", NULL }, { "::1.2.3.4.5", NULL }, { "::01.2.3.4", NULL },
    { "::1%", NULL }, { "::1%eth0", NULL }, { "::1%1%1", NULL }, { "::1%-1", NULL }, { "::1%4294967296", NULL },
    { "::1%18446744073709551617", NULL }, { "%1", NULL }, { "example.org", NULL }
};

static const char l63[] = "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0";

static const struct {
    const char *text;
    bool good;
} names[] = {
    { "example.org", true }, { "x", true }, { "EXAMPLE.Org", true }, { "a-b_c.1", true }, { "_srv._tcp.x", true },
    { "-", true }, { "invalid.org", true }, { "xinvalid", true }, { "x-invalid", true }, { "localhost", true },
    { "", false }, { ".", false }, { "..", false }, { "a..b", false }, { ".a", false }, { "a..", false },
    { "a b", false }, { "a:1", false },
    { "a/b", false }, { "a\n", false }, { "b\xc3\xbc" "cher", false }, { "a@b", false },
    { "[", false }, { "`", false }, { "{", false }, { "a*", false }, { "a\x7f", false },
    { "invalid", false }, { "INVALID", false }, { "x.invalid", false }, { "x.InValid", false }, { "invalid.", false },
    { "x.y.invalid.", false }
};

static int from_text(const char *text, struct addr *out)
{
    size_t len = strlen(text);
    char *p = guard_new(text, len);
    int rc = addr_from_text(p, len, out);

    guard_free(p, len);
    return rc;
}

static int from_name(const char *text, size_t len, struct addr *out)
{
    char *p = guard_new(text, len);
    int rc = addr_from_name(p, len, out);

    guard_free(p, len);
    return rc;
}

START_TEST(text_numeric_reads_or_is_refused)
{
    struct addr a, before;
    char shown[ADDR_TEXT_SIZE];
    int rc;

    memset(&before, 0xa5, sizeof(before));
    memcpy(&a, &before, sizeof(a));
    rc = from_text(texts[_i].text, &a);
    if (texts[_i].shown == NULL) {
        ck_assert_msg(rc == -EINVAL, "\"%s\" gave %d", texts[_i].text, rc);
        ck_assert_mem_eq(&a, &before, sizeof(a));
        return;
    }
    ck_assert_msg(rc == 0, "\"%s\" gave %d", texts[_i].text, rc);
    ck_assert_int_eq(a.port, 0);
    ck_assert_uint_eq(addr_format_host(&a, shown, sizeof(shown)), strlen(texts[_i].shown));
    ck_assert_str_eq(shown, texts[_i].shown);
}
END_TEST

/* Random strings of the characters that matter: we and inet_pton() must agree on each. */
START_TEST(text_random_agrees_with_libc)
{
    static const char alphabet[] = "01249af::::...%";
    char text[24] = { 0 };
    uint8_t ip[16];
    struct addr a;
    int good = 0;

    srand(1);
    for (int round = 0; round < 300000; round++) {
        size_t len = (size_t)rand() % (sizeof(text) - 1);
        bool known;

        for (size_t i = 0; i < len; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof(alphabet) - 2)];
        text[len] = '\0';
        known = inet_pton(AF_INET, text, ip) == 1 || inet_pton(AF_INET6, text, ip) == 1;
        if ((addr_from_text(text, len, &a) == 0) != known)
            ck_abort_msg("\"%s\"", text);
        if (known && a.kind == ADDR_IPV6 && memcmp(a.ip, ip, 16) != 0)
            ck_abort_msg("\"%s\" reads otherwise", text);
        good += known;
    }
    ck_assert_int_gt(good, 1000);
}
END_TEST

START_TEST(text_random_ipv6_is_shown_as_libc_does)
{
    char ours[ADDR_TEXT_SIZE], libc[INET6_ADDRSTRLEN];
    struct addr a = { .kind = ADDR_IPV6 };

    srand(2);
    for (int round = 0; round < 20000; round++) {
        for (int i = 0; i < 16; i += 2) {
            a.ip[i] = (uint8_t)(rand() % 4 == 0 ? rand() : 0);
            a.ip[i + 1] = (uint8_t)(rand() % 2 == 0 ? rand() : 0);
        }
        a.ip[0] |= 0x20;    /* libc shows ::a.b.c.d in its own way */
        inet_ntop(AF_INET6, a.ip, libc, sizeof(libc));
        addr_format_host(&a, ours, sizeof(ours));
        if (strcmp(ours, libc) != 0)
            ck_abort_msg("%s is %s", ours, libc);
    }
}
END_TEST

START_TEST(name_text_reads_or_is_refused)
{
    size_t len = strlen(names[_i].text);
    struct addr a, before;

    memset(&before, 0xa5, sizeof(before));
    memcpy(&a, &before, sizeof(a));
    ck_assert_msg((from_name(names[_i].text, len, &a) == 0) == names[_i].good, "\"%s\"", names[_i].text);
    if (names[_i].good)
        ck_assert_str_eq(a.name, names[_i].text);
    else
        ck_assert_mem_eq(&a, &before, sizeof(a));
}
END_TEST

START_TEST(name_lengths_at_the_edge)
{
    char text[256];
    struct addr a;

    memset(text, 'a', sizeof(text));
    text[63] = text[127] = text[191] = '.';
    ck_assert_int_eq(from_name(text, 253, &a), 0);
    ck_assert_uint_eq(strlen(a.name), 253);
    ck_assert_int_eq(from_name(text, 254, &a), -EINVAL);
    text[253] = '.';
    ck_assert_int_eq(from_name(text, 254, &a), 0);
    ck_assert_uint_eq(strlen(a.name), 253);
    ck_assert_int_eq(from_name(text, 255, &a), -EINVAL);
    ck_assert_int_eq(from_name(l63, 63, &a), 0);
    memcpy(text, l63, 63);
    text[63] = 'x';
    ck_assert_int_eq(from_name(text, 64, &a), -EINVAL);
    ck_assert_int_eq(from_name("a\0b", 3, &a), -EINVAL);
    ck_assert_int_eq(from_name("a.", 2, &a), 0);
    ck_assert_str_eq(a.name, "a");
}
END_TEST

START_TEST(format_cut_anywhere_fits_and_ends)
{
    static const struct { const char *host, *shown; } hosts[] = {
        { "192.0.2.1", "192.0.2.1:65535" }, { "2001:db8::1", "[2001:db8::1]:65535" },
        { "fe80::1%7", "[fe80::1%7]:65535" }, { "example.org", "example.org:65535" }
    };

    for (int i = 0; i < COUNT(hosts); i++) {
        size_t whole = strlen(hosts[i].shown);
        struct addr a;

        if (from_text(hosts[i].host, &a) < 0)
            ck_assert_int_eq(from_name(hosts[i].host, strlen(hosts[i].host), &a), 0);
        a.port = 65535;
        for (size_t size = 1; size <= whole + 2; size++) {
            char *buf = guard_new(NULL, size);
            size_t len = size <= whole ? size - 1 : whole;

            memset(buf, 'x', size);
            ck_assert_uint_eq(addr_format(&a, buf, size), len);
            ck_assert_mem_eq(buf, hosts[i].shown, len);
            ck_assert_int_eq(buf[len], '\0');
            guard_free(buf, size);
        }
    }
}
END_TEST

START_TEST(format_odd_addresses_are_plain_text)
{
    struct addr a = { .kind = ADDR_NONE, .port = 80 };
    char buf[ADDR_TEXT_SIZE];

    ck_assert_uint_eq(addr_format(&a, buf, sizeof(buf)), 1);
    ck_assert_str_eq(buf, "-");
    addr_format_host(&a, buf, sizeof(buf));
    ck_assert_str_eq(buf, "-");
    a.kind = ADDR_NAME;
    strcpy(a.name, "a\033[1m\n\xff\x7f z");
    ck_assert_uint_eq(addr_format(&a, buf, sizeof(buf)), 13);
    ck_assert_str_eq(buf, "a?[1m??? z:80");
    memset(a.name, 'n', 255);
    a.port = 65535;
    ck_assert_uint_eq(addr_format(&a, buf, sizeof(buf)), 261);
    ck_assert_str_eq(buf + 255, ":65535");
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("addr_text");
    TCase *tc = tcase_create("text");

    tcase_add_loop_test(tc, text_numeric_reads_or_is_refused, 0, COUNT(texts));
    tcase_add_test(tc, text_random_agrees_with_libc);
    tcase_add_test(tc, text_random_ipv6_is_shown_as_libc_does);
    tcase_add_loop_test(tc, name_text_reads_or_is_refused, 0, COUNT(names));
    tcase_add_test(tc, name_lengths_at_the_edge);
    tcase_add_test(tc, format_cut_anywhere_fits_and_ends);
    tcase_add_test(tc, format_odd_addresses_are_plain_text);
    suite_add_tcase(suite, tc);
    return suite;
}
