/* SPDX-License-Identifier: ISC */
/* check_addr.c - addresses: socket addresses, wire form, classes, comparison */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "addr.h"
#include "feed.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *make_suite(void);

static const struct {
    const char *text;
    bool loopback, any, local, private;
} classes[] = {
    { "127.0.0.1", true, false, false, false }, { "127.255.255.255", true, false, false, false },
    { "126.255.255.255", false, false, false, false }, { "128.0.0.0", false, false, false, false },
    { "0.0.0.0", true, true, false, false }, { "0.0.0.1", false, false, false, false },
    { "::", true, true, false, false }, { "::1", true, false, false, false }, { "::2", false, false, false, false },
    { "::ffff:127.0.0.1", true, false, false, false }, { "1::1", false, false, false, false },
    { "224.0.0.0", false, false, true, false }, { "239.255.255.255", false, false, true, false },
    { "223.255.255.255", false, false, false, false }, { "240.0.0.0", false, false, false, false },
    { "255.255.255.255", false, false, true, false }, { "255.255.255.254", false, false, false, false },
    { "169.254.0.0", false, false, true, true }, { "169.254.255.255", false, false, true, true },
    { "169.253.255.255", false, false, false, false }, { "169.255.0.0", false, false, false, false },
    { "fe80::", false, false, true, true }, { "febf::1", false, false, true, true },
    { "fec0::", false, false, false, false }, { "fe7f::", false, false, false, false },
    { "ff00::", false, false, true, false }, { "ffff::", false, false, true, false },
    { "fc00::", false, false, false, true }, { "fdff::1", false, false, false, true },
    { "fbff::", false, false, false, false }, { "fe00::", false, false, false, false },
    { "10.0.0.0", false, false, false, true }, { "10.255.255.255", false, false, false, true },
    { "9.255.255.255", false, false, false, false }, { "11.0.0.0", false, false, false, false },
    { "172.16.0.0", false, false, false, true }, { "172.31.255.255", false, false, false, true },
    { "172.15.255.255", false, false, false, false }, { "172.32.0.0", false, false, false, false },
    { "192.168.0.0", false, false, false, true }, { "192.168.255.255", false, false, false, true },
    { "192.167.255.255", false, false, false, false }, { "192.169.0.0", false, false, false, false },
    { "100.64.0.0", false, false, false, true }, { "100.127.255.255", false, false, false, true },
    { "100.63.255.255", false, false, false, false }, { "100.128.0.0", false, false, false, false }
};

static struct addr make(const char *text, uint16_t port)
{
    struct addr a;

    if (addr_from_text(text, strlen(text), &a) < 0)
        ck_assert_int_eq(addr_from_name(text, strlen(text), &a), 0);
    a.port = port;
    return a;
}

static int from_sockaddr(const void *sa, size_t len, struct addr *out)
{
    void *p = guard_new(sa, len);       /* odd lengths also make it misaligned */
    int rc = addr_from_sockaddr(p, (socklen_t)len, out);

    guard_free(p, len);
    return rc;
}

/* All of an address that has a meaning; of the room for a name it sets no more than its own bytes. */
static void assert_same(const struct addr *a, const struct addr *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_uint_eq(a->port, b->port);
    ck_assert_uint_eq(a->scope, b->scope);
    if (a->kind == ADDR_NAME)
        ck_assert_str_eq(a->name, b->name);
    else
        ck_assert_mem_eq(a->ip, b->ip, sizeof a->ip);
}

START_TEST(sockaddr_in_every_length)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(0x1234) };
    struct addr a, before, want = make("192.0.2.1", 0x1234);
    char longer[sizeof(in) + 1] = { 0 };

    in.sin_addr.s_addr = htonl(0xc0000201);
    memcpy(longer, &in, sizeof(in));
    memset(&before, 0xa5, sizeof(before));
    memcpy(&a, &before, sizeof(a));
    for (size_t len = 0; len < sizeof(in); len++)
        ck_assert_int_eq(from_sockaddr(longer, len, &a), -EINVAL);
    ck_assert_mem_eq(&a, &before, sizeof(a));
    for (size_t len = sizeof(in); len <= sizeof(longer); len++) {
        ck_assert_int_eq(from_sockaddr(longer, len, &a), 0);
        assert_same(&a, &want);
    }
}
END_TEST

START_TEST(sockaddr_in6_every_length)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(443), .sin6_scope_id = 7 };
    struct addr a, before;
    char longer[sizeof(in6) + 1] = { 0 };

    inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
    memcpy(longer, &in6, sizeof(in6));
    memset(&before, 0xa5, sizeof(before));
    memcpy(&a, &before, sizeof(a));
    for (size_t len = 0; len < 24; len++)
        ck_assert_int_eq(from_sockaddr(longer, len, &a), -EINVAL);
    ck_assert_mem_eq(&a, &before, sizeof(a));
    for (size_t len = 24; len <= sizeof(longer); len++) {
        struct addr want = make(len < sizeof(in6) ? "fe80::1" : "fe80::1%7", 443);

        ck_assert_int_eq(from_sockaddr(longer, len, &a), 0);
        assert_same(&a, &want);
    }
}
END_TEST

START_TEST(sockaddr_mapped_becomes_ipv4)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 7 };
    struct addr a, want = make("192.0.2.1", 80);

    inet_pton(AF_INET6, "::ffff:192.0.2.1", &in6.sin6_addr);
    ck_assert_int_eq(from_sockaddr(&in6, sizeof(in6), &a), 0);
    assert_same(&a, &want);
}
END_TEST

START_TEST(sockaddr_other_family_is_refused)
{
    static const int families[] = { AF_UNSPEC, AF_UNIX, AF_NETLINK, 0xffff };
    struct sockaddr_storage ss = { .ss_family = (sa_family_t)families[_i] };
    struct addr a;

    ck_assert_int_eq(from_sockaddr(&ss, sizeof(ss), &a), -EAFNOSUPPORT);
    ck_assert_int_eq(from_sockaddr(&ss, sizeof(sa_family_t), &a), -EAFNOSUPPORT);
}
END_TEST

START_TEST(sockaddr_written_in_asked_family)
{
    static const struct { const char *host; int family, rc, got; const char *back; } asks[] = {
        { "192.0.2.1", AF_INET, 0, AF_INET, "192.0.2.1" }, { "192.0.2.1", AF_UNSPEC, 0, AF_INET, "192.0.2.1" },
        { "192.0.2.1", AF_INET6, 0, AF_INET6, "::ffff:192.0.2.1" }, { "fe80::1%7", AF_INET6, 0, AF_INET6, "fe80::1" },
        { "fe80::1%7", AF_UNSPEC, 0, AF_INET6, "fe80::1" }, { "fe80::1%7", AF_INET, -EAFNOSUPPORT, 0, NULL },
        { "192.0.2.1", AF_UNIX, -EAFNOSUPPORT, 0, NULL }, { "x.org", AF_UNSPEC, -EAFNOSUPPORT, 0, NULL },
        { "x.org", AF_INET, -EAFNOSUPPORT, 0, NULL }
    };

    for (int i = 0; i < COUNT(asks); i++) {
        struct addr a = make(asks[i].host, 0x1234);
        struct sockaddr_storage ss, before;
        socklen_t len = 77;
        char text[INET6_ADDRSTRLEN];

        memset(&ss, 0xa5, sizeof(ss));
        memset(&before, 0xa5, sizeof(before));
        ck_assert_int_eq(addr_to_sockaddr(&a, asks[i].family, &ss, &len), asks[i].rc);
        if (asks[i].rc < 0) {
            ck_assert_uint_eq(len, 77);
            ck_assert_mem_eq(&ss, &before, sizeof(ss));
            continue;
        }
        ck_assert_int_eq(ss.ss_family, asks[i].got);
        if (asks[i].got == AF_INET) {
            struct sockaddr_in *in = (struct sockaddr_in *)&ss;

            ck_assert_uint_eq(len, sizeof(*in));
            ck_assert_uint_eq(in->sin_port, htons(0x1234));
            ck_assert_mem_eq(in->sin_zero, "\0\0\0\0\0\0\0", 8);
            inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        } else {
            struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;

            ck_assert_uint_eq(len, sizeof(*in6));
            ck_assert_uint_eq(in6->sin6_port, htons(0x1234));
            ck_assert_uint_eq(in6->sin6_scope_id, a.scope);
            ck_assert_uint_eq(in6->sin6_flowinfo, 0);
            inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
        }
        ck_assert_str_eq(text, asks[i].back);
    }
}
END_TEST

static const struct {
    const char *host, *bytes;
    int len;
} wires[] = {
    { "192.0.2.1", "\1\xc0\0\2\1\x12\x34", 7 },
    { "2001:db8::1", "\4\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x34", 19 },
    { "x.org", "\3\5x.org\x12\x34", 9 }
};

START_TEST(wire_written_is_rfc_and_reads_back)
{
    struct addr a = make(wires[_i].host, 0x1234), back;
    size_t len = (size_t)wires[_i].len;
    uint8_t *p = guard_new(NULL, len);

    ck_assert_uint_eq(addr_put(&a, p), len);
    ck_assert_mem_eq(p, wires[_i].bytes, len);
    ck_assert_int_eq(addr_get(p, len, &back), wires[_i].len);
    assert_same(&a, &back);
    guard_free(p, len);
    for (size_t cut = 0; cut < len; cut++) {
        p = guard_new(wires[_i].bytes, cut);
        ck_assert_int_eq(addr_get(p, cut, &back), -EAGAIN);
        assert_same(&a, &back);
        guard_free(p, cut);
    }
}
END_TEST

START_TEST(wire_odd_forms_follow_contract)
{
    struct addr none = { .kind = ADDR_NONE, .port = 80 }, a, before;
    const uint8_t mapped[19] = { 4, [11] = 0xff, 0xff, 1, 2, 3, 4, 0, 80 };
    uint8_t out[ADDR_WIRE_MAX];

    ck_assert_uint_eq(addr_put(&none, out), 7);
    ck_assert_mem_eq(out, "\1\0\0\0\0\0\x50", 7);
    ck_assert_int_eq(addr_get((const uint8_t *)"\3\0\0\x50", 4, &a), 4);
    ck_assert_int_eq(a.kind, ADDR_NAME);
    ck_assert_str_eq(a.name, "");
    ck_assert_int_eq(addr_get(mapped, sizeof(mapped), &a), sizeof(mapped));
    ck_assert_int_eq(a.kind, ADDR_IPV4);
    ck_assert_mem_eq(a.ip, "\1\2\3\4", 4);
    memcpy(&before, &a, sizeof(a));
    ck_assert_int_eq(addr_get((const uint8_t *)"\3\2a\0\0\x50", 6, &a), -EPROTO);
    for (int atyp = 0; atyp < 256; atyp++) {
        out[0] = (uint8_t)atyp;
        if (atyp != ADDR_IPV4 && atyp != ADDR_NAME && atyp != ADDR_IPV6)
            ck_assert_int_eq(addr_get(out, 1, &a), -EPROTO);
    }
    ck_assert_mem_eq(&before, &a, sizeof(a));
}
END_TEST

START_TEST(class_of_address_at_its_edges)
{
    struct addr a = make(classes[_i].text, 0);

    ck_assert_msg(addr_is_loopback(&a) == classes[_i].loopback, "loopback %s", classes[_i].text);
    ck_assert_msg(addr_is_any(&a) == classes[_i].any, "any %s", classes[_i].text);
    ck_assert_msg(addr_is_local_scope(&a) == classes[_i].local, "local %s", classes[_i].text);
    ck_assert_msg(addr_is_private(&a) == classes[_i].private, "private %s", classes[_i].text);
}
END_TEST

/* A name whose bytes look like an address of each class. */
START_TEST(class_of_name_or_none_is_nothing)
{
    static const char *const looks[] = { "", "\x7f", "\n\1", "\xa9\xfe", "\xe0",
        "\xfe\x80", "\xfc", "\xff\xff\xff\xff" };

    for (int i = 0; i < COUNT(looks); i++) {
        struct addr a = { .kind = i % 2 == 0 ? ADDR_NAME : ADDR_NONE };

        strcpy(a.name, looks[i]);
        for (int kind = 0; kind < 2; kind++) {
            ck_assert(!addr_is_loopback(&a) && !addr_is_any(&a));
            ck_assert(!addr_is_local_scope(&a) && !addr_is_private(&a));
            a.kind = a.kind == ADDR_NAME ? ADDR_NONE : ADDR_NAME;
        }
    }
}
END_TEST

START_TEST(equal_looks_at_host_port_scope_and_not_case)
{
    static const struct { const char *a, *b; bool same; } pairs[] = {
        { "Example.ORG", "eXample.org", true }, { "example.org", "example.or", false },
        { "example.or", "example.org", false }, { "a-b", "a\x0d" "b", false }, { "a_b", "a-b", false },
        { "192.0.2.1", "192.0.2.1", true }, { "192.0.2.1", "192.0.2.2", false }, { "::1", "::1", true },
        { "::1", "::2", false }, { "::c000:201", "192.0.2.1", false }, { "::ffff:192.0.2.1", "192.0.2.1", true },
        { "fe80::1%1", "fe80::1%2", false }, { "fe80::1%1", "fe80::1%1", true }
    };

    for (int i = 0; i < COUNT(pairs); i++) {
        struct addr a = make(pairs[i].a, 80);
        struct addr b = { .kind = ADDR_NAME, .port = 80 };

        if (strpbrk(pairs[i].b, "\r") != NULL)
            strcpy(b.name, pairs[i].b);
        else
            b = make(pairs[i].b, 80);
        ck_assert_msg(addr_equal(&a, &b) == pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
        ck_assert_msg(addr_same_host(&a, &b) == pairs[i].same, "%s %s", pairs[i].a, pairs[i].b);
        b.port = 81;
        ck_assert(!addr_equal(&a, &b));
        ck_assert(addr_same_host(&a, &b) == pairs[i].same);
    }
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("addr");
    TCase *tc = tcase_create("addr");

    tcase_add_test(tc, sockaddr_in_every_length);
    tcase_add_test(tc, sockaddr_in6_every_length);
    tcase_add_test(tc, sockaddr_mapped_becomes_ipv4);
    tcase_add_loop_test(tc, sockaddr_other_family_is_refused, 0, 4);
    tcase_add_test(tc, sockaddr_written_in_asked_family);
    tcase_add_loop_test(tc, wire_written_is_rfc_and_reads_back, 0, COUNT(wires));
    tcase_add_test(tc, wire_odd_forms_follow_contract);
    tcase_add_loop_test(tc, class_of_address_at_its_edges, 0, COUNT(classes));
    tcase_add_test(tc, class_of_name_or_none_is_nothing);
    tcase_add_test(tc, equal_looks_at_host_port_scope_and_not_case);
    suite_add_tcase(suite, tc);
    return suite;
}
