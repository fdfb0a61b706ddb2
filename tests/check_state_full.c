/* SPDX-License-Identifier: ISC */
/* check_state_full.c - more names and relays than there is room for, and a directory that cannot be written */
#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

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

static bool remount(unsigned long flags)
{
    return mount("none", directory, NULL, MS_REMOUNT | flags, NULL) == 0;
}

/* What a program has that starts now: names of its own alone. */
static bool is_left_alone(struct state *s, unsigned i)
{
    struct addr a;

    if (open_state(s, directory) != -EROFS || !state_warning(s))
        return false;
    a = assign(s, i, AF_INET);
    return is_private(&a) && find(s, &a, i) == 0 && state_name_assign(s, name_of(i), AF_INET6, &a) == 0;
}

/* Also with a file that others have made: its names are found again once it can be written. */
static void read_only(void)
{
    struct addr known;
    struct stat before, after;

    mkdir(directory, 0700);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", MS_RDONLY, "size=8m,mode=700") != 0)
        _exit(1);
    if (!is_left_alone(&one, 1) || !remount(0) || open_state(&one, directory) != 0)
        _exit(2);
    known = assign(&one, 0, AF_INET);
    if (!is_shared(&known) || stat(one.file.path, &before) != 0)
        _exit(3);
    /* What is mapped for writing would keep it from being remounted. */
    if (open_state(&one, "/proc") == 0 || !remount(MS_RDONLY))
        _exit(4);
    if (!is_left_alone(&two, 0) || find(&two, &known, 0) != -EHOSTUNREACH)
        _exit(5);
    if (!remount(0) || open_state(&two, directory) != 0 || find(&two, &known, 0) != 0 || state_warning(&two))
        _exit(6);
    if (stat(two.file.path, &after) != 0 || after.st_ino != before.st_ino || after.st_size != before.st_size)
        _exit(7);
}

/* As sandboxes do it: for who opens it from now on, while a program runs that has it mapped. */
static void read_only_meanwhile(void)
{
    struct addr known, fresh;

    mkdir(directory, 0700);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        open_state(&one, directory) != 0)
        _exit(1);
    known = assign(&one, 0, AF_INET);
    if (mount(directory, directory, NULL, MS_BIND, NULL) != 0 || !remount(MS_BIND | MS_RDONLY))
        _exit(2);
    fresh = assign(&one, 1, AF_INET);
    if (!is_private(&fresh) || !state_warning(&one) || find(&one, &fresh, 1) != 0 || find(&one, &known, 0) != 0)
        _exit(3);
    if (!is_left_alone(&two, 1) || find(&two, &known, 0) != -EHOSTUNREACH || umount(directory) != 0)
        _exit(4);
    if (open_state(&two, directory) != 0 || find(&two, &known, 0) != 0)
        _exit(5);
    /* The one that ran on uses it again, and keeps what it gave out. */
    known = assign(&one, 2, AF_INET);
    if (!is_shared(&known) || find(&two, &known, 2) != 0 || find(&one, &fresh, 1) != 0)
        _exit(6);
}

START_TEST(directory_read_only_names_go_private)
{
    if (needs_root())
        in_child(_i ? read_only_meanwhile : read_only);
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
    tcase_add_loop_test(t, directory_read_only_names_go_private, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
