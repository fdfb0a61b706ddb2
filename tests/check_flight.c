/* SPDX-License-Identifier: ISC */
/* check_flight.c - what is done about a handshake in one flight that gets no answer, and what it tells */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "feed.h"
#include "flight.h"

Suite *make_suite(void);

#define METHOD "\5\0"
#define REPLY "\5\0\0\1\0\0\0\0\0\0"
#define REFUSAL "\5\4\0\1\0\0\0\0\0\0"

static struct traits traits;
static struct conf_proxy account;
static const struct addr proxy = { .kind = ADDR_IPV4, .ip = { 192, 0, 2, 1 }, .port = 1080 };
static struct flight flight;
static struct socks5 machine;

static void prepare(enum conf_pipeline pipeline)
{
    const struct addr target = { .kind = ADDR_IPV4, .ip = { 192, 0, 2, 2 }, .port = 80 };
    const struct flight_plan plan = { &account, &proxy, pipeline, &traits };

    flight_prepare(&flight, &machine, &plan, SOCKS5_CONNECT, &target);
    flight_greet(&flight);
}

/* The machine sends what it may, and is given these bytes. */
static void feed(const char *bytes, size_t len, bool eof)
{
    struct feed_result r;

    feed_run(&machine, (const uint8_t *)bytes, len, (struct feed_cut) { len, len }, eof, &r);
}
#define FEED(text) feed(text, sizeof(text) - 1, false)

static enum trait known(void)
{
    return traits_get(&traits, traits_key(&proxy, account.user[0]), flight_hour());
}

/* The first try was silent for so long, as is told by its clock. */
static void be_silent(uint32_t ms)
{
    flight.greeted = clock_ms() - ms;
}

START_TEST(on_and_off_learn_nothing_and_are_never_made_anew)
{
    for (int on = 0; on < 2; on++) {
        prepare(on ? CONF_PIPELINE_ON : CONF_PIPELINE_OFF);
        ck_assert_int_eq(machine.pipelined, on);
        FEED(METHOD);
        ck_assert_uint_eq(flight_patience(&flight, &machine, 9000), 9000);
        be_silent(9000);
        ck_assert(!flight_again(&flight, &machine, -ETIMEDOUT));
        FEED(REPLY);
        flight_learn(&flight, &machine);
        ck_assert_int_eq(known(), TRAIT_UNKNOWN);
    }
}
END_TEST

START_TEST(trial_with_answer_makes_it_trusted)
{
    prepare(CONF_PIPELINE_AUTO);
    ck_assert_int_eq(flight.mode, FLIGHT_TRIAL);
    ck_assert(machine.pipelined);
    FEED(METHOD REPLY);
    ck_assert(!flight_again(&flight, &machine, 0));
    flight_learn(&flight, &machine);
    ck_assert_int_eq(known(), TRAIT_FIT);
    prepare(CONF_PIPELINE_AUTO);
    ck_assert_int_eq(flight.mode, FLIGHT_TRUSTED);
}
END_TEST

START_TEST(trial_without_answer_is_made_anew_in_order_and_remembered)
{
    prepare(CONF_PIPELINE_AUTO);
    FEED(METHOD);
    be_silent(250);
    ck_assert(flight_again(&flight, &machine, -ETIMEDOUT));
    ck_assert(!machine.pipelined);
    flight_greet(&flight);
    FEED(METHOD REPLY);
    ck_assert(!flight_again(&flight, &machine, 0));
    flight_learn(&flight, &machine);
    ck_assert_int_eq(known(), TRAIT_UNFIT);
    prepare(CONF_PIPELINE_AUTO);
    ck_assert_int_eq(flight.mode, FLIGHT_ORDER);
    ck_assert(!machine.pipelined);
}
END_TEST

START_TEST(anew_with_credentials_offers_both_methods_again)
{
    static const uint8_t in_order[] = "\5\2\0\2";
    struct feed_result r;

    strcpy(account.user, "me");
    strcpy(account.password, "secret");
    prepare(CONF_PIPELINE_AUTO);
    feed("\5\xff", 2, false);
    ck_assert(flight_again(&flight, &machine, -EACCES));
    flight_greet(&flight);
    feed_run(&machine, (const uint8_t *)"\5\2\1\0" REPLY, 14, (struct feed_cut) { 14, 14 }, false, &r);
    ck_assert_uint_eq(r.messages, 3);
    ck_assert_mem_eq(r.sent, in_order, 4);
    ck_assert_mem_eq(r.sent + 4, "\1\2me\6secret\5\1\0\1", 15);
    ck_assert_int_eq(socks5_want(&machine), SOCKS5_DONE);
}
END_TEST

/* A second try would count as a second wrong password, at each connection. */
START_TEST(trusted_asks_once_with_a_password_that_is_refused)
{
    strcpy(account.user, "me");
    strcpy(account.password, "wrong");
    traits_set(&traits, traits_key(&proxy, true), flight_hour(), TRAIT_FIT);
    prepare(CONF_PIPELINE_AUTO);
    ck_assert_int_eq(flight.mode, FLIGHT_TRUSTED);
    FEED("\5\2\1\1");
    ck_assert_int_eq(socks5_cause(&machine), SOCKS5_CAUSE_PASSWORD);
    ck_assert(!flight_again(&flight, &machine, -EACCES));
}
END_TEST

/* A blocking connect() that was interrupted goes on as a pending one: the clock runs from the first time. */
START_TEST(handshake_that_is_left_and_taken_up_keeps_its_clock)
{
    int64_t then;

    prepare(CONF_PIPELINE_AUTO);
    be_silent(100);
    then = flight.greeted;
    flight_greet(&flight);
    ck_assert_int_eq(flight.greeted, then);
}
END_TEST

/* In order the answer takes as long: that is the target's doing. */
START_TEST(slow_target_tells_nothing)
{
    prepare(CONF_PIPELINE_AUTO);
    FEED(METHOD);
    be_silent(250);
    ck_assert(flight_again(&flight, &machine, -ETIMEDOUT));
    flight.greeted = clock_ms() - 400;
    FEED(METHOD REPLY);
    flight_learn(&flight, &machine);
    ck_assert_int_eq(known(), TRAIT_UNKNOWN);
}
END_TEST

START_TEST(same_refusal_both_ways_makes_it_trusted)
{
    for (int i = 0; i < 2; i++) {
        prepare(CONF_PIPELINE_AUTO);
        FEED(METHOD REFUSAL);
        ck_assert_int_eq(flight_again(&flight, &machine, -EHOSTUNREACH), i == 0);
        if (i == 0) {
            flight_greet(&flight);
            FEED(METHOD REFUSAL);
        }
        flight_learn(&flight, &machine);
        ck_assert_int_eq(known(), TRAIT_FIT);
    }
}
END_TEST

START_TEST(trusted_that_drops_or_ends_is_made_anew)
{
    for (int ends = 0; ends < 2; ends++) {
        traits_set(&traits, traits_key(&proxy, false), flight_hour(), TRAIT_FIT);
        prepare(CONF_PIPELINE_AUTO);
        feed(METHOD, 2, ends);
        be_silent(2000);
        ck_assert(flight_again(&flight, &machine, ends ? -ECONNREFUSED : -ETIMEDOUT));
        flight_greet(&flight);
        FEED(METHOD REPLY);
        flight_learn(&flight, &machine);
        ck_assert_int_eq(known(), TRAIT_UNFIT);
    }
}
END_TEST

START_TEST(silence_both_ways_tells_nothing)
{
    prepare(CONF_PIPELINE_AUTO);
    FEED(METHOD);
    be_silent(250);
    ck_assert(flight_again(&flight, &machine, -ETIMEDOUT));
    flight_greet(&flight);
    FEED(METHOD);
    ck_assert(!flight_again(&flight, &machine, -ETIMEDOUT));
    flight_learn(&flight, &machine);
    ck_assert_int_eq(known(), TRAIT_UNKNOWN);
}
END_TEST

/* The kernel's errors, and those of a number that has gone, are no answer of the proxy's. */
START_TEST(other_errors_are_final)
{
    static const int errors[] = { -EBADF, -EINTR, -EINPROGRESS, -EAGAIN, -EHOSTUNREACH };

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        prepare(CONF_PIPELINE_AUTO);
        FEED(METHOD);
        ck_assert(!flight_again(&flight, &machine, errors[i]));
    }
    prepare(CONF_PIPELINE_AUTO);
    flight.greeted = 0;
    ck_assert(!flight_again(&flight, &machine, -ETIMEDOUT));
}
END_TEST

/* What goes with the SYN is answered a round trip later, of which the connection's own is a part. */
START_TEST(trip_begins_with_the_syn_and_the_second_try_has_none)
{
    int64_t now;

    prepare(CONF_PIPELINE_OFF);
    ck_assert(!flight_opens(&flight));
    prepare(CONF_PIPELINE_ON);
    ck_assert(flight_opens(&flight));
    prepare(CONF_PIPELINE_AUTO);
    ck_assert(flight_opens(&flight));
    flight.greeted = 0;
    flight_opened(&flight);
    flight.opened -= 100;
    flight_greet(&flight);
    ck_assert_int_eq(flight.greeted, flight.opened);
    FEED(METHOD);
    ck_assert_uint_ge(flight_patience(&flight, &machine, 10000), 400);
    be_silent(600);
    ck_assert(flight_again(&flight, &machine, -ETIMEDOUT));
    ck_assert(!flight_opens(&flight));
    now = clock_ms();
    flight_greet(&flight);
    ck_assert_int_ge(flight.greeted, now);
}
END_TEST

START_TEST(patience_is_four_trips_and_at_least_so_long)
{
    static const struct { enum trait trait; uint32_t trip, ms, low, high; } rows[] = {
        { TRAIT_UNKNOWN, 1, 10000, 250, 250 },
        { TRAIT_UNKNOWN, 100, 10000, 400, 600 },
        { TRAIT_UNKNOWN, 100, 130, 130, 130 },
        { TRAIT_UNKNOWN, 4000, 10000, 10000, 10000 },
        { TRAIT_FIT, 1, 10000, 2000, 2000 },
        { TRAIT_FIT, 700, 10000, 2800, 3000 },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        memset(&traits, 0, sizeof traits);
        if (rows[i].trait)
            traits_set(&traits, traits_key(&proxy, false), flight_hour(), rows[i].trait);
        prepare(CONF_PIPELINE_AUTO);
        ck_assert_uint_eq(flight_patience(&flight, &machine, 10000), 2500);
        FEED(METHOD);
        flight.greeted = clock_ms() - rows[i].trip;
        for (int again = 0; again < 2; again++) {
            ck_assert_uint_ge(flight_patience(&flight, &machine, rows[i].ms), rows[i].low);
            ck_assert_uint_le(flight_patience(&flight, &machine, rows[i].ms), rows[i].high);
        }
    }
}
END_TEST

START_TEST(auto_without_a_place_to_keep_it_is_off)
{
    const struct flight_plan plan = { &account, &proxy, CONF_PIPELINE_AUTO, NULL };

    flight_prepare(&flight, &machine, &plan, SOCKS5_CONNECT, &proxy);
    ck_assert_int_eq(flight.mode, FLIGHT_ORDER);
    flight_learn(&flight, &machine);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("flight");
    TCase *tc = tcase_create("flight");

    tcase_add_test(tc, on_and_off_learn_nothing_and_are_never_made_anew);
    tcase_add_test(tc, trial_with_answer_makes_it_trusted);
    tcase_add_test(tc, trial_without_answer_is_made_anew_in_order_and_remembered);
    tcase_add_test(tc, anew_with_credentials_offers_both_methods_again);
    tcase_add_test(tc, trusted_asks_once_with_a_password_that_is_refused);
    tcase_add_test(tc, handshake_that_is_left_and_taken_up_keeps_its_clock);
    tcase_add_test(tc, slow_target_tells_nothing);
    tcase_add_test(tc, same_refusal_both_ways_makes_it_trusted);
    tcase_add_test(tc, trusted_that_drops_or_ends_is_made_anew);
    tcase_add_test(tc, silence_both_ways_tells_nothing);
    tcase_add_test(tc, other_errors_are_final);
    tcase_add_test(tc, trip_begins_with_the_syn_and_the_second_try_has_none);
    tcase_add_test(tc, patience_is_four_trips_and_at_least_so_long);
    tcase_add_test(tc, auto_without_a_place_to_keep_it_is_off);
    suite_add_tcase(suite, tc);
    return suite;
}
