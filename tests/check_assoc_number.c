/* SPDX-License-Identifier: ISC */
/* check_assoc_number.c - an association under way whose numbers the program has closed, and used again */
#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assoc_making.h"
#include "real.h"

Suite *make_suite(void);

enum {
    NUMBERS = 5000,             /* ours lie below */
    SLICE_MAX = 20              /* milliseconds: what a wait sleeps at most where nothing wakes it */
};

static struct assoc_table table;
static struct assoc_making making;
static struct assoc *place;
static int fd;

/* A socket whose association is being made. */
static void begin(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    assoc_handle handle;

    real_init();
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&here, sizeof here), 0);
    memset(&table, 0, sizeof table);
    ck_assert_int_eq(assoc_attach(&table, fd, AF_INET, &handle), 0);
    place = assoc_of(&table, handle);
    memset(&making, 0, sizeof making);
    making.a = place;
    making.socket = dup(fd);
    making.limits.step_ms = 10000;
    assoc_making_limit(&table, &making, making.limits.step_ms);
    table.making = &making;
    atomic_store(&table.made_now, 1);
    atomic_store(&place->making, &making);
}

/* A connection of the program's: returns its own end. */
static int connection(int *peer)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), own = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof here;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    ck_assert_int_eq(connect(own, (struct sockaddr *)&here, sizeof here), 0);
    *peer = accept(listener, NULL, NULL);
    ck_assert_int_ge(*peer, 0);
    close(listener);
    return own;
}

/* Its end comes without a byte before it. */
static void nothing_came(int own, int peer)
{
    char c;

    ck_assert_int_eq(shutdown(own, SHUT_WR), 0);
    ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
}

/* The question for a.test, A; behind the header for the server. */
static void queue_question(void)
{
    static uint8_t message[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1a\4test\0\0\1\0\1";
    const struct addr server = { .kind = ADDR_IPV4, .port = 53, .ip = { 192, 0, 2, 53 } };
    uint8_t header[UDP_HEADER_MAX];
    struct iovec head = { header, (size_t)udp_header_put(&server, header) }, piece = { message, sizeof message - 1 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

    making.server = server;
    ck_assert(assoc_queue(&table, place, fd, &head, &m, 0, false));
}

/* The word to its readers that the association has failed is not said there. */
START_TEST(failure_is_not_told_to_another_socket)
{
    char word[32];
    int peer, own = connection(&peer);

    begin();
    assoc_wake(&making);
    ck_assert(assoc_is_wake(word, (size_t)recv(fd, word, sizeof word, MSG_DONTWAIT), atomic_load(&place->cookie)));
    ck_assert_int_ge(dup2(own, making.socket), 0);
    queue_question();
    ck_assert_int_eq(assoc_making_step(&table, &making), -EBADF);
    ck_assert_int_eq(atomic_load(&place->failed), -ECONNABORTED);
    nothing_came(own, peer);
}
END_TEST

START_TEST(queue_is_lost_rather_than_sent_through_another_socket)
{
    int peer, own = connection(&peer);

    begin();
    queue_question();
    queue_question();
    making.relay.len = sizeof(struct sockaddr_in);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&making.relay.sa, &(socklen_t){ sizeof making.relay.sa }), 0);
    ck_assert_int_ge(dup2(own, making.socket), 0);
    ck_assert_int_eq(assoc_making_step(&table, &making), 0);
    ck_assert_uint_eq(atomic_load(&place->unsent), 2);
    nothing_came(own, peer);
}
END_TEST

/* The connection to the server stands, and its number is the program's: the question fails, and nothing is asked or
 * read there. */
START_TEST(question_is_not_asked_in_another_connection)
{
    uint8_t answer[512];
    char c[2] = { 0 };
    ssize_t n;
    int peer, own = connection(&peer);

    begin();
    making.stream = making.talks = true;
    atomic_store(&place->control, own);
    atomic_store(&place->control_cookie, real_cookie(fd));
    ck_assert_int_eq(send(peer, "ab", 2, 0), 2);
    queue_question();
    ck_assert(!assoc_is_made(place));
    n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
    ck_assert_int_gt(n, UDP_HEADER_IPV4 + 3);
    ck_assert_int_eq(answer[UDP_HEADER_IPV4 + 3] & 15, 2);
    ck_assert_int_eq(recv(own, c, sizeof c, 0), 2);
    ck_assert_mem_eq(c, "ab", 2);
    nothing_came(own, peer);
}
END_TEST

static int count_numbers(void)
{
    int count = 0;

    for (int i = 0; i < NUMBERS; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

/* The number was closed after its place was looked up: what is duplicated for the association is another's. */
START_TEST(nothing_is_kept_of_another_socket)
{
    const struct addr proxy = { .kind = ADDR_IPV4, .port = 9, .ip = { 127, 0, 0, 1 } };
    static const struct conf_proxy account;
    struct assoc_request q = { .proxy = &proxy, .account = &account, .limits = { 10000, 10000 } };
    int peer, before;

    begin();
    q.fd = connection(&peer);
    atomic_store(&place->making, NULL);
    table.making = NULL;
    atomic_store(&table.made_now, 0);
    before = count_numbers();
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EBADF);
    ck_assert_int_eq(count_numbers(), before);
    ck_assert(!assoc_is_made(place));
    ck_assert_int_eq(atomic_load(&place->control), -1);
}
END_TEST

/* The relay is known, and the socket had no room: when it has is what is waited for. */
static int watch_for_room(void)
{
    bool made = false;
    int set;

    making.relay.len = sizeof(struct sockaddr_in);
    making.count = 1;
    set = assoc_watch(&table, &made);
    ck_assert_int_gt(set, 0);
    ck_assert(made);
    return set;
}

static bool is_readable(int set)
{
    struct pollfd p = { .fd = set, .events = POLLIN };

    return poll(&p, 1, 0) == 1;
}

START_TEST(room_to_send_is_watched_in_a_set_made_anew)
{
    int set;

    begin();
    set = watch_for_room();
    ck_assert(is_readable(set));
    assoc_watch_forget(&table, set);
    close(set);
    set = watch_for_room();
    ck_assert(is_readable(set));
    ck_assert_int_gt(assoc_slice_ms(&table), SLICE_MAX);
}
END_TEST

/* The kernel has no room for one more registration (EPOLL_CTL_ADD: ENOSPC), and then it has. */
static int (*kernel)(int, int, int, struct epoll_event *);
static bool full;

static int filling(int set, int op, int number, struct epoll_event *event)
{
    if (!full)
        return kernel(set, op, number, event);
    errno = ENOSPC;
    return -1;
}

START_TEST(what_cannot_be_watched_is_looked_at)
{
    int set;

    begin();
    kernel = real.epoll_ctl;
    real.epoll_ctl = filling;
    full = true;
    set = watch_for_room();
    ck_assert(!is_readable(set));
    ck_assert_int_le(assoc_slice_ms(&table), SLICE_MAX);
    full = false;
    making.count = 0;
    making.stream = true;
    assoc_tend(&table);
    ck_assert_int_gt(assoc_slice_ms(&table), SLICE_MAX);
}
END_TEST

/* A proxy that says nothing. */
static struct addr silent_proxy(void)
{
    struct sockaddr_in here = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t len = sizeof here;
    struct addr proxy;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&here, sizeof here), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    ck_assert_int_eq(addr_from_sockaddr((struct sockaddr *)&here, len, &proxy), 0);
    return proxy;
}

static long count_sleeps(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nvcsw;
}

/* poll() takes no more numbers than a process may open: EINVAL, at once. */
START_TEST(wait_without_numbers_sleeps)
{
    static const struct conf_proxy account;
    struct rlimit none, kept;
    struct assoc_request q = { .account = &account, .limits = { 400, 400 } };
    struct addr proxy;
    long before;

    begin();
    atomic_store(&place->making, NULL);
    table.making = NULL;
    atomic_store(&table.made_now, 0);
    proxy = silent_proxy();
    q.fd = fd;
    q.proxy = &proxy;
    ck_assert_int_eq(assoc_ready(&table, place, &q), -EINPROGRESS);
    queue_question();
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &kept), 0);
    none = (struct rlimit){ 0, kept.rlim_max };
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    before = count_sleeps();
    if (_i == 0)
        assoc_drain_one(&table, place);
    else
        ck_assert_int_eq(assoc_wait(&table, place, _i == 1 ? -1 : fd, INT64_MAX), 0);
    before = count_sleeps() - before;
    /* What looks for leaks at the end opens files. */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &kept), 0);
    ck_assert_int_ge(before, 3);
    ck_assert_int_eq(atomic_load(&place->ended), -ETIMEDOUT);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("assoc_number");
    TCase *tc = tcase_create("assoc_number");

    tcase_add_test(tc, failure_is_not_told_to_another_socket);
    tcase_add_test(tc, queue_is_lost_rather_than_sent_through_another_socket);
    tcase_add_test(tc, question_is_not_asked_in_another_connection);
    tcase_add_test(tc, nothing_is_kept_of_another_socket);
    tcase_add_test(tc, room_to_send_is_watched_in_a_set_made_anew);
    tcase_add_test(tc, what_cannot_be_watched_is_looked_at);
    tcase_add_loop_test(tc, wait_without_numbers_sleeps, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}
