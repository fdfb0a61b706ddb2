/* SPDX-License-Identifier: ISC */
/* probe_tcp.c - TCP connections made, refused, and made again */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { BULK = 200000, GREETING = 11 };

static void say_local_host(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[TEXT_SIZE];

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0) {
        say("local", -1);
        return;
    }
    text_sockaddr(&sa, len, text);
    *strrchr(text, ':') = '\0';
    printf("local: %s\n", text);
}

static void finish(int fd)
{
    char c;

    say("shutdown", shutdown(fd, SHUT_WR));
    say("end", recv(fd, &c, 1, 0));
    say("close", close(fd));
}

/* Connect, send a lot and take it back, end in order. */
static int echo(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);

    errno = 0;
    if (say("connect", net_connect(fd, &t)) != 0)
        return 0;
    say_error("errno", errno);
    say_peer("peer", fd);
    say_local_host(fd);
    say_error("echo", net_echo(fd, BULK));
    finish(fd);
    return 0;
}

/* The target speaks first: not a byte of what it says may be lost or preceded by others. */
static int first(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);
    char text[GREETING + 1] = "";
    int error;

    if (say("connect", net_connect(fd, &t)) != 0)
        return 0;
    error = net_receive(fd, text, GREETING);
    printf("greeting: %s %.9s\n", text_errno(error), text);
    say_error("echo", net_echo(fd, BULK));
    finish(fd);
    return 0;
}

/* What a socket says of itself when its connect() has failed. */
static void say_failed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP };
    char c;

    say_peer("peer", fd);
    say_error("error", net_error(fd));
    say("poll", poll(&p, 1, 0));
    say_events("events", (unsigned)p.revents);
    say("recv", recv(fd, &c, 1, MSG_DONTWAIT));
    say("send", send(fd, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

/* argv: BAD GOOD [CONTROL COMMAND].  One socket: the first connect() fails, the second works. */
static int retry(char **argv)
{
    struct target bad = net_target(argv[0]), good = net_target(argv[1]);
    int before = net_descriptors();
    int fd = net_socket(&bad, SOCK_STREAM);

    say("connect", net_connect(fd, &bad));
    say_failed(fd);
    if (argv[2] && argv[3])
        net_tell(argv[2], argv[3]);
    say("again", net_connect(fd, &good));
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

/* The same with O_NONBLOCK, where the end of the first attempt may be told by connect() or by SO_ERROR. */
static int retry_nonblock(char **argv)
{
    struct target bad = net_target(argv[0]), good = net_target(argv[1]);
    int before = net_descriptors();
    int fd = net_socket(&bad, SOCK_STREAM | SOCK_NONBLOCK);
    int error;

    say_error("connect", net_connect_wait(fd, &bad));
    say_peer("peer", fd);
    if (argv[2] && argv[3])
        net_tell(argv[2], argv[3]);
    error = net_connect_wait(fd, &good);
    /* The kernel's next connect() after a failure that SO_ERROR told only ends the old attempt. */
    if (error == ECONNABORTED)
        error = net_connect_wait(fd, &good);
    say_error("again", error);
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

/* Connect to each address in turn, a fresh socket for each. */
static int connect_each(char **argv)
{
    int before = net_descriptors();

    for (; *argv; argv++) {
        struct target t = net_target(*argv);
        int fd = net_socket(&t, SOCK_STREAM);

        say(*argv, net_connect(fd, &t));
        close(fd);
    }
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS MILLISECONDS.  SO_SNDTIMEO bounds connect(), whatever it waits for. */
static int send_timeout(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);
    long ms = atol(argv[1]), began = net_clock();
    struct timeval limit = { ms / 1000, ms % 1000 * 1000 }, after = { 0, 0 };
    socklen_t len = sizeof after;

    say("setsockopt", setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    say("connect", net_connect(fd, &t));
    began = net_clock() - began;
    puts(began >= ms - 20 ? "not early" : "early");
    puts(began < ms + 2000 ? "in time" : "late");
    getsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &after, &len);
    puts(after.tv_sec == limit.tv_sec && after.tv_usec / 10000 == limit.tv_usec / 10000 ? "kept" : "changed");
    return 0;
}

/* argv: GOOD OTHER.  A connected socket refuses another connect(); AF_UNSPEC lets it go. */
static int twice(char **argv)
{
    struct target t = net_target(argv[0]), other = net_target(argv[1]);
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int fd = net_socket(&t, SOCK_STREAM);

    say("connect", net_connect(fd, &t));
    say("same", net_connect(fd, &t));
    say("other", net_connect(fd, &other));
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    say("unspec", connect(fd, &none, sizeof none));
    say_peer("peer", fd);
    say("other", net_connect(fd, &other));
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    return 0;
}

const struct command tcp_commands[] = {
    { "echo", 1, echo, "ADDRESS" },
    { "first", 1, first, "ADDRESS" },
    { "retry", 2, retry, "BAD GOOD [CONTROL COMMAND]" },
    { "retry-nonblock", 2, retry_nonblock, "BAD GOOD [CONTROL COMMAND]" },
    { "connect", 1, connect_each, "ADDRESS..." },
    { "send-timeout", 2, send_timeout, "ADDRESS MILLISECONDS" },
    { "twice", 2, twice, "GOOD OTHER" },
    { NULL, 0, NULL, NULL },
};
