/* SPDX-License-Identifier: ISC */
/* loop_time.c - the time that waits take while a handshake is pending: timeouts, signals, deadlines */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum { WAYS = 7, TICK_MS = 30, LOADED_MS = 400, SOCKETS = 20 };

static const char *const names[WAYS] = {
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect"
};

static atomic_int handled;

static void on_signal(int number)
{
    (void)number;
    atomic_fetch_add(&handled, 1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One wait for fd to become writable.  ms: -1 for ever. */
static int wait_for(int way, int set, int fd, int ms, const sigset_t *mask)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L }, *timeout = ms < 0 ? NULL : &t;
    struct timeval v = { ms / 1000, ms % 1000 * 1000 };
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    struct epoll_event e;
    fd_set out;

    FD_ZERO(&out);
    FD_SET(fd, &out);
    switch (way) {
    case 0:
        return epoll_wait(set, &e, 1, ms);
    case 1:
        return epoll_pwait(set, &e, 1, ms, mask);
    case 2:
        return epoll_pwait2(set, &e, 1, timeout, mask);
    case 3:
        return poll(&p, 1, ms);
    case 4:
        return ppoll(&p, 1, timeout, mask);
    case 5:
        return select(fd + 1, NULL, &out, NULL, ms < 0 ? NULL : &v);
    default:
        return pselect(fd + 1, NULL, &out, NULL, timeout, mask);
    }
}

static void takes(int way, int set, int fd, int ms)
{
    int64_t began = now_us(), took;

    loop_check(wait_for(way, set, fd, ms, NULL) == 0, "%s: not a timeout: %s", names[way], text_errno(errno));
    took = now_us() - began;
    loop_check(took >= (int64_t)ms * 1000, "%s of %d ms: %lld us", names[way], ms, (long long)took);
    loop_check(took < ((int64_t)ms + LOADED_MS) * 1000, "%s of %d ms: %lld us", names[way], ms, (long long)took);
}

/* What poll() tells unasked, select() does not: it sleeps on. */
static void hung_up(int fd)
{
    struct timeval limit = { 0, 50000 };
    fd_set out, except;
    int64_t began;
    int pipes[2];

    if (pipe(pipes) != 0)
        net_die("pipe");
    close(pipes[1]);
    FD_ZERO(&out);
    FD_SET(fd, &out);
    FD_ZERO(&except);
    FD_SET(pipes[0], &except);
    began = now_us();
    loop_check(select(FD_SETSIZE, NULL, &out, &except, &limit) == 0, "select with a pipe that is closed");
    loop_check(now_us() - began >= 50000, "select with a pipe that is closed: too short");
    close(pipes[0]);
}

/* A wait ends at its time: not before, and not much after. */
static int timeouts(char **argv)
{
    int fd, set = loop_set();

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    for (int way = 0; way < WAYS; way++) {
        /* Some while the handshake moves, the others while it is held. */
        takes(way, set, fd, 5);
        takes(way, set, fd, 0);
        takes(way, set, fd, 50);
        for (int i = 0; i < 20; i++)
            takes(way, set, fd, 1);
    }
    hung_up(fd);
    return loop_code();
}

static void interrupted(int way, int set, int fd, int flags)
{
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = flags };
    struct itimerval timer = { .it_value = { 0, TICK_MS * 1000 } };
    int before = atomic_load(&handled);

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    loop_is(wait_for(way, set, fd, 5000, NULL), EINTR, names[way]);
    loop_check(atomic_load(&handled) == before + 1, "%s: the handler ran %d times", names[way],
               atomic_load(&handled) - before);
}

static void masked(int way, int set, int fd)
{
    sigset_t usual, blocked;
    int before = atomic_load(&handled);

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, &usual);
    raise(SIGALRM);
    loop_check(wait_for(way, set, fd, 10, &blocked) == 0, "%s: not a timeout", names[way]);
    loop_check(atomic_load(&handled) == before, "%s: a masked handler ran", names[way]);
    loop_is(wait_for(way, set, fd, 5000, &usual), EINTR, names[way]);
    loop_check(atomic_load(&handled) == before + 1, "%s: the handler did not run", names[way]);
    sigprocmask(SIG_SETMASK, &usual, NULL);
}

/* Signals end a wait, once each; the mask of the p-forms counts, and the thread's own is as before. */
static int signals(char **argv)
{
    int fd, set = loop_set();
    sigset_t mask;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    for (int way = 0; way < WAYS; way++) {
        interrupted(way, set, fd, 0);
        interrupted(way, set, fd, SA_RESTART);
        if (way != 0 && way != 3 && way != 5)
            masked(way, set, fd);
        sigprocmask(SIG_SETMASK, NULL, &mask);
        loop_check(!sigismember(&mask, SIGALRM) && !sigismember(&mask, SIGUSR1), "%s: signals stay blocked",
                   names[way]);
    }
    return loop_code();
}

/* Lets the proxy go on when the parent, which has said that it begins, sleeps. */
static void release_asleep(int begins)
{
    char c;

    while (read(begins, &c, 1) == 1) {
        loop_until_asleep(getppid());
        loop_release();
    }
    _exit(loop_code());
}

/* A signal that comes with the bytes that a wait steps its handshake for: the wait ends by it, as one in which nothing
 * was stepped would.  The proxy holds its method, and takes its time for the reply. */
static int step_signals(char **argv)
{
    struct sigaction action = { .sa_handler = on_signal };
    int begins[2], set = loop_set();
    pid_t pid;

    loop_arguments(argv);
    sigaction(SIGIO, &action, NULL);
    if (pipe(begins) != 0)
        net_die("pipe");
    pid = loop_fork();
    if (pid == 0) {
        close(begins[1]);
        release_asleep(begins[0]);
    }
    for (int way = 0; way < WAYS; way++) {
        int fd = loop_begin(SOCK_NONBLOCK), before;

        loop_add(set, fd, EPOLLOUT);
        loop_hold(fd, 1);
        before = atomic_load(&handled);
        if (fcntl(fd, F_SETOWN, getpid()) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC) != 0 ||
            write(begins[1], "x", 1) != 1)
            net_die("SIGIO");
        loop_is(wait_for(way, set, fd, -1, NULL), EINTR, names[way]);
        loop_check(atomic_load(&handled) > before, "%s: the handler did not run", names[way]);
        fcntl(fd, F_SETFL, O_NONBLOCK);
        loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "%s: not writable", names[way]);
        loop_good(fd, names[way]);
        close(fd);
    }
    close(begins[1]);
    loop_reap(pid, "the child");
    return loop_code();
}

static long cpu_ms(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1000 + (r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1000;
}

/* poll() on a set that holds the sockets may end with nothing in the set, a few times. */
static void polled(int set)
{
    struct epoll_event e;
    int times = 0;

    while (loop_poll(set, POLLIN) == POLLIN && epoll_wait(set, &e, 1, 0) == 0)
        times++;
    loop_check(times <= 4 * SOCKETS, "poll() on the set ended %d times for nothing", times);
}

/* A proxy that never accepts, or never answers, costs no time of the processor, and its deadline ends each way to wait.
 * way: WAYS for poll() on the epoll set. */
static void ends(int way, int deadline_ms)
{
    int set = loop_set(), fd[SOCKETS];
    long began = net_clock(), cpu = cpu_ms(), took;

    for (int i = 0; i < SOCKETS; i++) {
        fd[i] = loop_begin(SOCK_NONBLOCK);
        if (way <= 2 || way == WAYS)
            loop_add(set, fd[i], EPOLLOUT);
    }
    if (way == WAYS)
        polled(set);
    else
        loop_check(wait_for(way, set, fd[SOCKETS - 1], -1, NULL) == 1, "%s: %s", names[way], text_errno(errno));
    took = net_clock() - began;
    loop_check(took >= deadline_ms && took < deadline_ms + 1500, "way %d: ended after %ld ms", way, took);
    for (int i = 0; i < SOCKETS; i++) {
        loop_check(loop_poll(fd[i], POLLOUT) & POLLERR, "way %d: no error", way);
        loop_check(net_error(fd[i]) == ETIMEDOUT, "way %d: not ETIMEDOUT", way);
        close(fd[i]);
    }
    cpu = cpu_ms() - cpu;
    loop_check(cpu < deadline_ms / 4, "way %d: %ld ms of the processor", way, cpu);
    close(set);
}

static int hangs(char **argv)
{
    loop_target = net_target(argv[0]);
    for (int way = 0; way <= WAYS; way++)
        ends(way, atoi(argv[1]));
    return loop_code();
}

/* A loop that always has something else to do keeps the deadline as well. */
static int busy(char **argv)
{
    long limit = atol(argv[1]);
    int pipes[2];

    loop_target = net_target(argv[0]);
    if (pipe(pipes) != 0)
        net_die("pipe");
    for (int way = 0; way < 2; way++) {
        int set = loop_set(), fd = loop_begin(SOCK_NONBLOCK);
        struct pollfd p[2] = { { .fd = fd, .events = POLLOUT }, { .fd = pipes[1], .events = POLLOUT } };
        long began = net_clock(), took = 0;
        struct epoll_event e[2];
        bool over = false;

        loop_add(set, fd, EPOLLOUT);
        loop_add(set, pipes[1], EPOLLOUT);
        while (!over && took < limit + 1500) {
            int n = way == 0 ? epoll_wait(set, e, 2, -1) : poll(p, 2, -1);

            over = way == 0 ? (n > 0 && e[0].data.fd == fd) || (n > 1 && e[1].data.fd == fd) : p[0].revents != 0;
            took = net_clock() - began;
        }
        loop_check(over, "way %d: not over after %ld ms", way, took);
        loop_check(net_error(fd) == ETIMEDOUT, "way %d: not ETIMEDOUT", way);
        close(fd);
        close(set);
    }
    return loop_code();
}

/* A program that looks too late finds what has come in time. */
static int late(char **argv)
{
    int set = loop_set(), fd[4];
    long limit = atol(argv[1]), began;

    loop_target = net_target(argv[0]);
    for (int i = 0; i < 4; i++)
        fd[i] = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd[3], EPOLLOUT);
    for (began = net_clock(); net_clock() - began < limit;)
        poll(NULL, 0, (int)limit);
    loop_check(loop_poll(fd[0], POLLOUT) == POLLOUT, "not writable");
    for (int i = 1; i < 3; i++)
        loop_check(loop_poll(fd[i], POLLOUT) == POLLOUT, "%d: not writable", i);
    loop_check(loop_wait(set, fd[3]) == EPOLLOUT, "not writable in a set");
    for (int i = 0; i < 4; i++)
        loop_good(fd[i], "late");
    return loop_code();
}

/* Of handler_looks() and the child that has it look. */
static struct look {
    atomic_int held, looked;
    int fd;
} *look;

static void look_now(int number)
{
    int saved_errno = errno;
    struct pollfd p = { .fd = look->fd, .events = POLLIN | POLLOUT };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    (void)number;
    if (atomic_load(&look->held) && !atomic_load(&look->looked)) {
        loop_check(poll(&p, 1, 0) == 0, "an event in the handler: %x", (unsigned)p.revents);
        loop_is(send(look->fd, "abc", 3, MSG_DONTWAIT | MSG_NOSIGNAL), EAGAIN, "send in the handler");
        loop_is(getpeername(look->fd, (struct sockaddr *)&sa, &len), ENOTCONN, "getpeername in the handler");
        atomic_store(&look->looked, 1);
    }
    errno = saved_errno;
}

/* SIGIO in the middle of a blocking connect(): its handler sees nothing of the handshake. */
static int handler_looks(char **argv)
{
    struct sigaction action = { .sa_handler = look_now, .sa_flags = SA_RESTART };
    pid_t pid;

    loop_arguments(argv);
    look = mmap(NULL, sizeof *look, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (look == MAP_FAILED)
        net_die("mmap");
    pid = loop_fork();
    if (pid == 0) {
        loop_held(1);
        atomic_store(&look->held, 1);
        kill(getppid(), SIGIO);
        while (!atomic_load(&look->looked))
            sched_yield();
        loop_release();
        _exit(loop_code());
    }
    look->fd = net_socket(&loop_target, SOCK_STREAM);
    sigaction(SIGIO, &action, NULL);
    fcntl(look->fd, F_SETOWN, getpid());
    fcntl(look->fd, F_SETFL, O_ASYNC);
    loop_is(net_connect(look->fd, &loop_target), 0, "connect");
    loop_reap(pid, "the child");
    loop_good(look->fd, "with O_ASYNC");
    return loop_code();
}

const struct loop_command time_commands[] = {
    { "timeouts", 2, timeouts, "ADDRESS CONTROL" },
    { "handler-looks", 2, handler_looks, "ADDRESS CONTROL: O_ASYNC and a blocking connect()" },
    { "signals", 2, signals, "ADDRESS CONTROL" },
    { "step-signals", 2, step_signals, "ADDRESS CONTROL: with a proxy that holds its method and delays its reply" },
    { "hangs", 2, hangs, "ADDRESS MS: through a proxy that never answers, and whose deadline that is" },
    { "busy", 2, busy, "ADDRESS MS: as hangs" },
    { "late", 2, late, "ADDRESS MS: looks again after that time, which is beyond the deadline" },
    { NULL, 0, NULL, NULL },
};
