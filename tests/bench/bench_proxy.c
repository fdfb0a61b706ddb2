/* SPDX-License-Identifier: ISC */
/* bench_proxy.c - the other side of the TCP benchmarks: a SOCKS5 server whose targets are within it
 *
 * bench_proxy ADDRESS PORT TARGET DELAY: a server there for CONNECT, with any credentials or none.  What it answers to
 * whatever came at once goes out DELAY milliseconds later, as over a link of that round trip.  The port of the target
 * says what it is: 7 an echo, 9 takes all, 19 sends for ever, 10000 + N an echo that is connected after N milliseconds.
 * The first three are at the address TARGET as well.  `ready` is written once all listen.  It ends with its standard
 * input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENERS = 4, FILES = 65536, EVENTS = 256, ROOM = 1024, CHUNK = 65536, ECHO = 7, DISCARD = 9, SOURCE = 19 };
enum { LATE_PORT = 10000 };

enum stage { GREETING, AUTH, REQUEST, TARGET };

struct connection {
    bool open;
    uint8_t stage;
    uint16_t port;                      /* of the target */
    uint16_t have, answers;             /* bytes of in[] and out[] */
    int64_t due;                        /* when out[] goes; 0: nothing waits */
    uint8_t in[ROOM], out[ROOM];
};

static struct connection *connections[FILES];
static int waiting[FILES], waiters;     /* descriptors with something due */
static int set, delay;
static char chunk[CHUNK];

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int listen_at(const char *address, uint16_t port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    struct epoll_event e = { .events = EPOLLIN, .data.fd = fd };

    inet_pton(AF_INET, address, &sa.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(fd, 4096) != 0 ||
        epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0)
        die(address);
    return fd;
}

static void answer(struct connection *c, const void *bytes, size_t len)
{
    memcpy(c->out + c->answers, bytes, len);
    c->answers = (uint16_t)(c->answers + len);
}

/* The length of the message that in[] begins with, 0 while it is not whole. */
static size_t message_length(const struct connection *c)
{
    const uint8_t *p = c->in;
    size_t need = 2;

    if (c->stage == GREETING)
        need = c->have > 1 ? 2 + (size_t)p[1] : 2;
    else if (c->stage == AUTH)
        need = c->have > 1 && c->have > 2 + p[1] ? 3 + (size_t)p[1] + p[2 + p[1]] : c->have + 1u;
    else if (c->stage == REQUEST)
        need = c->have > 4 ? (p[3] == 1 ? 10u : p[3] == 4 ? 22u : 7u + p[4]) : 10u;
    return c->have >= need ? need : 0;
}

/* Takes one message.  Returns its length. */
static size_t take(struct connection *c)
{
    size_t len = message_length(c);

    if (len && c->stage == GREETING) {
        bool auth = memchr(c->in + 2, 2, len - 2) != NULL;

        answer(c, auth ? "\5\2" : "\5\0", 2);
        c->stage = auth ? AUTH : REQUEST;
    } else if (len && c->stage == AUTH) {
        answer(c, "\1\0", 2);
        c->stage = REQUEST;
    } else if (len) {
        c->port = (uint16_t)(c->in[len - 2] << 8 | c->in[len - 1]);
        answer(c, "\5\0\0\1\0\0\0\0\0\0", 10);
        c->stage = TARGET;
    }
    memmove(c->in, c->in + len, c->have - len);
    c->have = (uint16_t)(c->have - len);
    return len;
}

static void end(int fd)
{
    connections[fd]->open = false;
    close(fd);
}

static void flush(int fd)
{
    struct connection *c = connections[fd];

    c->due = 0;
    if (c->answers && send(fd, c->out, c->answers, MSG_NOSIGNAL) < 0)
        end(fd);
    c->answers = 0;
    if (c->open && c->stage == TARGET && c->port == SOURCE) {
        struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.fd = fd };

        epoll_ctl(set, EPOLL_CTL_MOD, fd, &e);
    }
}

static void later(int fd, int ms)
{
    struct connection *c = connections[fd];

    if (!c->due)
        waiting[waiters++] = fd;
    c->due = now_ms() + ms;
}

/* What a target does with what came for it. */
static void serve_target(struct connection *c)
{
    if (c->port != DISCARD && c->port != SOURCE)
        answer(c, c->in, c->have);
    c->have = 0;
}

static void readable(int fd)
{
    struct connection *c = connections[fd];
    bool target = c->stage == TARGET;
    /* A target with nothing due takes what there is without another copy. */
    bool quick = target && !c->due && !delay;
    ssize_t n = recv(fd, quick ? chunk : (char *)c->in + c->have, quick ? CHUNK : (size_t)(ROOM / 2 - c->have), 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            end(fd);
        return;
    }
    if (quick) {
        if (c->port != DISCARD && c->port != SOURCE && send(fd, chunk, (size_t)n, MSG_NOSIGNAL) < 0)
            end(fd);
        return;
    }
    c->have = (uint16_t)(c->have + n);
    while (c->have && c->stage != TARGET && take(c) > 0)
        ;
    if (c->stage == TARGET)
        serve_target(c);
    if (delay || (!target && c->port > LATE_PORT))
        later(fd, delay + (!target && c->port > LATE_PORT ? c->port - LATE_PORT : 0));
    else
        flush(fd);
}

static void take_connection(int listener, uint16_t port)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event e = { .events = EPOLLIN | (port == SOURCE ? EPOLLOUT : 0), .data.fd = fd };

    if (fd < 0 || fd >= FILES)
        return;
    if (!connections[fd])
        connections[fd] = malloc(sizeof *connections[fd]);
    if (!connections[fd])
        die("malloc");
    *connections[fd] = (struct connection){ .open = true, .stage = port ? TARGET : GREETING, .port = port };
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
}

/* Sends what is due.  Returns how long to sleep, in milliseconds, or -1. */
static int tend(void)
{
    int64_t now = now_ms(), next = -1;
    int kept = 0;

    for (int i = 0; i < waiters; i++) {
        struct connection *c = connections[waiting[i]];

        if (!c->open || !c->due)
            continue;
        if (c->due <= now) {
            flush(waiting[i]);
            continue;
        }
        if (next < 0 || c->due - now < next)
            next = c->due - now;
        waiting[kept++] = waiting[i];
    }
    waiters = kept;
    return (int)next;
}

static void event(const struct epoll_event *e, const int listener[LISTENERS])
{
    static const uint16_t ports[LISTENERS] = { 0, ECHO, DISCARD, SOURCE };
    int fd = e->data.fd;

    if (fd == 0)
        exit(0);
    for (int i = 0; i < LISTENERS; i++) {
        if (fd == listener[i]) {
            take_connection(fd, ports[i]);
            return;
        }
    }
    if (e->events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        readable(fd);
    if (connections[fd]->open && e->events & EPOLLOUT && send(fd, chunk, CHUNK, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        end(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS], input = { .events = EPOLLIN, .data.fd = 0 };
    struct rlimit files = { FILES, FILES };
    int listener[LISTENERS];

    if (argc != 5)
        return 2;
    setrlimit(RLIMIT_NOFILE, &files);
    set = epoll_create1(0);
    delay = atoi(argv[4]);
    listener[0] = listen_at(argv[1], (uint16_t)atoi(argv[2]));
    listener[1] = listen_at(argv[3], ECHO);
    listener[2] = listen_at(argv[3], DISCARD);
    listener[3] = listen_at(argv[3], SOURCE);
    epoll_ctl(set, EPOLL_CTL_ADD, 0, &input);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int n = epoll_wait(set, events, EVENTS, tend());

        for (int i = 0; i < n; i++)
            event(&events[i], listener);
    }
}
