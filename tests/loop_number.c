/* SPDX-License-Identifier: ISC */
/* loop_number.c - numbers that come and go while a handshake is pending
 *
 * The proxy's events tell whether a byte of the program's got into a handshake: `early`.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum { MANY = 9, CLOSE_RANGE = 436 };

/* Of untimely.c. */
extern int untimely_ranges __attribute__((weak));

/* A duplicate is as good as the first, in every way to wait, whichever is closed. */
static int duplicates(char **argv)
{
    int set = loop_set(), fd, copy[3];

    loop_arguments(argv);
    for (int keep = 0; keep < 3; keep++) {
        fd = loop_begin(SOCK_NONBLOCK);
        loop_add(set, fd, EPOLLOUT);
        copy[0] = dup(fd);
        copy[1] = fcntl(fd, F_DUPFD, 100);
        copy[2] = dup3(fd, 200, O_CLOEXEC);
        for (int i = 0; i < 3; i++) {
            loop_is(copy[i], 0, "a duplicate");
            loop_is(write(copy[i], "abc", 3), EAGAIN, "write to a duplicate");
        }
        /* A registration lasts as long as the file; the number it was made by must be there to take it away. */
        if (keep > 0)
            epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL);
        close(fd);
        for (int i = 0; i < 3; i++) {
            if (i != keep)
                close(copy[i]);
        }
        if (keep == 1)
            loop_add(set, copy[keep], EPOLLOUT | EPOLLET);
        loop_hold(copy[keep], 1);
        loop_is(write(copy[keep], "abc", 3), EAGAIN, "write to the last");
        loop_release();
        loop_check(keep == 1 ? loop_wait(set, copy[keep]) == EPOLLOUT : loop_poll(copy[keep], POLLOUT) == POLLOUT,
                   "%d: not writable", keep);
        loop_good(copy[keep], "a duplicate");
        close(copy[keep]);
    }
    return loop_code();
}

/* More duplicates than are followed: the handshake lasts as long as one of them. */
static int many_duplicates(char **argv)
{
    int copy[MANY], fd;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    for (int i = 0; i < MANY; i++)
        copy[i] = dup(fd);
    close(fd);
    for (int i = 0; i < MANY - 1; i++)
        close(copy[i]);
    fd = copy[MANY - 1];
    loop_is(write(fd, "abc", 3), EAGAIN, "write to the last");
    loop_hold(fd, 1);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "the last duplicate");
    return loop_code();
}

/* A number beyond what a limit has become since it was made stays what it is. */
static void over_beyond(int fd)
{
    int high = fcntl(fd, F_DUPFD, 400);
    struct rlimit kept, low;

    getrlimit(RLIMIT_NOFILE, &kept);
    low = (struct rlimit){ 300, kept.rlim_max };
    setrlimit(RLIMIT_NOFILE, &low);
    loop_is(dup2(0, high), EBADF, "dup2 beyond the limit");
    loop_is(dup3(0, high, O_CLOEXEC), EBADF, "dup3 beyond the limit");
    setrlimit(RLIMIT_NOFILE, &kept);
    loop_is(write(high, "abc", 3), EAGAIN, "write beyond the limit");
    close(high);
}

/* dup2() over a pending socket ends it; one that fails leaves it as it is. */
static int over(char **argv)
{
    int fd, other, set = loop_set();
    struct epoll_event e;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    loop_is(dup2(999, fd), EBADF, "dup2 of a bad number");
    loop_is(dup3(fd, fd, 0), EINVAL, "dup3 onto itself");
    loop_is(dup3(0, fd, 12345), EINVAL, "dup3 with bad flags");
    loop_is(dup2(fd, fd), 0, "dup2 onto itself");
    loop_is(write(fd, "abc", 3), EAGAIN, "write to it");
    over_beyond(fd);
    other = loop_begin(SOCK_NONBLOCK);
    loop_add(set, other, EPOLLOUT);
    loop_is(dup2(other, fd), 0, "dup2");
    loop_is(write(fd, "abc", 3), EAGAIN, "write to what took its place");
    loop_hold(fd, 1);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "what took its place");
    loop_check(loop_wait(set, other) == EPOLLOUT, "no event of the other");
    loop_check(epoll_wait(set, &e, 1, 20) == 1 && (int)e.data.u64 == other, "an event of what is gone");
    return loop_code();
}

/* Where the kernel has no close_range(), what it was to close stays what it is. */
static int ranges(char **argv)
{
    int fd;

    loop_arguments(argv);
    if (!&untimely_ranges)
        net_die("untimely.so");
    fd = loop_begin(SOCK_NONBLOCK);
    untimely_ranges = 1;
    loop_is(close_range((unsigned)fd, ~0u, 0), ENOSYS, "close_range");
    loop_is((int)syscall(CLOSE_RANGE, fd, -1, 0), ENOSYS, "close_range by number");
    loop_is(write(fd, "abc", 3), EAGAIN, "write");
    loop_hold(fd, 1);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "it");
    return loop_code();
}

/* A number that is used again inherits nothing.  what: 0 close, 1 close_range, 2 and then a pipe. */
static void reuse(int what, int set)
{
    int fd = loop_begin(SOCK_NONBLOCK), again, pipes[2];
    char buf[3];

    loop_add(set, fd, EPOLLIN | EPOLLOUT);
    if (what == 1)
        loop_is(close_range((unsigned)fd, (unsigned)fd, 0), 0, "close_range");
    else
        loop_is(close(fd), 0, "close");
    if (what == 2) {
        if (pipe(pipes) != 0)
            net_die("pipe");
        loop_check(pipes[0] == fd, "the number is not used again");
        loop_check(write(pipes[1], "abc", 3) == 3 && read(pipes[0], buf, 3) == 3, "the pipe");
        close(pipes[0]);
        close(pipes[1]);
        return;
    }
    again = loop_begin(SOCK_NONBLOCK);
    loop_check(again == fd, "the number is not used again");
    loop_add(set, again, EPOLLOUT);
    loop_check(loop_wait(set, again) == EPOLLOUT, "not writable");
    loop_good(again, "a number used again");
    close(again);
}

static int numbers(char **argv)
{
    int set = loop_set();

    loop_arguments(argv);
    for (int i = 0; i < 60; i++)
        reuse(i % 3, set);
    return loop_code();
}

/* Sets: two with the same socket, one inside the other, one that is closed, one whose registration is taken out. */
static int sets(char **argv)
{
    int outer = loop_set(), inner = loop_set(), second = loop_set(), gone = loop_set(), fd;
    struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 77 };

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    loop_add(outer, inner, EPOLLIN);
    loop_add(inner, fd, EPOLLOUT | EPOLLET);
    loop_add(gone, fd, EPOLLOUT);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_add(second, fd, EPOLLOUT | EPOLLONESHOT);
    loop_is(epoll_ctl(second, EPOLL_CTL_ADD, fd, &e), EEXIST, "ADD again");
    close(gone);
    loop_hold(inner, 1);
    loop_is(epoll_ctl(second, EPOLL_CTL_DEL, fd, NULL), 0, "DEL");
    loop_is(epoll_ctl(second, EPOLL_CTL_DEL, fd, NULL), ENOENT, "DEL again");
    loop_is(epoll_ctl(second, EPOLL_CTL_MOD, fd, &e), ENOENT, "MOD of none");
    loop_is(epoll_ctl(second, EPOLL_CTL_ADD, fd, &e), 0, "ADD after DEL");
    e = (struct epoll_event){ .events = EPOLLOUT | EPOLLONESHOT, .data.u64 = (uint64_t)fd };
    loop_is(epoll_ctl(second, EPOLL_CTL_MOD, fd, &e), 0, "MOD");
    loop_check(epoll_wait(second, &e, 1, 0) == 0, "an event while it is held");
    loop_release();
    loop_check(loop_wait(second, fd) == EPOLLOUT, "no event in the second set");
    loop_check(loop_wait(outer, inner) == EPOLLIN, "no event in the outer set");
    loop_check(loop_wait(inner, fd) == EPOLLOUT, "no event in the inner set");
    loop_check(epoll_wait(inner, &e, 1, 20) == 0 && epoll_wait(second, &e, 1, 0) == 0, "an event too many");
    loop_good(fd, "in several sets");
    return loop_code();
}

/* The number of a registration is closed while a duplicate lives: no event while the proxy holds, and its own after. */
static int last_number(char **argv)
{
    int set = loop_set(), fd, copy;
    struct epoll_event e;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT | EPOLLET);
    copy = dup(fd);
    loop_hold(fd, 1);
    close(fd);
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event while it is held");
    loop_is(write(copy, "abc", 3), EAGAIN, "write to the duplicate");
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event while it is held, after a write");
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event too many");
    loop_good(copy, "the duplicate");
    close(copy);
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event of what is gone");
    return loop_code();
}

static void modify(int set, int fd, uint64_t data)
{
    struct epoll_event e = { .events = EPOLLOUT, .data.u64 = data };

    loop_is(epoll_ctl(set, EPOLL_CTL_MOD, fd, &e), 0, "MOD");
}

/* A set with two numbers.  pending: whether it is changed by the second while the handshake lasts, or before. */
static void change_by_copy(bool pending)
{
    int set = loop_set(), copy = dup(set), fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN, .data.u64 = 1 };

    loop_add(set, fd, EPOLLIN);
    if (!pending)
        modify(copy, fd, (uint64_t)fd);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(set, 1);
    loop_is(epoll_ctl(copy, EPOLL_CTL_ADD, fd, &e), EEXIST, "ADD again");
    if (pending)
        modify(copy, fd, (uint64_t)fd);
    loop_check(epoll_wait(copy, &e, 1, 0) == 0, "an event while it is held");
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "not the changed registration");
    loop_good(fd, "in a set with two numbers");
    close(fd);
    close(copy);
    close(set);
}

static int set_numbers(char **argv)
{
    int set = loop_set(), copy = dup(set), fd;
    struct epoll_event e;

    loop_arguments(argv);
    change_by_copy(true);
    change_by_copy(false);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    loop_hold(set, 1);
    loop_is(epoll_ctl(copy, EPOLL_CTL_DEL, fd, NULL), 0, "DEL");
    loop_is(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), ENOENT, "DEL again");
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event of what was taken out");
    return loop_code();
}

/* A socket that is connected once more: its registration in set lasts through all. */
static void once_more(int set, int fd)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    struct epoll_event e;

    loop_is(connect(fd, &nowhere, sizeof nowhere), 0, "connect to nowhere");
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect once more");
    loop_hold(fd, 1);
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event while it is held");
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "once more");
}

static int again(char **argv)
{
    int set = loop_set(), other = loop_set(), fd;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(set, 1);
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "at first");
    once_more(set, fd);
    once_more(set, fd);
    /* A registration of a socket that stands, in a set that had none. */
    loop_is(epoll_ctl(set, EPOLL_CTL_DEL, fd, NULL), 0, "DEL");
    loop_add(other, fd, EPOLLOUT);
    once_more(other, fd);
    return loop_code();
}

const struct loop_command number_commands[] = {
    { "duplicates", 2, duplicates, "ADDRESS CONTROL" },
    { "many-duplicates", 2, many_duplicates, "ADDRESS CONTROL" },
    { "ranges", 2, ranges, "ADDRESS CONTROL: close_range() that the kernel does not have" },
    { "over", 2, over, "ADDRESS CONTROL: dup2() over a pending socket" },
    { "numbers", 2, numbers, "ADDRESS CONTROL: numbers used again; nothing is held" },
    { "sets", 2, sets, "ADDRESS CONTROL: several epoll sets" },
    { "last-number", 2, last_number, "ADDRESS CONTROL: the number of a registration is closed before a duplicate" },
    { "set-numbers", 2, set_numbers, "ADDRESS CONTROL: an epoll set with two numbers" },
    { "again", 2, again, "ADDRESS CONTROL: a socket connected once more" },
    { NULL, 0, NULL, NULL },
};
