/* SPDX-License-Identifier: ISC */
/* strain_world.c - what the calls of the table need */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "strain.h"

enum { PATIENCE_MS = 5000 };

static int must(int result, const char *what)
{
    if (result < 0)
        net_die(what);
    return result;
}

static void await(int fd, const char *what)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (poll(&p, 1, PATIENCE_MS) != 1)
        net_die(what);
}

static int connected(const struct target *t, int type)
{
    int fd = net_socket(t, type);

    must(connect(fd, (const struct sockaddr *)&t->sa, t->len), "connect");
    must((int)send(fd, "x", 1, 0), "send");
    await(fd, "echo");
    return fd;
}

static int bound(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = must(socket(AF_INET, SOCK_STREAM, 0), "socket");

    must(bind(fd, (struct sockaddr *)&sa, sizeof sa), "bind");
    return fd;
}

/* *client: the connection's other end. */
static int waiting(int *client)
{
    struct target self = { .len = sizeof self.sa };
    int fd = bound();

    must(listen(fd, 1), "listen");
    must(getsockname(fd, (struct sockaddr *)&self.sa, &self.len), "getsockname");
    *client = net_socket(&self, SOCK_STREAM);
    must(connect(*client, (struct sockaddr *)&self.sa, self.len), "connect to the listener");
    await(fd, "the listener");
    return fd;
}

static int lockable(void)
{
    FILE *f = tmpfile();

    if (!f)
        net_die("tmpfile");
    return must(dup(fileno(f)), "dup");
}

static void not_to_sleep(int fd)
{
    must(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), "fcntl");
}

void world_make(struct world *w, char **addresses, int socket_flags)
{
    struct epoll_event event = { .events = EPOLLIN };

    *w = (struct world){ .tcp_to = net_target(addresses[0]), .udp_to = net_target(addresses[1]), .made = { -1, -1 },
                         .socket_flags = socket_flags, .patience = socket_flags ? 0 : PATIENCE_MS };
    w->tcp = connected(&w->tcp_to, SOCK_STREAM);
    w->udp = connected(&w->udp_to, SOCK_DGRAM);
    w->waiting = waiting(&w->client);
    w->file = lockable();
    w->epoll = must(epoll_create1(0), "epoll_create1");
    must(socketpair(AF_UNIX, SOCK_STREAM, 0, w->pair), "socketpair");
    must((int)write(w->pair[1], "x", 1), "write");
    must(epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->pair[0], &event), "epoll_ctl");
    if (socket_flags) {
        not_to_sleep(w->tcp);
        not_to_sleep(w->udp);
        not_to_sleep(w->waiting);
    }
    world_refresh(w);
}

void world_refresh(struct world *w)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    w->fresh = socket(w->tcp_to.sa.ss_family, SOCK_STREAM | w->socket_flags, 0);
    w->fresh_udp = socket(w->udp_to.sa.ss_family, SOCK_DGRAM | w->socket_flags, 0);
    w->bound = socket(AF_INET, SOCK_STREAM, 0);
    bind(w->bound, (struct sockaddr *)&sa, sizeof sa);
}

static void done_with(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void world_use_up(struct world *w)
{
    done_with(&w->fresh);
    done_with(&w->fresh_udp);
    done_with(&w->bound);
    done_with(&w->made[0]);
    done_with(&w->made[1]);
    if (w->child > 0)
        waitpid(w->child, NULL, 0);
    w->child = 0;
}

void world_end(struct world *w)
{
    world_use_up(w);
    done_with(&w->tcp);
    done_with(&w->udp);
    done_with(&w->waiting);
    done_with(&w->client);
    done_with(&w->epoll);
    done_with(&w->pair[0]);
    done_with(&w->pair[1]);
    done_with(&w->file);
}
