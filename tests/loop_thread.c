/* SPDX-License-Identifier: ISC */
/* loop_thread.c - several threads that wait for the same sockets */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum { WAITERS = 6, CONNECTS = 240, AT_ONCE = 24, STOPPED = 6, INTERRUPTED = 50, STOP = 1000000 };

/* Of SO_TIMESTAMPING, as the kernel's header has them. */
enum { STAMP_SENT = 1 << 1, STAMP_REPORTED = 1 << 4, STAMP_QUEUED = 1 << 8, STAMP_ACKED = 1 << 9 };

static int shared_set, shared_fd;
static atomic_int ready, woken, connected;
static atomic_int events_of[CONNECTS];
static int fd_of[CONNECTS];

static bool stands(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    return getpeername(fd, (struct sockaddr *)&sa, &len) == 0;
}

static void *poller(void *argument)
{
    struct pollfd p = { .fd = shared_fd, .events = POLLOUT };

    atomic_fetch_add(&ready, 1);
    loop_check(poll(&p, 1, 8000) == 1 && p.revents == POLLOUT && stands(shared_fd), "poll");
    atomic_fetch_add(&woken, 1);
    return argument;
}

static void *selecter(void *argument)
{
    struct timeval t = { 8, 0 };
    fd_set out;

    FD_ZERO(&out);
    FD_SET(shared_fd, &out);
    atomic_fetch_add(&ready, 1);
    loop_check(select(shared_fd + 1, NULL, &out, NULL, &t) == 1 && stands(shared_fd), "select");
    atomic_fetch_add(&woken, 1);
    return argument;
}

static void *epoller(void *argument)
{
    int set = loop_set();

    loop_add(set, shared_fd, EPOLLOUT);
    atomic_fetch_add(&ready, 1);
    loop_check(loop_wait(set, shared_fd) == EPOLLOUT && stands(shared_fd), "epoll_wait");
    atomic_fetch_add(&woken, 1);
    return argument;
}

static void *writer(void *argument)
{
    int fd = dup(shared_fd);

    atomic_fetch_add(&ready, 1);
    while (write(fd, "x", 1) != 1) {
        if (!loop_check(errno == EAGAIN, "write: %s", text_errno(errno)))
            break;
        poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 1000);
    }
    close(fd);
    atomic_fetch_add(&woken, 1);
    return argument;
}

/* One socket, waited for by several threads in several ways; all are told. */
static int together(char **argv)
{
    static void *(*const ways[])(void *) = { poller, selecter, epoller, poller, epoller, selecter, writer };
    enum { THREADS = sizeof ways / sizeof ways[0] };
    pthread_t thread[THREADS];
    char c;

    loop_arguments(argv);
    shared_fd = loop_begin(SOCK_NONBLOCK);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, ways[i], NULL);
    loop_held(1);
    while (atomic_load(&ready) < THREADS)
        ;
    loop_check(atomic_load(&woken) == 0, "woken while it is held");
    loop_release();
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    loop_check(loop_poll(shared_fd, POLLIN) & POLLIN && read(shared_fd, &c, 1) == 1 && c == 'x', "not the one byte");
    loop_good(shared_fd, "waited for by all");
    return loop_code();
}

static void *wait_for_ever(void *argument)
{
    struct epoll_event e;

    for (;;) {
        int n = epoll_wait(shared_set, &e, 1, -1), i = (int)e.data.u64;

        if (!loop_check(n == 1, "epoll_wait(-1): %d", n) || i == STOP)
            return argument;
        if (!loop_check(i >= 0 && i < CONNECTS, "data that nobody registered: %llx", (unsigned long long)e.data.u64) ||
            e.events == (EPOLLOUT | EPOLLHUP))
            continue;
        loop_check(e.events == EPOLLOUT && stands(fd_of[i]), "event %x of %d", e.events, i);
        if (atomic_fetch_add(&events_of[i], 1) == 0) {
            epoll_ctl(shared_set, EPOLL_CTL_DEL, fd_of[i], NULL);
            atomic_fetch_add(&connected, 1);
        }
    }
}

/* Threads that wait without end from before the first connect(), on one set. */
static int waiters(char **argv)
{
    static const uint32_t kinds[] = { EPOLLOUT, EPOLLOUT | EPOLLET, EPOLLOUT | EPOLLONESHOT };
    struct epoll_event stop = { .events = EPOLLIN, .data.u64 = STOP };
    pthread_t thread[WAITERS];
    int pipes[2];

    loop_arguments(argv);
    shared_set = loop_set();
    if (pipe(pipes) != 0)
        net_die("pipe");
    for (int i = 0; i < WAITERS; i++)
        pthread_create(&thread[i], NULL, wait_for_ever, NULL);
    for (int i = 0; i < CONNECTS; i++) {
        struct epoll_event e = { .events = kinds[i % 3], .data.u64 = (uint64_t)i };
        long began = net_clock();

        fd_of[i] = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
        if (i % 2)
            loop_is(epoll_ctl(shared_set, EPOLL_CTL_ADD, fd_of[i], &e), 0, "ADD before");
        loop_is(net_connect(fd_of[i], &loop_target), EINPROGRESS, "connect");
        if (i % 2 == 0)
            loop_is(epoll_ctl(shared_set, EPOLL_CTL_ADD, fd_of[i], &e), 0, "ADD after");
        /* One that was used up before connect() is armed again; but it may be over already. */
        else if (i % 3 == 2 && epoll_ctl(shared_set, EPOLL_CTL_MOD, fd_of[i], &e) != 0)
            loop_check(errno == ENOENT && atomic_load(&events_of[i]) > 0, "MOD: %s", text_errno(errno));
        while (atomic_load(&connected) < i - AT_ONCE && net_clock() - began < 8000)
            usleep(100);
    }
    for (long began = net_clock(); atomic_load(&connected) < CONNECTS && net_clock() - began < 8000;)
        usleep(1000);
    loop_check(atomic_load(&connected) == CONNECTS, "%d of %d", atomic_load(&connected), CONNECTS);
    epoll_ctl(shared_set, EPOLL_CTL_ADD, pipes[0], &stop);
    close(pipes[1]);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < CONNECTS; i++) {
        int events = atomic_load(&events_of[i]);

        loop_check(i % 3 == 0 || i % 2 == 1 || events == 1, "%d events of %d", events, i);
        loop_good(fd_of[i], "a connection");
    }
    return loop_code();
}

static atomic_int sleeping;    /* thread id of who runs sleep_once() */

static void *sleep_once(void *argument)
{
    uint32_t events;

    atomic_store(&sleeping, (int)syscall(SYS_gettid));
    events = loop_wait(shared_set, shared_fd);
    loop_check(events & EPOLLERR, "event %x", events);
    return argument;
}

/* One that sleeps since before connect(): its first token is what tells it of the deadline, or else the kernel. */
static int sleeper(char **argv)
{
    pthread_t thread;
    long began = net_clock();

    loop_target = net_target(argv[0]);
    shared_set = loop_set();
    shared_fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    pthread_create(&thread, NULL, sleep_once, NULL);
    while (atomic_load(&sleeping) == 0)
        sched_yield();
    loop_until_asleep(atomic_load(&sleeping));
    loop_is(net_connect(shared_fd, &loop_target), EINPROGRESS, "connect");
    loop_add(shared_set, shared_fd, EPOLLOUT | EPOLLET);
    pthread_join(thread, NULL);
    loop_check(net_error(shared_fd) == ETIMEDOUT, "SO_ERROR");
    loop_check(net_clock() - began < 3000, "ended after %ld ms", net_clock() - began);
    return loop_code();
}

static void *idler(void *argument)
{
    char c;

    return read(*(int *)argument, &c, 1) == 1 ? argument : NULL;
}

static long cpu_ms(void)
{
    struct rusage used;

    getrusage(RUSAGE_THREAD, &used);
    return (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000L +
           (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1000;
}

/* connect() in a program with threads sleeps, also when the deadline of one before it has passed: PAUSE ms after it. */
static int calm(char **argv)
{
    pthread_t thread;
    int pipes[2];
    char c = 0;

    loop_target = net_target(argv[0]);
    if (pipe(pipes) != 0)
        net_die("pipe");
    pthread_create(&thread, NULL, idler, &pipes[0]);
    for (int i = 0; i < 2; i++) {
        long used = cpu_ms();
        int fd = net_socket(&loop_target, SOCK_STREAM);

        loop_is(net_connect(fd, &loop_target), 0, "connect");
        used = cpu_ms() - used;
        loop_check(used < 50, "%ld ms of the processor", used);
        loop_check(send(fd, "x", 1, 0) == 1 && recv(fd, &c, 1, MSG_WAITALL) == 1 && c == 'x', "the echo");
        poll(NULL, 0, i == 0 ? atoi(argv[1]) : 0);
    }
    close(pipes[1]);
    pthread_join(thread, NULL);
    return loop_code();
}

/* A time stamp of each segment that is sent goes into the error queue, and nobody takes it out: POLLERR stays up. */
static int stamping(int type)
{
    int flags = STAMP_SENT | STAMP_QUEUED | STAMP_ACKED | STAMP_REPORTED, fd = net_socket(&loop_target, type);

    if (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) != 0)
        net_die("SO_TIMESTAMPING");
    return fd;
}

/* Two attempts on one socket; the queue is not empty from the first one's greeting on. */
static void stamped_twice(int type, const char *what)
{
    int fd = stamping(type);
    long used = cpu_ms();

    for (int i = 0; i < 2; i++) {
        int error = net_connect_wait(fd, &loop_target);

        /* The kernel's own, once after a non-blocking connect() that failed. */
        if (i && error == ECONNABORTED)
            error = net_connect_wait(fd, &loop_target);
        loop_check(error == ETIMEDOUT, "%s, attempt %d: %s", what, i, error ? text_errno(error) : "connected");
        loop_check(!stands(fd), "%s, attempt %d: a connection", what, i);
    }
    used = cpu_ms() - used;
    loop_check(used < 200, "%s: %ld ms of the processor", what, used);
    close(fd);
}

static void stamped_in_set(void)
{
    int fd = stamping(SOCK_STREAM | SOCK_NONBLOCK), set = loop_set();
    long used = cpu_ms();

    loop_add(set, fd, EPOLLOUT);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    /* The greeting's stamp is there soon; who does not wait is not to wait for that either. */
    for (int i = 0; i < 20; i++) {
        loop_check(epoll_wait(set, &(struct epoll_event){ 0 }, 1, 0) == 0, "an event at once");
        poll(NULL, 0, 5);
    }
    loop_check(loop_wait(set, fd) & EPOLLERR && net_error(fd) == ETIMEDOUT, "in a set");
    used = cpu_ms() - used;
    loop_check(used < 200, "in a set: %ld ms of the processor", used);
    close(set);
    close(fd);
}

/* POLLERR does not mean that the connection has failed, nor that there is anything to do. */
static int stamped(char **argv)
{
    pthread_t thread;
    int pipes[2];

    loop_target = net_target(argv[0]);
    if (pipe(pipes) != 0)
        net_die("pipe");
    stamped_twice(SOCK_STREAM, "alone");
    stamped_twice(SOCK_STREAM | SOCK_NONBLOCK, "not blocking");
    stamped_in_set();
    pthread_create(&thread, NULL, idler, &pipes[0]);
    stamped_twice(SOCK_STREAM, "beside a thread");
    close(pipes[1]);
    pthread_join(thread, NULL);
    return loop_code();
}

/* Stop a process and let it go on, again and again, until it closes the pipe. */
static void stop_often(pid_t whom, int end)
{
    struct pollfd p = { .fd = end, .events = POLLIN };

    while (poll(&p, 1, 1) == 0) {
        kill(whom, SIGSTOP);
        poll(NULL, 0, 1);
        kill(whom, SIGCONT);
    }
    _exit(0);
}

/* A process that is stopped and goes on: connect() is not interrupted, and the kernel's own in it only seems to be. */
static int stopped(char **argv)
{
    pthread_t thread;
    pid_t pid, whom = getpid();
    int pipes[2], idle[2];

    loop_target = net_target(argv[0]);
    if (pipe(pipes) != 0 || pipe(idle) != 0)
        net_die("pipe");
    pid = loop_fork();
    if (pid == 0) {
        close(pipes[1]);
        stop_often(whom, pipes[0]);
    }
    close(pipes[0]);
    pthread_create(&thread, NULL, idler, &idle[0]);
    for (int i = 0; i < STOPPED; i++) {
        int fd = net_socket(&loop_target, SOCK_STREAM);

        if (!loop_check(net_connect(fd, &loop_target) == -1 && errno == ETIMEDOUT, "connect: %s", text_errno(errno)))
            break;
        close(fd);
    }
    close(pipes[1]);
    loop_reap(pid, "the child");
    close(idle[1]);
    pthread_join(thread, NULL);
    return loop_code();
}

static atomic_int at_work[INTERRUPTED], unlike;

static void *interrupted_once(void *argument)
{
    int fd = net_socket(&loop_target, SOCK_STREAM);

    atomic_store((atomic_int *)argument, (int)syscall(SYS_gettid));
    if (net_connect(fd, &loop_target) != -1 || errno != EINTR)
        atomic_fetch_add(&unlike, 1);
    close(fd);
    return argument;
}

static void nothing(int number)
{
    (void)number;
}

/* Many threads in connect() at once, all of which get a signal: wherever in it they sleep, it ends. */
static int interrupted(char **argv)
{
    struct sigaction action = { .sa_handler = nothing };
    pthread_t thread[INTERRUPTED];

    loop_target = net_target(argv[0]);
    sigaction(SIGUSR1, &action, NULL);
    for (int i = 0; i < INTERRUPTED; i++)
        pthread_create(&thread[i], NULL, interrupted_once, &at_work[i]);
    for (int i = 0; i < INTERRUPTED; i++) {
        while (atomic_load(&at_work[i]) == 0)
            sched_yield();
        loop_until_asleep(atomic_load(&at_work[i]));
        pthread_kill(thread[i], SIGUSR1);
    }
    for (int i = 0; i < INTERRUPTED; i++)
        pthread_join(thread[i], NULL);
    loop_check(atomic_load(&unlike) == 0, "%d of %d not interrupted", atomic_load(&unlike), INTERRUPTED);
    return loop_code();
}

const struct loop_command thread_loop_commands[] = {
    { "interrupted", 1, interrupted, "ADDRESS: through a proxy that answers no SYN" },
    { "stopped", 1, stopped, "ADDRESS: through a proxy that answers no SYN, with a deadline of half a second" },
    { "stamped", 1, stamped, "ADDRESS: through a proxy that never answers, with a deadline of half a second" },
    { "calm", 2, calm, "ADDRESS PAUSE: through a proxy whose reply takes a while, with a deadline below PAUSE ms" },
    { "together", 2, together, "ADDRESS CONTROL" },
    { "waiters", 2, waiters, "ADDRESS CONTROL: nothing is held" },
    { "sleeper", 1, sleeper, "ADDRESS: through a proxy that never answers, with a deadline of half a second" },
    { NULL, 0, NULL, NULL },
};
