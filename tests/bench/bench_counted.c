/* SPDX-License-Identifier: ISC */
/* bench_counted.c - work whose instructions and system calls others count */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench_work.h"

enum { SIZE = 64, BATCH = 32 };

static char bytes[SIZE];

static void connects(long count)
{
    for (long i = 0; i < count; i++)
        close(bench_stream());
}

/* As event loops do it: registered before, taken out by its close(). */
static void connects_epoll(long count)
{
    int set = epoll_create1(0), error = 0;
    socklen_t len = sizeof error;

    for (long i = 0; i < count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        struct epoll_event e = { .events = EPOLLOUT };

        connect(fd, (struct sockaddr *)&bench_target.sa, sizeof bench_target.sa);
        epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
        if (epoll_wait(set, &e, 1, 5000) != 1 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error)
            bench_die("connect");
        close(fd);
    }
}

static void both_ways(int out, int in, long count)
{
    for (long i = 0; i < count; i++)
        if (send(out, bytes, SIZE, 0) != SIZE || recv(in, bytes, SIZE, MSG_WAITALL) != SIZE)
            bench_die("send or recv");
}

static void data(long count)
{
    int fd = bench_stream();

    both_ways(fd, fd, count);
}

static void unix_data(long count)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        bench_die("socketpair");
    both_ways(pair[0], pair[1], count);
}

static void pipes(long count)
{
    int fd[2];

    if (pipe(fd) != 0)
        bench_die("pipe");
    for (long i = 0; i < count; i++)
        if (write(fd[1], bytes, SIZE) != SIZE || read(fd[0], bytes, SIZE) != SIZE)
            bench_die("pipe");
}

static void opens(long count)
{
    for (long i = 0; i < count; i++)
        if (close(open("/dev/null", O_RDONLY)) != 0)
            bench_die("open");
}

static void polls(long count)
{
    struct pollfd p = { .events = POLLOUT };
    int fd[2];

    if (pipe(fd) != 0)
        bench_die("pipe");
    p.fd = fd[1];
    for (long i = 0; i < count; i++)
        if (poll(&p, 1, -1) != 1)
            bench_die("poll");
}

static void epolls(long count)
{
    struct epoll_event e = { .events = EPOLLOUT };
    int fd[2], set = epoll_create1(0);

    if (pipe(fd) != 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd[1], &e) != 0)
        bench_die("epoll");
    for (long i = 0; i < count; i++)
        if (epoll_wait(set, &e, 1, -1) != 1)
            bench_die("epoll_wait");
}

static void datagrams(long count)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in from;

    for (long i = 0; i < count; i++) {
        socklen_t len = sizeof from;

        if (sendto(fd, bytes, SIZE, 0, (struct sockaddr *)&bench_target.sa, sizeof bench_target.sa) != SIZE ||
            recvfrom(fd, bytes, SIZE, 0, (struct sockaddr *)&from, &len) != SIZE)
            bench_die("datagram");
    }
}

/* count: of batches. */
static void batches(long count)
{
    static struct sockaddr_in from[BATCH];
    static char room[BATCH][SIZE];
    struct mmsghdr out[BATCH], in[BATCH];
    struct iovec piece[BATCH];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    for (long i = 0; i < count; i++) {
        memset(out, 0, sizeof out);
        memset(in, 0, sizeof in);
        for (int k = 0; k < BATCH; k++) {
            piece[k] = (struct iovec){ room[k], SIZE };
            out[k].msg_hdr.msg_iov = in[k].msg_hdr.msg_iov = &piece[k];
            out[k].msg_hdr.msg_iovlen = in[k].msg_hdr.msg_iovlen = 1;
            out[k].msg_hdr.msg_name = &bench_target.sa;
            in[k].msg_hdr.msg_name = &from[k];
            out[k].msg_hdr.msg_namelen = in[k].msg_hdr.msg_namelen = sizeof from[k];
        }
        if (sendmmsg(fd, out, BATCH, 0) != BATCH)
            bench_die("sendmmsg");
        for (int got = 0, n; got < BATCH; got += n) {
            n = recvmmsg(fd, in + got, (unsigned)(BATCH - got), MSG_WAITFORONE, NULL);
            if (n < 1)
                bench_die("recvmmsg");
        }
    }
}

const struct bench_cell bench_counted[] = {
    { "connect", connects }, { "connect-epoll", connects_epoll }, { "data", data }, { "unix", unix_data },
    { "pipe", pipes }, { "open", opens }, { "poll", polls }, { "epoll", epolls }, { "datagram", datagrams },
    { "batch", batches }, { NULL, NULL },
};
