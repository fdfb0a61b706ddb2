/* SPDX-License-Identifier: ISC */
/* probe_kills.c - processes that share what is pending with one that is killed in the middle of a handshake, again and
 * again, and a proxy that goes away and comes back while all of them connect */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { WORKERS = 4, MOST = 64, PATIENCE_MS = 30000, LATE_MS = 25000 };

/* Shared by all processes. */
static struct shared {
    atomic_bool over;
    atomic_int victim_begun, good, bad, late, first_error, lost;
} *shared;

static struct target target;

static int use(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    int error = 0;

    if (net_connect(fd, &target) != 0) {
        if (errno != EINPROGRESS)
            return errno;
        if (poll(&p, 1, PATIENCE_MS) != 1)
            return EBUSY;
        error = net_error(fd);
    }
    return error ? error : net_echo(fd, 200);
}

/* Connections one after the other, blocking and not in turn. */
static void work(bool may_fail)
{
    for (int i = 0; !atomic_load(&shared->over); i++) {
        int fd = net_socket(&target, SOCK_STREAM | (i % 3 ? SOCK_NONBLOCK : 0)), none = 0;
        long began = net_clock();
        int error = use(fd);

        close(fd);
        atomic_fetch_add(net_clock() - began > LATE_MS ? &shared->late : error ? &shared->bad : &shared->good, 1);
        if (error && !may_fail)
            atomic_compare_exchange_strong(&shared->first_error, &none, error);
    }
    _exit(0);
}

/* Handshakes as fast as they can be begun, until it is killed. */
static void be_victim(void)
{
    int fd[MOST], next = 0;

    for (int i = 0; i < MOST; i++)
        fd[i] = -1;
    for (;;) {
        struct pollfd p = { .events = POLLOUT };

        if (fd[next] >= 0)
            close(fd[next]);
        p.fd = fd[next] = net_socket(&target, SOCK_STREAM | SOCK_NONBLOCK);
        net_connect(fd[next], &target);
        poll(&p, 1, 0);
        next = (next + 1) % MOST;
        atomic_fetch_add(&shared->victim_begun, 1);
    }
}

/* Never without a child: -1 would be everybody. */
static pid_t start(void)
{
    pid_t pid = fork();

    if (pid < 0)
        net_die("fork");
    return pid;
}

static void start_workers(pid_t *pid, bool may_fail)
{
    for (int i = 0; i < WORKERS; i++) {
        pid[i] = start();
        if (pid[i] == 0)
            work(may_fail);
    }
}

static void end_workers(const pid_t *pid)
{
    atomic_store(&shared->over, true);
    for (int i = 0; i < WORKERS; i++) {
        int status;

        if (waitpid(pid[i], &status, 0) != pid[i] || status != 0)
            atomic_fetch_add(&shared->lost, 1);
    }
}

static void prepare(const char *address)
{
    target = net_target(address);
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        net_die("mmap");
}

/* Kill it once it has begun some more. */
static void kill_victim(int more)
{
    int begun = atomic_load(&shared->victim_begun), status;
    pid_t pid = start();

    if (pid == 0)
        be_victim();
    while (atomic_load(&shared->victim_begun) - begun < more)
        sched_yield();
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
}

/* The same with a victim that is the first in a PID namespace.  Returns false where there can be none. */
static bool kill_victim_apart(int more)
{
    int status = -1;
    pid_t pid = start();

    if (pid == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(1);
        kill_victim(more);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status == 0;
}

/* One more connection, blocking; nobody else is left. */
static void say_last(void)
{
    int fd = net_socket(&target, SOCK_STREAM), error = net_connect(fd, &target) == 0 ? net_echo(fd, 200) : errno;

    say_error("afterwards", error);
    close(fd);
}

/* bad: what is said if some have failed, NULL: nothing, and nothing of their time. */
static void report(const char *bad)
{
    fprintf(stderr, "%d good, %d failed\n", atomic_load(&shared->good), atomic_load(&shared->bad));
    printf("some are good: %s\n", atomic_load(&shared->good) > 0 ? "yes" : "no");
    if (bad)
        printf("failed: %s\nlate: %d\n", atomic_load(&shared->bad) ? bad : "none", atomic_load(&shared->late));
    say_error("error", atomic_load(&shared->first_error));
    printf("lost processes: %d\n", atomic_load(&shared->lost));
    say_last();
}

/* argv: ADDRESS ROUNDS. */
static int kills(char **argv)
{
    pid_t pid[WORKERS];
    int before = net_descriptors();

    prepare(argv[0]);
    start_workers(pid, false);
    for (int i = 0; i < atoi(argv[1]); i++)
        kill_victim(1 + i % 17);
    end_workers(pid);
    report("some");
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS ROUNDS.  The victims are in PID namespaces of their own, so that nobody can tell who died: handshakes
 * may then fail for all of them, but nobody waits for ever, and a blocking connect() needs nothing of it. */
static int kills_apart(char **argv)
{
    pid_t pid[WORKERS];
    bool all = true;
    int ended;

    prepare(argv[0]);
    start_workers(pid, true);
    /* Once it has died at the wrong moment there is no more to be learnt from others. */
    for (int i = 0; i < atoi(argv[1]) && all && !atomic_load(&shared->bad); i++)
        all = kill_victim_apart(1 + i % 17);
    ended = atomic_load(&shared->good) + atomic_load(&shared->bad);
    while (all && atomic_load(&shared->good) + atomic_load(&shared->bad) - ended < 2 * WORKERS)
        sched_yield();
    end_workers(pid);
    report(NULL);
    return all ? 0 : 77;
}

/* argv: ADDRESS.  Lines on standard input say what happened to the proxy; after the last one all must be well again. */
static int restarts(char **argv)
{
    pid_t pid[WORKERS];
    int before = net_descriptors(), c;

    prepare(argv[0]);
    start_workers(pid, true);
    puts("working");
    fflush(stdout);
    while ((c = getchar()) != EOF)
        ;
    end_workers(pid);
    report("some");
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command kills_commands[] = {
    { "kills", 2, kills, "ADDRESS ROUNDS" },
    { "kills-apart", 2, kills_apart, "ADDRESS ROUNDS" },
    { "restarts", 1, restarts, "ADDRESS <EVENTS" },
    { NULL, 0, NULL, NULL },
};
