/* SPDX-License-Identifier: ISC */
/* probe_identity.c - what of a socket must survive its connect() */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

static const struct {
    const char *name;
    int level, option, value;
} numbers[] = {
    { "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 },
    { "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 },
    { "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77 },
    { "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 11 },
    { "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 54321 },
    { "SO_RCVBUF", SOL_SOCKET, SO_RCVBUF, 30000 },
    { "SO_SNDBUF", SOL_SOCKET, SO_SNDBUF, 40000 },
    { "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 3 },
    { "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 },
    { "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 },
    { "IP_TOS", IPPROTO_IP, IP_TOS, 0x10 },
    { "IP_TTL", IPPROTO_IP, IP_TTL, 33 },
};

enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static const struct {
    const char *name;
    int option;
    struct timeval value;
} times[] = {
    { "SO_RCVTIMEO", SO_RCVTIMEO, { 17, 500000 } },
    { "SO_SNDTIMEO", SO_SNDTIMEO, { 19, 250000 } },
};

static void set_options(int fd)
{
    struct linger linger = { 1, 9 };

    for (int i = 0; i < NUMBERS; i++) {
        if (setsockopt(fd, numbers[i].level, numbers[i].option, &numbers[i].value, sizeof(int)) != 0)
            say(numbers[i].name, -1);
    }
    for (int i = 0; i < 2; i++)
        setsockopt(fd, SOL_SOCKET, times[i].option, &times[i].value, sizeof times[i].value);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    fcntl(fd, F_SETOWN, getpid());
}

static void say_options(int fd)
{
    struct linger linger = { 0, 0 };
    socklen_t len = sizeof linger;

    for (int i = 0; i < NUMBERS; i++) {
        int value = -1;

        len = sizeof value;
        getsockopt(fd, numbers[i].level, numbers[i].option, &value, &len);
        printf("%s: %d\n", numbers[i].name, value);
    }
    for (int i = 0; i < 2; i++) {
        struct timeval t = { 0, 0 };

        len = sizeof t;
        getsockopt(fd, SOL_SOCKET, times[i].option, &t, &len);
        printf("%s: %ld.%06ld\n", times[i].name, (long)t.tv_sec, (long)t.tv_usec);
    }
    len = sizeof linger;
    getsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, &len);
    printf("SO_LINGER: %d %d\n", linger.l_onoff, linger.l_linger);
    printf("O_NONBLOCK: %d\n", fcntl(fd, F_GETFL) & O_NONBLOCK);
    printf("FD_CLOEXEC: %d\n", fcntl(fd, F_GETFD));
    printf("F_GETOWN: %s\n", fcntl(fd, F_GETOWN) == getpid() ? "kept" : "changed");
}

static uint16_t local_port(int fd)
{
    struct sockaddr_in in = { .sin_port = 0 };
    socklen_t len = sizeof in;

    /* The port lies at the same place in both families. */
    getsockname(fd, (struct sockaddr *)&in, &len);
    return ntohs(in.sin_port);
}

static uint16_t bind_port(int fd, const struct target *t)
{
    struct target any = { .len = t->len };

    any.sa.ss_family = t->sa.ss_family;
    say("bind", bind(fd, (struct sockaddr *)&any.sa, any.len));
    return local_port(fd);
}

/* The registration made before connect() tells of the target's bytes, and only of them, with the program's own data. */
static void say_registration(int epoll, int fd)
{
    struct epoll_event e = { .events = 0 };

    say("quiet", epoll_wait(epoll, &e, 1, 0));
    if (send(fd, "abc", 3, 0) != 3)
        say("send", -1);
    say("epoll_wait", epoll_wait(epoll, &e, 1, 10000));
    say_events("events", e.events & ~(unsigned)EPOLLET);
    printf("data: %llx\n", (unsigned long long)e.data.u64);
}

static int identity(const struct target *t, int type)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLRDHUP, .data = { .u64 = 0xfeedfacecafeULL } };
    int fd = net_socket(t, type), epoll = epoll_create1(0);
    uint16_t port;
    char text[4] = "";

    set_options(fd);
    port = bind_port(fd, t);
    say("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e));
    say_error("connect", net_connect_wait(fd, t));
    say_options(fd);
    puts(local_port(fd) == port ? "port kept" : "port changed");
    say_registration(epoll, fd);
    say_error("receive", net_receive(fd, text, 3));
    puts(text);
    close(epoll);
    close(fd);
    return 0;
}

static int identity_blocking(char **argv)
{
    struct target t = net_target(argv[0]);

    return identity(&t, SOCK_STREAM | SOCK_CLOEXEC);
}

static int identity_nonblock(char **argv)
{
    struct target t = net_target(argv[0]);

    return identity(&t, SOCK_STREAM | SOCK_NONBLOCK);
}

/* A low-water mark above what a proxy says at once. */
static int low_water(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM), mark = 300, after = 0;
    socklen_t len = sizeof after;

    say("setsockopt", setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark));
    say("connect", net_connect(fd, &t));
    say("getsockopt", getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &after, &len));
    printf("SO_RCVLOWAT: %d\n", after);
    say_error("echo", net_echo(fd, 300));
    close(fd);
    return 0;
}

/* argv: REFUSING GOOD.  An IPv6 socket for IPv6 only, which the proxy may be out of reach of.  Once it is connected the
 * kernel does not let the option be set, so only after the failure is it asked for. */
static int v6only(char **argv)
{
    struct target bad = net_target(argv[0]), good = net_target(argv[1]);
    int fd = net_socket(&bad, SOCK_STREAM), only = 1, after = 0;
    socklen_t len = sizeof after;

    say("setsockopt", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
    say("connect", net_connect(fd, &bad));
    say("getsockopt", getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &after, &len));
    printf("IPV6_V6ONLY: %d\n", after);
    say("connect", net_connect(fd, &good));
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    return 0;
}

/* argv: ADDRESS NUMBER...  Sockets with descriptor numbers of the caller's choice. */
static int high(char **argv)
{
    struct target t = net_target(argv[0]);
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (*++argv) {
        int low = net_socket(&t, SOCK_STREAM);
        int fd = fcntl(low, F_DUPFD, atoi(*argv));

        close(low);
        if (fd != atoi(*argv)) {
            printf("%s: beyond the limit\n", *argv);
            continue;
        }
        say(*argv, net_connect(fd, &t));
        say_peer("peer", fd);
        say_error("echo", net_echo(fd, 1000));
        close(fd);
    }
    return 0;
}

const struct command identity_commands[] = {
    { "identity", 1, identity_blocking, "ADDRESS" },
    { "identity-nonblock", 1, identity_nonblock, "ADDRESS" },
    { "low-water", 1, low_water, "ADDRESS" },
    { "v6only", 2, v6only, "REFUSING GOOD" },
    { "high", 2, high, "ADDRESS NUMBER..." },
    { NULL, 0, NULL, NULL },
};
