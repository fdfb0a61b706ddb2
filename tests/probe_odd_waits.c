/* SPDX-License-Identifier: ISC */
/* probe_odd_waits.c - poll, select and epoll with odd arguments */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_odd.h"
#include "probe_text.h"

enum { LIMIT = 1024 };

/* The compiler would have something to say of these numbers. */
static volatile int negative = -1, most = INT_MAX;
static volatile nfds_t beyond = LIMIT + 1, all = (nfds_t)-1;

static struct timespec none = { 0, 0 }, late = { 0, 1000000000 }, early = { -1, 0 };

static void polls(int fd, int closed)
{
    struct pollfd p[3] = { { .fd = fd, .events = POLLOUT }, { .fd = closed, .events = POLLIN }, { .fd = -1 } };
    sigset_t set;

    sigemptyset(&set);
    TRY(poll(NULL, 0, 0));
    TRY(poll(p, 3, 0));
    TRY(p[0].revents);
    TRY(p[1].revents);
    p[2].revents = -1;
    TRY(poll(p + 2, 1, 0));
    TRY(p[2].revents);
    TRY(poll(p, 1, INT_MIN));
    TRY(poll(p, beyond, 0));
    TRY(poll(p, all, 0));
    p[0].events = 0;
    TRY(poll(p, 1, 0));
    TRY(ppoll(p, 2, &none, NULL));
    TRY(ppoll(p, 2, &none, &set));
    TRY(ppoll(p, 1, &late, NULL));
    TRY(ppoll(p, 1, &early, &set));
    TRY(ppoll(NULL, 0, &none, NULL));
    TRY(ppoll(p, beyond, &none, NULL));
    TRY(none.tv_sec == 0 && none.tv_nsec == 0);
}

static void selects(int fd, int closed)
{
    struct timeval zero = { 0, 0 }, backwards = { -1, 0 }, much = { 0, 2000000 };
    fd_set read, write;

    FD_ZERO(&read);
    FD_ZERO(&write);
    FD_SET(fd, &write);
    TRY(select(0, NULL, NULL, NULL, &zero));
    TRY(select(-1, NULL, NULL, NULL, &zero));
    TRY(select(INT_MAX, &read, NULL, NULL, &zero));
    TRY(select(fd + 1, NULL, &write, NULL, &backwards));
    TRY(select(fd + 1, NULL, &write, NULL, &much));
    TRY(FD_ISSET(fd, &write) != 0);
    FD_SET(closed, &read);
    FD_SET(fd, &write);
    TRY(select(closed + 1, &read, &write, NULL, &zero));
    TRY(FD_ISSET(closed, &read) != 0);
    TRY(FD_ISSET(fd, &write) != 0);
    TRY(select(fd + 1, NULL, &write, NULL, NULL));
    TRY(pselect(0, NULL, NULL, NULL, &none, NULL));
    TRY(pselect(fd + 1, NULL, &write, NULL, &late, NULL));
    TRY(pselect(fd + 1, NULL, &write, NULL, &early, NULL));
    TRY(pselect(closed + 1, &read, NULL, NULL, &none, NULL));
    TRY(pselect(-1, NULL, NULL, NULL, &none, NULL));
}

static void controls(int set, int fd, int closed)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u64 = UINT64_MAX };
    int other = epoll_create1(0);

    TRY(epoll_ctl(-1, EPOLL_CTL_ADD, fd, &e));
    TRY(epoll_ctl(fd, EPOLL_CTL_ADD, set, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, set, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, -1, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, closed, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_MOD, fd, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL));
    TRY(epoll_ctl(set, 77, fd, &e));
    TRY(epoll_ctl(set, 0, fd, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
    e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
    TRY(epoll_ctl(other, EPOLL_CTL_ADD, fd, &e));
    e.events = EPOLLIN | EPOLLEXCLUSIVE;
    TRY(epoll_ctl(other, EPOLL_CTL_ADD, fd, &e));
    TRY(epoll_ctl(other, EPOLL_CTL_MOD, fd, &e));
    e.events = EPOLLIN;
    TRY(epoll_ctl(other, EPOLL_CTL_ADD, set, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, other, &e));
    TRY(epoll_ctl(set, EPOLL_CTL_ADD, STDOUT_FILENO, NULL));
    close(other);
}

static void epolls(int fd, int closed)
{
    struct epoll_event got[2];
    int set = epoll_create1(0);
    sigset_t signals;

    sigemptyset(&signals);
    controls(set, fd, closed);
    TRY(epoll_wait(-1, got, 2, 0));
    TRY(epoll_wait(fd, got, 2, 0));
    TRY(epoll_wait(set, got, 0, 0));
    TRY(epoll_wait(set, got, negative, 0));
    TRY(epoll_wait(set, got, most, 0));
    TRY(epoll_wait(set, got, 2, INT_MIN));
    TRY(got[0].events);
    TRY(got[0].data.u64 == UINT64_MAX);
    TRY(epoll_pwait(set, got, 0, 0, NULL));
    TRY(epoll_pwait(-1, got, 2, 0, &signals));
    TRY(epoll_pwait(set, got, 2, 0, &signals));
    TRY(syscall(SYS_epoll_pwait, set, got, 2, 0, &signals, (size_t)8));
    TRY(syscall(SYS_epoll_pwait, set, got, 2, 0, &signals, (size_t)3));
    TRY(syscall(SYS_epoll_ctl, set, EPOLL_CTL_DEL, fd, NULL));
    TRY(epoll_wait(set, got, 2, 0));
    close(set);
}

int odd_waits(char **argv)
{
    struct rlimit limit = { LIMIT, LIMIT };
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_DGRAM), closed = dup(fd);

    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    close(closed);
    polls(fd, closed);
    selects(fd, closed);
    epolls(fd, closed);
    close(fd);
    return 0;
}
