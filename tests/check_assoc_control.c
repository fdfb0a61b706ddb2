/* SPDX-License-Identifier: ISC */
/* check_assoc_control.c - control connections: whether they stand, what is begun, what is known of the proxy */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "assoc_making.h"
#include "clock.h"
#include "real.h"

Suite *make_suite(void);

enum {
    NUMBERS = 5000,             /* ours lie below */
    PATIENCE_MS = 5000, STEP_MS = 10000,
    PROXY = 3, MINUTE_MS = 60000
};

static struct assoc_table table;
static struct assoc *place;
static assoc_handle handle;
static int fd, listener, own, peer;
static struct addr proxy;

static const struct conf_proxy account;

static int socket_here(int type, struct addr *at)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof here;
    int s = socket(AF_INET, type, 0);

    ck_assert_int_ge(s, 0);
    ck_assert_int_eq(bind(s, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(getsockname(s, (struct sockaddr *)&here, &len), 0);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&here, len, at), 0);
    return s;
}

/* A socket with a place, a proxy that says nothing, and a connection to it: own and peer are its ends. */
static void begin(void)
{
    struct sockaddr_storage sa;
    struct addr any;
    socklen_t len;

    real_init();
    memset(&table, 0, sizeof table);
    fd = socket_here(SOCK_DGRAM, &any);
    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    place = assoc_of(&table, handle);
    listener = socket_here(SOCK_STREAM, &proxy);
    ck_assert_int_eq(listen(listener, 8), 0);
    own = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(addr_to_sockaddr(&proxy, AF_INET, &sa, &len), 0);
    ck_assert_int_eq(connect(own, (struct sockaddr *)&sa, len), 0);
    peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(peer, 0);
}

static void stand(void)
{
    atomic_store(&place->control_cookie, real_cookie(own));
    atomic_store(&place->control, own);
}

static struct assoc_request request(void)
{
    return (struct assoc_request){ .fd = fd, .number = PROXY, .proxy = &proxy, .account = &account,
                                   .limits = { STEP_MS, STEP_MS }, .limit = INT64_MAX };
}

static void await(int s, short events)
{
    struct pollfd p = { .fd = s, .events = events };

    ck_assert_int_eq(poll(&p, 1, PATIENCE_MS), 1);
    ck_assert(p.revents & events);
}

static int count_numbers(void)
{
    int count = 0;

    for (int i = 0; i < NUMBERS; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

/* Bytes that nobody asked for stay where they are, and hide nothing.  _i: 0: the end, 1: a reset. */
START_TEST(end_behind_bytes_is_seen)
{
    struct linger reset = { .l_onoff = 1 };
    char c;

    begin();
    stand();
    ck_assert(assoc_control_stands(place));
    ck_assert_int_eq(send(peer, "x", 1, 0), 1);
    await(own, POLLIN);
    ck_assert(assoc_control_stands(place));
    if (_i)
        ck_assert_int_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(peer);
    await(own, POLLRDHUP);
    ck_assert(!assoc_control_stands(place));
    if (_i == 0)
        ck_assert_int_eq(recv(own, &c, 1, 0), 1);
}
END_TEST

START_TEST(number_of_another_does_not_stand)
{
    begin();
    stand();
    ck_assert_int_ge(dup2(peer, own), 0);
    ck_assert(!assoc_control_stands(place));
    close(own);
    ck_assert(!assoc_control_stands(place));
}
END_TEST

/* A thread had looked up the place before another closed the socket, whose number is still good. */
START_TEST(nothing_begins_on_a_place_that_is_free)
{
    struct assoc_request q;
    int before;

    begin();
    q = request();
    before = count_numbers();
    assoc_drop(&table, handle);
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EBADF);
    ck_assert_int_eq(assoc_ready_wait(&table, place, &q), -EBADF);
    ck_assert(!assoc_any(&table));
    ck_assert(!assoc_is_made(place));
    ck_assert_int_eq(count_numbers(), before);
    ck_assert_ptr_null(assoc_branch(&table, place, PROXY));
    ck_assert_int_eq(atomic_load(&place->proxy), ASSOC_NO_PROXY);
    assoc_dup(&table, handle);
    ck_assert_uint_eq(atomic_load(&place->numbers), 0);
}
END_TEST

static int result;

static void *wait_for_it(void *argument)
{
    struct assoc_request q = request();

    result = assoc_ready_wait(&table, place, &q);
    return argument;
}

/* Another thread closes the socket, and the place is the next one's, whoever sleeps for the association. */
START_TEST(sleeper_is_told_that_its_socket_was_closed)
{
    pthread_t thread;
    assoc_handle next;
    struct addr any;

    begin();
    ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_it, NULL), 0);
    while (!assoc_is_made(place))
        sched_yield();
    assoc_drop(&table, handle);
    ck_assert_int_eq(assoc_attach(&table, socket_here(SOCK_DGRAM, &any), AF_INET, &next), 0);
    ck_assert_ptr_eq(assoc_of(&table, next), place);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(result, -ECANCELED);
    ck_assert(!assoc_any(&table));
}
END_TEST

static long (*kernel)(long, ...);

static long without_ports(long number, ...)
{
    va_list list;
    long a[6];

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (number != SYS_connect)
        return kernel(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    errno = EAGAIN;
    return -1;
}

/* EINPROGRESS would send the caller to a queue that is nowhere, and back, without end. */
START_TEST(what_cannot_begin_does_not_last)
{
    struct assoc_request q;
    int before;

    begin();
    q = request();
    before = count_numbers();
    kernel = real.syscall;
    real.syscall = without_ports;
    ck_assert_int_eq(assoc_ready(&table, place, &q), -ENOBUFS);
    real.syscall = kernel;
    ck_assert(!assoc_any(&table));
    ck_assert_int_eq(count_numbers(), before);
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EINPROGRESS);
    assoc_drop(&table, handle);
    ck_assert_int_eq(count_numbers(), before);
}
END_TEST

/* What the proxy says, and then its end. */
static void answer(struct assoc_making *m, const char *bytes, size_t size)
{
    static const struct addr any = { .kind = ADDR_IPV4 };
    const struct flight_plan plan = { .account = &account, .proxy = &proxy, .pipeline = CONF_PIPELINE_OFF };

    memset(m, 0, offsetof(struct assoc_making, room));
    m->a = place;
    m->proxy = proxy;
    m->number = PROXY;
    flight_prepare(&m->flight, &m->machine, &plan, SOCKS5_ASSOCIATE, &any);
    for (;;) {
        enum socks5_want want = socks5_want(&m->machine);
        size_t len = 0;
        uint8_t *in;

        if (want == SOCKS5_SEND) {
            socks5_out(&m->machine, &len);
            socks5_sent(&m->machine, len);
        } else if (want == SOCKS5_RECV && size) {
            in = socks5_in(&m->machine, &len);
            len = len < size ? len : size;
            memcpy(in, bytes, len);
            socks5_received(&m->machine, len);
            bytes += len;
            size -= len;
        } else if (want == SOCKS5_RECV) {
            socks5_eof(&m->machine);
        } else {
            return;
        }
    }
}

static struct assoc_making making;

START_TEST(word_of_the_proxy_holds_for_ever)
{
    struct assoc_request q;

    begin();
    q = request();
    answer(&making, "\5\0\5\7\0\1\0\0\0\0\0\0", 12);
    ck_assert(!assoc_refuses(&table, PROXY));
    ck_assert_int_eq(assoc_control_failed(&table, &making, socks5_error(&making.machine)), -EACCES);
    ck_assert(assoc_refuses(&table, PROXY));
    ck_assert(!assoc_refuses(&table, PROXY - 1));
    ck_assert(atomic_load(&table.refused[PROXY]) == INT64_MAX);
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EACCES);
}
END_TEST

START_TEST(end_in_place_of_its_word_holds_for_a_minute)
{
    struct assoc_request q;
    int64_t before = clock_ms(), until;

    begin();
    q = request();
    answer(&making, "\5\0", 2);
    ck_assert_int_eq(assoc_control_failed(&table, &making, socks5_error(&making.machine)), -EACCES);
    until = atomic_load(&table.refused[PROXY]);
    ck_assert(until >= before + MINUTE_MS && until <= clock_ms() + MINUTE_MS);
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EACCES);
    atomic_store(&table.refused[PROXY], clock_ms());
    ck_assert(!assoc_refuses(&table, PROXY));
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EINPROGRESS);
    assoc_drop(&table, handle);
}
END_TEST

/* An end before the request, or an error that is another, is none of it. */
START_TEST(other_failures_are_not_kept)
{
    begin();
    answer(&making, "\5", 1);
    ck_assert_int_eq(assoc_control_failed(&table, &making, -ECONNREFUSED), -ECONNREFUSED);
    answer(&making, "\5\0\5\1\0\1\0\0\0\0\0\0", 12);
    ck_assert_int_eq(assoc_control_failed(&table, &making, -ECONNREFUSED), -ECONNREFUSED);
    ck_assert(!assoc_refuses(&table, PROXY));
}
END_TEST

START_TEST(child_does_not_keep_what_lingers)
{
    char c;

    begin();
    stand();
    atomic_store(&place->owed, true);
    assoc_drop(&table, handle);
    ck_assert_int_eq(recv(peer, &c, 1, MSG_DONTWAIT), -1);
    assoc_fork_child(&table, NULL);
    await(peer, POLLIN);
    ck_assert_int_eq(recv(peer, &c, 1, MSG_DONTWAIT), 0);
    /* The number is somebody else's from now on. */
    ck_assert_int_eq(dup2(listener, own), own);
    assoc_control_tidy(&table, clock_ms() + MINUTE_MS);
    ck_assert_int_ge(fcntl(own, F_GETFD), 0);
}
END_TEST

/* execvp() tries one directory after the other. */
START_TEST(last_datagrams_are_waited_for_once)
{
    begin();
    stand();
    ck_assert_int_eq(assoc_control_last_ms(&table), 0);
    for (int i = 0; i < 2; i++) {
        atomic_store(&place->owed, true);
        ck_assert_int_gt(assoc_control_last_ms(&table), 0);
        ck_assert_int_eq(assoc_control_last_ms(&table), 0);
    }
}
END_TEST

/* The word that an association has failed is for its own socket alone. */
START_TEST(word_is_not_sent_to_a_port_that_is_shared)
{
    const int options[] = { SO_REUSEADDR, SO_REUSEPORT };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char word[32];
    int on = 1, other;

    begin();
    making.a = place;
    making.socket = fd;
    assoc_wake(&making);
    ck_assert_int_gt(recv(fd, word, sizeof word, MSG_DONTWAIT), 0);
    other = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, options[_i], &on, sizeof on), 0);
    ck_assert_int_eq(setsockopt(other, SOL_SOCKET, options[_i], &on, sizeof on), 0);
    ck_assert_int_eq(bind(other, (struct sockaddr *)&sa, len), 0);
    assoc_wake(&making);
    ck_assert_int_eq(recv(fd, word, sizeof word, MSG_DONTWAIT), -1);
    ck_assert_int_eq(recv(other, word, sizeof word, MSG_DONTWAIT), -1);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("assoc_control");
    TCase *tc = tcase_create("assoc_control");

    tcase_add_loop_test(tc, end_behind_bytes_is_seen, 0, 2);
    tcase_add_test(tc, number_of_another_does_not_stand);
    tcase_add_test(tc, nothing_begins_on_a_place_that_is_free);
    tcase_add_test(tc, sleeper_is_told_that_its_socket_was_closed);
    tcase_add_test(tc, what_cannot_begin_does_not_last);
    tcase_add_test(tc, word_of_the_proxy_holds_for_ever);
    tcase_add_test(tc, end_in_place_of_its_word_holds_for_a_minute);
    tcase_add_test(tc, other_failures_are_not_kept);
    tcase_add_test(tc, child_does_not_keep_what_lingers);
    tcase_add_test(tc, last_datagrams_are_waited_for_once);
    tcase_add_loop_test(tc, word_is_not_sent_to_a_port_that_is_shared, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
