/* SPDX-License-Identifier: ISC */
/* probe_sysfaults_scene.c - what is tried with calls that fail, besides the kinds of probe_faults.h: questions to a
 * server of names, programs that are started */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe_sysfaults.h"

enum { HIGH = 200, WIDTH = 1024, ASKED = 3, SERVER_FAILED = 2, ALONE = 9 };

/* For the address of a.test. */
static const uint8_t question[] = "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
                                  "\x01" "a\x04" "test\x00\x00\x01\x00\x01";

int sysfaults_high(const struct target *to)
{
    int low = net_socket(to, SOCK_STREAM | SOCK_NONBLOCK), fd = fcntl(low, F_DUPFD_CLOEXEC, HIGH), error, n;
    fd_set set;

    close(low);
    if (fd < 0)
        return errno;
    error = net_connect(fd, to) == 0 || errno == EINPROGRESS ? 0 : errno;
    for (n = -1; !error && n <= 0;) {
        struct timeval limit = { 5, 0 };

        FD_ZERO(&set);
        FD_SET(fd, &set);
        n = select(WIDTH, NULL, &set, NULL, &limit);
        error = n == 0 ? ETIMEDOUT : n < 0 && errno != EINTR ? errno : 0;
    }
    if (!error)
        error = net_error(fd);
    if (!error)
        error = net_echo(fd, 200);
    close(fd);
    return error;
}

int sysfaults_refusing(const struct target *to, enum faults_way way, char *text)
{
    int fd = net_socket(to, SOCK_STREAM | (way == FAULTS_BLOCKING ? 0 : SOCK_NONBLOCK)), error;

    error = way == FAULTS_BLOCKING ? net_connect(fd, to) == 0 ? 0 : errno : net_connect_wait(fd, to);
    if (!error)
        snprintf(text, FAULTS_TEXT, "!connected to nobody");
    close(fd);
    return error == ECONNREFUSED ? 0 : error;
}

static bool is_again(enum faults_way way)
{
    return errno == EINTR || (errno == EAGAIN && way != FAULTS_BLOCKING);
}

static bool await(int fd, enum faults_way way, int ms)
{
    struct epoll_event e = { .events = EPOLLIN };
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int set = way == FAULTS_EPOLL ? epoll_create1(EPOLL_CLOEXEC) : -1, n;

    if (way == FAULTS_BLOCKING || (set >= 0 && epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0))
        n = 1;
    else
        do
            n = set >= 0 ? epoll_wait(set, &e, 1, ms) : poll(&p, 1, ms);
        while (n < 0 && errno == EINTR);
    if (set >= 0)
        close(set);
    return n == 1;
}

int sysfaults_question(const struct target *server, enum faults_way way, int patience_ms)
{
    int fd = net_socket(server, SOCK_DGRAM | (way == FAULTS_BLOCKING ? 0 : SOCK_NONBLOCK)), error = 0;
    struct timeval patience = { patience_ms / 1000, patience_ms % 1000 * 1000 };
    uint8_t answer[512] = { 0 };
    ssize_t n = -1;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do
        n = sendto(fd, question, sizeof question - 1, 0, (const struct sockaddr *)&server->sa, server->len);
    while (n < 0 && is_again(way));
    error = n < 0 ? errno : 0;
    n = -1;
    for (int i = 0; !error && n < 0 && i < ASKED; i++) {
        bool more = await(fd, way, patience_ms);

        n = recv(fd, answer, sizeof answer, 0);
        error = n >= 0 || (more && is_again(way) && i + 1 < ASKED) ? 0 : errno;
    }
    close(fd);
    if (!error && (n < 12 || memcmp(answer, question, 2) != 0))
        error = EPROTO;
    return error ? error : (answer[3] & 15) == SERVER_FAILED ? EIO : answer[3] & 15 ? EPROTO : 0;
}

static int start(char *path, char *word, int *status)
{
    char *argv[] = { path, word, NULL }, *nothing[] = { NULL };
    pid_t pid;
    int error = posix_spawn(&pid, path, NULL, NULL, argv, nothing);

    *status = 0;
    if (!error && waitpid(pid, status, 0) != pid)
        error = errno;
    return error;
}

int sysfaults_carried(char *self, char *text)
{
    char word[] = "sysfaults-carried";
    int status, error = start(self, word, &status);

    if (!error && status)
        snprintf(text, FAULTS_TEXT, "!started, status %#x", (unsigned)status);
    return error;
}

int sysfaults_is_carried(char **argv)
{
    (void)argv;
    return getenv("LD_PRELOAD") && getenv("SOCKSIFY_PROXY") ? 0 : ALONE;
}

int sysfaults_refused(char *program, char *text)
{
    int status, error = start(program, NULL, &status);

    if (!error)
        snprintf(text, FAULTS_TEXT, "!started past the object");
    return 0;
}
