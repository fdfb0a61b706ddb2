/* SPDX-License-Identifier: ISC */
/* check_state_full.c - more names than there is room for, and more relays of a socket */
#include <check.h>
#include <stdbool.h>

#include "addr.h"
#include "state.h"
#include "two_states.h"

Suite *make_suite(void);

START_TEST(names_beyond_full_map_push_out_the_oldest)
{
    struct addr first, second, a;

    open_both();
    first = assign(&one, 0, AF_INET);
    second = assign(&one, 1, AF_INET);
    for (unsigned i = 2; i < NAMEMAP_SLOTS; i++)
        assign(&one, i, AF_INET);
    ck_assert_int_eq(find(&two, &first, 0), 0);
    a = assign(&two, NAMEMAP_SLOTS, AF_INET);
    ck_assert(addr_equal(&a, &second));
    ck_assert_int_eq(find(&one, &second, NAMEMAP_SLOTS), 0);
    ck_assert_int_eq(find(&one, &first, 0), 0);
    ck_assert_ptr_null(state_warning(&one));
}
END_TEST

/* The names of three sockets stay, whatever else is asked for; that of one that was forgotten goes in its turn. */
START_TEST(names_of_live_sockets_outlive_a_full_map)
{
    struct addr peer[4], a;

    open_both();
    for (unsigned i = 0; i < 4; i++) {
        peer[i] = assign(&one, i, i == 1 ? AF_INET6 : AF_INET);
        if (i == 3)
            state_datagram_peer(&one, 1000 + i, &peer[i]);
        else
            state_peer_set(&one, 1000 + i, &peer[i]);
    }
    state_peer_forget(&one, 1002);
    for (unsigned i = 4; i < NAMEMAP_SLOTS + 1000; i++)
        assign(i % 2 ? &one : &two, i, AF_INET);
    ck_assert_int_eq(find(&two, &peer[0], 0), 0);
    ck_assert_int_eq(find(&one, &peer[1], 1), 0);
    ck_assert_int_eq(find(&two, &peer[3], 3), 0);
    a = assign(&two, 2, AF_INET);
    ck_assert(!addr_equal(&a, &peer[2]));
}
END_TEST

/* Where all are kept the oldest goes all the same. */
START_TEST(names_all_of_live_sockets_the_oldest_goes)
{
    struct addr first, a;

    open_both();
    first = assign(&one, 0, AF_INET);
    for (unsigned i = 0; i < NAMEMAP_SLOTS; i++) {
        a = assign(&one, i, AF_INET);
        state_peer_set(&one, 1 + i, &a);
    }
    one.kept_file.made_ms = 0;
    a = assign(&one, NAMEMAP_SLOTS, AF_INET);
    ck_assert(addr_equal(&a, &first));
    ck_assert_int_eq(find(&two, &a, NAMEMAP_SLOTS), 0);
}
END_TEST

/* A socket that is associated anew again and again: its last relays may have answers under way. */
START_TEST(relays_beyond_a_few_push_out_the_oldest)
{
    enum { RELAYS = 9, KEPT = 4, COOKIE = 77 };
    struct addr relay = ip("127.0.0.1"), got;

    open_both();
    for (uint16_t i = 1; i <= RELAYS; i++) {
        relay.port = i;
        state_relay_add(i % 2 ? &one : &two, COOKIE, &relay);
        state_relay_add(&one, COOKIE, &relay);
        for (uint16_t known = 1; known <= RELAYS; known++) {
            relay.port = known;
            ck_assert_int_eq(state_relay_has(&two, COOKIE, &relay), known <= i && known + KEPT > i);
        }
        ck_assert(state_relay_get(&two, COOKIE, &got));
    }
    ck_assert(!state_relay_has(&one, COOKIE + 1, &relay));
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state_full");
    TCase *t = tcase_create("state_full");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_test(t, names_beyond_full_map_push_out_the_oldest);
    tcase_add_test(t, names_of_live_sockets_outlive_a_full_map);
    tcase_add_test(t, names_all_of_live_sockets_the_oldest_goes);
    tcase_add_test(t, relays_beyond_a_few_push_out_the_oldest);
    suite_add_tcase(s, t);
    return s;
}
