/* SPDX-License-Identifier: ISC */
/* probe_signal.c - connect() under signals */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { STORM_TRIES = 100000 };

static atomic_int handled;
static struct target inner;        /* what the handler connects to, len 0: nothing */
static atomic_int inner_error = -1;

static void on_signal(int number)
{
    int saved_errno = errno;

    (void)number;
    if (inner.len != 0) {
        int fd = socket(inner.sa.ss_family, SOCK_STREAM, 0);

        atomic_store(&inner_error, net_connect(fd, &inner) == 0 ? 0 : errno);
        close(fd);
    }
    atomic_fetch_add(&handled, 1);
    errno = saved_errno;
}

struct plan {
    const char *control;
    pthread_t victim;
};

/* Wait until the proxy holds the reply, interrupt, wait for the handler to have run, and let the proxy go on. */
static void *interrupt(void *argument)
{
    struct plan *p = argument;

    net_tell(p->control, "wait 1");
    pthread_kill(p->victim, SIGUSR1);
    while (atomic_load(&handled) == 0)
        sched_yield();
    net_tell(p->control, "hold none");
    net_tell(p->control, "release");
    return NULL;
}

static void install(int number, const char *mode)
{
    struct sigaction action = { .sa_handler = on_signal };

    if (strcmp(mode, "restart") == 0)
        action.sa_flags = SA_RESTART;
    sigaction(number, &action, NULL);
}

/* After EINTR the attempt may go on by itself, as the kernel's does, or be over: the program asks until it knows. */
static int settle(int fd, const struct target *t)
{
    int error = EALREADY;

    while (error == EALREADY || error == EINTR)
        error = net_connect_wait(fd, t);
    return error == EISCONN ? 0 : error;
}

/* argv: ADDRESS CONTROL restart|end.  One signal in the middle of the handshake. */
static int once(char **argv)
{
    struct target t = net_target(argv[0]);
    struct plan p = { .control = argv[1], .victim = pthread_self() };
    int before = net_descriptors(), fd = net_socket(&t, SOCK_STREAM);
    sigset_t mine, kept;
    pthread_t thread;

    install(SIGUSR1, argv[2]);
    net_tell(argv[1], "hold reply");
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &mine, &kept);
    if (pthread_create(&thread, NULL, interrupt, &p) != 0)
        net_die("pthread_create");
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    say("connect", net_connect(fd, &t));
    pthread_join(thread, NULL);
    say_error("settled", settle(fd, &t));
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS CONTROL INNER.  The handler makes a connection of its own in the middle of another's handshake. */
static int nested(char **argv)
{
    char restart[] = "restart";
    char *arguments[] = { argv[0], argv[1], restart, NULL };
    int code;

    inner = net_target(argv[2]);
    code = once(arguments);
    say_error("inner", atomic_load(&inner_error));
    return code;
}

static void storm(long microseconds)
{
    struct itimerval t = { { 0, microseconds }, { 0, microseconds } };

    setitimer(ITIMER_REAL, &t, NULL);
}

/* argv: ADDRESS restart|end BOUND.  A signal each millisecond: connect() ends within BOUND milliseconds. */
static int in_storm(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);
    long began, bound = atol(argv[2]);
    int result;

    install(SIGALRM, argv[1]);
    storm(1000);
    began = net_clock();
    result = net_connect(fd, &t);
    storm(0);
    say("connect", result);
    puts(net_clock() - began < bound ? "in time" : "late");
    puts(atomic_load(&handled) > 0 ? "storm" : "no storm");
    say_error("settled", settle(fd, &t));
    close(fd);
    return 0;
}

/* argv: ADDRESS SECONDS.  Handlers without SA_RESTART: each connect() ends by EINTR or with a tunnel; none hangs. */
static int storm_sequence(char **argv)
{
    struct target t = net_target(argv[0]);
    long end = net_clock() + atol(argv[1]) * 1000;
    int interrupted = 0, other = 0, before = net_descriptors();

    install(SIGALRM, "end");
    storm(700);
    for (int i = 0; i < STORM_TRIES && net_clock() < end; i++) {
        int fd = net_socket(&t, SOCK_STREAM);
        int result = net_connect(fd, &t);

        if (result != 0 && errno == EINTR)
            interrupted++;
        else if (result != 0)
            other = errno;
        close(fd);
    }
    storm(0);
    puts(interrupted > 0 ? "interrupted" : "never interrupted");
    say_error("other error", other);
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command signal_commands[] = {
    { "signal", 3, once, "ADDRESS CONTROL restart|end" },
    { "signal-nested", 3, nested, "ADDRESS CONTROL INNER" },
    { "storm", 3, in_storm, "ADDRESS restart|end BOUND" },
    { "storm-sequence", 2, storm_sequence, "ADDRESS SECONDS" },
    { NULL, 0, NULL, NULL },
};
