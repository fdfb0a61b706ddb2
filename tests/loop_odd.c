/* SPDX-License-Identifier: ISC */
/* loop_odd.c - odd arguments of the waits, and odd processes, while a handshake is pending
 *
 * Those that print are run bare as well, against a listener that takes no connection: CONTROL is then "-".
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum { LIMIT = 1 << 16, BEHIND = LIMIT / 8 };

/* Volatile, so that no compiler sees what is wrong. */
static void *volatile nowhere = (void *)8;
static void *volatile null = NULL;
static nfds_t volatile too_many = LIMIT + 1;
static int volatile minus = -1;

static bool is_bare(void)
{
    return strcmp(loop_control, "-") == 0;
}

/* A connect() that is under way, with an end to the whole should a wait never return. */
static int begin(char **argv)
{
    int fd;

    alarm(20);
    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    if (!is_bare())
        loop_hold(fd, 1);
    return fd;
}

static void show(const char *what, long result)
{
    printf("%s: %ld %s\n", what, result, result == -1 ? text_errno(errno) : "");
}

#define SHOW(call) show(#call, call)

/* Any bit may stand in the events of another descriptor. */
static int marks(char **argv)
{
    int fd = begin(argv), pipes[2];

    if (pipe(pipes) != 0 || write(pipes[1], "x", 1) != 1)
        net_die("pipe");
    for (int bit = 0; bit < 16; bit++) {
        struct pollfd p[2] = { { .fd = fd, .events = POLLIN | POLLOUT },
                               { .fd = pipes[0], .events = (short)(POLLIN | 1 << bit) } };
        int n = poll(p, 2, -1);

        printf("%x: %d %x %x\n", 1u << bit, n, (unsigned)p[0].revents, (unsigned)p[1].revents);
        p[1].events = (short)(1 << bit);
        n = poll(p, 2, 0);
        printf("alone: %d %x %x\n", n, (unsigned)p[0].revents, (unsigned)p[1].revents);
    }
    close(pipes[1]);
    for (int bit = 0; bit < 16; bit++) {
        struct pollfd p[2] = { { .fd = fd }, { .fd = pipes[0], .events = (short)(1 << bit) } };
        int n = poll(p, 2, -1);

        printf("closed, %x: %d %x %x\n", 1u << bit, n, (unsigned)p[0].revents, (unsigned)p[1].revents);
    }
    return loop_code();
}

static void bad_sets(int set, int fd)
{
    struct epoll_event e = { .events = EPOLLIN };
    int fresh = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);

    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fresh, nowhere));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fresh, NULL));
    SHOW(epoll_ctl(set, 99, fresh, nowhere));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, nowhere));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, NULL));
    SHOW(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e));
    SHOW(epoll_ctl(set, EPOLL_CTL_MOD, fd, nowhere));
    SHOW(epoll_ctl(set, EPOLL_CTL_MOD, fd, NULL));
    SHOW(epoll_ctl(-1, EPOLL_CTL_MOD, fd, nowhere));
    SHOW(epoll_ctl(set, 99, fd, nowhere));
    SHOW(epoll_ctl(set, 99, fd, &e));
    SHOW(epoll_wait(set, nowhere, 1, 0));
    SHOW(epoll_wait(set, &e, 0, 0));
    SHOW(epoll_wait(set, &e, minus, 0));
    SHOW(epoll_wait(fd, &e, 1, 0));
    SHOW(epoll_wait(-1, &e, 1, 0));
    SHOW(epoll_pwait(set, &e, 1, 0, nowhere));
    SHOW(epoll_pwait2(set, &e, 1, nowhere, NULL));
    SHOW(epoll_pwait2(set, &e, 1, &(struct timespec){ 0, -1 }, NULL));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, fd, nowhere));
    SHOW(epoll_ctl(set, EPOLL_CTL_DEL, fd, nowhere));
}

static void bad_arrays(int fd)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct pollfd p = { .fd = fd, .events = POLLIN }, *last = (struct pollfd *)(void *)(pages + size) - 1;
    struct pollfd *constant = (struct pollfd *)(void *)(pages + 2 * size);
    struct timespec none = { 0, 0 };
    volatile nfds_t two = 2;

    if (pages == MAP_FAILED || mprotect(pages + size, size, PROT_NONE) != 0)
        net_die("mmap");
    *last = *constant = p;
    mprotect(constant, size, PROT_READ);
    SHOW(poll(nowhere, 1, 0));
    SHOW(poll(null, 1, 0));
    SHOW(poll(null, 0, 0));
    SHOW(poll(&p, -too_many, 0));
    SHOW(poll(&p, too_many, 0));
    SHOW(poll(last, 1, 0));
    SHOW(poll(last, two, 0));
    SHOW(ppoll(&p, 1, &none, nowhere));
    SHOW(ppoll(nowhere, 1, &none, NULL));
    SHOW(poll(constant, 1, 0));
}

static void bad_values(int fd)
{
    struct timeval none = { 0, 0 };
    int value = 77;
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    SHOW(select(fd + 1, nowhere, NULL, NULL, &none));
    SHOW(select(fd + 1, NULL, &set, nowhere, &none));
    SHOW(select(-1, &set, NULL, NULL, &none));
    SHOW(select(0, nowhere, NULL, NULL, &none));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, nowhere, &(socklen_t){ sizeof value }));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, nowhere));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){ (socklen_t)-1 }));
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){ 0 }));
    SHOW(value);
    SHOW(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &(socklen_t){ sizeof value + 1 }));
    SHOW(value);
}

/* Of the kernel's AIO, which some kernels are built without. */
static void bad_submits(void)
{
    struct iocb good = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_buf = (uintptr_t)"x", .aio_nbytes = 1 };
    struct iocb *list[] = { &good, nowhere }, *odd[] = { nowhere, &good }, *none[] = { NULL, &good };
    FILE *file = tmpfile();
    aio_context_t context = 0;

    if (!file || syscall(SYS_io_setup, 8L, &context) != 0)
        return;
    good.aio_fildes = (uint32_t)fileno(file);
    SHOW(syscall(SYS_io_submit, context, -1L, list));
    SHOW(syscall(SYS_io_submit, context, LONG_MIN, list));
    SHOW(syscall(SYS_io_submit, context, 0L, nowhere));
    SHOW(syscall(SYS_io_submit, context, 1L, nowhere));
    SHOW(syscall(SYS_io_submit, context, LONG_MAX, nowhere));
    SHOW(syscall(SYS_io_submit, context, 2L, odd));
    SHOW(syscall(SYS_io_submit, context, 2L, none));
    SHOW(syscall(SYS_io_submit, context, LONG_MAX, list));
    SHOW(syscall(SYS_io_submit, 0L, 1L, list));
    syscall(SYS_io_destroy, context);
    fclose(file);
}

static int bad_pointers(char **argv)
{
    struct rlimit limit = { LIMIT, LIMIT };
    int fd;

    setrlimit(RLIMIT_NOFILE, &limit);
    fd = begin(argv);
    bad_sets(loop_set(), fd);
    bad_arrays(fd);
    bad_values(fd);
    bad_submits();
    return loop_code();
}

/* Sets for 1,024 numbers with a count of as many as the process may have: nothing behind them is read or written, and
 * what the kernel does not look at is no bad number. */
static void far_sets(int fd, int other, int count)
{
    static struct {
        fd_set set;
        unsigned char behind[BEHIND];
    } s;
    struct timeval none = { 0, 0 };
    struct timespec nothing = { 0, 0 };
    int changed = 0;

    memset(s.behind, 0x5a, sizeof s.behind);
    FD_ZERO(&s.set);
    FD_SET(fd, &s.set);
    FD_SET(other, &s.set);
    show("select", select(count, NULL, &s.set, NULL, &none));
    printf("%d %d\n", FD_ISSET(fd, &s.set) != 0, FD_ISSET(other, &s.set) != 0);
    FD_SET(fd, &s.set);
    show("pselect", pselect(count, NULL, NULL, &s.set, &nothing, NULL));
    printf("%d %d\n", FD_ISSET(fd, &s.set) != 0, FD_ISSET(other, &s.set) != 0);
    for (int i = 0; i < BEHIND; i++)
        changed += s.behind[i] != 0x5a;
    printf("%d bytes changed\n", changed);
    /* Within the table a number must be open, beyond it need not. */
    for (int i = 50; i < 1024; i++) {
        FD_ZERO(&s.set);
        FD_SET(fd, &s.set);
        FD_SET(i, &s.set);
        if (fcntl(i, F_GETFD) == -1)
            printf("%d: %d\n", i, select(count, &s.set, NULL, NULL, &none));
    }
}

static int far(char **argv)
{
    struct rlimit limit = { LIMIT, LIMIT };
    int fd, pipes[2];

    setrlimit(RLIMIT_NOFILE, &limit);
    fd = begin(argv);
    if (pipe(pipes) != 0)
        net_die("pipe");
    far_sets(fd, pipes[1], getdtablesize());
    far_sets(fd, pipes[1], 1000);
    far_sets(fd, pipes[1], 65);
    far_sets(fd, pipes[1], 64);
    far_sets(fd, pipes[1], pipes[1] + 1);
    /* The table grows. */
    if (fcntl(fd, F_DUPFD, 600) < 0)
        net_die("F_DUPFD");
    far_sets(fd, pipes[1], getdtablesize());
    return loop_code();
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* How long a wait for fd sleeps, in steps that a busy machine does not blur. */
static void show_sleep(int fd, int64_t s, int64_t us)
{
    struct timeval t = { .tv_sec = (time_t)s };
    int64_t took, begun = now_us();
    fd_set out;
    int result;

    t.tv_usec = (__typeof__(t.tv_usec))us;
    FD_ZERO(&out);
    FD_SET(fd, &out);
    result = select(fd + 1, NULL, &out, NULL, &t);
    took = now_us() - begun;
    printf("%lld s, %lld us: %d %s, %s\n", (long long)s, (long long)us, result, result ? text_errno(errno) : "",
           took < 20000 ? "none" : took < 600000 ? "short" : "long");
}

/* Times that are none, and microseconds beyond a second. */
static int odd_times(char **argv)
{
    int fd = begin(argv);
    struct timespec none[] = { { 0, 1000000000 }, { 0, -1 }, { -1, 0 } };
    fd_set out;

    show_sleep(fd, 0, 1100000);
    show_sleep(fd, 0, 20001);
    show_sleep(fd, 0, -1);
    show_sleep(fd, -1, 0);
    show_sleep(fd, 1, -1000000);
    if (sizeof((struct timeval){ 0 }.tv_usec) > 4) {
        show_sleep(fd, 0, 1ll << 31);
        show_sleep(fd, 0, (1ll << 32) + 20001);
        show_sleep(fd, 0, 1ll << 32);
        show_sleep(fd, 0, INT64_MAX);
        show_sleep(fd, 0, INT64_MIN);
    }
    FD_ZERO(&out);
    FD_SET(fd, &out);
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        SHOW(pselect(fd + 1, NULL, &out, NULL, &none[i], NULL));
    return loop_code();
}

/* A child that no fork handler was told of uses the number again: the handshake is not its own. */
static int guests(char **argv)
{
    int fd = begin(argv), pipes[2];
    struct pollfd p;
    fd_set set;
    pid_t pid = (pid_t)syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L, 0L);

    if (pid < 0)
        net_die("clone");
    if (pid == 0) {
        alarm(10);
        close(fd);
        if (pipe(pipes) != 0 || write(pipes[1], "abc", 3) != 3)
            net_die("pipe");
        loop_check(pipes[0] == fd, "the number is not used again");
        p = (struct pollfd){ .fd = fd, .events = POLLIN };
        loop_check(poll(&p, 1, -1) == 1 && p.revents == POLLIN, "poll: %x", (unsigned)p.revents);
        FD_ZERO(&set);
        FD_SET(fd, &set);
        loop_check(select(fd + 1, &set, NULL, NULL, NULL) == 1, "select");
        loop_check(read(fd, &set, 3) == 3, "read");
        _exit(loop_code());
    }
    loop_reap(pid, "the child");
    loop_is(write(fd, "abc", 3), EAGAIN, "write");
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "after a child");
    return loop_code();
}

/* Of cookieless.c. */
static int *cookie_error, *cookie_after, *cookie_times, *cookie_count;

static bool find_cookieless(void)
{
    cookie_error = dlsym(RTLD_DEFAULT, "cookieless_error");
    cookie_after = dlsym(RTLD_DEFAULT, "cookieless_after");
    cookie_times = dlsym(RTLD_DEFAULT, "cookieless_times");
    cookie_count = dlsym(RTLD_DEFAULT, "cookieless_count");
    if (!loop_check(cookie_error && cookie_after && cookie_times && cookie_count, "cookieless.c"))
        return false;
    *cookie_error = 0;
    return true;
}

/* times: how often SO_COOKIE fails from here on; 0: always. */
static void lose_cookies(int times)
{
    *cookie_after = *cookie_count = 0;
    *cookie_times = times;
    *cookie_error = ENOMEM;
}

enum { BY_POLL, BY_PPOLL, BY_SELECT, BY_PSELECT, WAITS };

/* Is fd writable within so many ms, or for ever (-1), and is other readable?  In two bits. */
static int ready_by(int way, int fd, int other, int ms)
{
    struct pollfd p[2] = { { .fd = fd, .events = POLLOUT }, { .fd = other, .events = POLLIN } };
    struct timeval v = { 0, ms * 1000L };
    struct timespec t = { 0, ms * 1000000L };
    fd_set in, out;
    int n;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fd, &out);
    if (other >= 0)
        FD_SET(other, &in);
    n = way == BY_POLL    ? poll(p, 2, ms)
        : way == BY_PPOLL ? ppoll(p, 2, ms < 0 ? NULL : &t, NULL)
        : way == BY_SELECT
            ? select((fd > other ? fd : other) + 1, &in, &out, NULL, ms < 0 ? NULL : &v)
            : pselect((fd > other ? fd : other) + 1, &in, &out, NULL, ms < 0 ? NULL : &t, NULL);
    loop_check(n >= 0, "way %d: %s", way, text_errno(errno));
    if (way <= BY_PPOLL)
        return (p[0].revents != 0) | (p[1].revents != 0) << 1;
    return n > 0 ? (FD_ISSET(fd, &out) != 0) | (other >= 0 && FD_ISSET(other, &in)) << 1 : 0;
}

/* What is not known to be over is not ready, and keeps nothing else from being so. */
static void wait_unsure(int fd)
{
    int pipes[2];

    if (pipe(pipes) != 0 || write(pipes[1], "x", 1) != 1)
        net_die("pipe");
    for (int way = 0; way < WAITS; way++) {
        loop_check(ready_by(way, fd, -1, 0) == 0, "way %d: ready at once", way);
        loop_check(ready_by(way, fd, -1, 50) == 0, "way %d: ready", way);
        loop_check(ready_by(way, fd, pipes[0], -1) == 2, "way %d: not the other one alone", way);
    }
    close(pipes[0]);
    close(pipes[1]);
}

/* A child that cannot ask whose the socket is must not write into the handshake, nor take it for over. */
static int unsure(char **argv)
{
    const struct timeval soon = { .tv_usec = 50000 };
    int ready[2], fd;
    char c = 'x';
    pid_t pid;

    loop_arguments(argv);
    if (!find_cookieless() || pipe(ready) != 0)
        return 1;
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    pid = loop_fork();
    if (pid == 0) {
        loop_check(read(ready[0], &c, 1) == 1, "the parent");
        lose_cookies(0);
        wait_unsure(fd);
        loop_is(send(fd, &c, 1, 0), EAGAIN, "send");
        loop_is(recv(fd, &c, 1, 0), EAGAIN, "recv");
        loop_check(fcntl(fd, F_SETFL, 0) == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof soon) == 0,
                   "blocking");
        loop_is(send(fd, &c, 1, 0), EAGAIN, "blocking send");
        *cookie_error = 0;
        loop_is(send(fd, &c, 1, MSG_DONTWAIT), EAGAIN, "send once more");
        lose_cookies(0);
        loop_release();
        for (int way = 0; way < WAITS; way++)
            loop_check(ready_by(way, fd, -1, 50) == 0, "way %d: ready after the release", way);
        lose_cookies(20);
        loop_check(ready_by(argv[2][0] - '0', fd, -1, -1) == 1, "not writable");
        loop_check(*cookie_count == 20, "asked %d times only", *cookie_count);
        loop_good(fd, "the child");
        _exit(loop_code());
    }
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(fd, 1);
    loop_check(write(ready[1], &c, 1) == 1, "the child");
    loop_reap(pid, "the child");
    return loop_code();
}

/* The child of a vfork, in which a number that is older than the handshake leads to it: no byte goes into it, and the
 * program that takes the child's place gets a connection that stands, under a number of the child's own. */
static int unsure_vfork(char **argv)
{
    int fd, copy;
    pid_t pid;

    loop_arguments(argv);
    if (!find_cookieless())
        return loop_code();
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    copy = dup(fd);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(fd, 1);
    pid = vfork();
    if (pid == 0) {
        lose_cookies(0);
        loop_is(send(copy, "x", 1, MSG_NOSIGNAL), EAGAIN, "send");
        loop_check(ready_by(BY_POLL, copy, -1, 50) == 0, "ready");
        *cookie_error = 0;
        loop_release();
        dup2(copy, STDIN_FILENO);
        close(copy);
        close(fd);
        lose_cookies(11);
        execl("/proc/self/exe", "loop", "unsure-after", argv[0], argv[1], (char *)NULL);
        _exit(127);
    }
    loop_reap(pid, "the program after vfork");
    loop_check(*cookie_count == 11, "asked %d times only", *cookie_count);
    loop_check(loop_poll(copy, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "after vfork");
    return loop_code();
}

static int unsure_after(char **argv)
{
    loop_arguments(argv);
    if (find_cookieless())
        loop_good(STDIN_FILENO, "after exec");
    return loop_code();
}

/* A blocking connect() of a socket that an epoll set knows already. */
static int in_a_set(char **argv)
{
    int fd, set = loop_set();
    char c = 0;

    loop_target = net_target(argv[0]);
    fd = net_socket(&loop_target, SOCK_STREAM);
    loop_add(set, fd, EPOLLIN);
    loop_is(net_connect(fd, &loop_target), 0, "connect");
    loop_check(send(fd, "x", 1, MSG_NOSIGNAL) == 1 && recv(fd, &c, 1, MSG_WAITALL) == 1 && c == 'x', "the echo");
    return loop_code();
}

const struct loop_command odd_commands[] = {
    { "marks", 2, marks, "ADDRESS CONTROL: any bit in poll()'s events" },
    { "bad-pointers", 2, bad_pointers, "ADDRESS CONTROL: wrong arguments" },
    { "far", 2, far, "ADDRESS CONTROL: select() with a large count" },
    { "odd-times", 2, odd_times, "ADDRESS CONTROL: select() and times that are none" },
    { "guests", 2, guests, "ADDRESS CONTROL: a child of clone()" },
    { "unsure", 3, unsure, "ADDRESS CONTROL WAY: SO_COOKIE fails in a child, by cookieless.c" },
    { "unsure-vfork", 2, unsure_vfork, "ADDRESS CONTROL: the same in the child of a vfork" },
    { "unsure-after", 2, unsure_after, "ADDRESS CONTROL: what that starts" },
    { "in-a-set", 1, in_a_set, "ADDRESS: nothing is held for long" },
    { NULL, 0, NULL, NULL },
};
