/* SPDX-License-Identifier: ISC */
/* check_conf_url.c - the proxy's URL, taken or refused */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf_world.h"

Suite *make_suite(void);

#define E50 "%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61" \
            "%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61%61"
#define E255 E50 E50 E50 E50 E50 "%61%61%61%61%61"

static const struct {
    const char *url, *proxy, *user, *password;
} good_urls[] = {
    { "socks5://192.0.2.1", "192.0.2.1:1080", "", "" },
    { "socks5h://192.0.2.1:9050", "192.0.2.1:9050", "", "" },
    { "SOCKS5://192.0.2.1:1", "192.0.2.1:1", "", "" },
    { "Socks5H://192.0.2.1:65535", "192.0.2.1:65535", "", "" },
    { "socks5://192.0.2.1:01080/", "192.0.2.1:1080", "", "" },
    { "socks5://proxy.example/", "proxy.example:1080", "", "" },
    { "socks5://proxy.example.:8", "proxy.example:8", "", "" },
    { "socks5://localhost", "localhost:1080", "", "" },
    { "socks5://[2001:db8::1]", "[2001:db8::1]:1080", "", "" },
    { "socks5://[2001:db8::1]:8/", "[2001:db8::1]:8", "", "" },
    { "socks5://[::ffff:192.0.2.1]:8", "192.0.2.1:8", "", "" },
    { "socks5://[fe80::1%2]:8", "[fe80::1%2]:8", "", "" },
    { "socks5://[fe80::1%252]:8", "[fe80::1%2]:8", "", "" },
    { "socks5://[fe80::1%25]:8", "[fe80::1%25]:8", "", "" },
    { "socks5://u:p@192.0.2.1", "192.0.2.1:1080", "u", "p" },
    { "socks5://u@192.0.2.1:8", "192.0.2.1:8", "u", "" },
    { "socks5://u:@192.0.2.1:8", "192.0.2.1:8", "u", "" },
    { "socks5://@192.0.2.1:8", "192.0.2.1:8", "", "" },
    { "socks5://:@192.0.2.1:8", "192.0.2.1:8", "", "" },
    { "socks5://u:p:q@192.0.2.1", "192.0.2.1:1080", "u", "p:q" },
    { "socks5://u:p@q@192.0.2.1", "192.0.2.1:1080", "u", "p@q" },
    { "socks5://u%3a%40%2F%25:%70%5A%5b@192.0.2.1", "192.0.2.1:1080", "u:@/%", "pZ[" },
    { "socks5://%01:%ff@192.0.2.1", "192.0.2.1:1080", "\x01", "\xff" },
    { "socks5://u:[p]@[2001:db8::1]:8", "[2001:db8::1]:8", "u", "[p]" },
    { "socks5://" A255 ":" E255 "@h", "h:1080", A255, A255 },
    { "socks5://" E255 ":" A255 "@h", "h:1080", A255, A255 },
};

START_TEST(url_good_read)
{
    const char *fault = NULL;
    char user[CONF_CREDENTIAL_SIZE], password[CONF_CREDENTIAL_SIZE], shown[ADDR_TEXT_SIZE];
    struct addr a;
    int error = conf_parse_url(flush(good_urls[_i].url, strlen(good_urls[_i].url)), &a, user, password, &fault);

    ck_assert_msg(error == 0, "%s: %s", good_urls[_i].url, fault);
    ck_assert_ptr_null(fault);
    if (a.scope == 0) {
        addr_format(&a, shown, sizeof shown);
        ck_assert_str_eq(shown, good_urls[_i].proxy);
    } else {
        ck_assert_uint_eq(a.scope, strtoul(strchr(good_urls[_i].proxy, '%') + 1, NULL, 10));
        ck_assert_uint_eq(a.port, 8);
    }
    ck_assert_str_eq(user, good_urls[_i].user);
    ck_assert_str_eq(password, good_urls[_i].password);
}
END_TEST

static const struct {
    const char *url, *fault;
} bad_urls[] = {
    { "", "no scheme: socks5:// comes first" },
    { "192.0.2.1:1080", "no scheme: socks5:// comes first" },
    { "socks5:/192.0.2.1", "no scheme: socks5:// comes first" },
    { "socks5", "no scheme: socks5:// comes first" },
    { "http://192.0.2.1:1080", "neither socks5:// nor socks5h://, and no other proxy can be used" },
    { "socks4://192.0.2.1", "neither socks5:// nor socks5h://, and no other proxy can be used" },
    { "socks://192.0.2.1", "neither socks5:// nor socks5h://, and no other proxy can be used" },
    { " socks5://192.0.2.1", "neither socks5:// nor socks5h://, and no other proxy can be used" },
    { "://192.0.2.1", "neither socks5:// nor socks5h://, and no other proxy can be used" },
    { "socks5://", "empty host" },
    { "socks5:///", "empty host" },
    { "socks5://:1080", "empty host" },
    { "socks5://u:p@", "empty host" },
    { "socks5://u:p@:1080", "empty host" },
    { "socks5://[]:1080", "empty host" },
    { "socks5://h:0", "port is not 1 to 65535" },
    { "socks5://h:", "port is not 1 to 65535" },
    { "socks5://h:70000", "port is not 1 to 65535" },
    { "socks5://h:65536", "port is not 1 to 65535" },
    { "socks5://h:4294967297", "port is not 1 to 65535" },
    { "socks5://h:+80", "port is not 1 to 65535" },
    { "socks5://h:80x", "port is not 1 to 65535" },
    { "socks5://h: 80", "port is not 1 to 65535" },
    { "socks5://[::1]:0", "port is not 1 to 65535" },
    { "socks5://[::1]:", "port is not 1 to 65535" },
    { "socks5://[::1]1080", "unexpected text after the host" },
    { "socks5://[::1]]", "unexpected text after the host" },
    { "socks5://[::1", "unclosed bracket" },
    { "socks5://[::1:1080", "unclosed bracket" },
    { "socks5://u:p@[::1/", "unclosed bracket" },
    { "socks5://::1]:1080", "IPv6 address without brackets" },
    { "socks5://x]:1080", "bracket that was not opened" },
    { "socks5://2001:db8::1:1080", "IPv6 address without brackets" },
    { "socks5://[192.0.2.1]:1080", "bad IPv6 address" },
    { "socks5://[proxy.example]", "bad IPv6 address" },
    { "socks5://[2001:db8::1::2]", "bad IPv6 address" },
    { "socks5://[::1%]", "bad IPv6 address" },
    { "socks5://[::1%25x]", "bad IPv6 address" },
    { "socks5://[::" A50 A50 "]", "bad IPv6 address" },
    { "socks5://[::1%25" A50 "aaaaaa]", "bad IPv6 address" },
    { "socks5://192.0.2.256", "bad host name or address" },
    { "socks5://192.0.2", "bad host name or address" },
    { "socks5://a..b", "bad host name or address" },
    { "socks5://-\x7f", "bad host name or address" },
    { "socks5://h%6f", "bad host name or address" },
    { "socks5://" A50 "aaaaaaaaaaaaaa", "bad host name or address" },
    { "socks5://h:1080/path", "a path is not allowed" },
    { "socks5://h//", "a path is not allowed" },
    { "socks5://h?x=y", "a path is not allowed" },
    { "socks5://h#f", "a path is not allowed" },
    { "socks5://u:p/q@h", "user or password needs percent-encoding" },
    { "socks5://u:80#q@h", "user or password needs percent-encoding" },
    { "socks5://u:p?@h", "user or password needs percent-encoding" },
    { "socks5://:p@h", "empty user with a password" },
    { "socks5://" A255 "a:p@h", "user is longer than 255 bytes" },
    { "socks5://" E255 "%61:p@h", "user is longer than 255 bytes" },
    { "socks5://u:" A255 "a@h", "password is longer than 255 bytes" },
    { "socks5://u:" E255 "a@h", "password is longer than 255 bytes" },
    { "socks5://u%00:p@h", "encoded NUL byte" },
    { "socks5://u:p%00@h", "encoded NUL byte" },
    { "socks5://u%:p@h", "bad percent-encoding" },
    { "socks5://u%4:p@h", "bad percent-encoding" },
    { "socks5://u%4g:p@h", "bad percent-encoding" },
    { "socks5://u:p%g4@h", "bad percent-encoding" },
    { "socks5://u:p%@h", "bad percent-encoding" },
    { "socks5://u:p%4@4", "bad percent-encoding" },
};

START_TEST(url_bad_fault_named)
{
    const char *fault = NULL;
    char user[CONF_CREDENTIAL_SIZE], password[CONF_CREDENTIAL_SIZE], marks[CONF_CREDENTIAL_SIZE];
    struct addr a, before;
    const char *url = flush(bad_urls[_i].url, strlen(bad_urls[_i].url));

    memset(&a, '#', sizeof a);
    memset(&before, '#', sizeof before);
    memset(marks, '#', sizeof marks);
    memset(user, '#', sizeof user);
    memset(password, '#', sizeof password);
    ck_assert_msg(conf_parse_url(url, &a, user, password, &fault) == -EINVAL, "%s: taken", bad_urls[_i].url);
    ck_assert_str_eq(fault, bad_urls[_i].fault);
    ck_assert_mem_eq(&a, &before, sizeof a);
    ck_assert_mem_eq(user, marks, sizeof marks);
    ck_assert_mem_eq(password, marks, sizeof marks);
}
END_TEST

START_TEST(scheme_ours_known)
{
    ck_assert(conf_has_scheme("socks5://"));
    ck_assert(conf_has_scheme("sOcKs5H://x"));
    ck_assert(!conf_has_scheme("socks5:/"));
    ck_assert(!conf_has_scheme("socks5hh://"));
    ck_assert(!conf_has_scheme("socks4://"));
    ck_assert(!conf_has_scheme(flush("socks5", 6)));
    ck_assert(!conf_has_scheme(flush("", 0)));
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("conf_url");
    TCase *t = tcase_create("conf_url");

    tcase_add_checked_fixture(t, map_area, unmap_area);
    tcase_add_loop_test(t, url_good_read, 0, COUNT(good_urls));
    tcase_add_loop_test(t, url_bad_fault_named, 0, COUNT(bad_urls));
    tcase_add_test(t, scheme_ours_known);
    suite_add_tcase(s, t);
    return s;
}
