/* SPDX-License-Identifier: ISC */
/* probe_udp_pass.c - datagram sockets with a peer, in the hands of other processes; and what is rarely asked of one */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

/* What the process that has made the socket leaves behind: an answer that it has not read. */
static int leave_answer(const struct target *t)
{
    int fd = udp_socket(t);

    say("connect", net_connect(fd, t));
    udp_exchange(fd, NULL);
    say("send", send(fd, "left", 4, 0));
    say("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000));
    return fd;
}

static void use(int fd, const struct target *t)
{
    char text[16];
    ssize_t n;

    say_peer("peer", fd);
    n = say("recv", recv(fd, text, sizeof text, 0));
    printf(" %.*s\n", n > 0 ? (int)n : 0, text);
    udp_exchange(fd, NULL);
    udp_send(fd, UDP_SENDTO, t, 12, 0, 1);
    udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
    say("write", write(fd, "abc", 3));
    say("read", read(fd, text, sizeof text));
}

/* argv: FD ADDRESS GATE.  The program that is executed: its parent is gone once GATE can be read. */
static int inherited(char **argv)
{
    struct target t = net_target(argv[1]);
    char c;

    if (read(atoi(argv[2]), &c, 1) != 0)
        return 1;
    use(atoi(argv[0]), &t);
    return 0;
}

/* number: the one that the socket gets, or -1. */
static void leave_to_program(const char *address, const struct target *t, int number)
{
    char fd[16], gate[16];
    int pipes[2], left;

    if (pipe(pipes) != 0)
        net_die("pipe");
    left = leave_answer(t);
    if (number >= 0) {
        say("dup2", dup2(left, number));
        close(left);
        left = number;
    }
    snprintf(fd, sizeof fd, "%d", left);
    snprintf(gate, sizeof gate, "%d", pipes[0]);
    fflush(stdout);
    if (fork() == 0) {
        close(pipes[1]);
        execl("/proc/self/exe", "probe", "udp-inherited", fd, address, gate, NULL);
        _exit(1);
    }
    _exit(0);
}

/* argv: ADDRESS [NUMBER].  A process sends, leaves the socket to a program, and is gone. */
static int leave(char **argv)
{
    struct target t = net_target(argv[0]);
    int done[2];
    char c;

    if (pipe(done) != 0)
        net_die("pipe");
    if (fork() == 0)
        leave_to_program(argv[0], &t, argv[1] ? atoi(argv[1]) : -1);
    close(done[1]);
    /* Until the last of them has ended. */
    return read(done[0], &c, 1) != 0;
}

/* argv: ADDRESS.  Sizes beyond any memory: without a vector the kernel cuts them, to what must fit in behind the
 * buffer: a stack may be too near the end. */
static int boundless(char **argv)
{
    static char text[16];
    struct target t = net_target(argv[0]);
    volatile size_t all = SIZE_MAX;
    int fd = udp_socket(&t);

    say("connect", net_connect(fd, &t));
    for (int i = 0; i < 3; i++) {
        say("send", send(fd, "12345", 5, 0));
        say("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000));
        say("a whole memory", i == 0 ? recv(fd, text, all, 0) : recvfrom(fd, text, all, 0, NULL, NULL));
        say("sent", i == 0 ? send(fd, text, all, 0) : sendto(fd, text, all, 0, (struct sockaddr *)&t.sa, t.len));
    }
    return 0;
}

/* argv: ADDRESS.  A process that shares the numbers puts a pipe in the place of the socket: libc's own calls follow. */
static int replaced(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t), pipes[2];
    char text[16];
    struct iovec piece = { text, sizeof text };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };
    pid_t child;

    say("connect", net_connect(fd, &t));
    udp_exchange(fd, NULL);
    if (pipe(pipes) != 0)
        net_die("pipe");
    child = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        dup2(pipes[1], fd);
        _exit(0);
    }
    say("waitpid", waitpid(child, NULL, 0) == child);
    say("recvmmsg", recvmmsg(fd, &message, 1, MSG_DONTWAIT, NULL));
    say("write", write(fd, "abc", 3));
    say("send", send(fd, "abc", 3, 0));
    say("read", read(pipes[0], text, sizeof text));
    return 0;
}

union rights {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

static void pass(int way, int fd)
{
    union rights r = { .header = { .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS } };
    struct iovec piece = { (char *)"x", 1 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &r, .msg_controllen = sizeof r };

    memcpy(CMSG_DATA(&r.header), &fd, sizeof fd);
    if (sendmsg(way, &m, 0) != 1)
        net_die("sendmsg");
}

static int take(int way)
{
    union rights r;
    char c;
    struct iovec piece = { &c, 1 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &r, .msg_controllen = sizeof r };
    int fd = -1;

    if (recvmsg(way, &m, 0) == 1)
        memcpy(&fd, CMSG_DATA(&r.header), sizeof fd);
    return fd;
}

/* argv: ADDRESS.  A process that was there before gets the socket by a message. */
static int by_message(char **argv)
{
    struct target t = net_target(argv[0]);
    int way[2], fd, status;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, way) != 0)
        net_die("socketpair");
    if (fork() == 0) {
        use(take(way[1]), &t);
        exit(0);
    }
    fd = leave_answer(&t);
    pass(way[0], fd);
    wait(&status);
    /* And the first owner again. */
    udp_exchange(fd, NULL);
    return status;
}

/* The peer is recorded for one number, and used by another that was made before. */
static void connected_by_another(const struct target *t)
{
    for (int way = 0; way <= UDP_SENDS; way++) {
        int fd = udp_socket(t), other = dup(fd);

        say("connect", net_connect(fd, t));
        if (way == UDP_SENDS)
            say_peer("peer", other);
        else if (udp_send(other, way, NULL, 20, 0, 1) == 20)
            udp_receive(other, UDP_RECVFROM, 100, 0, 1);
        close(fd);
        udp_exchange(other, NULL);
        say_peer("peer", other);
        close(other);
    }
    for (int way = 0; way < 2; way++) {
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        int fd = udp_socket(t), other = dup(fd);

        say("connect", net_connect(fd, t));
        say("unspec", connect(way ? fd : other, &none, sizeof none));
        for (int i = 0; i < 2; i++) {
            say("send", send(i ? fd : other, "abc", 3, 0));
            say_peer("peer", i ? fd : other);
        }
        close(fd);
        close(other);
    }
}

/* argv: ADDRESS.  A number that was made before the socket's first datagram, by which the answer is received; and the
 * other way round. */
static int duplicated(char **argv)
{
    struct target t = net_target(argv[0]);

    connected_by_another(&t);
    for (int way = 0; way < UDP_RECEIVES; way++) {
        int fd = udp_socket(&t), other = dup(fd);

        for (int i = 0; i < 2; i++) {
            udp_send(fd, UDP_SENDTO, &t, 20, 0, 1);
            udp_receive(other, way, 100, 0, 1);
            udp_send(other, UDP_SENDTO, &t, 20, 0, 1);
            udp_receive(fd, way, 100, 0, 1);
        }
        close(fd);
        udp_exchange(other, &t);
        close(other);
    }
    return 0;
}

/* argv: ADDRESS.  A child sends the socket's first datagram, its parent receives the answer. */
static int forked_first(char **argv)
{
    struct target t = net_target(argv[0]);

    for (int way = 0; way < UDP_RECEIVES; way++) {
        int fd = udp_socket(&t), until[2];
        char c;

        if (pipe(until) != 0)
            net_die("pipe");
        fflush(stdout);
        if (fork() == 0) {
            close(until[1]);
            if (sendto(fd, udp_outgoing, 20, 0, (struct sockaddr *)&t.sa, t.len) != 20)
                _exit(1);
            /* The association lasts as long as its process. */
            _exit((int)read(until[0], &c, 1));
        }
        close(until[0]);
        udp_receive(fd, way, 100, 0, 1);
        close(until[1]);
        wait(NULL);
        close(fd);
    }
    return 0;
}

/* argv: ADDRESS.  The socket of a process that was there before is connected by its child, and of a child by its
 * parent. */
static int forked_connects(char **argv)
{
    struct target t = net_target(argv[0]);

    for (int way = 0; way < UDP_SENDS; way++) {
        int fd = udp_socket(&t), gate[2];
        char c;

        if (pipe(gate) != 0)
            net_die("pipe");
        fflush(stdout);
        if (fork() == 0) {
            close(gate[1]);
            if (way % 2)
                say("connect", net_connect(fd, &t));
            else if (read(gate[0], &c, 1) != 0)
                _exit(1);
            if (udp_send(fd, way, NULL, 20, 0, 1) == 20)
                udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
            say_peer("peer", fd);
            exit(0);
        }
        close(gate[0]);
        if (way % 2 == 0)
            say("connect", net_connect(fd, &t));
        fflush(stdout);
        close(gate[1]);
        wait(NULL);
        if (udp_send(fd, way, NULL, 20, 0, 1) == 20)
            udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
        say_peer("peer", fd);
        close(fd);
    }
    return 0;
}

enum { COPIED = 70, BAD = 40, ROOM = 40, ROUNDS = 32, COPY_BYTES = 1 << 16 };

static char *two_pages(void)
{
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || mprotect(page + size, size, PROT_NONE) != 0)
        net_die("mmap");
    return page + size;
}

static void say_left(int fd)
{
    char text[ROOM];

    for (int i = 0; i < 2; i++)
        say("left", recv(fd, text, sizeof text, MSG_DONTWAIT));
}

/* More pieces than go without a copy, one of which is nowhere. */
static void copied_nowhere(int fd, const struct target *t, char *nowhere)
{
    static struct iovec piece[COPIED];
    struct msghdr m = { .msg_iov = piece, .msg_iovlen = COPIED, .msg_name = (void *)&t->sa, .msg_namelen = t->len };

    for (size_t i = 0; i < COPIED; i++)
        piece[i] = (struct iovec){ i == BAD ? nowhere : udp_incoming + i, 1 };
    say("sendmsg from nowhere", sendmsg(fd, &m, 0));
    udp_send(fd, UDP_SENDTO, t, COPIED, 0, 1);
    m.msg_name = NULL;
    say("recvmsg to nowhere", recvmsg(fd, &m, 0));
    say_left(fd);
    udp_send(fd, UDP_SENDTO, t, BAD, 0, 1);
    say("as far as it is needed", recvmsg(fd, &m, 0));
}

/* What the kernel puts elsewhere at first, since most datagrams have a header, into four bytes and nothing behind. */
static void short_nowhere(int fd, const struct target *direct, size_t size, char *nowhere)
{
    char text[ROOM];
    struct iovec bad = { nowhere - 4, ROOM }, good = { text, sizeof text };
    struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &bad, .msg_iovlen = 1 } },
                            { .msg_hdr = { .msg_iov = &good, .msg_iovlen = 1 } } }, other;

    udp_send(fd, UDP_SENDTO, direct, size, 0, 1);
    say("recv", recv(fd, bad.iov_base, ROOM, 0));
    udp_send(fd, UDP_SENDTO, direct, size, 0, 1);
    say("recvmsg", recvmsg(fd, &m[0].msg_hdr, 0));
    say_left(fd);
    for (int i = 0; i < 2; i++) {
        udp_send(fd, UDP_SENDTO, direct, size, 0, 1);
        udp_send(fd, UDP_SENDTO, direct, size, 0, 1);
        say("recvmmsg", recvmmsg(fd, m, 2, 0, NULL));
        poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 300);
        say_left(fd);
        other = m[0];
        m[0] = m[1];
        m[1] = other;
    }
}

/* argv: ADDRESS DIRECT. */
static int nowhere(char **argv)
{
    static const size_t sizes[] = { 0, 4, 5, 10, 14, 30 };
    struct target t = net_target(argv[0]), direct = net_target(argv[1]);
    char *page = two_pages();
    int fd = udp_socket(&t);

    udp_exchange(fd, &t);
    copied_nowhere(fd, &t, page);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        short_nowhere(fd, &direct, sizes[i], page);
    close(fd);
    return 0;
}

static void say_kept(int fd, in_port_t *port)
{
    struct target own = { .len = sizeof own.sa };
    char device[16] = "";
    socklen_t len = sizeof device;
    in_port_t now;

    getsockname(fd, (struct sockaddr *)&own.sa, &own.len);
    now = ((struct sockaddr_in *)&own.sa)->sin_port;
    getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, &len);
    printf(" device \"%s\", %s port\n", device, now == *port ? "the same" : "another");
    *port = now;
}

/* argv: ADDRESS DIRECT.  The peer changes from one to the other, which the socket's device and port outlive; and what
 * the relay knows it by outlives the end of the peer. */
static int changes(char **argv)
{
    struct target t = net_target(argv[0]), direct = net_target(argv[1]);
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    struct timeval soon = { 2, 0 };
    int fd = udp_socket(&t);
    in_port_t port = 0;

    say("SO_BINDTODEVICE", setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    for (int i = 0; i < 4; i++) {
        say("connect", net_connect(fd, i % 2 ? &t : &direct));
        say_kept(fd, &port);
        udp_exchange(fd, NULL);
    }
    close(fd);
    fd = udp_socket(&t);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    udp_exchange(fd, &t);
    say("connect", net_connect(fd, &direct));
    udp_exchange(fd, NULL);
    say("unspec", connect(fd, &none, sizeof none));
    say_peer("peer", fd);
    udp_exchange(fd, &t);
    udp_exchange(fd, &direct);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  AF_UNSPEC is another name for an IPv4 address, on an IPv4 socket; on others it is none. */
static int unspec(char **argv)
{
    struct target t = net_target(argv[0]), to = t;
    struct iovec piece = { udp_outgoing, 30 };
    struct mmsghdr m[2];
    int fd = udp_socket(&t);

    to.sa.ss_family = AF_UNSPEC;
    if (t.sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&to.sa)->sin6_flowinfo = htonl(INADDR_LOOPBACK + 8);
    for (int i = 0; i < 2; i++)
        m[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1, .msg_name = &to.sa,
                                              .msg_namelen = to.len } };
    for (int i = 0; i < 2; i++) {
        if (udp_send(fd, UDP_SENDTO, &to, 20, 0, 1) > 0)
            udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
        if (udp_send(fd, UDP_SENDMSG, &to, 20, 0, 1) > 0)
            udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
        for (long n = say("sendmmsg", sendmmsg(fd, m, 2, 0)); n > 0; n--)
            udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
        say("connect", net_connect(fd, &t));
    }
    close(fd);
    return 0;
}

static struct {
    int fd, way;
} cancelled;

/* Cancelled as soon as may be. */
static void *many_pieces(void *argument)
{
    static struct iovec piece[COPIED];
    struct msghdr m = { .msg_iov = piece, .msg_iovlen = COPIED };

    for (size_t i = 0; i < COPIED; i++)
        piece[i] = (struct iovec){ udp_incoming + i, 1 };
    pthread_cancel(pthread_self());
    if (cancelled.way)
        recvmsg(cancelled.fd, &m, 0);
    else
        sendmsg(cancelled.fd, &m, 0);
    return argument;
}

static long memory_size(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f || fscanf(f, "%ld", &pages) != 1)
        net_die("statm");
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

/* argv: ADDRESS.  What a call with many pieces takes for itself is given back when its thread is cancelled. */
static int cancels(char **argv)
{
    struct target t = net_target(argv[0]);
    int not = 0;

    cancelled.fd = udp_socket(&t);
    say("connect", net_connect(cancelled.fd, &t));
    udp_exchange(cancelled.fd, NULL);
    for (cancelled.way = 0; cancelled.way < 2; cancelled.way++) {
        long before = 0;

        for (int i = 0; i <= ROUNDS; i++) {
            pthread_t thread;
            void *result;

            if (pthread_create(&thread, NULL, many_pieces, NULL) != 0)
                net_die("pthread_create");
            pthread_join(thread, &result);
            not += result != PTHREAD_CANCELED;
            if (i == 0)
                before = memory_size();
        }
        printf("%d not cancelled, %s memory\n", not,
               memory_size() - before < ROUNDS * COPY_BYTES / 2 ? "no more" : "more");
    }
    close(cancelled.fd);
    return 0;
}

const struct command udp_pass_commands[] = {
    { "udp-inherited", 3, inherited, "FD ADDRESS GATE: what udp-leave executes" },
    { "udp-leave", 1, leave, "ADDRESS [NUMBER]: a socket with a peer is left to a program" },
    { "udp-boundless", 1, boundless, "ADDRESS: sizes beyond any memory" },
    { "udp-replaced", 1, replaced, "ADDRESS: the socket's number becomes another file, unseen" },
    { "udp-odd-memory", 2, nowhere, "ADDRESS DIRECT: received into memory that is none" },
    { "udp-forked-first", 1, forked_first, "ADDRESS: a child sends the first datagram, the parent receives" },
    { "udp-forked-connects", 1, forked_connects, "ADDRESS: a peer that a child, or its parent, has recorded" },
    { "udp-duplicated", 1, duplicated, "ADDRESS: a number made before connect(), or the first datagram" },
    { "udp-changes", 2, changes, "ADDRESS DIRECT: a peer, another, none" },
    { "udp-unspec", 1, unspec, "ADDRESS: addresses of AF_UNSPEC" },
    { "udp-cancelled", 1, cancels, "ADDRESS: threads that are cancelled in calls with many pieces" },
    { "udp-message", 1, by_message, "ADDRESS: a socket with a peer goes to another process" },
    { NULL, 0, NULL, NULL }
};
