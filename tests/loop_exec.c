/* SPDX-License-Identifier: ISC */
/* loop_exec.c - other programs that are started while a handshake is pending */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loop.h"

/* A vforked child that hands the socket to another program ends the handshake, by a number of its own: the parent's set
 * is told. */
static int vfork_hands(char **argv)
{
    char self[PATH_MAX] = "";
    int fd, set = loop_set();
    pid_t pid;

    loop_arguments(argv);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        net_die("readlink");
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    pid = vfork();
    if (pid == 0) {
        dup2(fd, 0);
        close(fd);
        execl(self, "loop", "exec-after", argv[0], argv[1], "0", (char *)NULL);
        _exit(127);
    }
    loop_reap(pid, "vfork");
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "after a vforked child");
    return loop_code();
}

/* A program that is replaced takes its sockets with it: their handshakes are over for its relatives by the deadline. */
/* What the other program has registered is given up some seconds after its socket. */
static bool sleeps_in_accept(void)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    struct timeval limit = { .tv_usec = 300000 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    long awake = LONG_MAX;

    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) != 0 || listen(fd, 1) != 0)
        net_die("listen");
    for (int i = 0; i < 20 && awake > 5; i++) {
        struct rusage before, after;

        getrusage(RUSAGE_SELF, &before);
        loop_is(accept(fd, NULL, NULL), EAGAIN, "accept");
        getrusage(RUSAGE_SELF, &after);
        awake = after.ru_nvcsw - before.ru_nvcsw;
    }
    close(fd);
    return awake <= 5;
}

static int exec_leaves(char **argv)
{
    int gate[2], told[2], set = loop_set(), other;
    struct rusage before, after;
    struct epoll_event e;
    pid_t pid;
    char c;

    loop_target = net_target(argv[0]);
    if (pipe(gate) != 0 || pipe2(told, O_CLOEXEC) != 0)
        net_die("pipe");
    pid = loop_fork();
    if (pid == 0) {
        close(gate[1]);
        set = epoll_create1(EPOLL_CLOEXEC);
        loop_add(set, loop_begin(SOCK_NONBLOCK | SOCK_CLOEXEC), EPOLLOUT);
        execl("/nonexistent/program", "none", (char *)NULL);
        dup2(gate[0], 0);
        execl("/bin/cat", "cat", (char *)NULL);
        _exit(127);
    }
    close(gate[0]);
    close(told[1]);
    loop_check(read(told[0], &c, 1) == 0, "no exec");
    other = loop_begin(SOCK_NONBLOCK);
    loop_add(set, other, EPOLLOUT);
    loop_check(loop_wait(set, other) & EPOLLERR, "no deadline");
    close(other);
    getrusage(RUSAGE_SELF, &before);
    loop_check(epoll_wait(set, &e, 1, 600) == 0, "an event");
    getrusage(RUSAGE_SELF, &after);
    loop_check(after.ru_nvcsw - before.ru_nvcsw < 6, "awake %ld times", after.ru_nvcsw - before.ru_nvcsw);
    loop_check(sleeps_in_accept(), "awake in accept()");
    close(gate[1]);
    loop_reap(pid, "the other program");
    return loop_code();
}

const struct loop_command exec_loop_commands[] = {
    { "vfork-hands", 2, vfork_hands, "ADDRESS CONTROL: nothing is held for long" },
    { "exec-leaves", 1, exec_leaves, "ADDRESS: through a proxy that never answers, with a deadline of half a second" },
    { NULL, 0, NULL, NULL },
};
