/* SPDX-License-Identifier: ISC */
/* probe_life_make.c - a number made anew in every way, and tried */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe_life.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000 };

/* Since glibc 2.36. */
int pidfd_getfd(int process, int fd, unsigned flags) __attribute__((weak));

#if defined __x86_64__
static long raw(long number, long a, long b, long c)
{
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}
#elif defined __aarch64__
static long raw(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;

    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}
#else
static long raw(long number, long a, long b, long c)
{
    (void)number, (void)a, (void)b, (void)c;
    return -ENOSYS;
}
#endif

int life_raw_close(int fd)
{
    return (int)raw(SYS_close, fd, 0, 0);
}

int life_exchange(int fd, bool named)
{
    const struct sockaddr *sa = named ? (const struct sockaddr *)&life.datagram.sa : NULL;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct target from = { .len = sizeof from.sa };
    char c = 0;

    if (sendto(fd, "d", 1, 0, sa, named ? life.datagram.len : 0) != 1)
        return errno;
    if (poll(&p, 1, PATIENCE_MS) != 1)
        return ETIMEDOUT;
    if (recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from.sa, &from.len) != 1)
        return errno;
    return c == 'd' && from.len == life.datagram.len && memcmp(&from.sa, &life.datagram.sa, from.len) == 0 ? 0 : EPROTO;
}

static int make_stream(int *far)
{
    (void)far;
    return socket(AF_INET, SOCK_STREAM, 0);
}

static int make_datagram(int *far)
{
    (void)far;
    return socket(AF_INET, SOCK_DGRAM, 0);
}

static int make_raw_stream(int *far)
{
    (void)far;
    return (int)raw(SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static int make_pair(int *far)
{
    int pair[2] = { -1, -1 };

    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    *far = pair[1];
    return pair[0];
}

/* The number is taken while the other end is made. */
static int accepted(int *far, int (*take)(int listener))
{
    int hold = dup(life.null), fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (net_connect(fd, &life.local) != 0)
        net_die("local connect");
    life_raw_close(hold);
    *far = fd;
    return take(life.listener);
}

static int take_accept(int listener)
{
    return accept(listener, NULL, NULL);
}

static int take_accept4(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static int make_accept(int *far)
{
    return accepted(far, take_accept);
}

static int make_accept4(int *far)
{
    return accepted(far, take_accept4);
}

static int make_dup(int *far)
{
    *far = life.pair[1];
    return dup(life.pair[0]);
}

static int make_fcntl(int *far)
{
    *far = life.pair[1];
    return fcntl(life.pair[0], F_DUPFD, 0);
}

static int make_fcntl_cloexec(int *far)
{
    *far = life.pair[1];
    return fcntl(life.pair[0], F_DUPFD_CLOEXEC, 0);
}

/* Which number is the lowest one is only known by taking it. */
static int make_dup3(int *far)
{
    int lowest = (int)raw(SYS_dup, life.null, 0, 0);

    life_raw_close(lowest);
    *far = life.pair[1];
    return dup3(life.pair[0], lowest, 0);
}

static int make_dup2(int *far)
{
    int lowest = (int)raw(SYS_dup, life.null, 0, 0);

    life_raw_close(lowest);
    *far = life.pair[1];
    return dup2(life.pair[0], lowest);
}

static int make_pidfd_number(int *far)
{
    *far = life.pair[1];
    return (int)syscall(SYS_pidfd_getfd, life.self, life.pair[0], 0);
}

static int make_pidfd(int *far)
{
    if (!pidfd_getfd)
        return make_pidfd_number(far);
    *far = life.pair[1];
    return pidfd_getfd(life.self, life.pair[0], 0);
}

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

static void fill(struct msghdr *m, struct iovec *piece, union control *control)
{
    memset(control, 0, sizeof *control);
    *m = (struct msghdr){ .msg_iov = piece, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof *control };
}

static void pass(int fd)
{
    union control control;
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    struct msghdr m;
    struct cmsghdr *c;

    fill(&m, &piece, &control);
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (sendmsg(life.way[0], &m, 0) != 1)
        net_die("sendmsg");
}

static int passed(const struct msghdr *m)
{
    int fd = -1;

    if (CMSG_FIRSTHDR(m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(m)), sizeof fd);
    return fd;
}

static int make_recvmsg(int *far)
{
    union control control;
    char c;
    struct iovec piece = { .iov_base = &c, .iov_len = 1 };
    struct msghdr m;

    fill(&m, &piece, &control);
    *far = life.pair[1];
    pass(life.pair[0]);
    return recvmsg(life.way[1], &m, 0) == 1 ? passed(&m) : -1;
}

static int make_recvmmsg(int *far)
{
    union control control;
    char c;
    struct iovec piece = { .iov_base = &c, .iov_len = 1 };
    struct mmsghdr m = { .msg_len = 0 };

    fill(&m.msg_hdr, &piece, &control);
    *far = life.pair[1];
    pass(life.pair[0]);
    return recvmmsg(life.way[1], &m, 1, 0, NULL) == 1 ? passed(&m.msg_hdr) : -1;
}

static int make_pipe(int *far)
{
    int ends[2] = { -1, -1 };

    if (pipe(ends) != 0)
        net_die("pipe");
    *far = ends[1];
    return ends[0];
}

/* Each call is a statement: the order of a call's arguments is the compiler's. */
static void tell(const char *what, long result)
{
    printf("%s %ld, ", what, result);
}

static void tell_error(const char *what, int error)
{
    printf("%s %s, ", what, text_errno(error));
}

static void tell_peer(int fd, const struct target *t)
{
    struct target peer = { .len = sizeof peer.sa };

    if (getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len) != 0)
        tell_error("peer", errno);
    else
        printf("peer %s, ", peer.len == t->len && memcmp(&peer.sa, &t->sa, peer.len) == 0 ? "as connected" : "strange");
}

/* The one direct target there is when loopback goes through the proxy: the proxy. */
static int greet(int fd)
{
    char answer[2];
    int error;

    if (send(fd, "\5\1\0", 3, MSG_NOSIGNAL) != 3)
        return errno;
    error = net_receive(fd, answer, sizeof answer);
    return error ? error : answer[0] == 5 && answer[1] == 0 ? 0 : EPROTO;
}

static void try_stream(int fd, int far)
{
    static unsigned turn;
    const struct target *t = turn++ % 2 ? &life.tunnel : &life.direct;

    (void)far;
    tell_peer(fd, t);
    tell_error("error", net_error(fd));
    tell("connect", net_connect(fd, t));
    tell_peer(fd, t);
    tell_error("use", t == &life.direct ? greet(fd) : net_echo(fd, 100));
}

static void try_datagram(int fd, int far)
{
    (void)far;
    tell_peer(fd, &life.datagram);
    tell_error("exchange", life_exchange(fd, true));
}

/* Leaves one byte to be read. */
static void try_registration(int fd, int far)
{
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = 99 }, got[2];
    int n;

    tell("events", epoll_wait(life.set, got, 2, 0));
    tell("add", epoll_ctl(life.set, EPOLL_CTL_ADD, fd, &e));
    tell("told", write(far, "e", 1));
    n = epoll_wait(life.set, got, 2, PATIENCE_MS);
    tell(n == 1 && got[0].data.u64 == 99 ? "own events" : "strange events", n);
    tell("delete", epoll_ctl(life.set, EPOLL_CTL_DEL, fd, NULL));
}

static void try_pair(int fd, int far)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    struct target peer = { .len = sizeof peer.sa };
    char text[2] = "";
    int waiting = -1;

    try_registration(fd, far);
    tell("FIONREAD", ioctl(fd, FIONREAD, &waiting));
    tell("waiting", waiting);
    tell("poll", poll(&p, 1, 0));
    tell("events", p.revents);
    tell("recv", recv(fd, text, 1, MSG_DONTWAIT));
    tell("send", send(fd, "s", 1, MSG_DONTWAIT));
    tell("write", write(fd, "w", 1));
    tell_error("far", net_receive(far, text, 2));
    printf("%.2s, ", text);
    tell("connect", net_connect(fd, &life.local));
    tell_error("errno", errno);
    tell("shown", getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len));
}

static void try_pipe(int fd, int far)
{
    char c = 0;

    try_registration(fd, far);
    tell("read", read(fd, &c, 1));
    tell("byte", c);
    tell("write", write(fd, "w", 1));
    tell_peer(fd, &life.local);
}

const struct life_make life_makes[] = {
    { "socket, stream", make_stream, try_stream },
    { "socket, datagram", make_datagram, try_datagram },
    { "raw socket, stream", make_raw_stream, try_stream },
    { "socketpair", make_pair, try_pair },
    { "accept", make_accept, try_pair },
    { "accept4", make_accept4, try_pair },
    { "dup", make_dup, try_pair },
    { "dup2", make_dup2, try_pair },
    { "dup3", make_dup3, try_pair },
    { "F_DUPFD", make_fcntl, try_pair },
    { "F_DUPFD_CLOEXEC", make_fcntl_cloexec, try_pair },
    { "pidfd_getfd", make_pidfd, try_pair },
    { "SYS_pidfd_getfd", make_pidfd_number, try_pair },
    { "recvmsg", make_recvmsg, try_pair },
    { "recvmmsg", make_recvmmsg, try_pair },
    { "pipe", make_pipe, try_pipe },
    { NULL, NULL, NULL },
};
