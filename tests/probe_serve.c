/* SPDX-License-Identifier: ISC */
/* probe_serve.c - the target: an echo, one that speaks first, a refusing and a deaf port, a UDP echo */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"

enum { TRIES = 50, BACKLOG = 256, FILLERS = 3, LIFETIME_S = 120 };

static uint32_t here = INADDR_LOOPBACK;

/* What a listener's thread needs to know, in one pointer. */
enum { SPEAKS_FIRST = 1 << 30 };

static int make(int family, int type, uint16_t port)
{
    struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback };
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(family, type, 0), one = 1, bad;

    in.sin_addr.s_addr = htonl(here);
    if (fd < 0)
        return -1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    bad = family == AF_INET6 ? bind(fd, (struct sockaddr *)&in6, sizeof in6)
                             : bind(fd, (struct sockaddr *)&in, sizeof in);
    if (!bad)
        return fd;
    close(fd);
    return -1;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t len = sizeof in;

    if (getsockname(fd, (struct sockaddr *)&in, &len) != 0)
        net_die("getsockname");
    return ntohs(in.sin_port);
}

static void *echo(void *argument)
{
    int fd = (int)((intptr_t)argument & ~SPEAKS_FIRST);
    char buf[8192];
    ssize_t n = 1;

    if ((intptr_t)argument & SPEAKS_FIRST)
        n = send(fd, "220 ready\r\n", 11, MSG_NOSIGNAL);
    while (n > 0 && (n = recv(fd, buf, sizeof buf, 0)) > 0) {
        for (ssize_t at = 0, sent = 0; at < n && sent >= 0; at += sent) {
            sent = send(fd, buf + at, (size_t)(n - at), MSG_NOSIGNAL);
            if (sent < 0)
                n = -1;
        }
    }
    close(fd);
    return NULL;
}

static void run(void *(*function)(void *), intptr_t argument)
{
    pthread_attr_t attr;
    pthread_t thread;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 1 << 18);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, function, (void *)argument) != 0)
        net_die("pthread_create");
    pthread_attr_destroy(&attr);
}

static void *take(void *argument)
{
    intptr_t listener = (intptr_t)argument;

    for (;;) {
        int fd = accept((int)(listener & ~SPEAKS_FIRST), NULL, NULL);

        if (fd >= 0)
            run(echo, fd | (listener & SPEAKS_FIRST));
    }
    return NULL;
}

static void *echo_datagrams(void *argument)
{
    int fd = (int)(intptr_t)argument;
    struct sockaddr_storage from;
    char buf[2048];

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from, &len);

        if (n >= 0)
            sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
    }
    return NULL;
}

/* The same port for both families; fd[1] is -1 where there is no IPv6. */
static uint16_t make_pair(int type, int fd[2])
{
    int probe = make(AF_INET6, type, 0);

    for (int i = 0; i < TRIES; i++) {
        fd[0] = make(AF_INET, type, 0);
        if (fd[0] < 0)
            break;
        fd[1] = probe < 0 ? -1 : make(AF_INET6, type, port_of(fd[0]));
        if (fd[1] >= 0 || probe < 0) {
            close(probe);
            return port_of(fd[0]);
        }
        close(fd[0]);
    }
    net_die("no port for both families");
}

static uint16_t serve_pair(int type, void *(*function)(void *), int flag)
{
    int fd[2];
    uint16_t port = make_pair(type, fd);

    for (int i = 0; i < 2; i++) {
        if (fd[i] < 0)
            continue;
        if (type == SOCK_STREAM && listen(fd[i], BACKLOG) != 0)
            net_die("listen");
        run(function, fd[i] | flag);
    }
    return port;
}

/* A backlog that is full: the kernel drops every further SYN. */
static uint16_t deaf_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    int fd = make(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || listen(fd, 0) != 0)
        net_die("listen");
    in.sin_addr.s_addr = htonl(here);
    in.sin_port = htons(port_of(fd));
    for (int i = 0; i < FILLERS; i++) {
        int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

        if (filler < 0 || (connect(filler, (struct sockaddr *)&in, sizeof in) != 0 && errno != EINPROGRESS))
            net_die("connect");
    }
    return ntohs(in.sin_port);
}

/* argv: an IPv4 address in place of 127.0.0.1, or nothing.  Print "ready ECHO FIRST REFUSING DEAF UDP", the ports;
 * serve until killed, or for two minutes. */
static int serve(char **argv)
{
    int refusing[2];
    uint16_t port[5];

    if (argv[0])
        here = ntohl(inet_addr(argv[0]));
    alarm(LIFETIME_S);
    port[0] = serve_pair(SOCK_STREAM, take, 0);
    port[1] = serve_pair(SOCK_STREAM, take, SPEAKS_FIRST);
    port[2] = make_pair(SOCK_STREAM, refusing);
    port[3] = deaf_port();
    port[4] = serve_pair(SOCK_DGRAM, echo_datagrams, 0);
    printf("ready %u %u %u %u %u\n", port[0], port[1], port[2], port[3], port[4]);
    fflush(stdout);
    while (pause() != 0)
        ;
    return 0;
}

const struct command serve_commands[] = {
    { "serve", 0, serve, "[ADDRESS] (be the target)" },
    { NULL, 0, NULL, NULL },
};
