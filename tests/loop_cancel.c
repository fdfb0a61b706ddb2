/* SPDX-License-Identifier: ISC */
/* loop_cancel.c - threads cancelled in a wait while a handshake is pending, or ended in connect() by exec or a kill */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

enum { WAYS = 9, ROUNDS = 6, MANY = 200 };

static const char *const names[WAYS] = {
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect", "recv", "accept"
};

static int way, set, listener, many[MANY];
static atomic_int sleeping;    /* thread id of the one that waits */
static sigset_t seen;          /* its signals in its cleanup handler */

static void look_at_mask(void *argument)
{
    (void)argument;
    pthread_sigmask(SIG_SETMASK, NULL, &seen);
}

/* More descriptors than a wait has room for on its stack. */
static void poll_many(void)
{
    struct pollfd p[MANY];

    for (int i = 0; i < MANY; i++)
        p[i] = (struct pollfd){ .fd = many[i], .events = POLLIN };
    if (way == 3)
        poll(p, MANY, -1);
    else
        ppoll(p, MANY, NULL, NULL);
}

static void select_many(void)
{
    fd_set in;
    int top = 0;

    FD_ZERO(&in);
    for (int i = 0; i < MANY; i++) {
        FD_SET(many[i], &in);
        top = many[i] > top ? many[i] : top;
    }
    if (way == 5)
        select(top + 1, &in, NULL, NULL, NULL);
    else
        pselect(top + 1, &in, NULL, NULL, NULL, NULL);
}

static void wait_once(void)
{
    struct epoll_event e;
    char c;

    if (way == 0)
        epoll_wait(set, &e, 1, -1);
    else if (way == 1)
        epoll_pwait(set, &e, 1, -1, NULL);
    else if (way == 2)
        epoll_pwait2(set, &e, 1, NULL, NULL);
    else if (way <= 4)
        poll_many();
    else if (way <= 6)
        select_many();
    else if (way == 7)
        recv(many[0], &c, 1, 0);
    else
        accept(listener, NULL, NULL);
}

static void *wait_for_ever(void *argument)
{
    pthread_cleanup_push(look_at_mask, NULL);
    atomic_store(&sleeping, (int)syscall(SYS_gettid));
    for (;;)
        wait_once();
    pthread_cleanup_pop(0);
    return argument;
}

static void cancel_one(void)
{
    pthread_t thread;
    void *result = NULL;

    atomic_store(&sleeping, 0);
    sigfillset(&seen);
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    while (atomic_load(&sleeping) == 0)
        ;
    loop_until_asleep(atomic_load(&sleeping));
    pthread_cancel(thread);
    pthread_join(thread, &result);
    loop_check(result == PTHREAD_CANCELED, "%s: not cancelled", names[way]);
    loop_check(!sigismember(&seen, SIGUSR1), "%s: signals are blocked in the cleanup handler", names[way]);
}

/* Pages that are mapped. */
static long mapped(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f || fscanf(f, "%ld", &pages) != 1)
        pages = -1;
    if (f)
        fclose(f);
    return pages;
}

/* A cancelled wait leaves the thread's signals as they were, no memory, and the handshake to those that wait on. */
static int cancelled(char **argv)
{
    int fd, pipes[2];
    long before = 0;

    loop_arguments(argv);
    set = loop_set();
    fd = loop_begin(SOCK_NONBLOCK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    loop_add(set, fd, EPOLLOUT);
    if (pipe(pipes) != 0 || listen(listener, 1) != 0)
        net_die("pipe or listen");
    many[0] = fd;
    for (int i = 1; i < MANY; i++)
        many[i] = dup(pipes[0]);
    fcntl(fd, F_SETFL, 0);
    loop_hold(fd, 1);
    for (int round = 0; round <= ROUNDS; round++) {
        for (way = 0; way < WAYS; way++)
            cancel_one();
        before = round == 0 ? mapped() : before;
    }
    loop_check(mapped() == before, "%ld pages mapped, %ld before", mapped(), before);
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "not writable");
    loop_good(fd, "after all");
    return loop_code();
}

static void *connect_inside(void *fd)
{
    net_connect(*(int *)fd, &loop_target);
    return fd;
}

/* A thread that stays inside connect(), since the proxy holds. */
static void connect_beside(int *fd)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, connect_inside, fd) != 0)
        net_die("pthread_create");
    loop_held(1);
}

/* exec beside a thread inside connect() for a socket that it closes: nothing of that is waited for. */
static int exec_closing(char **argv)
{
    static int fd;
    char number[12];

    loop_arguments(argv);
    alarm(5);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_CLOEXEC);
    connect_beside(&fd);
    snprintf(number, sizeof number, "%d", fd);
    execl("/proc/self/exe", "loop", "exec-closed", argv[0], argv[1], number, (char *)NULL);
    net_die("execl");
}

static int exec_closed(char **argv)
{
    loop_arguments(argv);
    loop_is(fcntl(atoi(argv[2]), F_GETFD), EBADF, "what exec closes");
    loop_release();
    return loop_code();
}

/* What exec leaves behind does not lead to the proxy alone. */
static int exec_refused(char **argv)
{
    loop_check(send(atoi(argv[2]), "leak", 4, MSG_NOSIGNAL) == -1, "sent into the handshake");
    return loop_code();
}

/* A process with a thread inside connect(), and a child that waits at the gate before it becomes another program. */
static void wait_to_be_killed(const int up[2], const int gate[2], const char *command, char **argv)
{
    int fd = net_socket(&loop_target, SOCK_STREAM);
    char number[12], c;
    pid_t pid;

    connect_beside(&fd);
    snprintf(number, sizeof number, "%d", fd);
    pid = fork();
    if (pid == 0) {
        close(gate[1]);
        if (read(gate[0], &c, 1) == 0)
            alarm(5), execl("/proc/self/exe", "loop", command, argv[0], argv[1], number, (char *)NULL);
        _exit(127);
    }
    if (write(up[1], &pid, sizeof pid) == (ssize_t)sizeof pid)
        pause();
    _exit(127);
}

/* The thread's process is killed: nobody but the child's exec can bring the handshake to its end, well or not. */
static int killed(const char *command, char **argv)
{
    int up[2], gate[2], status = 0;
    pid_t parent, child = 0;

    loop_arguments(argv);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1L) != 0 || pipe(up) != 0 || pipe(gate) != 0)
        net_die("prctl");
    parent = loop_fork();
    if (parent == 0)
        wait_to_be_killed(up, gate, command, argv);
    loop_check(read(up[0], &child, sizeof child) == (ssize_t)sizeof child, "the parent");
    kill(parent, SIGKILL);
    loop_check(waitpid(parent, &status, 0) == parent && WIFSIGNALED(status), "not killed");
    if (strcmp(command, "exec-after") == 0)
        loop_release();
    close(gate[1]);
    loop_reap(child, "the child of the killed one");
    return loop_code();
}

static int killed_released(char **argv)
{
    return killed("exec-after", argv);
}

static int killed_held(char **argv)
{
    return killed("exec-refused", argv);
}

const struct loop_command cancel_commands[] = {
    { "cancelled", 2, cancelled, "ADDRESS CONTROL" },
    { "exec-closing", 2, exec_closing, "ADDRESS CONTROL: exec beside a thread inside connect(), with FD_CLOEXEC" },
    { "exec-closed", 3, exec_closed, "ADDRESS CONTROL FD: what exec-closing starts" },
    { "exec-refused", 3, exec_refused, "ADDRESS CONTROL FD: what killed-held starts" },
    { "killed", 2, killed_released, "ADDRESS CONTROL: exec in a child whose parent was killed inside connect()" },
    { "killed-held", 2, killed_held, "ADDRESS CONTROL: the same, and the proxy never answers" },
    { NULL, 0, NULL, NULL },
};
