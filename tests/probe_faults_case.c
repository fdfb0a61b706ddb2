/* SPDX-License-Identifier: ISC */
/* probe_faults_case.c - one case of the matrix of faults: tried, timed, and once more with a proxy that does well */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe_bind.h"
#include "probe_faults.h"
#include "probe_text.h"

/* Nothing ever comes where QUIET_MS are waited. */
enum { PATIENCE_MS = 20000, QUIET_MS = 700, ECHO = 3000, PLAIN_PORT = 1999 };

/* Where the proxy takes its time for all that it answers. */
#define LATE "127.0.0.2:0"

struct trial {
    const struct faults_world *world;
    const struct faults_case *c;
    const struct target *source;    /* NULL: no misbehaviour */
    char *text;
    const struct target *astray;
    int set;                        /* of epoll, -1: none */
};

static void __attribute__((format(printf, 2, 3))) fault(const struct trial *t, const char *format, ...)
{
    size_t used = strlen(t->text);
    va_list list;

    va_start(list, format);
    if (used < FAULTS_TEXT - 1)
        vsnprintf(t->text + used, FAULTS_TEXT - used, format, list);
    va_end(list);
    strncat(t->text, "; ", FAULTS_TEXT - strlen(t->text) - 1);
}

/* ---- sockets and waits */

static void set_patience(int fd, int ms)
{
    struct timeval limit = { ms / 1000, ms % 1000 * 1000 };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static void bind_source(const struct trial *t, int fd, in_port_t port)
{
    struct target own;
    int reuse = port != 0;

    if (!t->source)
        return;
    own = *t->source;
    ((struct sockaddr_in *)&own.sa)->sin_port = htons(port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    if (bind(fd, (struct sockaddr *)&own.sa, own.len) != 0)
        fault(t, "bind: %s", text_errno(errno));
}

/* A socket at the source of the case, in an epoll set of its own where the case waits by one. */
static int make(struct trial *t, const struct target *to, int type, uint32_t events)
{
    enum faults_way way = t->c->way;
    struct epoll_event e = { .events = events | (way == FAULTS_EDGE ? EPOLLET : 0) };
    int fd = net_socket(to, type | (way == FAULTS_BLOCKING ? 0 : SOCK_NONBLOCK));

    bind_source(t, fd, 0);
    t->set = way == FAULTS_EPOLL || way == FAULTS_EDGE ? epoll_create1(EPOLL_CLOEXEC) : -1;
    if (t->set >= 0 && epoll_ctl(t->set, EPOLL_CTL_ADD, fd, &e) != 0) {
        fault(t, "epoll_ctl: %s", text_errno(errno));
        close(t->set);
        t->set = -1;
    }
    return fd;
}

static void finish(struct trial *t, int fd)
{
    close(fd);
    if (t->set >= 0)
        close(t->set);
    t->set = -1;
}

static int await_by_select(int fd, short events, int ms)
{
    struct timeval limit = { ms / 1000, ms % 1000 * 1000 };
    fd_set s;

    FD_ZERO(&s);
    FD_SET(fd, &s);
    return select(fd + 1, events == POLLIN ? &s : NULL, events == POLLIN ? NULL : &s, NULL, &limit);
}

/* events: POLLIN or POLLOUT. */
static bool await(const struct trial *t, int fd, short events, int ms)
{
    struct pollfd p = { .fd = fd, .events = events };
    struct epoll_event e;
    int n = -1;

    errno = EINTR;
    while (n < 0 && errno == EINTR) {
        switch (t->c->way) {
        case FAULTS_BLOCKING:
            return true;
        case FAULTS_POLL:
            n = poll(&p, 1, ms);
            break;
        case FAULTS_SELECT:
            n = await_by_select(fd, events, ms);
            break;
        case FAULTS_EPOLL:
        case FAULTS_EDGE:
            n = epoll_wait(t->set, &e, 1, ms);
            break;
        }
    }
    return n == 1;
}

/* From here on fd is used as a blocking one.  Returns 0 or a positive errno. */
static int take_extra(const struct trial *t, int fd)
{
    char byte = 0;
    int error = 0;

    fcntl(fd, F_SETFL, 0);
    set_patience(fd, PATIENCE_MS);
    for (size_t i = 0; i < (t->source ? t->c->skip : 0) && !error; i++) {
        error = net_receive(fd, &byte, 1);
        if (!error && byte != '\xee')
            error = EPROTO;
    }
    return error;
}

/* By errno: a program then tries again. */
static bool is_transient(const struct trial *t)
{
    return errno == EINTR || (errno == EAGAIN && t->c->way != FAULTS_BLOCKING);
}

/* ---- the kinds; each returns 0 or a positive errno */

static int try_connect(struct trial *t)
{
    const struct target *to = t->astray ? t->astray : &t->world->stream;
    int fd = make(t, to, SOCK_STREAM, EPOLLOUT), error = net_connect(fd, to) == 0 ? 0 : errno;

    if (t->c->way != FAULTS_BLOCKING) {
        if (error != EINPROGRESS)
            fault(t, "connect: %s", text_errno(error));
        if (!await(t, fd, POLLOUT, PATIENCE_MS))
            fault(t, "no event");
        error = net_error(fd);
    }
    if (!error) {
        error = take_extra(t, fd);
        if (!error)
            error = net_echo(fd, ECHO);
    } else if (send(fd, "x", 1, MSG_NOSIGNAL) >= 0) {
        fault(t, "sent in spite of %s", text_errno(error));
    }
    finish(t, fd);
    return error;
}

static int try_associate(struct trial *t)
{
    const struct target *to = t->astray ? t->astray : &t->world->datagram;
    int fd = make(t, to, SOCK_DGRAM, EPOLLIN), error = 0;
    char word[16] = "";
    int patience = t->c->patience_ms ? t->c->patience_ms : PATIENCE_MS;
    bool more = true;

    set_patience(fd, patience);
    while (!error && sendto(fd, "word", 4, 0, (const struct sockaddr *)&to->sa, to->len) < 0)
        error = is_transient(t) ? 0 : errno;
    while (!error && more) {
        more = await(t, fd, POLLIN, patience);
        /* An edge is told of once. */
        for (int i = 0; i < 3 && !word[0] && (i == 0 || is_transient(t)); i++)
            error = recv(fd, word, sizeof word, 0) < 0 ? errno : 0;
        if (word[0])
            break;
        error = more && is_transient(t) ? 0 : error;
    }
    if (!error && strcmp(word, "word") != 0)
        error = EPROTO;
    finish(t, fd);
    return error;
}

/* Who does not wait in accept() is told of each piece of the reply, and asks again. */
static int accepted(struct trial *t, int fd)
{
    int patience = t->source && t->c->error == EAGAIN ? QUIET_MS : PATIENCE_MS, made, error;
    bool more;

    set_patience(fd, patience);
    do {
        more = await(t, fd, POLLIN, patience);
        made = accept(fd, NULL, NULL);
    } while (made < 0 && more && is_transient(t));
    if (made < 0)
        return errno;
    error = take_extra(t, made);
    if (!error)
        error = bind_greeted(made);
    close(made);
    return error;
}

static void mark(const struct trial *t, bool on)
{
    if (t->c->mark)
        t->c->mark(on);
}

/* For whoever comes, since there is no session. */
static int try_listen_astray(struct trial *t)
{
    int fd = make(t, t->astray, SOCK_STREAM, EPOLLIN), error;

    mark(t, true);
    error = listen(fd, 4) == 0 ? 0 : errno;
    mark(t, false);
    finish(t, fd);
    return error;
}

/* The connection that tells the server where to come leaves from a port of which the proxy knows no evil. */
static int try_listen(struct trial *t)
{
    struct session s = { .server = net_target(t->world->back) };
    int fd, error;

    mark(t, false);
    s.fd = net_socket(&s.server, SOCK_STREAM);
    bind_source(t, s.fd, PLAIN_PORT);
    if (net_connect(s.fd, &s.server) != 0)
        fault(t, "session: %s", text_errno(errno));
    set_patience(s.fd, PATIENCE_MS);
    mark(t, true);
    fd = make(t, &s.server, SOCK_STREAM, EPOLLIN);
    error = listen(fd, 4) == 0 ? 0 : errno;
    mark(t, false);
    if (error && t->c->kind == FAULTS_ACCEPT)
        fault(t, "listen: %s", text_errno(error));
    else if (!error && !bind_call(&s, fd, NULL, NULL))
        fault(t, "the server cannot come");
    mark(t, true);
    if (!error && !t->text[0])
        error = accepted(t, fd);
    finish(t, fd);
    mark(t, false);
    close(s.fd);
    return error;
}

/* A new name, and back from its address to the name. */
static int try_names(void)
{
    static int number;
    char name[64], host[64] = "";
    struct addrinfo *list;
    int error;

    snprintf(name, sizeof name, "fresh-%d-%d.example", (int)getpid(), number++);
    if (getaddrinfo(name, NULL, NULL, &list) != 0)
        return ENOENT;
    error = getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, NULL, 0, NI_NAMEREQD);
    freeaddrinfo(list);
    return error ? ENOENT : strcmp(name, host) != 0 ? EPROTO : 0;
}

static int try(struct trial *t)
{
    switch (t->c->kind) {
    case FAULTS_CONNECT:
        return try_connect(t);
    case FAULTS_ASSOCIATE:
        return try_associate(t);
    case FAULTS_LISTEN:
    case FAULTS_ACCEPT:
        return t->astray ? try_listen_astray(t) : try_listen(t);
    case FAULTS_NAMES:
        return try_names();
    }
    return ENOSYS;
}

int faults_try(const struct faults_world *w, const struct faults_case *c, const struct target *source, char *text)
{
    struct trial t = { w, c, source, text, NULL, -1 };

    return try(&t);
}

long faults_run(const struct faults_world *w, const struct faults_case *c, char *text)
{
    struct target late = net_target(LATE);
    struct trial t = { w, c, &late, text, NULL, -1 };
    int before, error;
    long began, took;

    /* The library keeps one epoll set of its own from the first association on that nobody waited for. */
    error = c->kind == FAULTS_ASSOCIATE ? try(&t) : 0;
    if (error)
        fault(&t, "with a slow proxy: %s", text_errno(error));
    before = net_descriptors();
    t.source = c->astray ? NULL : &c->source;
    t.astray = c->astray;
    began = net_clock();
    error = try(&t);
    took = net_clock() - began;
    if (error != c->error)
        fault(&t, "%s instead of %s", text_errno(error), text_errno(c->error));
    if (took < c->least_ms)
        fault(&t, "over after %ld ms, before %ld", took, c->least_ms);
    if (took > c->least_ms + c->slack_ms)
        fault(&t, "over after %ld ms only", took);
    t.source = NULL;
    t.astray = NULL;
    error = try(&t);
    if (error != c->after)
        fault(&t, "then, with a good proxy: %s", text_errno(error));
    error = try_connect(&t);
    if (error)
        fault(&t, "then a connection: %s", text_errno(error));
    if (net_descriptors() != before)
        fault(&t, "%d descriptors left", net_descriptors() - before);
    return took;
}
