/* SPDX-License-Identifier: ISC */
/* check_answer.c - what becomes of a DNS question: answered, for the real resolver, or for one behind the proxy */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "io/answer.h"
#include "io/real.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

Suite *make_suite(void);

static struct conf conf;
static struct state state;
static struct rule room[16];
static char text[512];
static char directory[] = "/tmp/check_answer.XXXXXX";

static void setup(void)
{
    struct state_options options = { .directory = directory };
    const char *bad;
    size_t bad_len;

    real_init();
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(state_open(&state, &options), 0);
    rules_init(&conf.rules, room, COUNT(room), text, sizeof text);
    conf.state = CONF_READY;
    ck_assert_int_eq(rules_add(&conf.rules, "blocked.test", RULES_BLOCK, &bad, &bad_len), 0);
    ck_assert_int_eq(rules_add(&conf.rules, "direct.test", RULES_DIRECT, &bad, &bad_len), 0);
}

static void teardown(void)
{
    char command[sizeof directory + 10];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
}

/* The question lies against a page that faults. */
static enum answer_way ask_bytes(const void *bytes, size_t len, bool forward, struct answer *a)
{
    uint8_t *copy = guard_new(bytes, len);
    enum answer_way way = answer_question(&conf, &state, copy, len, forward, a);

    guard_free(copy, len);
    return way;
}

static enum answer_way ask(const char *name, uint16_t type, bool forward, struct answer *a)
{
    uint8_t query[DNS_QUERY_MAX];
    int len = dns_query(0x1234, name, type, DNS_IN, query);

    ck_assert_int_gt(len, 0);
    return ask_bytes(query, (size_t)len, forward, a);
}

/* way: with somebody behind the proxy who can be asked; without, FORWARD becomes an answer without data. */
static const struct {
    const char *name;
    uint16_t type;
    enum answer_way way;
    enum dns_rcode rcode;
    unsigned answers;
} rows[] = {
    { "www.test", DNS_A, ANSWER_HERE, DNS_NOERROR, 1 }, { "www.test.", DNS_AAAA, ANSWER_HERE, DNS_NOERROR, 1 },
    { "www.test", DNS_SRV, ANSWER_HERE, DNS_NOERROR, 0 }, { "www.test", DNS_SVCB, ANSWER_HERE, DNS_NOERROR, 0 },
    { "www.test", DNS_HTTPS, ANSWER_HERE, DNS_NOERROR, 0 }, { "www.test", 15, ANSWER_FORWARD, DNS_NOERROR, 0 },
    { "www.test", 16, ANSWER_FORWARD, DNS_NOERROR, 0 }, { "www.test", 255, ANSWER_FORWARD, DNS_NOERROR, 0 },
    { "www.test", DNS_PTR, ANSWER_FORWARD, DNS_NOERROR, 0 }, { ".", 2, ANSWER_FORWARD, DNS_NOERROR, 0 },
    { ".", DNS_A, ANSWER_HERE, DNS_NOERROR, 0 }, { "a\\.b.test", 16, ANSWER_HERE, DNS_NXDOMAIN, 0 },
    { "localhost", DNS_A, ANSWER_HERE, DNS_NOERROR, 1 },
    { "localhost", 15, ANSWER_HERE, DNS_NOERROR, 0 }, { "a.invalid", DNS_A, ANSWER_HERE, DNS_NXDOMAIN, 0 },
    { "a.invalid", 16, ANSWER_HERE, DNS_NXDOMAIN, 0 }, { "192.0.2.1", DNS_A, ANSWER_HERE, DNS_NXDOMAIN, 0 },
    { "blocked.test", DNS_A, ANSWER_HERE, DNS_NXDOMAIN, 0 }, { "blocked.test", 15, ANSWER_HERE, DNS_NXDOMAIN, 0 },
    { "direct.test", DNS_A, ANSWER_REAL, DNS_NOERROR, 0 }, { "direct.test", 15, ANSWER_REAL, DNS_NOERROR, 0 },
    { "1.2.0.192.in-addr.arpa", DNS_PTR, ANSWER_HERE, DNS_NXDOMAIN, 0 },
    { "1.2.0.192.in-addr.arpa", DNS_A, ANSWER_HERE, DNS_NOERROR, 0 },
};

START_TEST(question_by_name_and_type_as_listed)
{
    for (int forward = 0; forward < 2; forward++) {
        enum answer_way expected = !forward && rows[_i].way == ANSWER_FORWARD ? ANSWER_HERE : rows[_i].way;
        struct answer a;

        ck_assert_int_eq(ask(rows[_i].name, rows[_i].type, forward, &a), expected);
        if (expected != ANSWER_HERE)
            continue;
        ck_assert_uint_le(a.len, 512);
        ck_assert_int_eq(dns_message_rcode(a.bytes), rows[_i].rcode);
        ck_assert_uint_eq(dns_message_answers(a.bytes), rows[_i].answers);
        ck_assert_uint_eq(a.bytes[0] << 8 | a.bytes[1], 0x1234);
    }
}
END_TEST

START_TEST(address_and_back_the_same_name)
{
    static const char hex[] = "0123456789abcdef";
    char back[100] = "";
    struct answer a;
    const uint8_t *ip;

    ask("there.and.back.test", DNS_A, false, &a);
    ip = a.bytes + a.len - 4;
    ck_assert_uint_eq(ip[0], 198);
    snprintf(back, sizeof back, "%d.%d.%d.%d.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
    ask(back, DNS_PTR, true, &a);
    ck_assert_mem_eq(a.bytes + a.len - 21, "\5there\3and\4back\4test", 21);
    ask("there.and.back.test", DNS_AAAA, false, &a);
    ip = a.bytes + a.len - 16;
    ck_assert_uint_eq(ip[0], 0xfd);
    for (int i = 0; i < 32; i++)
        snprintf(back + 2 * i, sizeof back - 2 * (size_t)i, "%c.", hex[ip[15 - i / 2] >> (i % 2 ? 4 : 0) & 15]);
    strcat(back, "ip6.arpa");
    ask(back, DNS_PTR, true, &a);
    ck_assert_mem_eq(a.bytes + a.len - 21, "\5there\3and\4back\4test", 21);
}
END_TEST

/* Rules for the name hold for the connection, which has the address alone. */
START_TEST(address_known_here_learned_that_of_the_map_not)
{
    struct addr known = { .kind = ADDR_IPV4, .port = 25, .ip = { 127, 0, 0, 1 } }, found = known;
    struct answer a;

    ask("www.test", DNS_A, false, &a);
    memcpy(found.ip, a.bytes + a.len - 4, 4);
    ck_assert(!learned_find(&state.direct, &found, &found));
    ask("below.localhost", DNS_A, false, &a);
    memcpy(known.ip, a.bytes + a.len - 4, 4);
    ck_assert(learned_find(&state.direct, &known, &found));
    ck_assert_str_eq(found.name, "below.localhost");
    ck_assert_uint_eq(found.port, 25);
}
END_TEST

START_TEST(question_without_room_or_configuration_servfail)
{
    struct state none = { .own = NULL };
    uint8_t query[DNS_QUERY_MAX];
    struct answer a;
    size_t len = (size_t)dns_query(1, "new.test", DNS_A, DNS_IN, query);

    ck_assert_int_eq(answer_question(&conf, &none, query, len, true, &a), ANSWER_HERE);
    ck_assert_int_eq(dns_message_rcode(a.bytes), DNS_SERVFAIL);
    conf.state = CONF_BROKEN;
    ck_assert_int_eq(answer_question(&conf, &none, query, len, true, &a), ANSWER_HERE);
    ck_assert_int_eq(dns_message_rcode(a.bytes), DNS_SERVFAIL);
}
END_TEST

START_TEST(question_cut_anywhere_formerr_or_none)
{
    uint8_t query[DNS_QUERY_MAX];
    size_t whole = (size_t)dns_query(1, "cut.off.test", DNS_A, DNS_IN, query);
    struct answer a;

    for (size_t len = 0; len < whole; len++) {
        enum answer_way way = ask_bytes(query, len, true, &a);

        ck_assert_int_eq(way, len < DNS_HEADER_SIZE ? ANSWER_NONE : ANSWER_HERE);
        if (way == ANSWER_HERE)
            ck_assert_int_eq(dns_message_rcode(a.bytes), DNS_FORMERR);
    }
    query[2] |= DNS_QR >> 8;
    ck_assert_int_eq(ask_bytes(query, whole, true, &a), ANSWER_NONE);
}
END_TEST

START_TEST(failure_answers_the_question)
{
    struct answer a;

    ck_assert_int_eq(ask("MiXed.test", 15, true, &a), ANSWER_FORWARD);
    answer_failure(&a, DNS_SERVFAIL);
    ck_assert_uint_eq(a.len, DNS_HEADER_SIZE + 16);
    ck_assert_int_eq(dns_message_rcode(a.bytes), DNS_SERVFAIL);
    ck_assert_mem_eq(a.bytes + DNS_HEADER_SIZE, "\5MiXed\4test\0\0\17\0\1", 16);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("answer");
    TCase *t = tcase_create("answer");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, question_by_name_and_type_as_listed, 0, COUNT(rows));
    tcase_add_test(t, address_and_back_the_same_name);
    tcase_add_test(t, address_known_here_learned_that_of_the_map_not);
    tcase_add_test(t, question_without_room_or_configuration_servfail);
    tcase_add_test(t, question_cut_anywhere_formerr_or_none);
    tcase_add_test(t, failure_answers_the_question);
    suite_add_tcase(s, t);
    return s;
}
