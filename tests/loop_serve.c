/* SPDX-License-Identifier: ISC */
/* loop_serve.c - the targets: one that echoes, one that speaks first, one that refuses, one that holds */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loop.h"

enum { LISTENERS = 2, BANNER = 1, REFUSING = 2, FULL = 3, PORTS = 4, MOST = 1024 };

static int listener(int backlog, unsigned *port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || (backlog >= 0 && listen(fd, backlog) != 0) ||
        getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        net_die("listener");
    *port = ntohs(sa.sin_port);
    return fd;
}

/* With one connection that waits for accept() the kernel drops what comes next. */
static void fill(int fd)
{
    struct sockaddr_in sa;
    socklen_t len = sizeof sa;

    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0 ||
        connect(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&sa, len) != 0)
        net_die("a listener that holds");
}

static bool echo(int fd)
{
    char buf[4096];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    return n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static int serve(char **argv)
{
    struct pollfd p[MOST];
    unsigned port[PORTS];
    nfds_t count = LISTENERS;

    (void)argv;
    for (int i = 0; i < LISTENERS; i++)
        p[i] = (struct pollfd){ .fd = listener(SOMAXCONN, &port[i]), .events = POLLIN };
    listener(-1, &port[REFUSING]);
    fill(listener(0, &port[FULL]));
    printf("ready %u %u %u %u\n", port[0], port[BANNER], port[REFUSING], port[FULL]);
    while (poll(p, count, -1) > 0) {
        for (nfds_t i = count; i-- > LISTENERS;) {
            if (p[i].revents && !echo(p[i].fd)) {
                close(p[i].fd);
                p[i] = p[--count];
            }
        }
        for (int i = 0; i < LISTENERS && count < MOST; i++) {
            if (!p[i].revents)
                continue;
            p[count] = (struct pollfd){ .fd = accept(p[i].fd, NULL, NULL), .events = POLLIN };
            if (i == BANNER)
                send(p[count].fd, "hello", 5, MSG_NOSIGNAL);
            count++;
        }
    }
    return 1;
}

/* True while some connect() to this port waits for the answer to its SYN. */
static bool is_knocked(unsigned port)
{
    FILE *f = fopen("/proc/net/tcp", "r");
    unsigned remote, state;
    bool found = false;
    char line[256];

    while (f && fgets(line, sizeof line, f))
        found |= sscanf(line, "%*s %*s %*8x:%x %x", &remote, &state) == 2 && remote == port && state == 2;
    if (f)
        fclose(f);
    return found;
}

/* A proxy that has no room until somebody waits for it: the kernel drops the first SYN.  Then it serves one client, by
 * sending back what comes. */
static int slow_proxy(char **argv)
{
    char greeting[3], request[10];
    unsigned port;
    int fd = listener(0, &port), client;

    (void)argv;
    alarm(60);
    fill(fd);
    printf("ready %u\n", port);
    while (!is_knocked(port))
        poll(NULL, 0, 5);
    close(accept(fd, NULL, NULL));
    client = accept(fd, NULL, NULL);
    if (net_receive(client, greeting, sizeof greeting) != 0 || send(client, "\5\0", 2, 0) != 2 ||
        net_receive(client, request, sizeof request) != 0 || send(client, "\5\0\0\1\0\0\0\0\0\0", 10, 0) != 10)
        return 1;
    while (echo(client))
        ;
    return 0;
}

const struct loop_command serve_loop_commands[] = {
    { "slow-proxy", 0, slow_proxy, "says `ready PORT`; a proxy that drops the first SYN, for one connection" },
    { "serve", 0, serve, "says `ready PORT...`: echoing, speaking first, refusing, holding; until it is killed" },
    { NULL, 0, NULL, NULL },
};
