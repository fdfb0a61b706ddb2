/* SPDX-License-Identifier: ISC */
/* check_assoc.c - relay addresses, moved payloads, sources mapped back, what the data path reads, resolvers */
#include <check.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/relay.h"
#include "core/sources.h"
#include "io/assoc_path.h"
#include "io/real.h"
#include "io/resolvers.h"
#include "io/vector.h"
#include "addr_at.h"

Suite *make_suite(void);

static const struct {
    const char *bound, *proxy, *relay;
} fixes[] = {
    { "0.0.0.0", "192.0.2.1", "192.0.2.1" },
    { "::", "2001:db8::1", "2001:db8::1" },
    { "127.0.0.1", "192.0.2.1", "192.0.2.1" },
    { "127.0.0.1", "127.0.0.5", "127.0.0.1" },
    { "127.0.0.1", "10.0.0.1", "10.0.0.1" },
    { "::1", "::1", "::1" },
    { "10.0.0.7", "203.0.113.1", "203.0.113.1" },
    { "10.0.0.7", "192.168.1.1", "10.0.0.7" },
    { "10.0.0.7", "127.0.0.1", "10.0.0.7" },
    { "fd00::7", "2001:db8::1", "2001:db8::1" },
    { "203.0.113.9", "203.0.113.1", "203.0.113.9" },
    { "203.0.113.9", "10.0.0.1", "203.0.113.9" },
    { "203.0.113.9", "127.0.0.1", "203.0.113.9" },
    { "169.254.0.9", "10.0.0.1", "10.0.0.1" },
    { "224.0.0.9", "10.0.0.1", "10.0.0.1" },
    { "::1", "127.0.0.1", "127.0.0.1" },
    { "2001:db8::9", "203.0.113.1", "203.0.113.1" },
    { "203.0.113.9", "2001:db8::1", "2001:db8::1" },
    { "relay.example", "203.0.113.1", "203.0.113.1" },
};

START_TEST(relay_of_each_kind_is_fixed_up)
{
    struct addr bound = at(fixes[_i].bound, 4000), proxy = at(fixes[_i].proxy, 1080), relay;
    struct addr expected = at(fixes[_i].relay, 4000);

    ck_assert_int_eq(relay_address(&bound, &proxy, &relay), 0);
    ck_assert(addr_equal(&relay, &expected));
}
END_TEST

START_TEST(relay_without_port_is_an_error)
{
    struct addr bound = at("203.0.113.9", 0), none = { .kind = ADDR_NONE, .port = 4 }, proxy = at("203.0.113.1", 1080);
    struct addr relay = at("192.0.2.9", 9), before = relay;

    ck_assert_int_eq(relay_address(&bound, &proxy, &relay), -EPROTO);
    ck_assert_int_eq(relay_address(&none, &proxy, &relay), -EPROTO);
    ck_assert(addr_equal(&relay, &before));
}
END_TEST

enum { BYTES = 24 };

/* A vector over its own allocations, so that a byte too far is noticed. */
struct parts {
    struct iovec piece[5];
};

static void parts_make(struct parts *p, const size_t len[5])
{
    for (int i = 0; i < 5; i++)
        p->piece[i] = (struct iovec){ malloc(len[i] ? len[i] : 1), len[i] };
}

static void parts_free(struct parts *p)
{
    for (int i = 0; i < 5; i++)
        free(p->piece[i].iov_base);
}

static void try_move(const size_t len[5], size_t to, size_t from, size_t size)
{
    char before[BYTES], after[BYTES];
    struct parts p;

    for (int i = 0; i < BYTES; i++)
        before[i] = (char)('A' + i);
    parts_make(&p, len);
    vector_scatter(p.piece, 5, before, BYTES);
    vector_move(p.piece, to, from, size);
    vector_gather(p.piece, 5, after, BYTES);
    memmove(before + to, before + from, size);
    ck_assert_mem_eq(before, after, BYTES);
    parts_free(&p);
}

/* _i: where the first cut lies; the others everywhere. */
START_TEST(vector_move_at_every_split_is_memmove)
{
    for (size_t second = (size_t)_i; second <= BYTES; second += 3) {
        for (size_t third = second; third <= BYTES; third += 4) {
            const size_t len[5] = { (size_t)_i, second - (size_t)_i, 0, third - second, BYTES - third };

            for (size_t from = 0; from < BYTES; from += 2) {
                for (size_t to = 0; to < BYTES; to++)
                    try_move(len, to, from, BYTES - (to > from ? to : from));
            }
            try_move(len, 0, 10, 3);
            try_move(len, 10, 0, 3);
            try_move(len, BYTES, BYTES, 0);
        }
    }
}
END_TEST

START_TEST(vector_clear_at_every_place_clears_no_more)
{
    const size_t len[5] = { (size_t)_i, 0, 3, 5, (size_t)(BYTES - 8 - _i) };

    for (size_t from = 0; from <= BYTES; from++) {
        for (size_t size = 0; size <= BYTES - from; size++) {
            char expected[BYTES], got[BYTES];
            struct parts p;

            memset(expected, '#', BYTES);
            parts_make(&p, len);
            vector_scatter(p.piece, 5, expected, BYTES);
            vector_clear(p.piece, 5, from, size);
            vector_gather(p.piece, 5, got, BYTES);
            memset(expected + from, 0, size);
            ck_assert_mem_eq(expected, got, BYTES);
            parts_free(&p);
        }
    }
}
END_TEST

/* _i: where the first cut of one lies; the other's everywhere. */
START_TEST(vector_copy_from_any_cut_to_any_is_memcpy)
{
    char before[BYTES], after[BYTES];

    for (int i = 0; i < BYTES; i++)
        before[i] = (char)('A' + i);
    for (size_t cut = 0; cut <= BYTES; cut++) {
        const size_t len[5] = { (size_t)_i, 0, BYTES - (size_t)_i, 0, 0 }, other[5] = { 0, cut, BYTES - cut, 0, 0 };
        struct parts from, to;

        parts_make(&from, len);
        parts_make(&to, other);
        vector_scatter(from.piece, 5, before, BYTES);
        for (size_t size = 0; size <= BYTES; size++) {
            vector_clear(to.piece, 5, 0, BYTES);
            vector_copy(to.piece, from.piece, size);
            vector_gather(to.piece, 5, after, BYTES);
            ck_assert_mem_eq(after, before, size);
            for (size_t i = size; i < BYTES; i++)
                ck_assert_int_eq(after[i], 0);
        }
        parts_free(&from);
        parts_free(&to);
    }
}
END_TEST

START_TEST(vector_size_beyond_the_range_is_the_greatest)
{
    struct iovec v[2] = { { NULL, (size_t)SSIZE_MAX }, { NULL, 1 } };

    ck_assert_uint_eq(vector_size(v, 1), (size_t)SSIZE_MAX);
    ck_assert_uint_eq(vector_size(v, 2), SIZE_MAX);
    ck_assert_uint_eq(vector_size(v, 0), 0);
}
END_TEST

/* What happens to a table, and what must come out: "n" a datagram to a name's address, "p" to a plain one, "f" one from
 * a real address. */
struct event {
    char what;
    const char *host;
    uint16_t port;
    const char *shown;      /* for f */
};

#define ONE "198.18.0.1"
#define TWO "198.18.0.2"
#define SIX "fd00::1"

static const struct event stories[][8] = {
    { { 'f', "192.0.2.1", 7, "192.0.2.1" } },
    /* One name: its answer is known, now and later, and other ports of its host too. */
    { { 'n', ONE, 7, NULL }, { 'f', "192.0.2.1", 7, ONE }, { 'f', "192.0.2.1", 7, ONE }, { 'f', "192.0.2.1", 9, ONE },
      { 'f', "192.0.2.2", 7, "192.0.2.2" } },
    /* tftp: the first answer comes from another port. */
    { { 'n', ONE, 69, NULL }, { 'f', "192.0.2.1", 4000, ONE }, { 'n', ONE, 4000, NULL },
      { 'f', "192.0.2.1", 4000, ONE } },
    /* Two names at one port: whose answer it is, is not known; one that waits no more is not meant. */
    { { 'n', ONE, 7, NULL }, { 'n', TWO, 7, NULL }, { 'f', "192.0.2.1", 7, "192.0.2.1" } },
    { { 'n', ONE, 7, NULL }, { 'f', "192.0.2.1", 7, ONE }, { 'n', TWO, 7, NULL }, { 'f', "192.0.2.2", 7, TWO },
      { 'f', "192.0.2.1", 7, ONE } },
    /* At different ports it is. */
    { { 'n', ONE, 7, NULL }, { 'n', TWO, 8, NULL }, { 'f', "192.0.2.2", 8, TWO }, { 'f', "192.0.2.1", 7, ONE } },
    /* Two names of one host. */
    { { 'n', ONE, 7, NULL }, { 'f', "192.0.2.1", 7, ONE }, { 'n', TWO, 7, NULL }, { 'n', ONE, 7, NULL },
      { 'f', "192.0.2.1", 7, ONE }, { 'f', "192.0.2.1", 7, ONE } },
    /* A name that the proxy resolves to another host next time. */
    { { 'n', ONE, 7, NULL }, { 'f', "192.0.2.1", 7, ONE }, { 'n', ONE, 7, NULL }, { 'f', "192.0.2.2", 7, ONE } },
    /* Plain addresses are what they are. */
    { { 'n', ONE, 7, NULL }, { 'p', "192.0.2.1", 7, NULL }, { 'f', "192.0.2.1", 7, "192.0.2.1" },
      { 'f', "192.0.2.1", 9, "192.0.2.1" }, { 'f', "192.0.2.2", 7, ONE } },
    /* An IPv6 address of the map, whatever family answers. */
    { { 'n', SIX, 7, NULL }, { 'f', "192.0.2.1", 7, SIX }, { 'f', "192.0.2.1", 8, SIX } },
};

START_TEST(source_of_each_story_is_as_told)
{
    struct sources t;

    memset(&t, 0, sizeof t);
    for (const struct event *e = stories[_i]; e->what; e++) {
        struct addr a = at(e->host, e->port), shown, expected;

        if (e->what == 'n')
            sources_sent_name(&t, &a);
        if (e->what == 'p')
            sources_sent_plain(&t, &a);
        if (e->what != 'f')
            continue;
        sources_from(&t, &a, &shown);
        expected = at(e->shown, e->port);
        ck_assert_msg(addr_equal(&shown, &expected), "event %d", (int)(e - stories[_i]));
    }
}
END_TEST

START_TEST(source_given_as_name_is_the_address_used)
{
    struct addr alias[2] = { at(ONE, 0), at(SIX, 0) }, six = at(SIX, 7), shown, first = at(ONE, 9);
    struct sources t;

    memset(&t, 0, sizeof t);
    sources_from_name(&t, alias, 9, &shown);
    ck_assert(addr_equal(&shown, &first));
    sources_sent_name(&t, &six);
    sources_from_name(&t, alias, 7, &shown);
    ck_assert(addr_equal(&shown, &six));
    sources_from_name(&t, alias, 9, &shown);
    six.port = 9;
    ck_assert(addr_equal(&shown, &six));
}
END_TEST

START_TEST(names_beyond_the_table_push_out_the_oldest)
{
    struct addr answer = at("192.0.2.1", 1), shown;
    struct sources t;

    memset(&t, 0, sizeof t);
    for (uint16_t port = 1; port <= SOURCES_NAMES + 1; port++) {
        struct addr name = at(ONE, port);

        name.ip[3] = (uint8_t)port;
        sources_sent_name(&t, &name);
    }
    sources_from(&t, &answer, &shown);
    ck_assert(addr_equal(&shown, &answer));
    answer.port = SOURCES_NAMES + 1;
    sources_from(&t, &answer, &shown);
    ck_assert_uint_eq(shown.ip[0], 198);
    ck_assert_uint_eq(shown.ip[3], SOURCES_NAMES + 1);
}
END_TEST

static int socket_of(int type)
{
    int fd = socket(AF_INET, type, 0);

    ck_assert_int_ge(fd, 0);
    return fd;
}

START_TEST(place_counts_its_numbers_and_is_freed_with_the_last)
{
    static struct assoc_table t;
    struct addr peer = at("192.0.2.1", 7);
    struct assoc_facts f;
    assoc_handle one, two;
    int fd = socket_of(SOCK_DGRAM), copy = dup(fd);

    real_init();
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &one), 0);
    ck_assert_int_eq(assoc_attach(&t, copy, AF_INET, &two), 0);
    ck_assert_uint_eq(one, two);
    ck_assert_int_eq(assoc_peer(&t, assoc_of(&t, one), &peer, &peer, 0), 0);
    assoc_drop(&t, one);
    ck_assert(assoc_facts(assoc_of(&t, one), true, &f));
    ck_assert_uint_eq(f.peer.len, sizeof(struct sockaddr_in));
    ck_assert_uint_eq(f.header_len, UDP_HEADER_IPV4);
    assoc_drop(&t, one);
    ck_assert_ptr_null(assoc_of(&t, one));
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &two), 0);
    ck_assert_uint_ne(one, two);
    ck_assert_ptr_null(assoc_of(&t, one));
    ck_assert(assoc_facts(assoc_of(&t, two), true, &f));
    ck_assert_uint_eq(f.peer.len, 0);
    close(fd);
    close(copy);
}
END_TEST

START_TEST(branches_are_one_for_each_proxy_and_end_with_the_socket)
{
    static struct assoc_table t;
    struct assoc *trunk, *other, *third;
    assoc_handle handle, again, branch;
    struct assoc_facts f;
    int fd = socket_of(SOCK_DGRAM), copy = dup(fd);

    real_init();
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &handle), 0);
    trunk = assoc_of(&t, handle);
    ck_assert_ptr_eq(assoc_branch(&t, trunk, 2), trunk);
    ck_assert_ptr_eq(assoc_branch(&t, trunk, 2), trunk);
    other = assoc_branch(&t, trunk, 0);
    third = assoc_branch(&t, trunk, 7);
    ck_assert_ptr_ne(other, trunk);
    ck_assert_ptr_ne(third, trunk);
    ck_assert_ptr_ne(third, other);
    ck_assert_ptr_eq(assoc_branch(&t, trunk, 0), other);
    ck_assert_ptr_eq(other->trunk, trunk);
    ck_assert(assoc_facts(other, false, &f));
    ck_assert_uint_eq(f.domain, AF_INET);
    ck_assert_int_eq(assoc_attach(&t, copy, AF_INET, &again), 0);
    ck_assert_uint_eq(again, handle);
    branch = atomic_load(&other->handle);
    ck_assert_ptr_eq(assoc_of(&t, branch), other);
    assoc_drop(&t, handle);
    ck_assert_ptr_eq(assoc_of(&t, branch), other);
    assoc_drop(&t, handle);
    ck_assert_ptr_null(assoc_of(&t, handle));
    ck_assert_ptr_null(assoc_of(&t, branch));
    ck_assert_uint_eq(atomic_load(&third->handle), 0);
    close(fd);
    close(copy);
}
END_TEST

START_TEST(look_at_another_socket_under_the_number_is_stale)
{
    static struct assoc_table t;
    assoc_handle handle;
    int fd = socket_of(SOCK_DGRAM), other = socket_of(SOCK_DGRAM);

    real_init();
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &handle), 0);
    assoc_doubt(assoc_of(&t, handle));
    ck_assert_int_eq(assoc_look(&t, assoc_of(&t, handle), fd, 5000), 0);
    ck_assert_int_eq(assoc_look(&t, assoc_of(&t, handle), other, 5999), 0);
    ck_assert_int_eq(assoc_look(&t, assoc_of(&t, handle), other, 6000), -ESTALE);
    ck_assert_int_eq(assoc_look(&t, assoc_of(&t, handle), other, 6001), -ESTALE);
    close(fd);
    close(other);
}
END_TEST

/* What a reader of a part has, beside what it must not look at. */
START_TEST(facts_read_in_parts_are_those_that_were_written)
{
    static struct assoc_table t;
    struct addr peer = at("192.0.2.1", 1000 + _i), relay = at("192.0.2.9", 2000 + _i);
    struct addr name = { .kind = ADDR_NAME, .port = 7 };
    struct assoc_facts f;
    assoc_handle handle;
    struct assoc *a;
    int fd = socket_of(SOCK_DGRAM);

    real_init();
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &handle), 0);
    a = assoc_of(&t, handle);
    memset(name.name, 'n', (size_t)_i);
    ck_assert_int_eq(assoc_peer(&t, a, _i ? &name : &peer, &peer, 3), 0);
    assoc_adopt(&t, a, &relay);
    for (enum assoc_part part = ASSOC_RELAY; part <= ASSOC_AND_PEER; part++) {
        struct assoc_address expected;

        memset(&f, 0xee, sizeof f);
        ck_assert(assoc_read(a, part, &f));
        ck_assert(assoc_address_set(&expected, AF_INET, &relay));
        ck_assert(assoc_address_equal(&f.relay, (struct sockaddr *)&expected.sa, expected.len));
        ck_assert_uint_eq(f.domain, AF_INET);
        ck_assert_uint_eq(f.proxy, 3);
        ck_assert_uint_eq(f.by_name, _i != 0);
        ck_assert_uint_eq(f.header_len, _i ? (size_t)_i + 7 : UDP_HEADER_IPV4);
        ck_assert(assoc_address_set(&expected, AF_INET, &peer));
        ck_assert_int_eq(assoc_address_equal(&f.peer, (struct sockaddr *)&expected.sa, expected.len),
                         part == ASSOC_AND_PEER);
        if (part == ASSOC_AND_HEADER) {
            uint8_t header[UDP_HEADER_MAX];

            ck_assert_uint_eq(udp_header_put(_i ? &name : &peer, header), f.header_len);
            ck_assert_mem_eq(f.header, header, f.header_len);
        }
    }
    close(fd);
}
END_TEST

START_TEST(judged_destinations_are_known_until_the_socket_ends)
{
    static struct assoc_table t;
    assoc_handle handle, next;
    struct assoc *a;
    int fd = socket_of(SOCK_DGRAM), other = socket_of(SOCK_DGRAM);

    real_init();
    ck_assert_int_eq(assoc_attach(&t, fd, AF_INET, &handle), 0);
    a = assoc_of(&t, handle);
    for (uint32_t i = 1; i < 1000; i++) {
        uint64_t key = assoc_key(3, i * 0x1010101u, (uint16_t)i);

        ck_assert(!assoc_judged(a, key));
        assoc_judged_set(a, key);
        ck_assert(assoc_judged(a, key));
        ck_assert(!assoc_judged(a, assoc_key(3, i * 0x1010101u, (uint16_t)(i + 1))));
        ck_assert(!assoc_judged(a, assoc_key(2, i * 0x1010101u, (uint16_t)i)));
        ck_assert(!assoc_judged(a, assoc_key(3, i * 0x1010101u + 1, (uint16_t)i)));
    }
    assoc_drop(&t, handle);
    ck_assert_int_eq(assoc_attach(&t, other, AF_INET, &next), 0);
    ck_assert_ptr_eq(assoc_of(&t, next), a);
    for (uint32_t i = 1; i < 1000; i++)
        ck_assert(!assoc_judged(a, assoc_key(3, i * 0x1010101u, (uint16_t)i)));
    close(fd);
    close(other);
}
END_TEST

START_TEST(resolvers_of_a_file_are_those_of_its_lines)
{
    static const char text[] = "# nameserver 192.0.2.9\nnameserver 192.0.2.1\nsearch example\nnameserver\t2001:db8::1\n"
                               "nameserver fe80::1%eth0\nnameserver bad\nnameserverx 192.0.2.3\nnameserver 192.0.2.2";
    static const char *const in[] = { "192.0.2.1", "2001:db8::1", "fe80::1", "192.0.2.2", "127.0.0.53", "::1" };
    static const char *const out[] = { "192.0.2.9", "192.0.2.3", "192.0.2.4", "2001:db8::2" };
    char path[] = "/tmp/check_assoc.XXXXXX";
    int fd = mkstemp(path);
    struct resolvers r;

    real_init();
    ck_assert_int_eq((int)write(fd, text, sizeof text - 1), (int)sizeof text - 1);
    close(fd);
    resolvers_read(&r, path);
    unlink(path);
    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        struct addr a = at(in[i], 53), other = at(in[i], 54);

        ck_assert_msg(resolvers_has(&r, &a), "%s", in[i]);
        ck_assert(!resolvers_has(&r, &other));
    }
    for (size_t i = 0; i < sizeof out / sizeof out[0]; i++) {
        struct addr a = at(out[i], 53);

        ck_assert_msg(!resolvers_has(&r, &a), "%s", out[i]);
    }
    resolvers_read(&r, "/nonexistent/resolv.conf");
    ck_assert_int_eq(r.server[0].kind, ADDR_NONE);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

Suite *make_suite(void)
{
    Suite *s = suite_create("assoc");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, relay_of_each_kind_is_fixed_up, 0, COUNT(fixes));
    tcase_add_test(t, relay_without_port_is_an_error);
    tcase_add_loop_test(t, vector_move_at_every_split_is_memmove, 0, BYTES + 1);
    tcase_add_loop_test(t, vector_clear_at_every_place_clears_no_more, 0, BYTES - 8);
    tcase_add_loop_test(t, vector_copy_from_any_cut_to_any_is_memcpy, 0, BYTES + 1);
    tcase_add_test(t, vector_size_beyond_the_range_is_the_greatest);
    tcase_add_loop_test(t, source_of_each_story_is_as_told, 0, COUNT(stories));
    tcase_add_test(t, source_given_as_name_is_the_address_used);
    tcase_add_test(t, names_beyond_the_table_push_out_the_oldest);
    tcase_add_test(t, place_counts_its_numbers_and_is_freed_with_the_last);
    tcase_add_test(t, branches_are_one_for_each_proxy_and_end_with_the_socket);
    tcase_add_test(t, look_at_another_socket_under_the_number_is_stale);
    tcase_add_loop_test(t, facts_read_in_parts_are_those_that_were_written, 0, ADDR_NAME_SIZE);
    tcase_add_test(t, judged_destinations_are_known_until_the_socket_ends);
    tcase_add_test(t, resolvers_of_a_file_are_those_of_its_lines);
    suite_add_tcase(s, t);
    return s;
}
