/* SPDX-License-Identifier: ISC */
/* loop.c - a client with event loops: what its sub-commands share */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe_text.h"

enum { PATIENCE_MS = 10000 };

static const struct loop_command *const tables[] = {
    serve_loop_commands, matrix_commands,      pending_commands,  number_commands,       process_commands,
    beside_commands,     thread_loop_commands, time_commands,     cancel_commands,       calls_commands,
    datagram_commands,   datagram_end_commands, datagram_via_commands, odd_commands,
    datagram_odd_commands, exec_loop_commands,
};

enum { TABLES = sizeof tables / sizeof tables[0] };

struct target loop_target;
const char *loop_control;

static int faults;

bool loop_check(bool condition, const char *format, ...)
{
    va_list list;

    if (condition)
        return true;
    faults++;
    va_start(list, format);
    vfprintf(stdout, format, list);
    va_end(list);
    putchar('\n');
    fflush(stdout);
    return false;
}

bool loop_is(long result, int error, const char *what)
{
    int seen = result == -1 ? errno : 0;

    return loop_check(seen == error, "%s: %s, not %s", what, text_errno(seen), text_errno(error));
}

int loop_code(void)
{
    return faults != 0;
}

void loop_arguments(char **argv)
{
    loop_target = net_target(argv[0]);
    loop_control = argv[1];
}

int loop_begin(int type)
{
    int fd = net_socket(&loop_target, SOCK_STREAM | type);

    loop_is(net_connect(fd, &loop_target), type & SOCK_NONBLOCK ? EINPROGRESS : 0, "connect");
    return fd;
}

void loop_held(int count)
{
    char command[24];

    snprintf(command, sizeof command, "wait %d", count);
    net_tell(loop_control, command);
}

void loop_hold(int fd, int count)
{
    struct epoll_event e;

    while (net_tell(loop_control, "count") < count) {
        if (epoll_wait(fd, &e, 1, 5) < 0)
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5);
    }
}

void loop_until_asleep(int tid)
{
    long began = net_clock();
    char path[64], state = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", tid);
    while (state != 'S' && net_clock() - began < 5000) {
        FILE *f = fopen(path, "r");

        if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 0;
        if (f)
            fclose(f);
    }
    loop_check(state == 'S', "thread %d does not sleep", tid);
}

void loop_release(void)
{
    net_tell(loop_control, "release");
}

void loop_good(int fd, const char *what)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int error = net_error(fd);

    loop_check(error == 0, "%s: SO_ERROR %s", what, text_errno(error));
    if (loop_is(getpeername(fd, (struct sockaddr *)&sa, &len), 0, what))
        loop_check(memcmp(&sa, &loop_target.sa, loop_target.len) == 0, "%s: another peer", what);
    error = net_echo(fd, 1000);
    loop_check(error == 0, "%s: echo %s", what, text_errno(error));
}

short loop_poll(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    int n;

    do
        n = poll(&p, 1, PATIENCE_MS);
    while (n < 0 && errno == EINTR);
    return n > 0 ? p.revents : 0;
}

int loop_set(void)
{
    int set = epoll_create1(EPOLL_CLOEXEC);

    if (set < 0)
        net_die("epoll_create1");
    return set;
}

void loop_add(int set, int fd, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.u64 = (uint64_t)fd };

    loop_is(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e), 0, "EPOLL_CTL_ADD");
}

uint32_t loop_wait(int set, int fd)
{
    struct epoll_event e;
    int n;

    do
        n = epoll_wait(set, &e, 1, PATIENCE_MS);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return 0;
    loop_check(e.data.u64 == (uint64_t)fd, "data of another registration: %llx", (unsigned long long)e.data.u64);
    return e.events;
}

void loop_reap(int pid, const char *what)
{
    int status = 0, ended = waitpid(pid, &status, 0);

    loop_check(ended > 0 && (pid == -1 || ended == pid) && status == 0, "%s: status %x", what, (unsigned)status);
}

int loop_fork(void)
{
    int pid = fork();

    if (pid < 0)
        net_die("fork");
    if (pid == 0)
        faults = 0;
    return pid;
}

static int usage(FILE *stream, int code)
{
    fputs("usage: loop COMMAND [ARGUMENT]...; ADDRESS is 1.2.3.4:PORT, CONTROL the proxy's control socket\n", stream);
    for (int i = 0; i < TABLES; i++) {
        for (const struct loop_command *c = tables[i]; c->name; c++)
            fprintf(stream, "  %s %s\n", c->name, c->usage);
    }
    return code;
}

static const struct loop_command *find(const char *name)
{
    for (int i = 0; i < TABLES; i++) {
        for (const struct loop_command *c = tables[i]; c->name; c++) {
            if (strcmp(c->name, name) == 0)
                return c;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct loop_command *c;

    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    if (argc >= 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    c = argc >= 2 ? find(argv[1]) : NULL;
    if (!c || argc - 2 < c->arguments)
        return usage(stderr, 2);
    return c->run(argv + 2);
}
