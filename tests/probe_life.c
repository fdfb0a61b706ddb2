/* SPDX-License-Identifier: ISC */
/* probe_life.c - every way a number ends, for every kind of socket, and every way it is made anew */
#include "probe_life.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

struct life life;

static int tunnelled(void)
{
    int fd = net_socket(&life.tunnel, SOCK_STREAM);

    if (net_connect(fd, &life.tunnel) != 0)
        net_die("tunnel");
    return fd;
}

static int direct(void)
{
    int fd = net_socket(&life.direct, SOCK_STREAM);

    if (net_connect(fd, &life.direct) != 0)
        net_die("direct");
    return fd;
}

/* Followed by an epoll set as well. */
static int pending(void)
{
    struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 77 };
    int fd = net_socket(&life.hanging, SOCK_STREAM | SOCK_NONBLOCK);

    epoll_ctl(life.set, EPOLL_CTL_ADD, fd, &e);
    if (net_connect(fd, &life.hanging) != -1 || errno != EINPROGRESS)
        net_die("pending");
    return fd;
}

/* The answer makes the relay's connection end together with the socket. */
static int associated(void)
{
    int fd = net_socket(&life.datagram, SOCK_DGRAM);

    errno = life_exchange(fd, true);
    if (errno != 0)
        net_die("association");
    return fd;
}

static int with_peer(void)
{
    int fd = net_socket(&life.datagram, SOCK_DGRAM);

    if (net_connect(fd, &life.datagram) != 0)
        net_die("peer");
    errno = life_exchange(fd, false);
    if (errno != 0)
        net_die("peer");
    return fd;
}

static const struct {
    const char *name;
    int (*make)(void);
} kinds[] = {
    { "tunnelled", tunnelled },     { "pending", pending },   { "direct", direct },
    { "associated", associated },   { "with a peer", with_peer },
};

/* What takes the place of a number is gone again where no hook sees it. */
static void end_dup2(int fd)
{
    dup2(life.null, fd);
    life_raw_close(fd);
}

static void end_dup3(int fd)
{
    dup3(life.null, fd, O_CLOEXEC);
    life_raw_close(fd);
}

static void end_close(int fd)
{
    close(fd);
}

static void end_range(int fd)
{
    close_range((unsigned)fd, ~0u, 0);
}

static void end_from(int fd)
{
    closefrom(fd);
}

static void end_fclose(int fd)
{
    fclose(fdopen(fd, "r+"));
}

static void end_number(int fd)
{
    syscall(SYS_close, fd);
}

static void end_raw(int fd)
{
    life_raw_close(fd);
}

static const struct {
    const char *name;
    void (*end)(int fd);
} ends[] = {
    { "close", end_close },         { "dup2", end_dup2 },           { "dup3", end_dup3 },
    { "close_range", end_range },   { "closefrom", end_from },      { "fclose", end_fclose },
    { "SYS_close", end_number },    { "raw close", end_raw },
};

/* One cell: made, ended, made anew, tried, closed. */
static void cell(int kind, int end, int make)
{
    int before = net_descriptors(), far = -1, fd = kinds[kind].make(), next;

    ends[end].end(fd);
    next = life_makes[make].make(&far);
    printf("%s, %s, %s: %s", kinds[kind].name, ends[end].name, life_makes[make].name,
           next == fd ? "" : "another number, ");
    life_makes[make].try(next, far);
    close(next);
    if (far >= 0 && far != life.pair[1])
        close(far);
    printf("leaked %d\n", net_descriptors() - before);
}

static int listen_locally(struct target *t)
{
    struct sockaddr sa = { .sa_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    t->len = sizeof t->sa;
    /* A name of the kernel's choice. */
    if (bind(fd, &sa, sizeof sa.sa_family) != 0 || listen(fd, 5) != 0 ||
        getsockname(fd, (struct sockaddr *)&t->sa, &t->len) != 0)
        net_die("local listener");
    return fd;
}

void life_open(char **argv)
{
    life.tunnel = net_target(argv[0]);
    life.direct = net_target(argv[1]);
    life.datagram = net_target(argv[2]);
    life.hanging = net_target(argv[3]);
    life.null = open("/dev/null", O_RDWR);
    life.set = epoll_create1(0);
    life.self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    life.listener = listen_locally(&life.local);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, life.pair) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, life.way) != 0 ||
        life.self < 0)
        net_die("helpers");
}

/* drained: the cells in which fdopen() waits for the end of a handshake, which takes as long as the proxy may; or the
 * others. */
static int matrix(char **argv, bool drained)
{
    life_open(argv);
    if (life_raw_close(-1) != -EBADF)
        return 77;
    for (int kind = 0; kind < (int)(sizeof kinds / sizeof kinds[0]); kind++) {
        for (int end = 0; end < (int)(sizeof ends / sizeof ends[0]); end++) {
            if ((kinds[kind].make == pending && ends[end].end == end_fclose) != drained)
                continue;
            for (int make = 0; life_makes[make].name; make++)
                cell(kind, end, make);
        }
    }
    return 0;
}

/* argv: TUNNEL DIRECT DATAGRAM HANGING. */
static int all(char **argv)
{
    return matrix(argv, false);
}

static int all_drained(char **argv)
{
    return matrix(argv, true);
}

/* argv as above.  Who closes everything closes the library's descriptors as well: numbers that are the program's by
 * then stay open whatever becomes of the sockets they once served. */
static int usurp(char **argv)
{
    enum { FILES = 40 };
    int before, fd, files[FILES];

    life_open(argv);
    fd = with_peer();
    closefrom(fd + 1);
    for (int i = 0; i < FILES; i++)
        files[i] = open("/dev/null", O_RDONLY);
    /* The library puts its own high up. */
    for (int number = fd + FILES + 1; number < 1024; number++)
        dup2(life.null, number);
    before = net_descriptors();
    say("close", close(fd));
    say("gone", before - net_descriptors());
    for (int i = 0; i < FILES; i++)
        close(files[i]);
    return 0;
}

const struct command life_commands[] = {
    { "life", 4, all, "TUNNEL DIRECT DATAGRAM HANGING" },
    { "life-drained", 4, all_drained, "TUNNEL DIRECT DATAGRAM HANGING" },
    { "usurp", 4, usurp, "TUNNEL DIRECT DATAGRAM HANGING" },
    { NULL, 0, NULL, NULL },
};
