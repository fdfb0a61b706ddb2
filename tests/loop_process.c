/* SPDX-License-Identifier: ISC */
/* loop_process.c - several processes and one pending handshake */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

enum way { BY_POLL, BY_OLD_SET, BY_NEW_SET, BY_CLOSE, BY_NOTHING, WAYS };

static const char *const way_names[WAYS] = { "poll", "the old set", "a new set", "close", "nothing" };

/* Wait for the end of connect() in one of the ways; all must be told of it, whoever has made the last step. */
static void wait_by(enum way way, int set, int fd, const char *who)
{
    int fresh;

    switch (way) {
    case BY_POLL:
        loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "%s: poll() tells nothing", who);
        break;
    case BY_OLD_SET:
        loop_check(loop_wait(set, fd) == EPOLLOUT, "%s: the old set tells nothing", who);
        break;
    case BY_NEW_SET:
        close(set);
        fresh = loop_set();
        loop_check(fresh == set, "%s: the number of the set is not used again", who);
        loop_add(fresh, fd, EPOLLOUT);
        loop_check(loop_wait(fresh, fd) == EPOLLOUT, "%s: a new set tells nothing", who);
        break;
    case BY_CLOSE:
        close(fd);
        return;
    default:
        return;
    }
    loop_check(net_error(fd) == 0, "%s: SO_ERROR", who);
}

/* connect(), then fork(), then both wait, each in its way, with the release after both have begun. */
static void forked(enum way parent, enum way child)
{
    int fd, set = loop_set(), gate[2];
    long began = net_clock();
    char name[80], c;
    pid_t pid;

    snprintf(name, sizeof name, "parent %s, child %s", way_names[parent], way_names[child]);
    if (pipe2(gate, O_CLOEXEC) != 0)
        net_die("pipe");
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(fd, 1);
    pid = loop_fork();
    if (pid == 0) {
        close(gate[1]);
        wait_by(child, set, fd, name);
        if (parent == BY_CLOSE || parent == BY_NOTHING)
            loop_good(fd, name);
        /* The parent's turn ends before ours, so that nothing of it comes from our exit. */
        loop_check(read(gate[0], &c, 1) == 0, "%s: the gate", name);
        _exit(loop_code());
    }
    close(gate[0]);
    if (fork() == 0) {
        close(gate[1]);
        loop_until_asleep(getppid());
        loop_release();
        _exit(0);
    }
    wait_by(parent, set, fd, name);
    if (parent < BY_CLOSE && child != BY_POLL && child != BY_OLD_SET && child != BY_NEW_SET)
        loop_good(fd, name);
    if (parent < BY_CLOSE)
        loop_check(net_clock() - began < 3000, "%s: only by the deadline", name);
    close(gate[1]);
    loop_reap(pid, name);
    while (wait(NULL) > 0)
        ;
    close(set);
    if (parent != BY_CLOSE)
        close(fd);
}

static int forks(char **argv)
{
    loop_arguments(argv);
    for (int parent = 0; parent < WAYS; parent++) {
        for (int child = 0; child < WAYS; child++) {
            if (parent < BY_CLOSE || child < BY_CLOSE)
                forked(parent, child);
        }
    }
    return loop_code();
}

/* A vforked child that closes everything and starts another program leaves the parent's handshake alone. */
static int vforks(char **argv)
{
    int fd, set = loop_set();

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK | SOCK_CLOEXEC);
    loop_add(set, fd, EPOLLOUT);
    for (int i = 0; i < 3; i++) {
        pid_t pid = vfork();

        if (pid == 0) {
            if (i == 0)
                close_range(3, ~0u, 0);
            if (i == 1)
                close(fd), close(set);
            if (i == 2)
                dup2(0, fd);
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        loop_reap(pid, "vfork");
        loop_is(write(fd, "abc", 3), EAGAIN, "write after a vforked child");
    }
    loop_check(system("exit 3") >> 8 == 3, "system()");
    loop_hold(set, 1);
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "after vfork");
    return loop_code();
}

/* What exec leaves behind is a connection that stands. */
static int exec_after(char **argv)
{
    loop_arguments(argv);
    loop_good(atoi(argv[2]), "after exec");
    return loop_code();
}

/* exec with a pending socket that it leaves open: first the handshake ends. */
static int execs(char **argv)
{
    char number[12];
    int fd;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    snprintf(number, sizeof number, "%d", fd);
    execl("/proc/self/exe", "loop", "exec-after", argv[0], argv[1], number, (char *)NULL);
    net_die("execl");
}

static void send_fd(int to, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = { .header = { .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec v = { (char[]){ "x" }, 1 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    loop_check(sendmsg(to, &m, 0) == 1, "sendmsg: %s", text_errno(errno));
}

static int take_fd(int from)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char c;
    struct iovec v = { &c, 1 };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    int fd = -1;

    if (loop_check(recvmsg(from, &m, 0) == 1, "recvmsg: %s", text_errno(errno)))
        memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

/* A pending socket that is passed on arrives as a connection that stands. */
static int passes(char **argv)
{
    int pair[2], fd, other;
    pid_t pid;

    loop_arguments(argv);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        net_die("socketpair");
    pid = loop_fork();
    if (pid == 0) {
        close(pair[1]);
        other = take_fd(pair[0]);
        loop_good(other, "a passed socket");
        _exit(loop_code());
    }
    fd = loop_begin(SOCK_NONBLOCK);
    send_fd(pair[1], fd);
    close(fd);
    loop_reap(pid, "passed");
    return loop_code();
}

/* Processes that come, connect, and go without closing leave no place taken for ever. */
static int come_and_go(char **argv)
{
    int fd, set = loop_set();

    loop_arguments(argv);
    for (int i = 0; i < 500; i++) {
        pid_t pid = loop_fork();

        if (pid == 0) {
            set = loop_set();
            for (int k = 0; k < 20; k++)
                loop_add(set, loop_begin(SOCK_NONBLOCK), EPOLLOUT);
            _exit(loop_code());
        }
        loop_reap(pid, "a child");
        if (i % 50)
            continue;
        fd = loop_begin(SOCK_NONBLOCK);
        loop_add(set, fd, EPOLLOUT);
        if (!loop_check(loop_wait(set, fd) == EPOLLOUT, "not writable after %d children", i))
            break;
        loop_good(fd, "in the parent");
        close(fd);
    }
    return loop_code();
}

/* Who connected closes its number; the child holds another, and does nothing with it until long after the deadline: it
 * must not take the connection to the proxy for one to the target. */
static int orphans(char **argv)
{
    int set = loop_set(), fd, other, pipes[2];
    struct epoll_event e;
    char c;

    loop_target = net_target(argv[0]);
    if (pipe(pipes) != 0)
        net_die("pipe");
    fd = loop_begin(SOCK_NONBLOCK);
    if (loop_fork() == 0) {
        close(pipes[1]);
        loop_check(read(pipes[0], &c, 1) == 0, "not told");
        loop_check(send(fd, "leak", 4, MSG_NOSIGNAL) == -1, "sent into the handshake");
        _exit(loop_code());
    }
    close(fd);
    other = loop_begin(SOCK_NONBLOCK);
    loop_add(set, other, EPOLLOUT);
    loop_check(loop_wait(set, other) & EPOLLERR, "no deadline");
    close(other);
    /* Longer than what others are given to find it themselves. */
    for (long began = net_clock(); net_clock() - began < 2700;)
        epoll_wait(set, &e, 1, 100);
    close(pipes[1]);
    loop_reap(-1, "the child");
    return loop_code();
}

/* Start this program again, in one of the ways, with a pending socket that is left open.  Returns its status. */
static int hand_on(int way, const char *self, char *const argv[], const char *command, int fd)
{
    int status = -1;
    pid_t pid = -1;
    FILE *f;

    switch (way) {
    case 0:
        loop_check(posix_spawn(&pid, self, NULL, NULL, argv, environ) == 0, "posix_spawn");
        break;
    case 1:
        loop_check(posix_spawnp(&pid, self, NULL, NULL, argv, environ) == 0, "posix_spawnp");
        break;
    case 2:
        return system(command);
    case 3:
        f = popen(command, "r");
        return f ? pclose(f) : -1;
    case 4:
        pid = fork();
        if (pid == 0)
            execv(self, argv), _exit(127);
        break;
    default:
        pid = vfork();
        if (pid == 0) {
            if (way == 6)
                dup2(fd, 0), close(fd);
            execv(self, argv), _exit(127);
        }
    }
    return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* Who gets a pending socket in another program gets a connection that stands. */
static int handed(char **argv)
{
    char self[PATH_MAX] = "", number[12], command[PATH_MAX + 200];

    loop_arguments(argv);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        net_die("readlink");
    for (int way = 0; way < 7; way++) {
        int fd = loop_begin(SOCK_NONBLOCK);
        char *const again[] = { self, (char[]){ "exec-after" }, argv[0], argv[1], number, NULL };

        snprintf(number, sizeof number, "%d", way == 6 ? 0 : fd);
        snprintf(command, sizeof command, "exec '%s' exec-after '%s' '%s' %s", self, argv[0], argv[1], number);
        loop_check(hand_on(way, self, again, command, fd) == 0, "way %d", way);
        close(fd);
    }
    return loop_code();
}

/* A duplicate made before connect() is as good as one made after, and so is one that was registered. */
static int dup_first(char **argv)
{
    int set = loop_set(), fd, copy[2];
    struct epoll_event e;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    copy[0] = dup(fd);
    copy[1] = fcntl(copy[0], F_DUPFD, 100);
    loop_add(set, copy[1], EPOLLOUT);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(set, 1);
    for (int i = 0; i < 2; i++) {
        struct pollfd p = { .fd = copy[i], .events = POLLIN | POLLOUT };

        loop_check(poll(&p, 1, 0) == 0, "%d: an event while it is held: %x", i, (unsigned)p.revents);
        loop_is(write(copy[i], "abc", 3), EAGAIN, "write to a duplicate");
        loop_is(net_connect(copy[i], &loop_target), EALREADY, "connect of a duplicate");
    }
    close(fd);
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event while it is held");
    close(copy[0]);
    loop_is(write(copy[1], "abc", 3), EAGAIN, "write to the last");
    loop_release();
    loop_check(loop_wait(set, copy[1]) == EPOLLOUT, "no event");
    loop_good(copy[1], "a duplicate");
    return loop_code();
}

/* A direct connect() that fails leaves the socket as it was: copies made after it are known when it is tunnelled. */
static int refused_first(char **argv)
{
    struct target direct = net_target(argv[2]);
    int fd, copy;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    loop_is(net_connect(fd, &direct), EINVAL, "the direct one");
    copy = dup(fd);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_hold(fd, 1);
    loop_is(write(copy, "abc", 3), EAGAIN, "write to a duplicate");
    loop_release();
    loop_check(loop_poll(copy, POLLOUT) == POLLOUT, "not writable");
    loop_good(copy, "after a failure");
    return loop_code();
}

/* The same of one that began, and is given up: copies, children, and an epoll set. */
static int given_up_first(char **argv)
{
    struct target direct = net_target(argv[2]);
    const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
    int set = loop_set(), fd, copies[2];
    struct epoll_event e;
    pid_t pid;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    loop_is(net_connect(fd, &direct), EINPROGRESS, "the direct one");
    loop_is(connect(fd, &nobody, sizeof nobody), 0, "AF_UNSPEC");
    loop_add(set, fd, EPOLLOUT);
    if (strcmp(argv[3], "fork") != 0) {
        int count = strcmp(argv[3], "dup") == 0 ? 2 : 0;

        copies[0] = count ? dup(fd) : -1;
        copies[1] = count ? fcntl(copies[0], F_DUPFD, 100) : -1;
        loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
        loop_hold(fd, 1);
        for (int i = 0; i < count; i++)
            loop_is(write(copies[i], "abc", 3), EAGAIN, "write to a duplicate");
    } else {
        int ready[2];
        char c = 0;

        if (pipe(ready) != 0)
            net_die("pipe");
        pid = loop_fork();
        if (pid == 0) {
            loop_check(read(ready[0], &c, 1) == 1, "the parent");
            loop_is(write(fd, "abc", 3), EAGAIN, "write of a child");
            _exit(loop_code());
        }
        loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
        loop_hold(fd, 1);
        loop_check(write(ready[1], &c, 1) == 1, "the child");
        loop_reap(pid, "the child");
    }
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "an event while it is held");
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "after a failure");
    return loop_code();
}

/* What the one that has not connected sees while the proxy holds, and after. */
static void look_on(int fd, const char *who)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    int set = loop_set();
    struct epoll_event e;
    char c;

    loop_check(poll(&p, 1, 0) == 0, "%s: an event while it is held: %x", who, (unsigned)p.revents);
    loop_is(write(fd, "abc", 3), EAGAIN, who);
    loop_is(read(fd, &c, 1), EAGAIN, who);
    loop_add(set, fd, EPOLLOUT);
    loop_check(epoll_wait(set, &e, 1, 0) == 0, "%s: an event of a set while it is held", who);
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "%s: no event of a set", who);
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "%s: not writable", who);
    loop_good(fd, who);
    close(set);
}

/* socket(), then fork(), then one of the two connects and the other looks first. */
static void fork_before(bool child_connects, int fresh)
{
    int to_child[2], to_parent[2];
    char c = 0;
    pid_t pid;

    if (pipe(to_child) != 0 || pipe(to_parent) != 0)
        net_die("pipe");
    pid = loop_fork();
    if (pid == 0 && child_connects) {
        loop_is(net_connect(fresh, &loop_target), EINPROGRESS, "connect in the child");
        loop_hold(fresh, 1);
        loop_check(write(to_parent[1], &c, 1) == 1 && read(to_child[0], &c, 1) == 1, "the parent");
        _exit(loop_code());
    }
    if (pid == 0) {
        loop_check(read(to_child[0], &c, 1) == 1, "the parent");
        look_on(fresh, "the child");
        _exit(loop_code());
    }
    if (child_connects) {
        loop_check(read(to_parent[0], &c, 1) == 1, "the child");
        look_on(fresh, "the parent");
        loop_check(write(to_child[1], &c, 1) == 1, "the child");
    } else {
        loop_is(net_connect(fresh, &loop_target), EINPROGRESS, "connect");
        loop_hold(fresh, 1);
        loop_check(write(to_child[1], &c, 1) == 1, "the child");
    }
    loop_reap(pid, "the child");
    if (!child_connects)
        loop_check(loop_poll(fresh, POLLOUT) == POLLOUT, "the parent: not writable");
    loop_check(net_error(fresh) == 0, "SO_ERROR");
    for (int i = 0; i < 2; i++)
        close(to_child[i]), close(to_parent[i]);
}

/* A child that was there before looks on while its parent is inside connect(). */
static int blocking_fork(char **argv)
{
    int fd;
    pid_t pid;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM);
    pid = loop_fork();
    if (pid == 0) {
        struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
        char c;

        loop_held(1);
        loop_check(poll(&p, 1, 0) == 0, "an event while it is held: %x", (unsigned)p.revents);
        loop_is(send(fd, "abc", 3, MSG_DONTWAIT), EAGAIN, "send");
        loop_is(recv(fd, &c, 1, MSG_DONTWAIT), EAGAIN, "recv");
        loop_release();
        _exit(loop_code());
    }
    loop_is(net_connect(fd, &loop_target), 0, "connect");
    loop_reap(pid, "the child");
    loop_good(fd, "beside a child");
    return loop_code();
}

static int fork_first(char **argv)
{
    loop_arguments(argv);
    for (int i = 0; i < 2; i++) {
        int fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);

        fork_before(i, fd);
        close(fd);
    }
    return loop_code();
}

const struct loop_command process_commands[] = {
    { "forks", 2, forks, "ADDRESS CONTROL" },
    { "vforks", 2, vforks, "ADDRESS CONTROL" },
    { "execs", 2, execs, "ADDRESS CONTROL: nothing is held for long" },
    { "exec-after", 3, exec_after, "ADDRESS CONTROL FD: what execs starts" },
    { "handed", 2, handed, "ADDRESS CONTROL: every way to another program; nothing is held for long" },
    { "dup-first", 2, dup_first, "ADDRESS CONTROL: duplicates made before connect()" },
    { "refused-first", 3, refused_first, "IPV6-ADDRESS CONTROL IPV4-ADDRESS: the latter is the proxy's own" },
    { "given-up-first", 4, given_up_first, "ADDRESS CONTROL DIRECT dup|fork|alone: DIRECT is the proxy's own" },
    { "blocking-fork", 2, blocking_fork, "ADDRESS CONTROL: a child made before connect()" },
    { "fork-first", 2, fork_first, "ADDRESS CONTROL: children made before connect()" },
    { "passes", 2, passes, "ADDRESS CONTROL: SCM_RIGHTS; nothing is held for long" },
    { "orphans", 1, orphans, "ADDRESS: through a proxy that never answers, with a deadline of half a second" },
    { "come-and-go", 2, come_and_go, "ADDRESS CONTROL: nothing is held" },
    { NULL, 0, NULL, NULL },
};
