/* SPDX-License-Identifier: ISC */
/* probe_bind.c - listening sockets that a server is told of: the orders of calls, and each call on them */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef SO_PEERNAME
#define SO_PEERNAME 28
#endif

#include "probe.h"
#include "probe_bind.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000, LINE = 200 };

/* ---- the server */

static ssize_t read_line(int fd, char line[LINE])
{
    for (size_t used = 0; used < LINE - 1; used++) {
        ssize_t n;

        do
            n = recv(fd, line + used, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n != 1)
            return -1;
        if (line[used] == '\n') {
            line[used] = '\0';
            return (ssize_t)used;
        }
    }
    return -1;
}

static void *greet(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char buf[4096];
    ssize_t n = send(fd, "hello\n", 6, MSG_NOSIGNAL);

    while (n > 0 && (n = recv(fd, buf, sizeof buf, 0)) > 0)
        n = send(fd, buf, (size_t)n, MSG_NOSIGNAL);
    close(fd);
    return NULL;
}

static void run(void *(*function)(void *), int fd)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, (void *)(intptr_t)fd) != 0)
        net_die("pthread_create");
    pthread_detach(thread);
}

/* line: "ADDRESS" or "ADDRESS ADDRESS-TO-COME-FROM". */
static void come(int control, char *line)
{
    char *from = strchr(line, ' ');
    struct target to, own;
    int fd;

    if (from)
        *from++ = '\0';
    to = net_target(line);
    fd = net_socket(&to, SOCK_STREAM);
    if (from) {
        own = net_target(from);
        if (bind(fd, (struct sockaddr *)&own.sa, own.len) != 0)
            net_die("bind");
    }
    if (net_connect(fd, &to) != 0) {
        close(fd);
        dprintf(control, "no\n");
        return;
    }
    run(greet, fd);
    dprintf(control, "yes\n");
}

/* What is no address is echoed. */
static void *serve_one(void *argument)
{
    int fd = (int)(intptr_t)argument;
    char line[LINE];

    while (read_line(fd, line) >= 0) {
        if (strncmp(line, "come ", 5) == 0)
            come(fd, line + 5);
        else
            dprintf(fd, "%s\n", line);
    }
    close(fd);
    return NULL;
}

static int serve_back(char **argv)
{
    struct target at = net_target(argv[0]);
    int fd = net_socket(&at, SOCK_STREAM), client;
    socklen_t len = sizeof at.sa;

    alarm(120);
    if (bind(fd, (struct sockaddr *)&at.sa, at.len) != 0 || listen(fd, 64) != 0 ||
        getsockname(fd, (struct sockaddr *)&at.sa, &len) != 0)
        net_die("listen");
    printf("ready %u\n", ntohs(((struct sockaddr_in *)&at.sa)->sin_port));
    while ((client = accept(fd, NULL, NULL)) >= 0)
        run(serve_one, client);
    return 1;
}

/* ---- what the commands share */

struct session bind_session(const char *address)
{
    struct session s = { .server = net_target(address) };
    struct timeval patience = { PATIENCE_MS / 1000, 0 };

    s.fd = net_socket(&s.server, SOCK_STREAM);
    if (net_connect(s.fd, &s.server) != 0)
        net_die("connect");
    setsockopt(s.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return s;
}

static struct target any_of(const struct session *s)
{
    return net_target(s->server.sa.ss_family == AF_INET6 ? "[::]:0" : "0.0.0.0:0");
}

static bool is_any(const struct target *t)
{
    return t->sa.ss_family == AF_INET
               ? ((const struct sockaddr_in *)&t->sa)->sin_addr.s_addr == 0
               : IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&t->sa)->sin6_addr);
}

static struct target own_name(int fd)
{
    struct target t = { .len = sizeof t.sa };

    memset(&t.sa, 0, sizeof t.sa);
    if (getsockname(fd, (struct sockaddr *)&t.sa, &t.len) != 0)
        net_die("getsockname");
    return t;
}

static in_port_t *port_of(struct target *t)
{
    return t->sa.ss_family == AF_INET ? &((struct sockaddr_in *)&t->sa)->sin_port
                                      : &((struct sockaddr_in6 *)&t->sa)->sin6_port;
}

static bool is_same(const struct target *a, const struct target *b)
{
    char first[TEXT_SIZE], second[TEXT_SIZE];

    return strcmp(text_sockaddr(&a->sa, a->len, first), text_sockaddr(&b->sa, b->len, second)) == 0;
}

int bind_listener(const struct session *s, int type)
{
    struct target any = any_of(s);
    int fd = net_socket(&any, SOCK_STREAM | type), one = 1;

    if (s->server.sa.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&any.sa, any.len) != 0 || listen(fd, 8) != 0)
        net_die("listen");
    return fd;
}

bool bind_call(const struct session *s, int listener, const char *from, struct target *announced)
{
    struct target to = own_name(listener);
    char address[TEXT_SIZE], line[LINE];
    in_port_t port = *port_of(&to);

    if (is_any(&to)) {
        to = own_name(s->fd);
        *port_of(&to) = port;
    }
    if (announced)
        *announced = to;
    text_sockaddr(&to.sa, to.len, address);
    dprintf(s->fd, "come %s%s%s\n", address, from ? " " : "", from ? from : "");
    if (read_line(s->fd, line) < 0)
        net_die("the server says nothing");
    return strcmp(line, "yes") == 0;
}

int bind_greeted(int fd)
{
    char word[6], byte = 'x';
    struct timeval patience = { PATIENCE_MS / 1000, 0 };
    int error;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    error = net_receive(fd, word, sizeof word);
    if (error || memcmp(word, "hello\n", sizeof word) != 0)
        return error ? error : EPROTO;
    while (send(fd, &byte, 1, MSG_NOSIGNAL) != 1) {
        if (errno != EINTR)
            return errno;
    }
    byte = 0;
    error = net_receive(fd, &byte, 1);
    return error ? error : byte == 'x' ? 0 : EPROTO;
}

void bind_finish(const char *what, int fd)
{
    say_error(what, fd < 0 ? EBADF : bind_greeted(fd));
    close(fd);
}

unsigned bind_await(int fd, int timeout)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, timeout) == 1 ? (unsigned)p.revents : 0;
}

/* ---- orders of calls */

static void say_accepted(const struct session *s, int listener, const struct target *announced)
{
    struct target peer = { .len = sizeof peer.sa }, asked = { .len = sizeof asked.sa }, own, server = s->server;
    int fd;

    memset(&peer.sa, 0, sizeof peer.sa);
    memset(&asked.sa, 0, sizeof asked.sa);
    fd = accept(listener, (struct sockaddr *)&peer.sa, &peer.len);
    if (fd < 0) {
        say("accept", fd);
        return;
    }
    own = own_name(fd);
    if (getpeername(fd, (struct sockaddr *)&asked.sa, &asked.len) != 0)
        say("getpeername", -1);
    printf("accept: getpeername %s\n", is_same(&peer, &asked) ? "the same" : "another");
    *port_of(&peer) = *port_of(&server) = 0;
    printf("  peer's host: %s\n", is_same(&peer, &server) ? "the server's" : "another");
    printf("  own name: %s\n", is_same(&own, announced) ? "as announced" : "another");
    bind_finish("  greeting", fd);
}

/* The ways in which programs come to know their port. */
static int make_listener(const struct session *s, const char *order)
{
    struct target at = strcmp(order, "tnftp") == 0 ? own_name(s->fd) : any_of(s);
    int fd = net_socket(&at, SOCK_STREAM);

    *port_of(&at) = 0;
    if (strcmp(order, "unbound") != 0)
        say("bind", bind(fd, (struct sockaddr *)&at.sa, at.len));
    if (strcmp(order, "tnftp") == 0) {
        struct target shown = own_name(fd);

        printf("a port before listen: %s\n", *port_of(&shown) ? "yes" : "no");
    }
    say("listen", listen(fd, 4));
    return fd;
}

/* argv: ADDRESS ORDER COUNT. */
static int order(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = make_listener(&s, argv[1]);
    struct target announced;

    for (int i = 0; i < atoi(argv[2]); i++) {
        printf("came: %s\n", bind_call(&s, fd, NULL, &announced) ? "yes" : "no");
        say_accepted(&s, fd, &announced);
    }
    close(fd);
    return 0;
}

/* ---- each call */

static void say_option(const char *what, int fd, int option)
{
    int value = -1;
    socklen_t len = sizeof value;

    if (say(what, getsockopt(fd, SOL_SOCKET, option, &value, &len)) == 0)
        printf("  %d of %u bytes\n", value, len);
}

static void call_wrongly(const struct session *s, int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char byte = 'x';

    say_option("SO_ACCEPTCONN", fd, SO_ACCEPTCONN);
    say_option("SO_ERROR", fd, SO_ERROR);
    say("listen", listen(fd, 1));
    say("connect", net_connect(fd, &s->server));
    say("getpeername", getpeername(fd, (struct sockaddr *)&sa, &len));
    say("SO_PEERNAME", getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &sa, &len));
    say("recv", recv(fd, &byte, 1, 0));
    say("read", read(fd, &byte, 1));
    say("send", send(fd, &byte, 1, MSG_NOSIGNAL));
    say("accept", accept(fd, NULL, NULL));
    say("accept4, bad flags", accept4(fd, NULL, NULL, 1));
    say("poll", poll(&p, 1, 0));
    say("shutdown", shutdown(fd, SHUT_WR));
    say("accept", accept(fd, NULL, NULL));
}

static void say_flags(int fd)
{
    printf("  O_NONBLOCK %d, FD_CLOEXEC %d\n", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0, fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void accept_with(const struct session *s, int fd, const char *what, int flags)
{
    struct sockaddr_storage sa;
    socklen_t len = 3;
    int made;

    memset(&sa, 0x55, sizeof sa);
    if (!bind_call(s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
        printf("nothing came\n");
    made = accept4(fd, (struct sockaddr *)&sa, &len, flags);
    printf("%s: %s, length %u, beyond it %x\n", what, made >= 0 ? "accepted" : text_errno(errno), len,
           ((unsigned char *)&sa)[3]);
    say_flags(made);
    say_flags(fd);
    if (flags & SOCK_NONBLOCK)
        fcntl(made, F_SETFL, 0);
    bind_finish("  greeting", made);
}

/* The connection is gone with a call that has nowhere to put its name. */
static void accept_nowhere(const struct session *s, int fd)
{
    socklen_t len = sizeof(struct sockaddr_storage);

    if (!bind_call(s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
        printf("nothing came\n");
    say("accept to nowhere", accept(fd, (struct sockaddr *)1, &len));
    say("and again", accept(fd, NULL, NULL));
}

/* Without a number to give the connection stays where it is. */
static void accept_without_numbers(const struct session *s, int fd)
{
    struct rlimit limit, none;
    int lowest = dup(fd);

    close(lowest);
    if (!bind_call(s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
        printf("nothing came\n");
    getrlimit(RLIMIT_NOFILE, &limit);
    none = limit;
    none.rlim_cur = (rlim_t)lowest;
    setrlimit(RLIMIT_NOFILE, &none);
    say("accept without numbers", accept(fd, NULL, NULL));
    say_events("still there", bind_await(fd, 0));
    setrlimit(RLIMIT_NOFILE, &limit);
    bind_finish("with numbers", accept(fd, NULL, NULL));
}

/* argv: ADDRESS. */
static int calls(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, SOCK_NONBLOCK), copy;
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

    call_wrongly(&s, fd);
    accept_with(&s, fd, "no flags", 0);
    accept_with(&s, fd, "SOCK_NONBLOCK", SOCK_NONBLOCK);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    accept_with(&s, fd, "SOCK_CLOEXEC", SOCK_CLOEXEC);
    accept_nowhere(&s, fd);
    accept_without_numbers(&s, fd);
    copy = dup(fd);
    accept_with(&s, copy, "by a duplicate", 0);
    accept_with(&s, fd, "by the other number", 0);
    close(fd);
    accept_with(&s, copy, "by the one that is left", SOCK_CLOEXEC | SOCK_NONBLOCK);
    say("shutdown", shutdown(copy, SHUT_RD));
    say("accept", accept(copy, NULL, NULL));
    say_option("SO_ACCEPTCONN", copy, SO_ACCEPTCONN);
    close(copy);
    fd = bind_listener(&s, 0);
    say("connect to nowhere", connect(fd, &nowhere, sizeof nowhere));
    say("accept", accept(fd, NULL, NULL));
    say("listen again", listen(fd, 1));
    accept_with(&s, fd, "after that", 0);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  A socket that was bound, asked for its name, and then connects. */
static int connects(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct target any = any_of(&s), before;
    int fd = net_socket(&any, SOCK_STREAM);
    char line[LINE];

    say("bind", bind(fd, (struct sockaddr *)&any.sa, any.len));
    before = own_name(fd);
    printf("a port: %s\n", *port_of(&before) ? "yes" : "no");
    say("connect", net_connect(fd, &s.server));
    dprintf(fd, "word\n");
    printf("answer: %s\n", read_line(fd, line) > 0 ? line : "none");
    say_peer("peer", fd);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  A proxy that takes no connections. */
static int refused(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct target any = any_of(&s), name, again;
    int fd = net_socket(&any, SOCK_STREAM), port;

    say("listen, unbound", listen(fd, 1));
    say_option("SO_ACCEPTCONN", fd, SO_ACCEPTCONN);
    say("bind", bind(fd, (struct sockaddr *)&any.sa, any.len));
    name = own_name(fd);
    port = *port_of(&name);
    again = own_name(fd);
    printf("the kernel's name: %s\n", is_any(&name) && port && is_same(&name, &again) ? "yes" : "no");
    say("listen", listen(fd, 1));
    say("listen", listen(fd, 1));
    say_option("SO_ACCEPTCONN", fd, SO_ACCEPTCONN);
    name = own_name(fd);
    printf("the port: %s\n", *port_of(&name) == port ? "the same" : "another");
    say("connect", net_connect(fd, &s.server));
    close(fd);
    return 0;
}

/*
 * A socket bound to 127.0.0.2 and a port of the kernel's choice, which is free at every other address as well: the
 * kernel gives away for one address what a connection in TIME-WAIT has at another, and keeps it from all of them.
 */
static int bound_everywhere(const struct target *any, struct sockaddr_in *at)
{
    struct target all = *any;
    int one = 1, fd, trial, result = -1;

    for (int i = 0; i < 100; i++) {
        socklen_t len = sizeof *at;

        *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000002) };
        fd = socket(AF_INET, SOCK_STREAM, 0);
        trial = net_socket(&all, SOCK_STREAM);
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        setsockopt(trial, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        result = bind(fd, (struct sockaddr *)at, sizeof *at);
        if (result == 0 && getsockname(fd, (struct sockaddr *)at, &len) == 0) {
            *port_of(&all) = at->sin_port;
            result = bind(trial, (struct sockaddr *)&all.sa, all.len);
        }
        close(trial);
        if (result == 0)
            break;
        close(fd);
    }
    say("bind to an address of no tunnel", result);
    return fd;
}

/* argv: ADDRESS.  Listeners that are nobody else's business, while a session stands. */
static int native(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct target chosen = any_of(&s), name;
    struct sockaddr_in at;
    int fd = net_socket(&chosen, SOCK_STREAM), one = 1, other = bound_everywhere(&chosen, &at);

    say("listen", listen(other, 1));
    printf("came: %s\n", bind_call(&s, other, NULL, NULL) ? "yes" : "no");
    bind_finish("greeting", accept(other, NULL, NULL));
    close(other);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    *port_of(&chosen) = at.sin_port;
    say("bind to a chosen port", bind(fd, (struct sockaddr *)&chosen.sa, chosen.len));
    say("listen", listen(fd, 1));
    name = own_name(fd);
    printf("its name: %s\n", is_same(&name, &chosen) ? "the same" : "another");
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    bind_finish("greeting", accept(fd, NULL, NULL));
    return 0;
}

const struct command bind_commands[] = {
    { "serve-back", 1, serve_back, "ADDRESS" },
    { "bind-order", 3, order, "ADDRESS tnftp|lftp|unbound COUNT" },
    { "bind-calls", 1, calls, "ADDRESS" },
    { "bind-connect", 1, connects, "ADDRESS" },
    { "bind-refused", 1, refused, "ADDRESS" },
    { "bind-native", 1, native, "ADDRESS" },
    { NULL, 0, NULL, NULL },
};
