/* SPDX-License-Identifier: ISC */
/* check_udp_header.c - headers of relayed datagrams: every length, every fault */
#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "feed.h"
#include "udp_header.h"

Suite *make_suite(void);

static const struct {
    const char *name, *bytes;
    int len;
    const char *source;     /* as addr_format() writes it */
} good[] = {
    { "ipv4", "\0\0\0\1\xc0\0\2\1\0\x35", 10, "192.0.2.1:53" },
    { "ipv6", "\0\0\0\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\xff\xff", 22, "[2001:db8::1]:65535" },
    { "mapped", "\0\0\0\4\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1\0\x35", 22, "192.0.2.1:53" },
    { "name", "\0\0\0\3\xb" "example.org\x1\xbb", 18, "example.org:443" },
    { "name of one byte", "\0\0\0\3\1x\0\0", 8, "x:0" },
    { "empty name", "\0\0\0\3\0\0\x50", 7, ":80" }
};

static const struct {
    const char *name, *bytes;
    int len, error;
} bad[] = {
    { "rsv first octet", "\1\0\0\1\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "rsv second octet", "\0\1\0\1\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "rsv and frag", "\0\1\1\1\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "frag 1", "\0\0\1\1\xc0\0\2\1\0\x35", 10, -EOPNOTSUPP },
    { "frag end of sequence", "\0\0\x80\1\xc0\0\2\1\0\x35", 10, -EOPNOTSUPP },
    { "frag alone", "\0\0\1", 3, -EOPNOTSUPP },
    { "atyp 0", "\0\0\0\0\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "atyp 2", "\0\0\0\2\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "atyp 9", "\0\0\0\x9\xc0\0\2\1\0\x35", 10, -EPROTO },
    { "nul in name", "\0\0\0\3\3a\0b\0\x50", 10, -EPROTO }
};

static int get_guarded(const char *bytes, size_t len, struct addr *source)
{
    uint8_t *p = guard_new(bytes, len);
    int rc = udp_header_get(p, len, source);

    guard_free(p, len);
    return rc;
}

START_TEST(header_whole_gives_source_and_offset)
{
    struct addr source;
    char text[ADDR_TEXT_SIZE];

    ck_assert_int_eq(get_guarded(good[_i].bytes, (size_t)good[_i].len, &source), good[_i].len);
    addr_format(&source, text, sizeof(text));
    ck_assert_msg(strcmp(text, good[_i].source) == 0, "%s: %s", good[_i].name, text);
}
END_TEST

START_TEST(header_cut_anywhere_asks_for_more)
{
    struct addr source, before;

    memset(&before, 0xa5, sizeof(before));
    for (int len = 0; len < good[_i].len; len++) {
        source = before;
        ck_assert_msg(get_guarded(good[_i].bytes, (size_t)len, &source) == -EAGAIN, "%s at %d", good[_i].name, len);
        ck_assert_mem_eq(&source, &before, sizeof(source));
    }
}
END_TEST

START_TEST(header_with_payload_gives_its_offset)
{
    char datagram[64] = { 0 };
    struct addr source;

    memcpy(datagram, good[_i].bytes, (size_t)good[_i].len);
    ck_assert_int_eq(get_guarded(datagram, sizeof(datagram), &source), good[_i].len);
}
END_TEST

START_TEST(header_faulty_is_refused_and_source_untouched)
{
    struct addr source, before;

    memset(&before, 0xa5, sizeof(before));
    source = before;
    ck_assert_msg(get_guarded(bad[_i].bytes, (size_t)bad[_i].len, &source) == bad[_i].error, "%s", bad[_i].name);
    ck_assert_mem_eq(&source, &before, sizeof(source));
}
END_TEST

START_TEST(header_written_ipv4_has_rfc_bytes)
{
    uint8_t out[UDP_HEADER_MAX];
    struct addr a;

    ck_assert_int_eq(addr_from_text("192.0.2.1", 9, &a), 0);
    a.port = 0x1234;
    memset(out, 0xa5, sizeof(out));
    ck_assert_uint_eq(udp_header_put(&a, out), UDP_HEADER_IPV4);
    ck_assert_mem_eq(out, "\0\0\0\1\xc0\0\2\1\x12\x34", UDP_HEADER_IPV4);
    ck_assert_uint_eq(out[UDP_HEADER_IPV4], 0xa5);
}
END_TEST

START_TEST(header_written_longest_name_fits_and_reads_back)
{
    struct addr a = { .kind = ADDR_NAME, .port = 65535 }, back;
    uint8_t *out = guard_new(NULL, UDP_HEADER_MAX);

    memset(a.name, 'n', 255);
    ck_assert_uint_eq(udp_header_put(&a, out), UDP_HEADER_MAX);
    ck_assert_int_eq(udp_header_get(out, UDP_HEADER_MAX, &back), UDP_HEADER_MAX);
    ck_assert(addr_equal(&a, &back));
    guard_free(out, UDP_HEADER_MAX);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("udp_header");
    TCase *tc = tcase_create("header");
    int good_count = (int)(sizeof(good) / sizeof(good[0]));

    tcase_add_loop_test(tc, header_whole_gives_source_and_offset, 0, good_count);
    tcase_add_loop_test(tc, header_cut_anywhere_asks_for_more, 0, good_count);
    tcase_add_loop_test(tc, header_with_payload_gives_its_offset, 0, good_count);
    tcase_add_loop_test(tc, header_faulty_is_refused_and_source_untouched, 0, (int)(sizeof(bad) / sizeof(bad[0])));
    tcase_add_test(tc, header_written_ipv4_has_rfc_bytes);
    tcase_add_test(tc, header_written_longest_name_fits_and_reads_back);
    suite_add_tcase(suite, tc);
    return suite;
}
