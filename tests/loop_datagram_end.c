/* SPDX-License-Identifier: ISC */
/* loop_datagram_end.c - associations that fail, and what ends while one is being made */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop_datagram.h"
#include "probe_text.h"

enum { FEW = 3 };

enum way { BY_POLL, BY_SELECT, BY_LEVEL, BY_EDGE, BY_RECV, BY_SEND, WAYS };

static const char *const names[WAYS] = { "poll", "select", "epoll_wait", "epoll_wait, by edge", "recv", "send" };

/* Wait for the failure of fd's association.  Returns the errno of the call that tells of it. */
static int failure(enum way way, int fd, int set)
{
    struct timeval t = { 10, 0 };
    char c = 0;
    fd_set in;

    FD_ZERO(&in);
    FD_SET(fd, &in);
    switch (way) {
    case BY_POLL:
        loop_check(loop_poll(fd, POLLIN) == POLLIN, "poll: nothing");
        break;
    case BY_SELECT:
        loop_check(select(fd + 1, &in, NULL, NULL, &t) == 1, "select: nothing");
        break;
    case BY_LEVEL:
    case BY_EDGE:
        loop_check(loop_wait(set, fd) == EPOLLIN, "%s: nothing", names[way]);
        break;
    case BY_RECV:
        while (recv(fd, &c, 1, 0) < 0 && errno == EAGAIN)
            usleep(1000);
        return errno;
    default:
        for (int i = 0; i < 60; i++) {
            if (sendto(fd, &c, 1, 0, (struct sockaddr *)&to_sink.sa, to_sink.len) < 0)
                return errno;
            usleep(20000);
        }
        return 0;
    }
    return recv(fd, &c, 1, 0) < 0 ? errno : 0;
}

/* The proxy holds its first reply, unless it never gives one. */
static void go_on(int fd, char **argv)
{
    if (strcmp(argv[1], "ETIMEDOUT") == 0)
        return;
    loop_hold(fd, 1);
    loop_release();
}

/* argv: CONTROL ERRNO AGAIN.  AGAIN: what a send after it gives. */
static int fails(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < WAYS; way++) {
        int fd = sink_socket(SOCK_NONBLOCK), set = loop_set(), error;
        bool again = strcmp(argv[2], "ok") != 0;
        char c = 0;

        /* What is remembered of the proxy leaves nothing to wait for. */
        if (way > 0 && again)
            break;
        loop_add(set, fd, EPOLLIN | (way == BY_EDGE ? EPOLLET : 0));
        sink_send(fd, 0, FEW, 0);
        go_on(fd, argv);
        error = failure((enum way)way, fd, set);
        loop_check(strcmp(text_errno(error), argv[1]) == 0, "%s: %s", names[way], text_errno(error));
        loop_is(recv(fd, &c, 1, 0), EAGAIN, "the next recv");
        loop_check(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 0, "%s: still readable", names[way]);
        error = sendto(fd, &c, 1, 0, (struct sockaddr *)&to_sink.sa, to_sink.len) < 0 ? errno : 0;
        loop_check(strcmp(text_errno(error), argv[2]) == 0, "%s: sent again: %s", names[way], text_errno(error));
        if (!error)
            go_on(fd, argv);
        close(set);
        close(fd);
    }
    sink_empty();
    return loop_code();
}

/* close() and its like, with datagrams queued, while nobody else brings the association on. */
static int closes(char **argv)
{
    int fd, copy, one = 1;
    struct target relay;
    pthread_t thread;

    sink_begin(argv);
    for (int way = 0; way < 3; way++) {
        fd = sink_socket(SOCK_NONBLOCK);
        sink_send(fd, 0, FEW, 0);
        thread = loop_release_later(&one);
        if (way == 0)
            loop_is(close(fd), 0, "close");
        else if (way == 1)
            loop_is(dup2(sink, fd), 0, "dup2 over it");
        else
            loop_is(close_range((unsigned)fd, (unsigned)fd, 0), 0, "close_range");
        pthread_join(thread, NULL);
        sink_has(0, FEW, &relay);
        if (way == 1)
            close(fd);
    }
    /* Another number holds it: nothing to wait for. */
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, FEW, 0);
    copy = dup(fd);
    close(fd);
    sink_send(copy, FEW, 1, 0);
    loop_hold(copy, 1);
    loop_release();
    sink_waits();
    sink_has(0, FEW + 1, &relay);
    sink_answer(copy, &relay, "a duplicate");
    return loop_code();
}

/* The end of a process in several ways; the program's own handlers may send as well. */
static int last_socket;

static void send_last(void)
{
    sink_send(last_socket, FEW, 1, 0);
}

static void end_by(int way)
{
    char *const argv[] = { (char *)"true", NULL };

    last_socket = sink_socket(SOCK_NONBLOCK);
    sink_send(last_socket, 0, FEW, 0);
    switch (way) {
    case 0:
        atexit(send_last);
        exit(loop_code());
    case 1:
        send_last();
        _exit(loop_code());
    case 2:
        send_last();
        _Exit(loop_code());
    case 3:
        send_last();
        quick_exit(loop_code());
    case 4:
        send_last();
        syscall(SYS_exit_group, loop_code());
        _exit(1);
    default:
        send_last();
        execv("/bin/true", argv);
        _exit(1);
    }
}

static int exits(char **argv)
{
    struct target relay;
    int one = 1;

    sink_begin(argv);
    for (int way = 0; way < 6; way++) {
        int pid = loop_fork();
        pthread_t thread;

        if (pid == 0)
            end_by(way);
        thread = loop_release_later(&one);
        pthread_join(thread, NULL);
        loop_reap(pid, "the process");
        sink_has(0, FEW + 1, &relay);
        sink_empty();
    }
    return loop_code();
}

/* A child has its own association, and nothing goes out twice. */
static int forks(char **argv)
{
    int fd, set = loop_set(), pid;
    struct target relay;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLIN);
    sink_send(fd, 0, FEW, 0);
    loop_hold(set, 1);
    pid = loop_fork();
    if (pid == 0) {
        sink_send(fd, 100, 1, 0);
        loop_hold(set, 2);
        loop_release();
        loop_check(loop_poll(sink, POLLIN) == POLLIN, "nothing of the child or the parent");
        while (poll(NULL, 0, 20) == 0 && net_tell(loop_control, "open") < 2)
            ;
        exit(loop_code());
    }
    loop_reap(pid, "the child");
    sink_has(100, 1, &relay);
    sink_waits();
    sink_has(0, FEW, &relay);
    sink_empty();
    sink_answer(fd, &relay, "the parent");
    return loop_code();
}

/* A vfork child does not touch what its parent is making. */
static int vforked(char **argv)
{
    struct target relay;
    int fd;
    pid_t pid;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, FEW, 0);
    loop_hold(fd, 1);
    pid = vfork();
    if (pid == 0) {
        poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0);
        close_range(3, ~0u, 0);
        _exit(0);
    }
    loop_reap(pid, "the child");
    loop_release();
    sink_waits();
    sink_has(0, FEW, &relay);
    sink_answer(fd, &relay, "after vfork()");
    return loop_code();
}

static void *send_blocking(void *argument)
{
    static int copy;

    copy = *(int *)argument;
    sink_send(copy, FEW, 1, 0);
    return NULL;
}

/* A send that sleeps waits for the association that others have begun, and comes behind what they have queued. */
static int beside(char **argv)
{
    int fd, one = 1;
    struct target relay;
    pthread_t sender;

    sink_begin(argv);
    fd = sink_socket(0);
    sink_send(fd, 0, FEW, MSG_DONTWAIT);
    if (pthread_create(&sender, NULL, send_blocking, &fd) != 0)
        net_die("pthread_create");
    loop_held(one);
    sink_empty();
    loop_release();
    pthread_join(sender, NULL);
    sink_has(0, FEW + 1, &relay);
    sink_answer(fd, &relay, "beside");
    return loop_code();
}

static void *wait_for_ever(void *argument)
{
    struct epoll_event e;

    epoll_wait(*(int *)argument, &e, 1, -1);
    return NULL;
}

static void *send_for_ever(void *argument)
{
    sink_send(*(int *)argument, 1, 1, 0);
    return NULL;
}

/* Cancelled in a wait, and in a send that sleeps: the association goes on for the others. */
static int cancels(char **argv)
{
    void *(*const ways[])(void *) = { wait_for_ever, send_for_ever };

    sink_begin(argv);
    for (int way = 0; way < 2; way++) {
        int fd = sink_socket(0), set = loop_set();
        struct target relay;
        pthread_t thread;
        void *result = NULL;

        loop_add(set, fd, EPOLLIN);
        sink_send(fd, 0, 1, MSG_DONTWAIT);
        if (pthread_create(&thread, NULL, ways[way], way ? &fd : &set) != 0)
            net_die("pthread_create");
        loop_held(1);
        pthread_cancel(thread);
        pthread_join(thread, &result);
        loop_check(result == PTHREAD_CANCELED, "way %d: not cancelled", way);
        sink_send(fd, 1, 1, MSG_DONTWAIT);
        loop_release();
        sink_waits();
        sink_has(0, 2, &relay);
        sink_answer(fd, &relay, "cancelled");
        close(set);
        close(fd);
    }
    return loop_code();
}

/* Our own numbers are closed with all others. */
static int all_closed(char **argv)
{
    struct target relay;
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, 1, 0);
    loop_hold(fd, 1);
    loop_is(close_range((unsigned)(fd > sink ? fd : sink) + 1, ~0u, 0), 0, "close_range");
    loop_release();
    loop_check(loop_poll(fd, POLLIN | POLLOUT) & POLLOUT, "not writable");
    recv(fd, &(char){ 0 }, 1, 0);
    recv(fd, &(char){ 0 }, 1, 0);
    sink_send(fd, 10, 1, 0);
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    sink_has(10, 1, &relay);
    sink_answer(fd, &relay, "closed");
    return loop_code();
}

enum late { LATE_RECV, LATE_RECVMSG, LATE_RECVMMSG, LATE_LAST, LATE_BETWEEN, LATE_FIRST, LATES };

/* What a call waits for, our own word among it, and what there is of direct datagrams before that and behind it. */
static const struct { unsigned count, before, behind; } late_parts[LATES] = {
    [LATE_RECV] = { 1, 0, 0 }, [LATE_RECVMSG] = { 1, 0, 0 }, [LATE_RECVMMSG] = { 1, 0, 0 }, [LATE_LAST] = { 2, 1, 0 },
    [LATE_BETWEEN] = { 5, 2, 2 }, [LATE_FIRST] = { 3, 0, 2 }
};

enum { LATE_MESSAGES = 5, LATE_ROOM = 24 };

static struct {
    enum late way;
    int fd, result, error;
    atomic_int thread;
    char room[LATE_MESSAGES][2][LATE_ROOM];
    struct sockaddr_in from[LATE_MESSAGES];
    struct mmsghdr message[LATE_MESSAGES];
} late;

static void *sleep_in_call(void *argument)
{
    static struct iovec piece[LATE_MESSAGES][2];
    struct mmsghdr *m = late.message;

    memset(late.room, 0, sizeof late.room);
    memset(late.from, 0, sizeof late.from);
    for (int i = 0; i < LATE_MESSAGES; i++) {
        /* Cut elsewhere in each. */
        piece[i][0] = (struct iovec){ late.room[i][0], 2 + (size_t)i };
        piece[i][1] = (struct iovec){ late.room[i][1], LATE_ROOM };
        m[i].msg_hdr = (struct msghdr){ .msg_iov = piece[i], .msg_iovlen = 2, .msg_name = &late.from[i],
                                        .msg_namelen = sizeof late.from[i] };
    }
    atomic_store(&late.thread, (int)gettid());
    if (late.way == LATE_RECV)
        late.result = (int)recv(late.fd, late.room[0][1], LATE_ROOM, 0);
    else if (late.way == LATE_RECVMSG)
        late.result = (int)recvmsg(late.fd, &m[0].msg_hdr, 0);
    else
        late.result = recvmmsg(late.fd, m, late_parts[late.way].count, 0, NULL);
    late.error = errno;
    return argument;
}

/* How often a thread has slept. */
static long sleeps(int thread)
{
    char path[64], line[128];
    long count = -1;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%d/status", thread);
    f = fopen(path, "r");
    if (!f)
        return count;
    while (fgets(line, sizeof line, f) && sscanf(line, "voluntary_ctxt_switches: %ld", &count) != 1)
        ;
    fclose(f);
    return count;
}

/* Direct datagrams, of as many bytes as their number and one. */
static void send_directly(unsigned first, unsigned count)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    socklen_t len = sizeof to;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    getsockname(late.fd, (struct sockaddr *)&to, &len);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (unsigned i = first; i < first + count; i++)
        loop_check(sendto(fd, "directly", i + 1, 0, (struct sockaddr *)&to, len) == (int)i + 1, "sendto");
    close(fd);
}

/* The messages that are left are the direct ones, in order, with nothing behind them. */
static void check_late(unsigned count)
{
    loop_check(late.result == (int)count, "%d: %d messages", late.way, late.result);
    for (unsigned i = 0; i < count; i++) {
        const struct mmsghdr *m = &late.message[i];
        char text[2 * LATE_ROOM + 1] = "";
        size_t first = m->msg_hdr.msg_iov[0].iov_len;

        memcpy(text, late.room[i][0], first);
        memcpy(text + first, late.room[i][1], LATE_ROOM);
        loop_check(m->msg_len == i + 1 && strncmp(text, "directly", i + 1) == 0 && strlen(text) == i + 1,
                   "%d: message %u: %u bytes, %s", late.way, i, m->msg_len, text);
        loop_check(m->msg_hdr.msg_namelen == sizeof late.from[i] &&
                   late.from[i].sin_addr.s_addr == htonl(INADDR_LOOPBACK), "%d: message %u: its name", late.way, i);
    }
}

static void fail_late(enum late way, const char *error)
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    pthread_t thread;
    long slept;
    char c;

    late.way = way;
    late.fd = sink_socket(0);
    atomic_store(&late.thread, 0);
    loop_is(bind(late.fd, (struct sockaddr *)&any, sizeof any), 0, "bind");
    if (pthread_create(&thread, NULL, sleep_in_call, NULL) != 0)
        net_die("pthread_create");
    while (!atomic_load(&late.thread))
        sched_yield();
    loop_until_asleep(atomic_load(&late.thread));
    send_directly(0, late_parts[way].before);
    sink_send(late.fd, 0, FEW, MSG_DONTWAIT);
    while (net_tell(loop_control, "count") < 1)
        poll(NULL, 0, 5);
    loop_until_asleep(atomic_load(&late.thread));
    slept = sleeps(atomic_load(&late.thread));
    loop_release();
    if (late_parts[way].behind) {
        /* Until our word is in the sleeper's hands. */
        while (sleeps(atomic_load(&late.thread)) == slept)
            poll(NULL, 0, 5);
        send_directly(late_parts[way].before, late_parts[way].behind);
    }
    while (pthread_tryjoin_np(thread, NULL) != 0)
        poll(NULL, 0, 5);
    if (late_parts[way].count > 1) {
        check_late(late_parts[way].before + late_parts[way].behind);
        late.result = (int)recv(late.fd, &c, 1, MSG_DONTWAIT);
        late.error = errno;
    }
    loop_check(late.result == -1 && strcmp(text_errno(late.error), error) == 0, "%d: %d %s", way, late.result,
               text_errno(late.error));
    close(late.fd);
}

/* argv: CONTROL ERRNO.  A thread sleeps in a call since before the first datagram, whose association fails. */
static int fails_late(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < LATES; way++)
        fail_late((enum late)way, argv[1]);
    return loop_code();
}

const struct loop_command datagram_end_commands[] = {
    { "udp-fails-late", 2, fails_late, "CONTROL ERRNO: one that sleeps in a call since before" },
    { "udp-fails", 3, fails, "CONTROL ERRNO AGAIN: associations that fail; AGAIN is what the next send gives" },
    { "udp-closes", 1, closes, "CONTROL: numbers that are closed" },
    { "udp-exits", 1, exits, "CONTROL: the end of a process, and exec" },
    { "udp-forks", 1, forks, "CONTROL: fork()" },
    { "udp-vfork", 1, vforked, "CONTROL: vfork()" },
    { "udp-beside", 1, beside, "CONTROL: a send that sleeps beside it" },
    { "udp-cancels", 1, cancels, "CONTROL: threads that are cancelled" },
    { "udp-all-closed", 1, all_closed, "CONTROL: all numbers are closed" },
    { NULL, 0, NULL, NULL }
};
