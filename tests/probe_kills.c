/* SPDX-License-Identifier: ISC */
/* probe_kills.c - processes that share what is pending with one that is killed in the middle of a handshake, again and
 * again, and a proxy that goes away and comes back while all of them connect */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_once.h"
#include "probe_text.h"

enum { WORKERS = 4, MOST = 64, PATIENCE_MS = 30000, LATE_MS = 25000, IN_TURN = 20, REST_MS = 10,
       STUCK_MS = 4500 };    /* a timeout of one second, what is waited for the lock, and what is given to others */

/* Shared by all processes. */
static struct shared {
    atomic_bool over;
    atomic_int victim_begun, good, bad, first_error, lost;
    atomic_int late, blocked;            /* blocked: of connect() itself, where that waits */
    atomic_int datagrams, listeners;     /* that were good */
} *shared;

static struct target target, datagram_target, back_target;

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
        if (net_clock() - began > LATE_MS)
            atomic_fetch_add(i % 3 ? &shared->late : &shared->blocked, 1);
        else
            atomic_fetch_add(error ? &shared->bad : &shared->good, 1);
        if (error && !may_fail)
            atomic_compare_exchange_strong(&shared->first_error, &none, error);
    }
    _exit(0);
}

/* What came of one of the others; who fails without a proxy gives way. */
static void note(atomic_int *good, int error, long began)
{
    atomic_fetch_add(net_clock() - began > LATE_MS ? &shared->late : error ? &shared->bad : good, 1);
    if (error)
        poll(NULL, 0, REST_MS);
}

/* Datagrams of a socket whose association may end at any time. */
static void work_datagrams(void)
{
    while (!atomic_load(&shared->over)) {
        int fd = net_socket(&datagram_target, SOCK_DGRAM);

        for (int i = 0; i < IN_TURN && !atomic_load(&shared->over); i++) {
            long began = net_clock();

            note(&shared->datagrams, once_datagram(fd, &datagram_target), began);
        }
        close(fd);
    }
    _exit(0);
}

static void work_listeners(void)
{
    while (!atomic_load(&shared->over)) {
        long began = net_clock();

        note(&shared->listeners, once_listener(&back_target), began);
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

static void end_workers(const pid_t *pid, int count)
{
    atomic_store(&shared->over, true);
    for (int i = 0; i < count; i++) {
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

/* Sure to be in the middle: a library behind the object kills it in the call that is made under the lock. */
static void die_inside(void)
{
    int (*die)(const char *call);

    *(void **)&die = dlsym(RTLD_DEFAULT, "faulty_die");
    if (!die || !die("connect"))
        net_die("no faulty.so");
    net_connect(net_socket(&target, SOCK_STREAM | SOCK_NONBLOCK), &target);
    _exit(0);
}

/* Returns false if it has not died. */
static bool kill_inside(void)
{
    int status = -1;
    pid_t pid = start();

    if (pid == 0)
        die_inside();
    waitpid(pid, &status, 0);
    return WIFSIGNALED(status);
}

/* In a PID namespace, where it is the second: the first one cannot kill itself. */
static bool kill_inside_apart(void)
{
    int status = -1;
    pid_t pid = start();

    if (pid == 0) {
        if (unshare(CLONE_NEWPID) != 0)
            _exit(1);
        pid = start();
        if (pid == 0)
            _exit(!kill_inside());
        waitpid(pid, &status, 0);
        _exit(status != 0);
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

/* bad: what is said if some have failed, NULL: nothing. */
static void report(const char *bad)
{
    fprintf(stderr, "%d good, %d failed, %d late\n", atomic_load(&shared->good), atomic_load(&shared->bad),
            atomic_load(&shared->late));
    printf("some are good: %s\n", atomic_load(&shared->good) > 0 ? "yes" : "no");
    if (bad)
        printf("failed: %s\n", atomic_load(&shared->bad) ? bad : "none");
    printf("late: %d\n", atomic_load(&shared->late));
    printf("late in connect(): %d\n", atomic_load(&shared->blocked));
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
    end_workers(pid, WORKERS);
    report("some");
    say("leaked", net_descriptors() - before);
    return 0;
}

/* Each worker tries again, twice. */
static void await_more(void)
{
    int ended = atomic_load(&shared->good) + atomic_load(&shared->bad);

    while (atomic_load(&shared->good) + atomic_load(&shared->bad) - ended < 2 * WORKERS)
        sched_yield();
}

/* argv: ADDRESS ROUNDS APART, with faulty.so.  APART: 1: in PID namespaces, where handshakes may fail from then on. */
static int kills_inside(char **argv)
{
    int before = net_descriptors(), apart = atoi(argv[2]), died = 0;
    pid_t pid[WORKERS];

    prepare(argv[0]);
    start_workers(pid, apart);
    for (int i = 0; i < atoi(argv[1]); i++) {
        died += apart ? kill_inside_apart() : kill_inside();
        await_more();
    }
    end_workers(pid, WORKERS);
    say("died inside", died);
    report(apart ? NULL : "some");
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS ROUNDS.  The victims are in PID namespaces of their own, so that nobody can tell who died: handshakes
 * may then fail for all of them, but nobody waits for ever, and a blocking connect() needs nothing of it. */
static int kills_apart(char **argv)
{
    pid_t pid[WORKERS];
    bool all = true;

    prepare(argv[0]);
    start_workers(pid, true);
    /* Once it has died at the wrong moment there is no more to be learnt from others. */
    for (int i = 0; i < atoi(argv[1]) && all && !atomic_load(&shared->bad); i++)
        all = kill_victim_apart(1 + i % 17);
    if (all)
        await_more();
    end_workers(pid, WORKERS);
    report(NULL);
    return all ? 0 : 77;
}

static int begin(void)
{
    int fd = net_socket(&target, SOCK_STREAM | SOCK_NONBLOCK);

    if (net_connect(fd, &target) != -1 || errno != EINPROGRESS)
        net_die("connect");
    return fd;
}

/* argv: ADDRESS CONTROL, through a proxy that holds its replies, with faulty.so.  Somebody has died with the lock whom
 * nobody can tell to be dead: who waits without a limit is told in time, and sleeps meanwhile. */
static int kills_stuck(char **argv)
{
    struct pollfd p[2] = { { .events = POLLOUT }, { .events = POLLOUT } };
    int set = epoll_create1(0), empty = epoll_create1(0), fd;
    struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 7 };
    long began;
    clock_t used;

    prepare(argv[0]);
    for (int i = 0; i < 2; i++)
        p[i].fd = begin();
    fd = begin();
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
    while (net_tell(argv[1], "count") < 3) {
        poll(p, 2, 5);
        epoll_wait(set, &e, 1, 5);
    }
    say("died inside", kill_inside_apart());
    began = net_clock();
    used = clock();
    /* This reply lies there until the end. */
    say("released", net_tell(argv[1], "release 1"));
    while (!p[0].revents || !p[1].revents) {
        struct pollfd *left = p[0].revents ? p + 1 : p;

        poll(left, left == p && !p[1].revents ? 2 : 1, -1);
    }
    puts(net_clock() - began < STUCK_MS ? "poll: in time" : "poll: late");
    say("epoll", epoll_wait(set, &e, 1, -1));
    puts(net_clock() - began < STUCK_MS ? "epoll: in time" : "epoll: late");
    say("data", (long)e.data.u64);
    say_error("answered", net_error(p[0].fd));
    say_error("silent", net_error(p[1].fd));
    say_error("registered", net_error(fd));
    say("empty", epoll_wait(empty, &e, 1, 500));
    puts(clock() - used < CLOCKS_PER_SEC / 2 ? "asleep" : "busy");
    return 0;
}

static void say_others(void)
{
    int fd = net_socket(&datagram_target, SOCK_DGRAM);

    fprintf(stderr, "%d datagrams, %d listeners\n", atomic_load(&shared->datagrams), atomic_load(&shared->listeners));
    printf("some datagrams are good: %s\n", atomic_load(&shared->datagrams) > 0 ? "yes" : "no");
    printf("some listeners are good: %s\n", atomic_load(&shared->listeners) > 0 ? "yes" : "no");
    say_error("a datagram afterwards", once_datagram(fd, &datagram_target));
    say_error("a listener afterwards", once_listener(&back_target));
    close(fd);
}

/* argv: ADDRESS DATAGRAM BACK.  Lines on standard input say what happened to the proxy; after the last one all must be
 * well again. */
static int restarts(char **argv)
{
    pid_t pid[WORKERS + 2];
    int before = net_descriptors(), c;

    prepare(argv[0]);
    datagram_target = net_target(argv[1]);
    back_target = net_target(argv[2]);
    start_workers(pid, true);
    pid[WORKERS] = start();
    if (pid[WORKERS] == 0)
        work_datagrams();
    pid[WORKERS + 1] = start();
    if (pid[WORKERS + 1] == 0)
        work_listeners();
    puts("working");
    fflush(stdout);
    while ((c = getchar()) != EOF)
        ;
    end_workers(pid, WORKERS + 2);
    report("some");
    say_others();
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command kills_commands[] = {
    { "kills", 2, kills, "ADDRESS ROUNDS" },
    { "kills-apart", 2, kills_apart, "ADDRESS ROUNDS" },
    { "kills-inside", 3, kills_inside, "ADDRESS ROUNDS APART, with faulty.so" },
    { "kills-stuck", 2, kills_stuck, "ADDRESS CONTROL, with faulty.so" },
    { "restarts", 3, restarts, "ADDRESS DATAGRAM BACK <EVENTS" },
    { NULL, 0, NULL, NULL },
};
