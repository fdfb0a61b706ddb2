/* SPDX-License-Identifier: ISC */
/* probe_bind_share.c - listening sockets that other numbers, processes and programs have as well */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_bind.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000, SHORT_MS = 20, LOOKS = 500 };

static void say_ready(const char *what, int set, int timeout)
{
    struct epoll_event e = { .events = 0 };

    say_events(what, epoll_wait(set, &e, 1, timeout) == 1 ? e.events : 0);
}

/* A connect() whose reply the proxy holds back. */
static int held_connect(const struct session *s, const char *control)
{
    int fd = net_socket(&s->server, SOCK_STREAM | SOCK_NONBLOCK);
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    net_tell(control, "hold reply");
    if (net_connect(fd, &s->server) == 0 || errno != EINPROGRESS)
        net_die("connect");
    for (int i = 0; i < LOOKS && net_tell(control, "count") == 0; i++)
        poll(&p, 1, SHORT_MS);
    net_tell(control, "set hold=none");
    return fd;
}

/* argv: ADDRESS CONTROL.  A child has the listener too when it comes into a set, while another handshake lasts. */
static int followed(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct epoll_event in = { .events = EPOLLIN };
    int fd = bind_listener(&s, SOCK_NONBLOCK), set = epoll_create1(0), other;
    pid_t child = fork();

    if (child == 0) {
        pause();
        _exit(0);
    }
    other = held_connect(&s, argv[1]);
    in.data.fd = fd;
    say("epoll_ctl", epoll_ctl(set, EPOLL_CTL_ADD, fd, &in));
    for (int i = 0; i < 3; i++) {
        printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
        say_ready("event", set, PATIENCE_MS);
        bind_finish("greeting", accept(fd, NULL, NULL));
        say_ready("after it", set, 0);
    }
    net_tell(argv[1], "release");
    say_error("connect", net_connect_wait(other, &s.server));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}

static int bound_socket(const struct session *s)
{
    struct target any = net_target(s->server.sa.ss_family == AF_INET6 ? "[::]:0" : "0.0.0.0:0");
    int fd = net_socket(&any, SOCK_STREAM | SOCK_NONBLOCK);

    if (bind(fd, (struct sockaddr *)&any.sa, any.len) != 0)
        net_die("bind");
    return fd;
}

/* The server says again what it is told, if no proxy takes that for a message of its own. */
static void say_word(int fd)
{
    struct timeval patience = { PATIENCE_MS / 1000, 0 };
    char word[5];
    int error;

    fcntl(fd, F_SETFL, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    error = net_receive(fd, word, sizeof word);
    say_error("answer", error ? error : memcmp(word, "word\n", sizeof word) == 0 ? 0 : EPROTO);
}

/* argv: ADDRESS.  A listener that was refused is connected: what its other number says, and a stream that is older,
 * comes behind the handshake. */
static int connects(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bound_socket(&s), copy = dup(fd);
    FILE *stream;

    say("listen", listen(fd, 4));
    say("connect", net_connect(fd, &s.server));
    say_events("the other number", bind_await(copy, SHORT_MS));
    while (send(copy, "word\n", 5, MSG_NOSIGNAL) < 0 && errno == EAGAIN)
        poll(&(struct pollfd){ .fd = copy, .events = POLLOUT }, 1, SHORT_MS);
    say_word(copy);
    close(copy);
    close(fd);

    fd = bound_socket(&s);
    stream = fdopen(fd, "r+");
    say("listen", listen(fd, 4));
    say("connect", net_connect(fd, &s.server));
    fputs("word\n", stream);
    fflush(stream);
    say_word(fd);
    fclose(stream);
    return 0;
}

/* argv: ADDRESS.  The program that it becomes has the session and a bound socket, and has made no socket itself. */
static int inherits(char **argv)
{
    struct session s = bind_session(argv[0]);
    char session[16], bound[16];
    int fd = bound_socket(&s);

    snprintf(session, sizeof session, "%d", s.fd);
    snprintf(bound, sizeof bound, "%d", fd);
    fcntl(s.fd, F_SETFD, 0);
    fcntl(fd, F_SETFD, 0);
    execl("/proc/self/exe", "probe", "bind-inherited", argv[0], session, bound, (char *)NULL);
    net_die("execl");
}

/* argv: ADDRESS SESSION BOUND: descriptors. */
static int inherited(char **argv)
{
    struct session s = { .fd = atoi(argv[1]), .server = net_target(argv[0]) };
    int fd = atoi(argv[2]);

    if (say("listen", listen(fd, 4)) != 0)
        return 1;
    for (int i = 0; i < 2; i++) {
        printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
        say_events("event", bind_await(fd, PATIENCE_MS));
        bind_finish("greeting", accept(fd, NULL, NULL));
    }
    close(fd);
    return 0;
}

const struct command bind_share_commands[] = {
    { "bind-connects", 1, connects, "ADDRESS: with a proxy that refuses" },
    { "bind-inherits", 1, inherits, "ADDRESS" },
    { "bind-inherited", 3, inherited, "ADDRESS SESSION BOUND: by bind-inherits" },
    { "bind-followed", 2, followed, "ADDRESS CONTROL" },
    { NULL, 0, NULL, NULL },
};
