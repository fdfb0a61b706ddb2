/* SPDX-License-Identifier: ISC */
/* check_epollset.c - registrations, against the kernel's own list of them */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "epollset.h"
#include "fdinfo.h"
#include "real.h"

Suite *make_suite(void);

enum { OWNER = 5, MY_DATA = 1234 };

static struct epollset e;
static int set, fd;
static uint64_t cookie;

static void set_up(void)
{
    real_init();
    epollset_init(&e, 99);
    set = epoll_create1(0);
    fd = real.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    cookie = real_cookie(fd);
    ck_assert_int_ge(fd, 0);
    ck_assert_uint_ne(cookie, 0);
}

static int control(int op, uint32_t events, uint32_t want)
{
    struct epoll_event event = { .events = events, .data.u64 = MY_DATA };

    return epollset_control(&e, getpid(), cookie, set, op, fd, &event, want, OWNER);
}

/* What the kernel has. */
static void kernel_has(uint32_t events, uint64_t *data)
{
    uint32_t seen;

    ck_assert_int_eq(fdinfo_epoll(set, fd, &seen, data), 0);
    ck_assert_uint_eq(seen, events | EPOLLERR | EPOLLHUP);
}

/* Another socket on the number of the first. */
static uint64_t swap(void)
{
    int other = real.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    uint64_t old = cookie;

    epollset_take_out(&e, getpid(), old);
    ck_assert_int_eq(real.dup3(other, fd, 0), fd);
    close(other);
    cookie = real_cookie(fd);
    epollset_put_in(&e, getpid(), old, cookie);
    return old;
}

START_TEST(swapped_registration_follows_its_number)
{
    static const uint32_t events[] = { EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLEXCLUSIVE };
    uint32_t mine = events[_i];
    uint64_t data, old;
    int kept;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, mine, 0), 0);
    kept = real.dup(fd);
    old = swap();
    kernel_has(EPOLLOUT | EPOLLONESHOT, &data);
    ck_assert(epollset_is_token(&e, data));
    ck_assert_ptr_null(epollset_find(&e, getpid(), old, set, fd));
    epollset_arm(&e, getpid(), cookie, EPOLLIN, OWNER);
    kernel_has(EPOLLIN | EPOLLONESHOT, &data);
    epollset_arm(&e, getpid(), cookie, 0, 0);
    kernel_has(mine, &data);
    ck_assert_uint_eq(data, MY_DATA);
    /* Of the old socket nothing is left: once the program has removed what it knows, the set is empty. */
    ck_assert_int_eq(control(EPOLL_CTL_DEL, 0, 0), 0);
    ck_assert_int_eq(fdinfo_epoll(set, fd, &mine, &data), -ENOENT);
    close(kept);
}
END_TEST

START_TEST(swapped_registration_that_has_fired_stays_without_events)
{
    struct epoll_event event;
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN | EPOLLONESHOT, 0), 0);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 1);
    swap();
    epollset_arm(&e, getpid(), cookie, EPOLLIN, OWNER);
    epollset_arm(&e, getpid(), cookie, 0, 0);
    kernel_has(EPOLLONESHOT, &data);
    ck_assert_uint_eq(data, MY_DATA);
}
END_TEST

START_TEST(hidden_events_come_back_when_asked)
{
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET, 0), 0);
    epollset_hide(&e, cookie, EPOLLOUT);
    epollset_arm(&e, getpid(), cookie, EPOLLOUT, OWNER);
    epollset_arm(&e, getpid(), cookie, 0, 0);
    kernel_has(EPOLLIN | EPOLLET, &data);
    epollset_unhide(&e, getpid(), cookie);
    kernel_has(EPOLLIN | EPOLLOUT | EPOLLET, &data);
}
END_TEST

START_TEST(armed_registration_has_a_token_and_comes_back_as_it_was)
{
    static const uint32_t events[] = {
        EPOLLIN, EPOLLOUT | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLOUT | EPOLLEXCLUSIVE, 0, EPOLLIN | EPOLLPRI
    };
    uint32_t mine = events[_i];
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, mine, 0), 0);
    kernel_has(mine, &data);
    ck_assert_uint_eq(data, MY_DATA);
    for (int round = 0; round < 3; round++) {
        epollset_arm(&e, getpid(), cookie, round % 2 ? EPOLLIN : EPOLLOUT, OWNER);
        kernel_has((round % 2 ? EPOLLIN : EPOLLOUT) | EPOLLONESHOT, &data);
        ck_assert(epollset_is_token(&e, data));
        ck_assert_ptr_eq(epollset_of_token(&e, data), epollset_find(&e, getpid(), cookie, set, fd));
        ck_assert_uint_eq(epollset_of_token(&e, data)->owner, OWNER);
    }
    epollset_arm(&e, getpid(), cookie, 0, 0);
    ck_assert_ptr_null(epollset_of_token(&e, data));
    kernel_has(mine, &data);
    ck_assert_uint_eq(data, MY_DATA);
    ck_assert(!epollset_is_token(&e, data));
}
END_TEST

START_TEST(control_while_armed_hides_the_program_s_events)
{
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT), -ENOENT);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN | EPOLLET, EPOLLOUT), 0);
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), -EEXIST);
    kernel_has(EPOLLOUT | EPOLLONESHOT, &data);
    ck_assert(epollset_is_token(&e, data));
    ck_assert_int_eq(control(EPOLL_CTL_MOD, EPOLLRDHUP, EPOLLIN), 0);
    kernel_has(EPOLLIN | EPOLLONESHOT, &data);
    epollset_arm(&e, getpid(), cookie, 0, 0);
    kernel_has(EPOLLRDHUP, &data);
    ck_assert_int_eq(control(EPOLL_CTL_DEL, 0, EPOLLIN), 0);
    ck_assert_int_eq(control(EPOLL_CTL_DEL, 0, EPOLLIN), -ENOENT);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
}
END_TEST

START_TEST(exclusive_errors_are_the_kernel_s)
{
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLEXCLUSIVE | EPOLLONESHOT, EPOLLOUT), -EINVAL);
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLEXCLUSIVE | EPOLLIN, EPOLLOUT), 0);
    ck_assert_int_eq(control(EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT), -EINVAL);
    ck_assert_int_eq(control(77, EPOLLIN, EPOLLOUT), -EINVAL);
}
END_TEST

START_TEST(oneshot_used_up_before_is_not_armed_again)
{
    struct epoll_event event;
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLOUT | EPOLLONESHOT, 0), 0);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 1);
    epollset_arm(&e, getpid(), cookie, EPOLLOUT, OWNER);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 0);
    epollset_arm(&e, getpid(), cookie, 0, 0);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 0);
    ck_assert_int_eq(control(EPOLL_CTL_MOD, EPOLLOUT | EPOLLONESHOT, EPOLLOUT), 0);
    kernel_has(EPOLLOUT | EPOLLONESHOT, &data);
    ck_assert(epollset_is_token(&e, data));
}
END_TEST

/* The same number twice in one set: the first file is kept open by a duplicate. */
START_TEST(number_used_again_is_told_by_its_file)
{
    struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT };
    int kept, again;
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLOUT | EPOLLONESHOT, 0), 0);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 1);
    kept = real.dup(fd);
    real.close(fd);
    again = real.socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(again, fd);
    cookie = real_cookie(fd);
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLOUT | EPOLLONESHOT, 0), 0);
    epollset_arm(&e, getpid(), cookie, EPOLLOUT, OWNER);
    kernel_has(EPOLLOUT | EPOLLONESHOT, &data);
    ck_assert(epollset_is_token(&e, data));
    real.close(kept);
}
END_TEST

START_TEST(vanished_registration_is_forgotten)
{
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), 0);
    ck_assert_int_eq(real.epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0);
    epollset_arm(&e, getpid(), cookie, EPOLLIN, OWNER);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
}
END_TEST

START_TEST(close_gives_back_what_is_armed)
{
    int copy = real.dup(fd);
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), 0);
    epollset_close_socket(&e, getpid(), cookie, fd, false);
    kernel_has(EPOLLIN, &data);
    ck_assert_uint_eq(data, MY_DATA);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
    ck_assert_int_eq(control(EPOLL_CTL_MOD, EPOLLIN, EPOLLOUT), 0);
    epollset_close_set(&e, getpid(), set);
    kernel_has(EPOLLIN, &data);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
    real.close(copy);
}
END_TEST

/* What the program asked for must not come back for a moment: somebody may be asleep in the set. */
START_TEST(close_of_the_last_number_takes_out)
{
    int copy = real.dup(fd);
    struct epoll_event event;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT, EPOLLIN), 0);
    epollset_close_socket(&e, getpid(), cookie, fd, true);
    ck_assert_int_eq(epoll_wait(set, &event, 1, 0), 0);
    ck_assert_int_eq(real.epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), -1);
    ck_assert_ptr_null(epollset_find(&e, getpid(), cookie, set, fd));
    real.close(copy);
}
END_TEST

/* As another process sees it, whose numbers may mean other files. */
START_TEST(another_process_leaves_what_it_cannot_reach)
{
    pid_t child = getpid() + 1;
    int other = epoll_create1(0);
    uint64_t data;

    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), 0);
    ck_assert_ptr_null(epollset_find(&e, child, cookie, set, fd));
    epollset_share(&e, getpid());
    ck_assert_ptr_nonnull(epollset_find(&e, child, cookie, set, fd));
    ck_assert_int_eq(real.dup2(set, 100), 100);
    ck_assert_int_eq(real.dup2(other, set), set);
    ck_assert_ptr_null(epollset_find(&e, child, cookie, set, fd));
    epollset_arm(&e, child, cookie, 0, 0);
    ck_assert(epollset_left(&e));
    ck_assert_int_eq(real.dup2(100, set), set);
    kernel_has(EPOLLOUT | EPOLLONESHOT, &data);
    /* A call that fails changes nothing, nor how many there are. */
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, 0), -EEXIST);
    ck_assert(epollset_left(&e));
    epollset_tidy(&e, getpid());
    ck_assert(!epollset_left(&e));
    kernel_has(EPOLLIN, &data);
    ck_assert_uint_eq(data, MY_DATA);
}
END_TEST

START_TEST(table_full_is_an_error_and_places_come_back)
{
    struct epoll_event event = { .events = EPOLLIN };

    for (unsigned i = 0; i < EPOLLSET_SIZE; i++) {
        int one = epoll_create1(0);

        ck_assert_int_eq(epollset_control(&e, getpid(), cookie, one, EPOLL_CTL_ADD, fd, &event, EPOLLOUT, OWNER), 0);
        real.close(one);
        /* The number is used again, so the entry must differ. */
        epollset_find(&e, getpid(), cookie, one, fd)->epfd = (int)(100000 + i);
    }
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), -ENOSPC);
    epollset_arm(&e, getpid(), cookie, EPOLLIN, OWNER);
    ck_assert_int_eq(control(EPOLL_CTL_ADD, EPOLLIN, EPOLLOUT), 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("epollset");
    TCase *c = tcase_create("epollset");

    tcase_add_checked_fixture(c, set_up, NULL);
    tcase_set_timeout(c, 30);
    tcase_add_loop_test(c, swapped_registration_follows_its_number, 0, 4);
    tcase_add_test(c, swapped_registration_that_has_fired_stays_without_events);
    tcase_add_test(c, hidden_events_come_back_when_asked);
    tcase_add_loop_test(c, armed_registration_has_a_token_and_comes_back_as_it_was, 0, 6);
    tcase_add_test(c, control_while_armed_hides_the_program_s_events);
    tcase_add_test(c, exclusive_errors_are_the_kernel_s);
    tcase_add_test(c, oneshot_used_up_before_is_not_armed_again);
    tcase_add_test(c, number_used_again_is_told_by_its_file);
    tcase_add_test(c, vanished_registration_is_forgotten);
    tcase_add_test(c, close_gives_back_what_is_armed);
    tcase_add_test(c, close_of_the_last_number_takes_out);
    tcase_add_test(c, another_process_leaves_what_it_cannot_reach);
    tcase_add_test(c, table_full_is_an_error_and_places_come_back);
    suite_add_tcase(s, c);
    return s;
}
