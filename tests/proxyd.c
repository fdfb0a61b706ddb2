/* SPDX-License-Identifier: ISC */
/* proxyd.c - a small SOCKS5 server for tests, which misbehaves on demand (--help tells how) */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxyd_control.h"
#include "proxyd_log.h"
#include "proxyd_options.h"
#include "proxyd_table.h"
#include "proxyd_target.h"

enum { BACKLOG = 1024, ACCEPTS_PER_ROUND = 64, LONG_MS = 60000, FILLERS = 4 };

static volatile sig_atomic_t told_to_end;

static struct options options;
static struct pollfd set[1 + CONTROL_POLL_MAX + TABLE_POLL_MAX];

static void on_signal(int number)
{
    (void)number;
    told_to_end = 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The signals that end the proxy are let in only while it waits.  unblocked: the mask for that time. */
static void prepare_signals(sigset_t *unblocked)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, unblocked);
    sigdelset(unblocked, SIGTERM);
    sigdelset(unblocked, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static int fail(const char *what, int error)
{
    fprintf(stderr, "proxyd: %s: %s\n", what, strerror(-error));
    return 1;
}

/* Connections of our own that nobody accepts: the kernel then drops every further SYN. */
static void fill_backlog(const struct addr *at)
{
    for (int i = 0; i < FILLERS; i++) {
        int fd = target_connect(at);
        struct pollfd done = { .fd = fd, .events = POLLOUT };
        if (fd < 0 || poll(&done, 1, 200) == 0)
            return;
    }
}

static void accept_clients(int listener)
{
    for (int i = 0; i < ACCEPTS_PER_ROUND && !table_is_full(); i++) {
        int client = target_accept(listener);
        if (client < 0)
            return;
        table_add(&options, client);
    }
}

static void serve(int listener, const sigset_t *unblocked)
{
    int64_t end = options.lifetime > 0 ? now_ms() + (int64_t)options.lifetime * 1000 : INT64_MAX;
    bool go_on = true;
    for (int64_t now = now_ms(); go_on && !told_to_end && now < end; now = now_ms()) {
        int timeout_ms = end - now < LONG_MS ? (int)(end - now) : LONG_MS;
        bool closed = options.no_accept || table_is_full();
        set[0] = (struct pollfd){ .fd = closed ? -1 : listener, .events = POLLIN };
        control_poll(set + 1);
        size_t used = 1 + CONTROL_POLL_MAX + table_poll(set + 1 + CONTROL_POLL_MAX, now, &timeout_ms);
        struct timespec timeout = { .tv_sec = timeout_ms / 1000, .tv_nsec = timeout_ms % 1000 * 1000000L };
        if (ppoll(set, used, &timeout, unblocked) < 0)
            continue;
        go_on = control_step(set + 1, &options);
        table_step(set + 1 + CONTROL_POLL_MAX, now_ms());
        control_answer_waiting();
        if ((set[0].revents & POLLIN) != 0)
            accept_clients(listener);
    }
}

int main(int argc, char **argv)
{
    sigset_t unblocked;
    struct addr at;
    if (argc > 3 && strcmp(argv[1], "--tell") == 0)
        return control_tell(argv[2], argv + 3, argc - 3);
    int code = options_read(&options, argc, argv);
    if (code >= 0)
        return code;
    int error = log_open(options.log, options.ids);
    if (error < 0)
        return fail(options.log, error);
    prepare_signals(&unblocked);
    raise_limit();
    int listener = target_listen(&options.listen, options.no_accept ? 0 : BACKLOG);
    if (listener < 0)
        return fail("listen", listener);
    error = options.fastopen ? target_fastopen(listener) : 0;
    if (error < 0)
        return fail("--fastopen", error);
    error = control_open(options.control);
    if (error < 0)
        return fail(options.control, error);
    target_name(listener, false, &at);
    if (options.no_accept)
        fill_backlog(&at);
    printf("ready %u\n", at.port);
    fflush(stdout);
    serve(listener, &unblocked);
    table_end();
    control_end();
    return 0;
}
