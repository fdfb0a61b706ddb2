/* SPDX-License-Identifier: ISC */
/* probe_pass.c - a connected socket in other hands: duplicates, children, programs, SCM_RIGHTS */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

static int wait_for(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void in_child(int fd)
{
    pid_t child = fork();

    if (child == 0) {
        say_peer("fork", fd);
        say_error("fork echo", net_echo(fd, 1000));
        _exit(0);
    }
    wait_for(child);
}

static void in_program(int fd)
{
    char number[16], path[] = "/proc/self/exe", name[] = "probe", command[] = "peer-of";
    char *argv[] = { name, command, number, NULL };
    pid_t child = fork();

    snprintf(number, sizeof number, "%d", fd);
    if (child == 0) {
        execv(path, argv);
        say("execv", -1);
        _exit(1);
    }
    wait_for(child);
}

static void *in_thread(void *argument)
{
    say_peer("thread", (int)(intptr_t)argument);
    return NULL;
}

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int))];
};

static void give(int through, int fd)
{
    union control control;
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    memset(&control, 0, sizeof control);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    if (sendmsg(through, &m, 0) != 1)
        net_die("sendmsg");
}

static int take(int through)
{
    union control control;
    char c;
    struct iovec piece = { .iov_base = &c, .iov_len = 1 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    int fd = -1;

    memset(&control, 0, sizeof control);
    say("recvmsg", recvmsg(through, &m, 0));
    if (CMSG_FIRSTHDR(&m))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof fd);
    return fd;
}

/* The child is older than the socket, so that it can know of it by the message alone. */
static pid_t fork_receiver(int *through)
{
    int pair[2];
    pid_t child;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        net_die("socketpair");
    child = fork();
    if (child == 0) {
        int fd = take(pair[1]);

        say_peer("passed", fd);
        say_error("passed echo", net_echo(fd, 1000));
        _exit(0);
    }
    close(pair[1]);
    *through = pair[0];
    return child;
}

static int peer(char **argv)
{
    struct target t = net_target(argv[0]);
    struct sockaddr_in shown;
    socklen_t len = sizeof shown;
    int through, fd, other;
    pid_t receiver = fork_receiver(&through);
    pthread_t thread;

    fd = net_socket(&t, SOCK_STREAM);
    say("connect", net_connect(fd, &t));
    say_peer("self", fd);
    /* The same by an option of the kernel's. */
    say("SO_PEERNAME", getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &shown, &len));
    printf("is the peer: %d, %u\n", memcmp(&shown, &t.sa, 8), (unsigned)len);
    other = dup(fd);
    say_peer("dup", other);
    say_peer("dup2", dup2(fd, other));
    close(other);
    other = fcntl(fd, F_DUPFD, 200);
    close(fd);
    say_peer("F_DUPFD, the first closed", other);
    fd = other;
    in_child(fd);
    in_program(fd);
    if (pthread_create(&thread, NULL, in_thread, (void *)(intptr_t)fd) == 0)
        pthread_join(thread, NULL);
    give(through, fd);
    wait_for(receiver);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    return 0;
}

static int peer_of(char **argv)
{
    int fd = atoi(argv[0]);

    say_peer("exec", fd);
    say_error("exec echo", net_echo(fd, 1000));
    return 0;
}

/* The last byte that getpeername() wrote when the buffer was full of fill. */
static int try_fill(int fd, int fill, socklen_t *len, int *result)
{
    unsigned char room[160];
    int last = -1;

    memset(room, fill, sizeof room);
    errno = 0;
    *result = getpeername(fd, (struct sockaddr *)room, len);
    for (int i = 0; i < (int)sizeof room; i++) {
        if (room[i] != fill)
            last = i;
    }
    return last;
}

static void try_size(int fd, socklen_t size)
{
    socklen_t len[2] = { size, size };
    int result[2], last[2], error;

    /* With two fills, since one of them may be what is written. */
    last[0] = try_fill(fd, 0xa5, &len[0], &result[0]);
    last[1] = try_fill(fd, 0x5a, &len[1], &result[1]);
    error = errno;
    printf("size %d: %d %s, length %d, written up to %d\n", (int)size, result[1], text_errno(error), (int)len[1],
           last[0] > last[1] ? last[0] : last[1]);
}

/* getpeername() into buffers of every size. */
static int peer_sizes(char **argv)
{
    static const socklen_t others[] = { 110, 128, 129, 160, (socklen_t)-1, (socklen_t)1 << 31 };
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);
    socklen_t len = 16;
    struct sockaddr sa;

    say("unconnected", getpeername(fd, &sa, &len));
    say("connect", net_connect(fd, &t));
    for (socklen_t size = 0; size <= 32; size++)
        try_size(fd, size);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        try_size(fd, others[i]);
    say("NULL address", getpeername(fd, NULL, &len));
    say("NULL length", getpeername(fd, &sa, NULL));
    close(fd);
    say("closed", getpeername(fd, &sa, &len));
    return 0;
}

const struct command pass_commands[] = {
    { "peer", 1, peer, "ADDRESS" },
    { "peer-of", 1, peer_of, "DESCRIPTOR" },
    { "peer-sizes", 1, peer_sizes, "ADDRESS" },
    { NULL, 0, NULL, NULL },
};
