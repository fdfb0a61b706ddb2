/* SPDX-License-Identifier: ISC */
/* probe_calls.c - the other ways to connect: MSG_FASTOPEN, and system calls by number */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif

static char hello[] = "hello", world[] = "world";

static struct msghdr message(struct target *t, struct iovec *piece, char *text)
{
    piece->iov_base = text;
    piece->iov_len = 5;
    return (struct msghdr){ .msg_name = &t->sa, .msg_namelen = t->len, .msg_iov = piece, .msg_iovlen = 1 };
}

static void say_back(int fd, const char *expected)
{
    char text[16] = "";
    int error = net_receive(fd, text, strlen(expected));

    say_error("received", error ? error : strcmp(text, expected) != 0 ? EPROTO : 0);
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 3000));
    close(fd);
}

/* The calls that connect by themselves, and that on a socket which is connected send like any other. */
static int fastopen(char **argv)
{
    struct target t = net_target(argv[0]);
    struct iovec piece[2];
    struct mmsghdr two[2];
    struct msghdr one = message(&t, piece, hello);
    int fd = net_socket(&t, SOCK_STREAM);

    say("sendto", sendto(fd, hello, 5, MSG_FASTOPEN, (struct sockaddr *)&t.sa, t.len));
    say("once more", sendto(fd, world, 5, MSG_FASTOPEN, (struct sockaddr *)&t.sa, t.len));
    say_back(fd, "hello");
    fd = net_socket(&t, SOCK_STREAM);
    say("sendmsg", sendmsg(fd, &one, MSG_FASTOPEN));
    say_back(fd, "hello");
    fd = net_socket(&t, SOCK_STREAM);
    memset(two, 0, sizeof two);
    two[0].msg_hdr = message(&t, &piece[0], hello);
    two[1].msg_hdr = message(&t, &piece[1], world);
    two[1].msg_hdr.msg_name = NULL;
    two[1].msg_hdr.msg_namelen = 0;
    /* The second finds a connected socket, on which MSG_FASTOPEN is an error. */
    say_back(fd, say("sendmmsg", sendmmsg(fd, two, 2, MSG_FASTOPEN)) == 2 ? "helloworld" : "hello");
    return 0;
}

/* argv: ADDRESS where connecting fails. */
static int fastopen_fails(char **argv)
{
    struct target t = net_target(argv[0]);
    struct iovec piece;
    struct msghdr one = message(&t, &piece, hello);
    int fd = net_socket(&t, SOCK_STREAM);

    say("sendto", sendto(fd, hello, 5, MSG_FASTOPEN | MSG_NOSIGNAL, (struct sockaddr *)&t.sa, t.len));
    say_peer("peer", fd);
    say("sendmsg", sendmsg(fd, &one, MSG_FASTOPEN | MSG_NOSIGNAL));
    say_peer("peer", fd);
    close(fd);
    return 0;
}

/* An address in a sending call on TCP means nothing without MSG_FASTOPEN. */
static int address_ignored(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);

    say("unconnected", sendto(fd, hello, 5, MSG_NOSIGNAL, (struct sockaddr *)&t.sa, t.len));
    say("connect", net_connect(fd, &t));
    say("connected", sendto(fd, hello, 5, MSG_NOSIGNAL, (struct sockaddr *)&t.sa, t.len));
    say_back(fd, "hello");
    return 0;
}

static int by_number(char **argv)
{
    struct target t = net_target(argv[0]);
    struct sockaddr_storage sa;
    struct iovec piece;
    struct msghdr one = message(&t, &piece, hello);
    socklen_t len = sizeof sa;
    char text[TEXT_SIZE];
    int fd = (int)syscall(SYS_socket, t.sa.ss_family, SOCK_STREAM, 0);

    say("connect", syscall(SYS_connect, fd, &t.sa, t.len));
    say("once more", syscall(SYS_connect, fd, &t.sa, t.len));
    memset(&sa, 0, sizeof sa);
    say("getpeername", syscall(SYS_getpeername, fd, &sa, &len));
    say_peer(text_sockaddr(&sa, len, text), fd);
    say("sendto", syscall(SYS_sendto, fd, hello, 5L, 0L, NULL, 0L));
    say_back(fd, "hello");
    fd = (int)syscall(SYS_socket, t.sa.ss_family, SOCK_STREAM, 0);
    say("fastopen", syscall(SYS_sendto, fd, hello, 5L, (long)MSG_FASTOPEN, &t.sa, (long)t.len));
    say_back(fd, "hello");
    fd = (int)syscall(SYS_socket, t.sa.ss_family, SOCK_STREAM, 0);
    say("fastopen", syscall(SYS_sendmsg, fd, &one, (long)MSG_FASTOPEN));
    say_back(fd, "hello");
    say("close", syscall(SYS_close, fd));
    return 0;
}

/* liburing's functions are found in the object, whether there is a liburing or not. */
static int io_uring(char **argv)
{
    static const char *const names[] = {
        "io_uring_setup", "io_uring_queue_init", "io_uring_queue_init_params", "io_uring_queue_init_mem"
    };
    char parameters[120] = "";

    (void)argv;
    say("io_uring_setup", syscall(SYS_io_uring_setup, 1, parameters));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *symbol = dlsym(RTLD_DEFAULT, names[i]);
        int (*function)(unsigned, void *, void *, void *, size_t) = NULL;

        memcpy(&function, &symbol, sizeof symbol);
        say(names[i], function ? function(1, parameters, NULL, NULL, 0) : 0);
    }
    return 0;
}

const struct command calls_commands[] = {
    { "fastopen", 1, fastopen, "ADDRESS" },
    { "fastopen-fails", 1, fastopen_fails, "ADDRESS" },
    { "address-ignored", 1, address_ignored, "ADDRESS" },
    { "by-number", 1, by_number, "ADDRESS" },
    { "io-uring", 0, io_uring, "" },
    { NULL, 0, NULL, NULL },
};
