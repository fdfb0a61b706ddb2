/* SPDX-License-Identifier: ISC */
/* check_tunnel.c - the blocking driver over real TCP on loopback, with faults put in place of libc's functions */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real.h"
#include "tunnel.h"

Suite *make_suite(void);

/* A proxy that plays a script for one connection: it waits for `expect` bytes, then sends the reply, and so on. */
struct turn {
    size_t expect;
    const char *reply;
    size_t reply_len;
};

struct server {
    int listener;
    uint16_t port;
    const struct turn *turns;
    int count;
    bool hold;               /* after the last turn: wait for the client's end instead of closing */
    atomic_int *after;       /* nothing is answered before this is 0; may be NULL */
    pthread_t thread;
};

static void *serve(void *argument)
{
    struct server *s = argument;
    int fd = real.accept(s->listener, NULL, NULL);
    char buf[1024];

    for (int i = 0; i < s->count; i++) {
        size_t got = 0;

        while (got < s->turns[i].expect) {
            ssize_t n = real.recv(fd, buf, s->turns[i].expect - got, 0);

            if (n <= 0)
                goto end;
            got += (size_t)n;
        }
        while (s->after && atomic_load(s->after) > 0)
            sched_yield();
        real.send(fd, s->turns[i].reply, s->turns[i].reply_len, MSG_NOSIGNAL);
    }
    while (s->hold && real.recv(fd, buf, sizeof buf, 0) > 0)
        ;
end:
    real.close(fd);
    return NULL;
}

static void server_start(struct server *s)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;

    s->listener = real.socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(s->listener, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(listen(s->listener, 4), 0);
    ck_assert_int_eq(getsockname(s->listener, (struct sockaddr *)&in, &len), 0);
    s->port = ntohs(in.sin_port);
    ck_assert_int_eq(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(struct server *s)
{
    pthread_join(s->thread, NULL);
    real.close(s->listener);
}

static struct addr loopback(uint16_t port)
{
    struct addr a = { .kind = ADDR_IPV4, .port = port, .ip = { 127, 0, 0, 1 } };

    return a;
}

static void machine_make(struct socks5 *m, const char *user)
{
    const struct socks5_options o = { .user = user, .password = user ? "secret" : NULL };
    struct addr target = { .kind = ADDR_NONE };

    ck_assert_int_eq(addr_from_name("example.org", 11, &target), 0);
    target.port = 443;
    socks5_init(m, &o, SOCKS5_CONNECT, &target);
}

/* What must succeed, or fail by the proxy's word, has time; only what has to run out does so soon. */
static struct flight in_order;
static const struct tunnel_limits patient = { .step_ms = 60000, .reply_ms = 60000 };
static const struct tunnel_limits hasty = { .step_ms = 400, .reply_ms = 400 };

static int run(struct server *s, int domain, int *fd, struct socks5 *m, const struct tunnel_limits *limits)
{
    struct addr proxy;

    server_start(s);
    proxy = loopback(s->port);
    *fd = real.socket(domain, SOCK_STREAM, 0);
    machine_make(m, NULL);
    return tunnel_connect(*fd, 0, domain, &proxy, m, &in_order, limits);
}

#define METHOD "\5\0"
#define OK_REPLY "\5\0\0\1\1\2\3\4\0\7"

enum { GREETING = 3, REQUEST = 4 + 1 + 11 + 2 };

static const struct turn good[] = { { GREETING, METHOD, 2 }, { REQUEST, OK_REPLY "hello", 15 } };

START_TEST(connect_good_proxy_leaves_target_bytes)
{
    struct server s = { .turns = good, .count = 2 };
    char buf[16];
    struct socks5 m;
    int fd;

    ck_assert_int_eq(run(&s, _i ? AF_INET6 : AF_INET, &fd, &m, &patient), 0);
    ck_assert_int_eq(real.recv(fd, buf, sizeof buf, 0), 5);
    ck_assert_int_eq(memcmp(buf, "hello", 5), 0);
    real.close(fd);
    server_stop(&s);
}
END_TEST

START_TEST(connect_again_after_success_eisconn)
{
    struct server s = { .turns = good, .count = 2, .hold = true };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct socks5 m;
    int fd;

    ck_assert_int_eq(run(&s, AF_INET, &fd, &m, &patient), 0);
    in.sin_port = htons(s.port);
    ck_assert_int_eq(real_connect(fd, (struct sockaddr *)&in, sizeof in), -EISCONN);
    real.close(fd);
    server_stop(&s);
}
END_TEST

static const struct {
    struct turn turns[2];
    int count;
    bool hold;
    int error;
} failures[] = {
    { { { GREETING, METHOD, 2 }, { REQUEST, "\5\5\0\1\0\0\0\0\0\0", 10 } }, 2, false, -ECONNREFUSED },
    { { { GREETING, METHOD, 2 }, { REQUEST, "\5\2\0\1\0\0\0\0\0\0", 10 } }, 2, true, -EACCES },
    { { { GREETING, METHOD, 2 }, { REQUEST, "\5\4", 2 } }, 2, false, -EHOSTUNREACH },
    { { { GREETING, METHOD, 2 }, { REQUEST, "\5\3\0\1", 4 } }, 2, true, -ECONNREFUSED },
    { { { GREETING, METHOD, 2 } }, 1, false, -ECONNREFUSED },
    { { { GREETING, METHOD, 2 } }, 1, true, -ETIMEDOUT },
    { { { GREETING, "\5\377", 2 } }, 1, true, -EACCES },
    { { { GREETING, "HT", 2 } }, 1, true, -ECONNREFUSED },
    { { { GREETING, NULL, 0 } }, 1, true, -ETIMEDOUT },
    { { { 0, NULL, 0 } }, 0, false, -ECONNREFUSED }
};

START_TEST(connect_bad_proxy_fails_and_socket_is_fresh)
{
    struct server s = { .turns = failures[_i].turns, .count = failures[_i].count, .hold = failures[_i].hold };
    struct server again = { .turns = good, .count = 2, .hold = true };
    int error, value = -1, fd;
    socklen_t len = sizeof value;
    struct addr proxy;
    struct socks5 m;

    error = run(&s, AF_INET, &fd, &m, s.hold && failures[_i].error == -ETIMEDOUT ? &hasty : &patient);
    /* A 4-byte error reply held open has told its code; its rest is waited for a moment. */
    ck_assert_int_eq(error, _i == 3 ? -ENETUNREACH : failures[_i].error);
    server_stop(&s);
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len), 0);
    ck_assert_int_eq(value, 0);
    server_start(&again);
    proxy = loopback(again.port);
    machine_make(&m, NULL);
    ck_assert_int_eq(tunnel_connect(fd, 0, AF_INET, &proxy, &m, &in_order, &patient), 0);
    real.close(fd);
    server_stop(&again);
}
END_TEST

START_TEST(connect_proxy_down_is_the_kernels_error)
{
    struct server s = { .turns = good, .count = 0 };
    struct addr proxy;
    struct socks5 m;
    int fd;

    server_start(&s);
    fd = real.socket(AF_INET, SOCK_STREAM, 0);
    proxy = loopback(s.port);
    machine_make(&m, NULL);
    ck_assert_int_eq(tunnel_connect(fd, 0, AF_INET, &proxy, &m, &in_order, &patient), -ECONNREFUSED);
    server_stop(&s);
    /* Nobody listens there any more. */
    machine_make(&m, NULL);
    ck_assert_int_eq(tunnel_connect(fd, 0, AF_INET, &proxy, &m, &in_order, &patient), -ECONNREFUSED);
    ck_assert_int_eq(socks5_cause(&m), SOCKS5_CAUSE_NONE);
    real.close(fd);
}
END_TEST

START_TEST(dial_ipv6_proxy_on_ipv4_socket_eafnosupport)
{
    struct addr proxy = { .kind = ADDR_IPV6, .port = 1080 };
    int fd = real.socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(tunnel_dial(fd, AF_INET, &proxy, false), -EAFNOSUPPORT);
    real.close(fd);
}
END_TEST

/* The port stays, that the program may have asked for; the address of the way to the proxy goes with the way. */
START_TEST(redial_leaves_the_socket_without_an_address)
{
    static const struct turn none;
    struct server s = { .turns = &none, .hold = true };
    struct sockaddr_in in = { .sin_family = AF_INET };
    int fd = real.socket(AF_INET, SOCK_STREAM, 0), bound;
    socklen_t len = sizeof in;
    struct addr proxy;

    server_start(&s);
    proxy = loopback(s.port);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    bound = in.sin_port;
    ck_assert_int_eq(tunnel_dial(fd, AF_INET, &proxy, false), 0);
    ck_assert_int_eq(tunnel_redial(fd, AF_INET, &proxy), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    ck_assert_int_eq(in.sin_port, bound);
    ck_assert_uint_eq(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    tunnel_reset(fd);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    ck_assert_uint_eq(in.sin_addr.s_addr, htonl(INADDR_ANY));
    real.close(fd);
    server_stop(&s);
}
END_TEST

START_TEST(connect_keeps_send_timeout_and_flags)
{
    struct server s = { .turns = good, .count = 2, .hold = true };
    struct timeval t = { 3, 250000 }, now;
    socklen_t len = sizeof now;
    struct addr proxy;
    struct socks5 m;
    int fd;

    server_start(&s);
    proxy = loopback(s.port);
    fd = real.socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    machine_make(&m, NULL);
    ck_assert_int_eq(tunnel_connect(fd, 0, AF_INET, &proxy, &m, &in_order, &patient), 0);
    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &now, &len), 0);
    /* The kernel rounds to its own ticks. */
    ck_assert_int_eq(now.tv_sec, 3);
    ck_assert_int_ge(now.tv_usec, 250000);
    ck_assert_int_lt(now.tv_usec, 260000);
    ck_assert_int_eq(real.fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    real.close(fd);
    server_stop(&s);
}
END_TEST

static const struct turn silent[] = { { GREETING, METHOD, 2 }, { REQUEST, "", 0 } };

START_TEST(connect_send_timeout_runs_out_einprogress)
{
    struct server s = { .turns = silent, .count = 2, .hold = true };
    struct timeval t = { 0, 50000 };
    struct addr proxy;
    struct socks5 m;
    int fd;

    server_start(&s);
    proxy = loopback(s.port);
    fd = real.socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    machine_make(&m, NULL);
    ck_assert_int_eq(tunnel_connect(fd, 0, AF_INET, &proxy, &m, &in_order, &patient), -EINPROGRESS);
    ck_assert_int_eq(socks5_want(&m), SOCKS5_RECV);
    real.close(fd);
    server_stop(&s);
}
END_TEST

static long (*true_syscall)(long number, ...);
static unsigned turn_of_fault;

/* Every second send or receive is interrupted or finds nothing, and what goes through moves one byte. */
static long faulty_syscall(long number, ...)
{
    va_list arguments;
    long a[6];

    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_sendto || number == SYS_recvfrom) {
        switch (turn_of_fault++ % 3) {
        case 0:
            errno = EINTR;
            return -1;
        case 1:
            errno = EAGAIN;
            return -1;
        default:
            a[2] = 1;
        }
    }
    return true_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

START_TEST(connect_eintr_eagain_short_counts_succeeds)
{
    struct server s = { .turns = good, .count = 2, .hold = true };
    struct socks5 m;
    int fd;

    true_syscall = real.syscall;
    real.syscall = faulty_syscall;
    ck_assert_int_eq(run(&s, AF_INET, &fd, &m, &patient), 0);
    real.syscall = true_syscall;
    real.close(fd);
    server_stop(&s);
}
END_TEST

static int (*true_ppoll)(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
static atomic_int interruptions;

static int interrupted_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    if (atomic_load(&interruptions) > 0) {
        atomic_fetch_sub(&interruptions, 1);
        errno = EINTR;
        return -1;
    }
    return true_ppoll(fds, count, timeout, mask);
}

static void on_signal(int number)
{
    (void)number;
}

START_TEST(connect_interrupted_follows_sa_restart)
{
    /* Without a wait there is nothing to interrupt. */
    struct server s = { .turns = good, .count = 2, .hold = true, .after = &interruptions };
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = _i ? SA_RESTART : 0 };
    struct socks5 m;
    int fd;

    /* The runner has handlers of its own. */
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigaction(SIGUSR1, &sa, NULL);
    true_ppoll = real.ppoll;
    real.ppoll = interrupted_ppoll;
    atomic_store(&interruptions, 1);
    ck_assert_int_eq(run(&s, AF_INET, &fd, &m, &patient), _i ? 0 : -EINTR);
    real.ppoll = true_ppoll;
    real.close(fd);
    server_stop(&s);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("tunnel");
    TCase *tc = tcase_create("blocking");

    tcase_add_unchecked_fixture(tc, real_init, NULL);
    tcase_add_loop_test(tc, connect_good_proxy_leaves_target_bytes, 0, 2);
    tcase_add_test(tc, connect_again_after_success_eisconn);
    tcase_add_loop_test(tc, connect_bad_proxy_fails_and_socket_is_fresh, 0, sizeof failures / sizeof failures[0]);
    tcase_add_test(tc, connect_proxy_down_is_the_kernels_error);
    tcase_add_test(tc, dial_ipv6_proxy_on_ipv4_socket_eafnosupport);
    tcase_add_test(tc, redial_leaves_the_socket_without_an_address);
    tcase_add_test(tc, connect_keeps_send_timeout_and_flags);
    tcase_add_test(tc, connect_send_timeout_runs_out_einprogress);
    tcase_add_test(tc, connect_eintr_eagain_short_counts_succeeds);
    tcase_add_loop_test(tc, connect_interrupted_follows_sa_restart, 0, 2);
    suite_add_tcase(suite, tc);
    return suite;
}
