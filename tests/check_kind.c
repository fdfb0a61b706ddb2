/* SPDX-License-Identifier: ISC */
/* check_kind.c - which sockets are carried, which are native, which are refused */
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kind.h"
#include "real.h"

Suite *make_suite(void);

static const struct {
    int domain, type, protocol;
    enum kind kind;
} table[] = {
    { AF_INET, SOCK_STREAM, 0, KIND_STREAM },
    { AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP, KIND_STREAM },
    { AF_INET, SOCK_STREAM, 262, KIND_STREAM },
    { AF_INET, SOCK_STREAM, IPPROTO_SCTP, KIND_OTHER },
    { AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP, KIND_OTHER },
    { AF_INET, SOCK_DGRAM, 0, KIND_DATAGRAM },
    { AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP, KIND_DATAGRAM },
    { AF_INET, SOCK_DGRAM, IPPROTO_ICMP, KIND_OTHER },
    { AF_INET, SOCK_DGRAM, 136, KIND_OTHER },
    { AF_INET, SOCK_RAW, IPPROTO_ICMP, KIND_OTHER },
    { AF_INET, SOCK_RAW, IPPROTO_RAW, KIND_REFUSED },
    { AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW, KIND_REFUSED },
    { AF_INET, SOCK_PACKET, 0, KIND_REFUSED },
    { AF_PACKET, SOCK_RAW, 0, KIND_REFUSED },
    { AF_PACKET, SOCK_DGRAM, 0, KIND_REFUSED },
    { 44 /* AF_XDP */, SOCK_RAW, 0, KIND_REFUSED },
    { 43 /* AF_SMC */, SOCK_STREAM, 0, KIND_REFUSED },
    { AF_TIPC, SOCK_RDM, 0, KIND_REFUSED },
    { AF_RDS, SOCK_SEQPACKET, 0, KIND_REFUSED },
    { 42 /* AF_QIPCRTR */, SOCK_DGRAM, 0, KIND_REFUSED },
    { AF_VSOCK, SOCK_STREAM, 0, KIND_LOCAL },
    { AF_UNIX, SOCK_STREAM, 0, KIND_NATIVE },
    { AF_NETLINK, SOCK_RAW, 0, KIND_NATIVE },
    { AF_ALG, SOCK_SEQPACKET, 0, KIND_NATIVE },
    { AF_KEY, SOCK_RAW, 0, KIND_NATIVE },
    { AF_BLUETOOTH, SOCK_RAW, 0, KIND_NATIVE },
    { AF_CAN, SOCK_RAW, 0, KIND_NATIVE }
};

START_TEST(judge_arguments_as_designed)
{
    ck_assert_int_eq(kind_judge(table[_i].domain, table[_i].type, table[_i].protocol), table[_i].kind);
}
END_TEST

static const struct {
    int domain, type;
    int kind, of_domain;
} sockets[] = {
    { AF_INET, SOCK_STREAM, KIND_STREAM, AF_INET },
    { AF_INET6, SOCK_STREAM, KIND_STREAM, AF_INET6 },
    { AF_INET, SOCK_DGRAM, KIND_DATAGRAM, AF_INET },
    { AF_UNIX, SOCK_DGRAM, KIND_NATIVE, AF_UNIX }
};

START_TEST(ask_socket_tells_kind_and_domain)
{
    int domain = -1, fd = real.socket(sockets[_i].domain, sockets[_i].type, 0);
    bool idle;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(kind_ask(fd, &domain), sockets[_i].kind);
    ck_assert_int_eq(domain, sockets[_i].of_domain);
    ck_assert_int_eq(kind_ask(fd, NULL), sockets[_i].kind);
    domain = -1;
    ck_assert_int_eq(kind_ask_stream(fd, &domain, &idle), sockets[_i].kind);
    ck_assert_int_eq(idle, sockets[_i].kind == KIND_STREAM);
    ck_assert_int_eq(domain, idle ? -1 : sockets[_i].of_domain);
    real.close(fd);
}
END_TEST

/* Whoever is connected, or was about to be, must be asked for its peer. */
START_TEST(ask_stream_idle_until_it_connects)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    int listener = real.socket(AF_INET, SOCK_STREAM, 0), fd = real.socket(AF_INET, SOCK_STREAM, 0), domain;
    socklen_t len = sizeof sa;
    bool idle = false;

    ck_assert_int_eq(kind_ask_stream(fd, &domain, &idle), KIND_STREAM);
    ck_assert(idle);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, sizeof sa), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
    ck_assert_int_eq(real.connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    ck_assert_int_eq(kind_ask_stream(fd, &domain, &idle), KIND_STREAM);
    ck_assert(!idle);
    ck_assert_int_eq(kind_ask_stream(listener, &domain, &idle), KIND_STREAM);
    ck_assert(!idle);
    real.close(fd);
    real.close(listener);
}
END_TEST

START_TEST(ask_no_socket_tells_errno)
{
    int pair[2], domain = -7;
    bool idle;

    ck_assert_int_eq(pipe(pair), 0);
    ck_assert_int_eq(kind_ask_stream(pair[0], &domain, &idle), -ENOTSOCK);
    ck_assert_int_eq(kind_ask_stream(-1, &domain, &idle), -EBADF);
    ck_assert_int_eq(kind_ask(pair[0], &domain), -ENOTSOCK);
    ck_assert_int_eq(kind_ask(-1, &domain), -EBADF);
    ck_assert_int_eq(domain, -7);
    real.close(pair[0]);
    real.close(pair[1]);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("kind");
    TCase *tc = tcase_create("kinds");

    tcase_add_unchecked_fixture(tc, real_init, NULL);
    tcase_add_loop_test(tc, judge_arguments_as_designed, 0, sizeof table / sizeof table[0]);
    tcase_add_loop_test(tc, ask_socket_tells_kind_and_domain, 0, sizeof sockets / sizeof sockets[0]);
    tcase_add_test(tc, ask_stream_idle_until_it_connects);
    tcase_add_test(tc, ask_no_socket_tells_errno);
    suite_add_tcase(suite, tc);
    return suite;
}
