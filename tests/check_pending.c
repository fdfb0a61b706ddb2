/* SPDX-License-Identifier: ISC */
/* check_pending.c - pending handshakes step by step, with the proxy played by the test itself */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"
#include "pending.h"
#include "real.h"
#include "two_states.h"

Suite *make_suite(void);

enum { STEP_MS = 10000, SHORT_MS = 30 };

static const char good[] = "\5\0\0\1\1\2\3\4\0\1", unreachable[] = "\5\4\0\1\0\0\0\0\0\0";

static struct pending p;
static int listener, fd, far;
static bool unwatched, shared;
static struct addr proxy, target;
static pending_handle handle;

static void set_up(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;

    states_setup();
    ck_assert_int_eq(open_state(&one, directory), 0);
    memset(&p, 0, sizeof p);
    unwatched = shared = false;
    ck_assert_int_eq(pending_open(&p, &one), 0);
    listener = real.socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
    ck_assert_int_eq(listen(listener, 100), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&sa, len, &proxy), 0);
    target = ip("1.2.3.4");
    target.port = 80;
}

static bool may_have_one(int number)
{
    return number == fd && shared;
}

/* A connect() of fd. */
static int begin_here(uint32_t step_ms)
{
    const struct socks5_options options = { NULL, NULL, false };
    const struct flight in_order = { .mode = FLIGHT_ORDER };
    struct socks5 machine;
    struct pending_request q = { .domain = AF_INET, .proxy = &proxy, .target = &target, .peer = &target,
                                 .machine = &machine, .flight = &in_order, .limits = { step_ms, step_ms },
                                 .nonblocking = true, .unwatched = unwatched, .shared = may_have_one };

    socks5_init(&machine, &options, SOCKS5_CONNECT, &target);
    q.fd = fd;
    q.cookie = real_cookie(fd);
    return pending_start(&p, &q, &handle);
}

static pending_handle handle_of(int number)
{
    return number == fd ? handle : 0;
}

static int begin(uint32_t step_ms)
{
    fd = real.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(fd, 0);
    return begin_here(step_ms);
}

static void take(size_t size)
{
    char buf[32];

    ck_assert_int_eq(real.recv(far, buf, size, MSG_WAITALL), (ssize_t)size);
}

static void give(const char *bytes, size_t size)
{
    struct pollfd ready = { .fd = fd, .events = POLLIN };

    ck_assert_int_eq(real.send(far, bytes, size, 0), (ssize_t)size);
    ck_assert_int_eq(real.poll(&ready, 1, 5000), 1);
}

/* Up to the reply, which is to come. */
static void until_reply(uint32_t step_ms)
{
    ck_assert_int_eq(begin(step_ms), -EINPROGRESS);
    ck_assert(pending_any(&p) && pending_is_live(&p, handle) && pending_is_of(&p, fd, handle));
    ck_assert_int_eq(pending_wants(&p, handle), POLLOUT);
    far = real.accept(listener, NULL, NULL);
    ck_assert_int_eq(pending_poke(&p, fd, handle), -EAGAIN);
    ck_assert_int_eq(pending_wants(&p, handle), POLLIN);
    take(3);
    give("\5\0", 2);
    ck_assert_int_eq(pending_poke(&p, fd, handle), -EAGAIN);
    take(10);
}

static int so_error(int number)
{
    int error = -1;
    socklen_t len = sizeof error;

    ck_assert_int_eq(real.getsockopt(number, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static void is_over(void)
{
    ck_assert(!pending_is_live(&p, handle) && !pending_any(&p));
    ck_assert_int_eq(pending_wants(&p, handle), 0);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    ck_assert_int_eq(pending_next_ms(&p), -1);
}

START_TEST(success_is_a_connection_and_a_peer)
{
    struct addr peer;
    char c;

    until_reply(STEP_MS);
    /* One byte at a time, and behind it what the target says. */
    for (size_t i = 0; i < sizeof good - 2; i++) {
        give(good + i, 1);
        ck_assert_int_eq(pending_poke(&p, fd, handle), -EAGAIN);
    }
    give((char[]){ good[9], 'x' }, 2);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    is_over();
    ck_assert_int_eq(so_error(fd), 0);
    ck_assert(state_peer_get(&one, real_cookie(fd), &peer) && addr_equal(&peer, &target));
    ck_assert_int_eq(real.recv(fd, &c, 1, 0), 1);
    ck_assert_int_eq(c, 'x');
}
END_TEST

static int tcp_option(int number, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    ck_assert_int_eq(real.getsockopt(number, IPPROTO_TCP, option, &value, &len), 0);
    return value;
}

/* The kernel's own limit is for those who sleep since before, and for as long as it connects. */
START_TEST(the_kernel_s_limit_is_set_where_somebody_may_sleep)
{
    for (int i = 0; i < 2; i++) {
        unwatched = i;
        ck_assert_int_eq(begin(STEP_MS), -EINPROGRESS);
        ck_assert_int_eq(tcp_option(fd, TCP_USER_TIMEOUT), unwatched ? 0 : STEP_MS + 500);
        ck_assert_int_eq(pending_poke(&p, fd, handle), -EAGAIN);
        ck_assert_int_eq(tcp_option(fd, TCP_USER_TIMEOUT), 0);
    }
}
END_TEST

static struct {
    int times, fd;
    pending_handle handle;
} told;

static void note_over(int number, pending_handle of)
{
    told.times++;
    told.fd = number;
    told.handle = of;
}

/* Begin with fd in a set, to where the proxy may answer the request. */
static int begin_in_set(void)
{
    struct epoll_event event = { .events = EPOLLIN, .data.u64 = 5 };
    int set = epoll_create1(0);

    told.times = 0;
    ck_assert_int_eq(begin(STEP_MS), -EINPROGRESS);
    ck_assert_int_eq(pending_control(&p, handle_of, set, EPOLL_CTL_ADD, fd, &event), 0);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 5000), 1);
    ck_assert_uint_eq(event.events, EPOLLOUT);
    ck_assert(pending_token(&p, &event, false, note_over));
    far = real.accept(listener, NULL, NULL);
    take(3);
    ck_assert_int_eq(pending_wants(&p, handle), POLLIN);
    give("\5\0", 2);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 5000), 1);
    ck_assert(pending_token(&p, &event, true, note_over));
    take(10);
    ck_assert_int_eq(told.times, 0);
    return set;
}

/* The registration is the program's again when the handshake is over; signals may be blocked already. */
START_TEST(tokens_bring_it_to_its_end)
{
    struct epoll_event event;
    int set = begin_in_set();

    give(good, 10);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 5000), 1);
    ck_assert(pending_token(&p, &event, true, note_over));
    is_over();
    ck_assert(told.times == 1 && told.fd == fd && told.handle == handle);
    give("x", 1);
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 5000), 1);
    ck_assert(event.data.u64 == 5 && event.events == EPOLLIN && !pending_token(&p, &event, false, note_over));
    ck_assert_int_eq(told.times, 1);
}
END_TEST

/* What failed may be connected again, and its registrations are followed; in a vfork child there is nobody to tell. */
START_TEST(tokens_tell_of_tunnels_alone)
{
    for (int i = 0; i < 2; i++) {
        struct epoll_event event;
        int set = begin_in_set();

        give(i ? good : unreachable, 10);
        ck_assert_int_eq(real.epoll_wait(set, &event, 1, 5000), 1);
        ck_assert(pending_token(&p, &event, true, i ? NULL : note_over));
        is_over();
        ck_assert_int_eq(told.times, 0);
    }
}
END_TEST

START_TEST(failure_keeps_its_error_for_one_asking)
{
    until_reply(STEP_MS);
    give(unreachable, 10);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    is_over();
    ck_assert_int_eq(so_error(fd), ECONNREFUSED);
    ck_assert_int_eq(pending_error(&p, fd, EAGAIN), EAGAIN);
    ck_assert_int_eq(pending_error(&p, listener, ECONNREFUSED), ECONNREFUSED);
    ck_assert_int_eq(pending_error(&p, fd, ECONNREFUSED), EHOSTUNREACH);
    ck_assert_int_eq(pending_error(&p, fd, ECONNREFUSED), ECONNREFUSED);
}
END_TEST

START_TEST(error_of_a_blocking_socket_is_not_lost)
{
    until_reply(STEP_MS);
    real.fcntl(fd, F_SETFL, 0);
    give(unreachable, 10);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    ck_assert_int_eq(so_error(fd), ECONNREFUSED);
    ck_assert_int_eq(real.fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
}
END_TEST

START_TEST(deadline_ends_it_without_a_poke)
{
    until_reply(SHORT_MS);
    ck_assert_int_le(pending_next_ms(&p), SHORT_MS);
    while (pending_next_ms(&p) > 0) {
        real.poll(NULL, 0, pending_next_ms(&p));
        pending_tend(&p, PENDING_DUE);
    }
    is_over();
    ck_assert_int_eq(pending_error(&p, fd, so_error(fd)), ETIMEDOUT);
}
END_TEST

START_TEST(socket_has_one_handshake_and_one_tunnel)
{
    pending_handle first;

    until_reply(STEP_MS);
    first = handle;
    shared = true;
    ck_assert_int_eq(begin_here(STEP_MS), -EBUSY);
    ck_assert(pending_is_live(&p, first));
    give(good, sizeof good - 1);
    ck_assert_int_eq(pending_poke(&p, fd, first), 0);
    /* Who looked before it began comes when it is over. */
    ck_assert_int_eq(begin_here(STEP_MS), -EBUSY);
    ck_assert(!pending_any(&p));
}
END_TEST

START_TEST(poke_ends_what_is_overdue)
{
    until_reply(SHORT_MS);
    real.poll(NULL, 0, SHORT_MS + 5);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    ck_assert_int_eq(pending_error(&p, fd, so_error(fd)), ETIMEDOUT);
}
END_TEST

START_TEST(last_number_closed_ends_it)
{
    int copy;

    until_reply(STEP_MS);
    copy = real.dup(fd);
    pending_dup(&p, handle, copy);
    pending_close(&p, fd, handle, false);
    ck_assert(pending_is_live(&p, handle));
    pending_close(&p, copy, handle, false);
    ck_assert(!pending_is_live(&p, handle) && !pending_any(&p));
}
END_TEST

START_TEST(more_numbers_than_are_followed_keep_it)
{
    until_reply(STEP_MS);
    for (int i = 0; i < 9; i++)
        pending_dup(&p, handle, 200 + i);
    pending_close(&p, fd, handle, false);
    for (int i = 0; i < 8; i++)
        pending_close(&p, 200 + i, handle, false);
    ck_assert(pending_is_live(&p, handle));
}
END_TEST

START_TEST(handle_is_good_for_its_socket_alone)
{
    pending_handle first;
    int kept;

    until_reply(STEP_MS);
    first = handle;
    kept = fd;
    until_reply(STEP_MS);
    ck_assert_uint_ne(first, handle);
    give(good, 10);
    /* Through the other's number nothing moves. */
    ck_assert_int_eq(pending_poke(&p, kept, handle), 0);
    ck_assert(pending_is_live(&p, handle));
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    ck_assert(!pending_is_live(&p, handle) && pending_is_live(&p, first));
}
END_TEST

START_TEST(abandoned_socket_is_reset)
{
    struct pollfd event = { .events = POLLIN | POLLOUT };

    until_reply(STEP_MS);
    ck_assert(pending_abandon(&p, fd, handle));
    is_over();
    event.fd = fd;
    ck_assert_int_eq(real.poll(&event, 1, 0), 1);
    ck_assert(event.revents & POLLHUP);
    ck_assert_int_eq(real.recv(far, &(char){ 0 }, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

START_TEST(kernel_s_own_refusal_is_passed_on)
{
    real.close(listener);
    ck_assert_int_eq(begin(STEP_MS), -EINPROGRESS);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    is_over();
    ck_assert_int_eq(so_error(fd), ECONNREFUSED);
}
END_TEST

/* The child ends it; the parent, in whose set the token is, puts its registration back. */
START_TEST(child_ends_what_its_parent_waits_for)
{
    int set = epoll_create1(0), status;
    struct epoll_event event = { .events = EPOLLOUT, .data.u64 = 42 };
    struct lock_hold hold;
    pid_t pid;

    until_reply(STEP_MS);
    ck_assert_int_eq(pending_control(&p, handle_of, set, EPOLL_CTL_ADD, fd, &event), 0);
    ck_assert(pending_fork_before(&p, &hold));
    pid = fork();
    if (pid == 0) {
        pending_fork_child(&p, &hold);
        real.close(set);
        give(good, 10);
        _exit(pending_poke(&p, fd, handle) != 0);
    }
    pending_fork_parent(&p, &hold);
    ck_assert(pending_shares(&p));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert(!pending_is_live(&p, handle) && pending_any(&p));
    pending_tidy(&p);
    is_over();
    ck_assert_int_eq(real.epoll_wait(set, &event, 1, 0), 1);
    ck_assert(event.events == EPOLLOUT && event.data.u64 == 42);
    pending_tend(&p, PENDING_SHARED);
    ck_assert(!pending_shares(&p));
}
END_TEST

START_TEST(without_an_arena_nothing_is_pending)
{
    struct pending none = { .arena = NULL };

    ck_assert(!pending_any(&none) && !pending_is_live(&none, 1));
    ck_assert(!pending_token(&none, &(struct epoll_event){ .data.u64 = ~0ull }, false, NULL));
    ck_assert_int_eq(pending_next_ms(&none), -1);
    ck_assert_int_eq(pending_poke(&none, 0, 1), 0);
    ck_assert_int_eq(pending_error(&none, 0, ECONNREFUSED), ECONNREFUSED);
    pending_tend(&none, PENDING_ALL);
    pending_tidy(&none);
}
END_TEST

static int (*kernel)(int, int, int, void *, socklen_t *);
static int cookie_error;

static int without_cookie(int number, int level, int option, void *value, socklen_t *len)
{
    if (level != SOL_SOCKET || option != SO_COOKIE || !cookie_error)
        return kernel(number, level, option, value, len);
    errno = cookie_error;
    return -1;
}

/* Nobody acts through a number that may be another's, and nobody takes its handshake for over. */
START_TEST(unknown_number_is_left_alone)
{
    struct epoll_event event = { .events = EPOLLOUT };
    struct addr peer;
    int set = epoll_create1(EPOLL_CLOEXEC), error = 0, one_byte = 1;

    kernel = real.getsockopt;
    real.getsockopt = without_cookie;
    cookie_error = 0;
    until_reply(STEP_MS);
    give(good, sizeof good - 1);
    cookie_error = ENOMEM;
    ck_assert_int_eq(pending_poke(&p, fd, handle), -EAGAIN);
    ck_assert(pending_is_of(&p, fd, handle));
    ck_assert_int_eq(pending_control(&p, handle_of, set, EPOLL_CTL_ADD, fd, &event), -ENOMEM);
    ck_assert(!pending_abandon(&p, fd, handle) && !pending_peer(&p, fd, handle, &peer));
    ck_assert(!pending_set_low_water(&p, fd, handle, &one_byte, sizeof one_byte, &error));
    pending_tend(&p, PENDING_ALL);
    ck_assert(pending_is_live(&p, handle));
    cookie_error = 0;
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    is_over();
    ck_assert_int_eq(so_error(fd), 0);
    real.getsockopt = kernel;
    close(set);
}
END_TEST

/* That there is none is an answer only where it is sure. */
START_TEST(what_cannot_be_told_is_not_over)
{
    kernel = real.getsockopt;
    real.getsockopt = without_cookie;
    cookie_error = 0;
    until_reply(STEP_MS);
    ck_assert_uint_eq(pending_find(&p, fd), handle);
    ck_assert_uint_eq(pending_find(&p, far), 0);
    cookie_error = ENOMEM;
    errno = 1;
    ck_assert_uint_eq(pending_find(&p, fd), PENDING_UNKNOWN);
    ck_assert_uint_eq(pending_find(&p, far), PENDING_UNKNOWN);
    ck_assert_int_eq(errno, 1);
    ck_assert(!pending_is_live(&p, PENDING_UNKNOWN));
    for (int i = 0; i < 3; i++) {
        cookie_error = (const int[]){ ENOPROTOOPT, ENOTSOCK, EBADF }[i];
        ck_assert_uint_eq(pending_find(&p, fd), 0);
    }
    cookie_error = 0;
    give(good, sizeof good - 1);
    ck_assert_int_eq(pending_poke(&p, fd, handle), 0);
    cookie_error = ENOMEM;
    ck_assert_uint_eq(pending_find(&p, fd), 0);
    real.getsockopt = kernel;
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("pending");
    TCase *c = tcase_create("pending");

    tcase_add_checked_fixture(c, set_up, states_teardown);
    tcase_set_timeout(c, 30);
    tcase_add_test(c, success_is_a_connection_and_a_peer);
    tcase_add_test(c, the_kernel_s_limit_is_set_where_somebody_may_sleep);
    tcase_add_test(c, tokens_bring_it_to_its_end);
    tcase_add_test(c, tokens_tell_of_tunnels_alone);
    tcase_add_test(c, failure_keeps_its_error_for_one_asking);
    tcase_add_test(c, error_of_a_blocking_socket_is_not_lost);
    tcase_add_test(c, deadline_ends_it_without_a_poke);
    tcase_add_test(c, socket_has_one_handshake_and_one_tunnel);
    tcase_add_test(c, poke_ends_what_is_overdue);
    tcase_add_test(c, last_number_closed_ends_it);
    tcase_add_test(c, more_numbers_than_are_followed_keep_it);
    tcase_add_test(c, handle_is_good_for_its_socket_alone);
    tcase_add_test(c, abandoned_socket_is_reset);
    tcase_add_test(c, kernel_s_own_refusal_is_passed_on);
    tcase_add_test(c, child_ends_what_its_parent_waits_for);
    tcase_add_test(c, unknown_number_is_left_alone);
    tcase_add_test(c, what_cannot_be_told_is_not_over);
    tcase_add_test(c, without_an_arena_nothing_is_pending);
    suite_add_tcase(s, c);
    return s;
}
