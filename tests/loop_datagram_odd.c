/* SPDX-License-Identifier: ISC */
/* loop_datagram_odd.c - associations beside a limit, another thread, a busy loop; numbers that are closed or used up,
 * and such as were made before the socket's first datagram */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop_datagram.h"
#include "probe_text.h"

enum {
    FEW = 3, LIMIT_MS = 150, BUSY_MS = 8000,
    GUEST_MS = 700,             /* each of its waits; the first ends behind the deadline */
    GUEST_CPU_MS = 200,         /* of all three */
    NUMBERS = 5000,             /* those of the object lie below */
    ROOM = 64, ROOM_LEFT = 3    /* what making an association takes for a moment; two of it for as long as it lasts */
};

/* SO_SNDTIMEO holds for a send that makes the association, which goes on without it. */
static int limited(char **argv)
{
    struct timeval limit = { 0, LIMIT_MS * 1000 }, none = { 0, 0 };
    struct target relay;
    long began;
    int fd;

    sink_begin(argv);
    fd = sink_socket(0);
    loop_is(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit), 0, "SO_SNDTIMEO");
    began = net_clock();
    sink_send(fd, 0, 1, 0);
    loop_check(net_clock() - began >= LIMIT_MS, "it has slept %ld ms", net_clock() - began);
    loop_is(setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none), 0, "no SO_SNDTIMEO");
    loop_hold(fd, 1);
    loop_release();
    sink_send(fd, 1, 1, 0);
    sink_has(0, 2, &relay);
    sink_empty();
    sink_answer(fd, &relay, "after the limit");
    return loop_code();
}

static struct {
    int fd, error;
    atomic_int thread;
} sender;

static void *send_asleep(void *argument)
{
    int fd = sender.fd;

    atomic_store(&sender.thread, (int)gettid());
    sender.error = sendto(fd, "x", 1, 0, (struct sockaddr *)&to_sink.sa, to_sink.len) < 0 ? errno : 0;
    return argument;
}

/* Another thread closes the socket of a send that sleeps. */
static int closed_beside(char **argv)
{
    pthread_t thread;

    sink_begin(argv);
    sender.fd = sink_socket(0);
    if (pthread_create(&thread, NULL, send_asleep, NULL) != 0)
        net_die("pthread_create");
    loop_held(1);
    loop_until_asleep(atomic_load(&sender.thread));
    close(sender.fd);
    while (pthread_tryjoin_np(thread, NULL) != 0) {
        loop_release();
        poll(NULL, 0, 5);
    }
    loop_check(sender.error == EBADF, "the send: %s", text_errno(sender.error));
    sink_empty();
    return loop_code();
}

static void *release_first(void *argument)
{
    struct target relay;

    loop_held(2);
    net_tell(loop_control, "release 1");
    sink_has(0, FEW, &relay);
    sink_empty();
    loop_release();
    return argument;
}

/* A send that sleeps for its own association brings on the others, like any other wait. */
static int beside_another(char **argv)
{
    struct target relay;
    pthread_t thread;
    int fd, other;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, FEW, 0);
    loop_hold(fd, 1);
    other = sink_socket(0);
    if (pthread_create(&thread, NULL, release_first, NULL) != 0)
        net_die("pthread_create");
    sink_send(other, FEW, 1, 0);
    pthread_join(thread, NULL);
    sink_has(FEW, 1, &relay);
    sink_answer(other, &relay, "the other");
    return loop_code();
}

/* Our numbers are closed with all others: the program's own is as good as it was. */
static int numbers_gone(char **argv)
{
    struct target relay;
    char c;
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, 1, 0);
    loop_hold(fd, 1);
    loop_is(close_range((unsigned)(fd > sink ? fd : sink) + 1, ~0u, 0), 0, "close_range");
    loop_is(recv(fd, &c, 1, 0), ECONNABORTED, "recv");
    loop_is(recv(fd, &c, 1, 0), EAGAIN, "the next recv");
    loop_release();
    sink_send(fd, 10, 1, 0);
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    sink_has(10, 1, &relay);
    sink_answer(fd, &relay, "anew");
    return loop_code();
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    return getsockopt(fd, level, name, &value, &len) == 0 ? value : -1;
}

/* argv: CONTROL PORT.  Who goes without a word is missed, within two minutes. */
static int keeps_alive(char **argv)
{
    struct target relay;
    int found = 0;

    sink_begin(argv);
    sink_send(sink_socket(0), 0, 1, 0);
    sink_has(0, 1, &relay);
    for (int n = 0; n < NUMBERS; n++) {
        struct sockaddr_in at = { .sin_family = AF_UNSPEC };
        socklen_t len = sizeof at;

        if (getpeername(n, (struct sockaddr *)&at, &len) != 0 || at.sin_family != AF_INET ||
            ntohs(at.sin_port) != atoi(argv[1]))
            continue;
        found++;
        loop_check(option(n, SOL_SOCKET, SO_KEEPALIVE) == 1, "SO_KEEPALIVE is off");
        loop_check(option(n, IPPROTO_TCP, TCP_KEEPIDLE) + option(n, IPPROTO_TCP, TCP_KEEPINTVL) *
                   option(n, IPPROTO_TCP, TCP_KEEPCNT) <= 120, "more than two minutes");
        loop_check(option(n, IPPROTO_TCP, TCP_USER_TIMEOUT) == 0, "TCP_USER_TIMEOUT is on");
    }
    loop_check(found == 1, "%d control connections", found);
    return loop_code();
}

/* A set where something is always ready: waits on it never sleep.  Returns whether fd was ready within time, or with
 * fd -1 whether something has come to the sink. */
static bool turn(int set, int fd, long end)
{
    struct epoll_event e[2];
    int ahead = 0;

    while (net_clock() < end) {
        int n = epoll_wait(set, e, 2, -1);

        loop_check(n > 0, "epoll_wait: %d", n);
        for (int i = 0; i < n; i++) {
            if (e[i].data.u64 == (uint64_t)fd)
                return true;
        }
        if (fd < 0 && ioctl(sink, FIONREAD, &ahead) == 0 && ahead > 0)
            return true;
    }
    return false;
}

static int busy_set(int fd)
{
    int set = loop_set(), pipes[2];

    if (pipe(pipes) != 0 || write(pipes[1], "x", 1) != 1)
        net_die("pipe");
    loop_add(set, fd, EPOLLIN);
    loop_add(set, pipes[0], EPOLLIN);
    return set;
}

/* The proxy never answers: the deadline comes for a loop that does not sleep as well. */
static int busy_late(char **argv)
{
    int fd, set;
    char c;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    set = busy_set(fd);
    sink_send(fd, 0, 1, 0);
    loop_check(turn(set, fd, net_clock() + BUSY_MS), "the association has no end");
    loop_is(recv(fd, &c, 1, 0), ETIMEDOUT, "recv");
    return loop_code();
}

/* No number is left for the set of what associations wait for: nothing but the time tells the loop to look at them. */
static int busy_blind(char **argv)
{
    struct rlimit few = { ROOM, ROOM };
    struct target relay;
    long end = net_clock() + BUSY_MS;
    int fd, set, last;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    set = busy_set(fd);
    loop_is(setrlimit(RLIMIT_NOFILE, &few), 0, "setrlimit");
    while ((last = dup(fd)) < ROOM - 1 && last >= 0)
        ;
    for (int i = 0; i < ROOM_LEFT; i++)
        close(ROOM - 1 - i);
    sink_send(fd, 0, FEW, 0);
    while (net_tell(loop_control, "count") < 1 && net_clock() < end)
        turn(set, fd, net_clock() + 5);
    loop_release();
    if (loop_check(turn(set, -1, end), "the association does not go on"))
        sink_has(0, FEW, &relay);
    return loop_code();
}

static long cpu_ms(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000L + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

/* For something that never comes, in three ways. */
static void wait_in_vain(int fd)
{
    struct timeval t = { 0, GUEST_MS * 1000 };
    int set = loop_set();
    struct epoll_event e;
    fd_set in;

    loop_add(set, fd, EPOLLIN);
    FD_ZERO(&in);
    FD_SET(fd, &in);
    loop_check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, GUEST_MS) == 0, "poll");
    loop_check(select(fd + 1, &in, NULL, NULL, &t) == 0, "select");
    loop_check(epoll_wait(set, &e, 1, GUEST_MS) == 0, "epoll_wait");
}

/* A child that no fork handler was told of may not end its parent's association, whose time is over: it sleeps. */
static int guest_late(char **argv)
{
    int pipes[2];
    pid_t pid;

    sink_begin(argv);
    if (pipe(pipes) != 0)
        net_die("pipe");
    sink_send(sink_socket(SOCK_NONBLOCK), 0, 1, 0);
    pid = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L, 0L);
    if (pid < 0)
        net_die("clone");
    if (pid == 0) {
        long began = cpu_ms(), used;

        wait_in_vain(pipes[0]);
        used = cpu_ms() - began;
        loop_check(used < GUEST_CPU_MS, "%ld ms of the processor", used);
        _exit(loop_code());
    }
    loop_reap(pid, "the child");
    return loop_code();
}

static const char *const receives[] = { "read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg" };

enum { RECEIVES = sizeof receives / sizeof receives[0] };

/* Receive up to 64 bytes.  Returns what the call does. */
static long receive(int way, int fd)
{
    char text[64];
    struct iovec piece = { text, sizeof text };
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    struct mmsghdr m = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1, .msg_name = &from, .msg_namelen = len } };

    switch (way) {
    case 0:
        return read(fd, text, sizeof text);
    case 1:
        return readv(fd, &piece, 1);
    case 2:
        return recv(fd, text, sizeof text, 0);
    case 3:
        return recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len);
    case 4:
        return recvmsg(fd, &m.msg_hdr, 0);
    default:
        return recvmmsg(fd, &m, 1, 0, NULL);
    }
}

/* Another number of the socket, made before its first datagram, tells of the failure like the one that sent. */
static int fails_duplicated(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < RECEIVES; way++) {
        int fd = sink_socket(SOCK_NONBLOCK), other = dup(fd);

        sink_send(fd, 0, FEW, 0);
        loop_hold(fd, 1);
        loop_release();
        loop_check(loop_poll(other, POLLIN) == POLLIN, "%s: nothing", receives[way]);
        loop_is(receive(way, other), ENETUNREACH, receives[way]);
        loop_is(receive(way, other), EAGAIN, "and then");
        loop_is(receive(way, fd), EAGAIN, "the number that sent");
        close(fd);
        close(other);
    }
    sink_empty();
    return loop_code();
}

/* The child's wait alone brings its association on: its calls on the socket would take the word from the parent. */
static void send_in_vain(int fd, int until)
{
    loop_until_asleep(getppid());
    sink_send(fd, 0, 1, MSG_DONTWAIT);
    loop_hold(until, 1);
    loop_release();
    loop_check(loop_poll(until, POLLIN) != 0, "the parent sleeps on");
    exit(loop_code());
}

/* A child's association fails while its parent, which has none, sleeps in a receiving call. */
static int fails_forked(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < RECEIVES; way++) {
        int fd = sink_socket(0), until[2], pid;

        if (pipe(until) != 0)
            net_die("pipe");
        pid = loop_fork();
        if (pid == 0) {
            close(until[1]);
            send_in_vain(fd, until[0]);
        }
        loop_is(receive(way, fd), EINTR, receives[way]);
        close(until[1]);
        loop_reap(pid, "the child");
        loop_is(fcntl(fd, F_SETFL, O_NONBLOCK), 0, "O_NONBLOCK");
        loop_is(receive(way, fd), EAGAIN, "and then");
        close(until[0]);
        close(fd);
    }
    sink_empty();
    return loop_code();
}

const struct loop_command datagram_odd_commands[] = {
    { "udp-limited", 1, limited, "CONTROL: SO_SNDTIMEO" },
    { "udp-closed-beside", 1, closed_beside, "CONTROL: another thread closes the socket of a send that sleeps" },
    { "udp-beside-another", 1, beside_another, "CONTROL: a send that sleeps, and another socket's association" },
    { "udp-numbers-gone", 1, numbers_gone, "CONTROL: all numbers but the socket's are closed" },
    { "udp-keeps-alive", 2, keeps_alive, "CONTROL PORT: keepalive of the connection to the proxy's port" },
    { "udp-busy-late", 1, busy_late, "CONTROL: a deadline, in a loop that never sleeps" },
    { "udp-busy-blind", 1, busy_blind, "CONTROL: the same without a number for our set" },
    { "udp-guest-late", 1, guest_late, "CONTROL: a deadline that a child by a bare clone() cannot keep" },
    { "udp-fails-duplicated", 1, fails_duplicated, "CONTROL: a failure, by a number made before the first datagram" },
    { "udp-fails-forked", 1, fails_forked, "CONTROL: a child's failure while the parent sleeps in a receiving call" },
    { NULL, 0, NULL, NULL }
};
