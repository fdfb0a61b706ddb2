/* SPDX-License-Identifier: ISC */
/* loop_beside.c - what other threads do while one is inside connect() */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum { ROUNDS = 40, MEETINGS = 200 };

static int shared_set, shared_fd;
static atomic_bool over;

static bool stands(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    return getpeername(fd, (struct sockaddr *)&sa, &len) == 0;
}

static void *connecter(void *argument)
{
    loop_is(net_connect(shared_fd, &loop_target), 0, "connect");
    return argument;
}

/* One thread waits in connect(); for the others the socket is not connected yet, and they cannot get between. */
static int beside(char **argv)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    struct epoll_event e;
    pthread_t thread;
    char c;

    loop_arguments(argv);
    shared_fd = net_socket(&loop_target, SOCK_STREAM);
    shared_set = loop_set();
    pthread_create(&thread, NULL, connecter, NULL);
    loop_held(1);
    loop_check(poll(&(struct pollfd){ .fd = shared_fd, .events = POLLIN | POLLOUT }, 1, 0) == 0, "poll");
    loop_add(shared_set, shared_fd, EPOLLIN | EPOLLOUT);
    loop_check(epoll_wait(shared_set, &e, 1, 0) == 0, "epoll_wait");
    loop_is(recv(shared_fd, &c, 1, MSG_DONTWAIT), EAGAIN, "recv");
    loop_is(send(shared_fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL), EAGAIN, "send");
    loop_is(getpeername(shared_fd, (struct sockaddr *)&sa, &len), ENOTCONN, "getpeername");
    loop_release();
    pthread_join(thread, NULL);
    loop_check(loop_wait(shared_set, shared_fd) == EPOLLOUT, "epoll_wait, connected");
    loop_good(shared_fd, "connected by another thread");
    return loop_code();
}

static short poll_now(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

    return poll(&p, 1, 0) < 0 ? POLLNVAL : p.revents;
}

static void run_true(void)
{
    execl("/bin/true", "true", (char *)NULL);
    _exit(127);
}

/* A thread inside connect() goes on with its handshake by itself: programs that others start need not wait for it. */
static int starts_beside(char **argv)
{
    char *words[] = { (char[]){ "true" }, NULL };
    pthread_t thread;
    pid_t pid;

    loop_arguments(argv);
    shared_fd = net_socket(&loop_target, SOCK_STREAM);
    pthread_create(&thread, NULL, connecter, NULL);
    loop_held(1);
    loop_check(system("exit 3") >> 8 == 3, "system()");
    loop_check(pclose(popen("exit 4", "r")) >> 8 == 4, "popen()");
    loop_is(posix_spawn(&pid, "/bin/true", NULL, NULL, words, environ), 0, "posix_spawn()");
    loop_reap(pid, "posix_spawn()");
    pid = fork();
    if (pid == 0)
        run_true();
    loop_reap(pid, "fork() and exec");
    pid = vfork();
    if (pid == 0)
        run_true();
    loop_reap(pid, "vfork() and exec");
    loop_check(!stands(shared_fd) && poll_now(shared_fd) == 0, "the handshake is over");
    loop_release();
    pthread_join(thread, NULL);
    loop_good(shared_fd, "connected beside programs that start");
    return loop_code();
}

/* Its exec ends the thread, and has to bring the handshake to its end first. */
static int exec_beside(char **argv)
{
    char number[16];
    pthread_t thread;

    loop_arguments(argv);
    shared_fd = net_socket(&loop_target, SOCK_STREAM);
    pthread_create(&thread, NULL, connecter, NULL);
    /* A socket that nobody has connected yet. */
    while (poll_now(shared_fd) & POLLHUP)
        sched_yield();
    snprintf(number, sizeof number, "%d", shared_fd);
    execl("/proc/self/exe", "loop", "exec-after", argv[0], argv[1], number, (char *)NULL);
    return 2;
}

/* Whatever error there is, this thread takes it. */
static void *taker(void *argument)
{
    while (!atomic_load(&over))
        net_error(shared_fd);
    return argument;
}

/* The kernel tells an error once.  Whoever is told of it, connect() must not say that there is a connection. */
static int refused_beside(char **argv)
{
    loop_target = net_target(argv[0]);
    for (int i = 0; i < 40; i++) {
        pthread_t thread;
        int error;

        shared_fd = net_socket(&loop_target, SOCK_STREAM);
        atomic_store(&over, false);
        pthread_create(&thread, NULL, taker, NULL);
        error = net_connect(shared_fd, &loop_target) == 0 ? 0 : errno;
        atomic_store(&over, true);
        pthread_join(thread, NULL);
        if (!loop_check(error == EHOSTUNREACH || error == ECONNABORTED, "connect: %s", text_errno(error)))
            break;
        loop_check(!stands(shared_fd), "a connection");
        close(shared_fd);
    }
    return loop_code();
}

/* A thread that reads as soon as another's connect() has begun gets nothing of the handshake. */
static void *reader(void *argument)
{
    char c = 0;
    ssize_t n;

    while (poll_now(shared_fd) & POLLHUP)
        sched_yield();
    n = recv(shared_fd, &c, 1, 0);
    loop_check(n == 1 && c == 'x', "recv: %zd, 0x%02x, %s", n, c, n < 0 ? text_errno(errno) : "-");
    return argument;
}

static int reads_beside(char **argv)
{
    loop_arguments(argv);
    for (int i = 0; i < ROUNDS && loop_code() == 0; i++) {
        pthread_t thread;

        shared_fd = net_socket(&loop_target, SOCK_STREAM);
        pthread_create(&thread, NULL, reader, NULL);
        loop_is(net_connect(shared_fd, &loop_target), 0, "connect");
        loop_is(send(shared_fd, "x", 1, MSG_NOSIGNAL), 0, "send");
        pthread_join(thread, NULL);
        close(shared_fd);
    }
    return loop_code();
}

/* What connect() says of a number that was closed in the middle of the handshake is not that it is connected. */
static void *closed_connecter(void *argument)
{
    *(int *)argument = net_connect(shared_fd, &loop_target) == 0 ? 0 : errno;
    if (*(int *)argument == 0)
        send(shared_fd, "raw", 3, MSG_NOSIGNAL);
    return argument;
}

static int closes_beside(char **argv)
{
    loop_arguments(argv);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        int error = 0;

        shared_fd = net_socket(&loop_target, SOCK_STREAM);
        pthread_create(&thread, NULL, closed_connecter, &error);
        loop_held(1);
        close(shared_fd);
        pthread_join(thread, NULL);
        loop_check(error == EBADF || error == ECONNABORTED, "connect: %s", error ? text_errno(error) : "connected");
        loop_release();
    }
    return loop_code();
}

/* Two connect() calls that begin at the same moment on one socket: one of them makes the tunnel, the other waits for
 * it, or says how it stands. */
struct meeting {
    atomic_int here;
    int error[2];
};

static struct meeting *meeting;

static void meet(int who)
{
    atomic_fetch_add(&meeting->here, 1);
    while (atomic_load(&meeting->here) < 2)
        sched_yield();
    meeting->error[who] = net_connect(shared_fd, &loop_target) == 0 ? 0 : errno;
}

static void *second(void *argument)
{
    meet(1);
    return argument;
}

static void meet_thread(void)
{
    pthread_t thread;

    pthread_create(&thread, NULL, second, NULL);
    meet(0);
    pthread_join(thread, NULL);
}

static void meet_process(void)
{
    pid_t pid = loop_fork();

    if (pid == 0) {
        meet(1);
        _exit(0);
    }
    meet(0);
    loop_reap(pid, "the other process");
}

static bool is_fair(int error, bool blocking)
{
    return error == 0 || error == EISCONN || (!blocking && (error == EINPROGRESS || error == EALREADY));
}

static int connects_beside(char **argv)
{
    bool blocking = strstr(argv[2], "blocking") != NULL;

    loop_arguments(argv);
    meeting = mmap(NULL, sizeof *meeting, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < MEETINGS && loop_code() == 0; i++) {
        shared_fd = net_socket(&loop_target, SOCK_STREAM | (blocking ? 0 : SOCK_NONBLOCK));
        atomic_store(&meeting->here, 0);
        if (strstr(argv[2], "threads"))
            meet_thread();
        else
            meet_process();
        for (int who = 0; who < 2; who++)
            loop_check(is_fair(meeting->error[who], blocking), "connect %d: %s", who, text_errno(meeting->error[who]));
        loop_check(loop_poll(shared_fd, POLLOUT) == POLLOUT, "poll");
        loop_good(shared_fd, "connected by two");
        close(shared_fd);
    }
    return loop_code();
}

const struct loop_command beside_commands[] = {
    { "beside", 2, beside, "ADDRESS CONTROL" },
    { "closes-beside", 2, closes_beside, "ADDRESS CONTROL" },
    { "connects-beside", 3, connects_beside, "ADDRESS CONTROL [blocking-]threads|processes: nothing is held" },
    { "exec-beside", 2, exec_beside, "ADDRESS CONTROL: nothing is held for long" },
    { "reads-beside", 2, reads_beside, "ADDRESS CONTROL: nothing is held for long" },
    { "refused-beside", 1, refused_beside, "ADDRESS: through a proxy that refuses" },
    { "starts-beside", 2, starts_beside, "ADDRESS CONTROL" },
    { NULL, 0, NULL, NULL },
};
