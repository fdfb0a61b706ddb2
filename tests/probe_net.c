/* SPDX-License-Identifier: ISC */
/* probe_net.c - what many sub-commands do with sockets */
#include "probe_net.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "probe_text.h"

enum { PATIENCE_MS = 15000, PIECE = 16384 };

void net_die(const char *what)
{
    fprintf(stderr, "probe: %s: %s\n", what, text_errno(errno));
    exit(2);
}

struct target net_target(const char *text)
{
    struct target t;

    text_address(text, &t.sa, &t.len);
    return t;
}

int net_socket(const struct target *t, int type)
{
    int fd = socket(t->sa.ss_family, type, 0);

    if (fd < 0)
        net_die("socket");
    return fd;
}

int net_connect(int fd, const struct target *t)
{
    return connect(fd, (const struct sockaddr *)&t->sa, t->len);
}

int net_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

int net_connect_wait(int fd, const struct target *t)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    if (net_connect(fd, t) == 0)
        return 0;
    if (errno != EINPROGRESS && errno != EALREADY)
        return errno;
    for (;;) {
        int n = poll(&p, 1, PATIENCE_MS);

        if (n > 0)
            return net_error(fd);
        if (n == 0)
            return ETIMEDOUT;
        if (errno != EINTR)
            return errno;
    }
}

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 31 + (i >> 8) * 7 + 5);
}

static int send_some(int fd, size_t *at, size_t size)
{
    uint8_t buf[PIECE];
    size_t n = size - *at < sizeof buf ? size - *at : sizeof buf;
    ssize_t sent;

    for (size_t i = 0; i < n; i++)
        buf[i] = pattern(*at + i);
    sent = send(fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    *at += (size_t)sent;
    return 0;
}

static int receive_some(int fd, size_t *at, size_t size)
{
    uint8_t buf[PIECE];
    size_t n = size - *at < sizeof buf ? size - *at : sizeof buf;
    ssize_t got = recv(fd, buf, n, MSG_DONTWAIT);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : errno;
    if (got == 0)
        return ENODATA;
    for (ssize_t i = 0; i < got; i++) {
        if (buf[i] != pattern(*at + (size_t)i))
            return EPROTO;
    }
    *at += (size_t)got;
    return 0;
}

int net_echo(int fd, size_t size)
{
    size_t out = 0, in = 0;
    int error = 0;

    while (!error && in < size) {
        struct pollfd p = { .fd = fd, .events = out < size ? POLLIN | POLLOUT : POLLIN };
        int n = poll(&p, 1, PATIENCE_MS);

        if (n == 0)
            return ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0 && p.revents & POLLOUT && out < size)
            error = send_some(fd, &out, size);
        if (!error && n > 0 && p.revents & ~POLLOUT)
            error = receive_some(fd, &in, size);
    }
    return error;
}

int net_receive(int fd, void *buf, size_t size)
{
    size_t have = 0;

    while (have < size) {
        ssize_t n = recv(fd, (char *)buf + have, size - have, 0);

        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            return ENODATA;
        if (n > 0)
            have += (size_t)n;
    }
    return 0;
}

int net_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    if (!d)
        net_die("/proc/self/fd");
    while (readdir(d))
        count++;
    closedir(d);
    return count - 3;    /* "." and "..", and the directory's own */
}

int net_tell(const char *path, const char *command)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    char line[160];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int len = snprintf(line, sizeof line, "%s\n", command);
    ssize_t n;

    strncpy(sa.sun_path, path, sizeof sa.sun_path - 1);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || write(fd, line, (size_t)len) != len)
        net_die(path);
    do
        n = read(fd, line, sizeof line - 1);
    while (n < 0 && errno == EINTR);
    close(fd);
    if (n <= 0)
        net_die(command);
    line[n] = '\0';
    if (strncmp(line, "error", 5) == 0) {
        fprintf(stderr, "probe: %s: %s", command, line);
        exit(2);
    }
    return atoi(line);
}

long net_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
