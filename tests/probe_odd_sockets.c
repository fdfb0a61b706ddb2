/* SPDX-License-Identifier: ISC */
/* probe_odd_sockets.c - socket calls with odd arguments */
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_odd.h"
#include "probe_text.h"

enum { HUGE_NUMBER = 1 << 20 };

static int end(long fd)
{
    return fd < 0 ? -1 : close((int)fd);
}

static void makers(void)
{
    int pair[2] = { -7, -7 };

    TRY(end(socket(-1, SOCK_STREAM, 0)));
    TRY(end(socket(INT_MAX, SOCK_STREAM, 0)));
    TRY(end(socket(0, SOCK_STREAM, 0)));
    TRY(end(socket(AF_INET, 0, 0)));
    TRY(end(socket(AF_INET, -1, 0)));
    TRY(end(socket(AF_INET, SOCK_STREAM | 0x10, 0)));
    TRY(end(socket(AF_INET, SOCK_STREAM, -1)));
    TRY(end(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP)));
    TRY(end(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP)));
    TRY(end(socket(AF_INET, SOCK_SEQPACKET, 0)));
    TRY(end(socket(AF_INET, SOCK_STREAM, INT_MAX)));
    TRY(end(socket(AF_UNIX, SOCK_STREAM, 77)));
    TRY(socketpair(AF_INET, SOCK_STREAM, 0, pair));
    TRY(socketpair(AF_UNIX, 99, 0, pair));
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 99, pair));
    TRY(pair[0] == -7 && pair[1] == -7);
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, NULL));
    TRY(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair));
    TRY(close(pair[0]));
    TRY(close(pair[1]));
    TRY(syscall(SYS_socketpair, AF_INET, SOCK_STREAM, 0, pair));
}

static void accepts(int pipe_end)
{
    struct sockaddr_in6 sa;
    socklen_t len = sizeof sa;
    int quiet = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0), fresh = socket(AF_INET, SOCK_STREAM, 0);

    TRY(accept(-1, NULL, NULL));
    TRY(accept(HUGE_NUMBER, NULL, NULL));
    TRY(accept(pipe_end, NULL, NULL));
    TRY(accept(fresh, NULL, NULL));
    TRY(listen(quiet, 1));
    TRY(accept(quiet, NULL, NULL));
    TRY(accept(quiet, (struct sockaddr *)&sa, &len));
    TRY(accept(quiet, (struct sockaddr *)&sa, NULL));
    TRY(accept4(quiet, NULL, NULL, 0x12345));
    TRY(accept4(quiet, NULL, NULL, SOCK_CLOEXEC));
    TRY(accept4(-1, NULL, NULL, SOCK_NONBLOCK));
    TRY(syscall(SYS_accept4, quiet, NULL, NULL, 0));
    TRY(getpeername(quiet, (struct sockaddr *)&sa, &len));
    close(quiet);
    close(fresh);
}

static void peers(int pipe_end)
{
    struct sockaddr_un un;
    socklen_t len = sizeof un;
    int pair[2];

    TRY(getpeername(-1, (struct sockaddr *)&un, &len));
    TRY(getpeername(pipe_end, (struct sockaddr *)&un, &len));
    TRY(getpeername(-1, NULL, NULL));
    TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    TRY(getpeername(pair[0], (struct sockaddr *)&un, &len));
    TRY((long)len);
    len = 1;
    TRY(getpeername(pair[0], (struct sockaddr *)&un, &len));
    len = (socklen_t)-5;
    TRY(getpeername(pair[0], (struct sockaddr *)&un, &len));
    TRY(getpeername(pair[0], NULL, &len));
    TRY(getpeername(pair[0], (struct sockaddr *)&un, NULL));
    close(pair[0]);
    close(pair[1]);
}

static void connects(const struct target *t, int pipe_end)
{
    const struct sockaddr *sa = (const struct sockaddr *)&t->sa;
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int stream = net_socket(t, SOCK_STREAM), datagram = net_socket(t, SOCK_DGRAM);
    int local = socket(AF_UNIX, SOCK_STREAM, 0), link = socket(AF_NETLINK, SOCK_RAW, 0);

    TRY(connect(-1, sa, t->len));
    TRY(connect(HUGE_NUMBER, sa, t->len));
    TRY(connect(pipe_end, sa, t->len));
    TRY(connect(stream, NULL, 0));
    TRY(connect(stream, NULL, t->len));
    TRY(connect(-1, NULL, 0));
    TRY(connect(local, sa, t->len));
    TRY(connect(link, sa, t->len));
    TRY(connect(stream, &none, sizeof none));
    TRY(connect(stream, &none, 1));
    TRY(connect(datagram, &none, sizeof none));
    TRY(connect(datagram, sa, t->len));
    TRY(connect(datagram, sa, t->len));
    TRY(connect(datagram, &none, 2));
    TRY(listen(stream, 1));
    TRY(connect(stream, sa, t->len));
    TRY(syscall(SYS_connect, -1, sa, t->len));
    close(stream);
    close(datagram);
    close(local);
    close(link);
}

static void sends(struct target *t, int pipe_end)
{
    const struct sockaddr *sa = (const struct sockaddr *)&t->sa;
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    struct mmsghdr m = { .msg_hdr = { .msg_name = &t->sa, .msg_namelen = t->len, .msg_iov = &piece, .msg_iovlen = 1 } };
    int stream = net_socket(t, SOCK_STREAM), datagram = net_socket(t, SOCK_DGRAM);

    TRY(sendto(-1, "x", 1, 0, sa, t->len));
    TRY(sendto(pipe_end, "x", 1, 0, sa, t->len));
    TRY(sendto(pipe_end, "x", 1, MSG_FASTOPEN, sa, t->len));
    TRY(sendto(datagram, "x", 1, 0, NULL, 0));
    TRY(sendto(datagram, "x", 1, 0, NULL, t->len));
    TRY(sendto(datagram, NULL, 1, 0, sa, t->len));
    TRY(sendto(datagram, "x", 70000, 0, sa, t->len));
    TRY(sendto(datagram, "x", 1, MSG_OOB, sa, t->len));
    TRY(sendto(stream, "x", 1, MSG_NOSIGNAL, NULL, 0));
    TRY(sendto(stream, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0));
    TRY(sendmsg(datagram, NULL, 0));
    TRY(sendmsg(-1, NULL, 0));
    TRY(sendmsg(-1, &m.msg_hdr, 0));
    TRY(sendmmsg(datagram, NULL, 1, 0));
    TRY(sendmmsg(datagram, NULL, 0, 0));
    TRY(sendmmsg(datagram, &m, 0, 0));
    TRY(sendmmsg(-1, &m, 1, 0));
    m.msg_hdr.msg_namelen = 4096;
    TRY(sendmsg(datagram, &m.msg_hdr, 0));
    m.msg_hdr.msg_namelen = (socklen_t)-1;
    TRY(sendmsg(datagram, &m.msg_hdr, 0));
    m.msg_hdr.msg_namelen = t->len;
    m.msg_hdr.msg_iovlen = 5000;
    TRY(sendmsg(datagram, &m.msg_hdr, 0));
    m.msg_hdr.msg_iovlen = 0;
    TRY(sendmsg(datagram, &m.msg_hdr, 0));
    close(stream);
    close(datagram);
}

static void receives(int pipe_end)
{
    struct mmsghdr m;
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    memset(&m, 0, sizeof m);
    TRY(recvmsg(-1, &m.msg_hdr, 0));
    TRY(recvmsg(pipe_end, &m.msg_hdr, 0));
    TRY(recvmsg(datagram, &m.msg_hdr, 0));
    TRY(recvmsg(datagram, NULL, 0));
    TRY(recvmmsg(datagram, &m, 1, 0, NULL));
    TRY(recvmmsg(datagram, &m, 0, 0, NULL));
    TRY(recvmmsg(-1, &m, 1, 0, NULL));
    TRY(recvmmsg(datagram, NULL, 1, 0, NULL));
    close(datagram);
}

int odd_sockets(char **argv)
{
    struct target t = net_target(argv[0]);
    int pair[2];

    if (pipe(pair) != 0)
        net_die("pipe");
    makers();
    accepts(pair[0]);
    peers(pair[0]);
    connects(&t, pair[0]);
    sends(&t, pair[0]);
    receives(pair[0]);
    TRY(end(socket(AF_INET, SOCK_STREAM, 0)));
    return 0;
}
