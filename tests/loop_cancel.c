/* SPDX-License-Identifier: ISC */
/* loop_cancel.c - threads cancelled in a wait while a handshake is pending */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loop.h"

enum { WAYS = 9, ROUNDS = 6, MANY = 200 };

static const char *const names[WAYS] = {
    "epoll_wait", "epoll_pwait", "epoll_pwait2", "poll", "ppoll", "select", "pselect", "recv", "accept"
};

static int way, set, listener, many[MANY];
static atomic_int sleeping;    /* thread id of the one that waits */
static sigset_t seen;          /* its signals in its cleanup handler */

static void look_at_mask(void *argument)
{
    (void)argument;
    pthread_sigmask(SIG_SETMASK, NULL, &seen);
}

/* More descriptors than a wait has room for on its stack. */
static void poll_many(void)
{
    struct pollfd p[MANY];

    for (int i = 0; i < MANY; i++)
        p[i] = (struct pollfd){ .fd = many[i], .events = POLLIN };
    if (way == 3)
        poll(p, MANY, -1);
    else
        ppoll(p, MANY, NULL, NULL);
}

static void select_many(void)
{
    fd_set in;
    int top = 0;

    FD_ZERO(&in);
    for (int i = 0; i < MANY; i++) {
        FD_SET(many[i], &in);
        top = many[i] > top ? many[i] : top;
    }
    if (way == 5)
        select(top + 1, &in, NULL, NULL, NULL);
    else
        pselect(top + 1, &in, NULL, NULL, NULL, NULL);
}

static void wait_once(void)
{
    struct epoll_event e;
    char c;

    if (way == 0)
        epoll_wait(set, &e, 1, -1);
    else if (way == 1)
        epoll_pwait(set, &e, 1, -1, NULL);
    else if (way == 2)
        epoll_pwait2(set, &e, 1, NULL, NULL);
    else if (way <= 4)
        poll_many();
    else if (way <= 6)
        select_many();
    else if (way == 7)
        recv(many[0], &c, 1, 0);
    else
        accept(listener, NULL, NULL);
}

static void *wait_for_ever(void *argument)
{
    pthread_cleanup_push(look_at_mask, NULL);
    atomic_store(&sleeping, (int)syscall(SYS_gettid));
    for (;;)
        wait_once();
    pthread_cleanup_pop(0);
    return argument;
}

static void cancel_one(void)
{
    pthread_t thread;
    void *result = NULL;

    atomic_store(&sleeping, 0);
    sigfillset(&seen);
    pthread_create(&thread, NULL, wait_for_ever, NULL);
    while (atomic_load(&sleeping) == 0)
        ;
    loop_until_asleep(atomic_load(&sleeping));
    pthread_cancel(thread);
    pthread_join(thread, &result);
    loop_check(result == PTHREAD_CANCELED, "%s: not cancelled", names[way]);
    loop_check(!sigismember(&seen, SIGUSR1), "%s: signals are blocked in the cleanup handler", names[way]);
}

/* Pages that are mapped. */
static long mapped(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = 0;

    if (!f || fscanf(f, "%ld", &pages) != 1)
        pages = -1;
    if (f)
        fclose(f);
    return pages;
}

/* A cancelled wait leaves the thread's signals as they were, no memory, and the handshake to those that wait on. */
static int cancelled(char **argv)
{
    int fd, pipes[2];
    long before = 0;

    loop_arguments(argv);
    set = loop_set();
    fd = loop_begin(SOCK_NONBLOCK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    loop_add(set, fd, EPOLLOUT);
    if (pipe(pipes) != 0 || listen(listener, 1) != 0)
        net_die("pipe or listen");
    many[0] = fd;
    for (int i = 1; i < MANY; i++)
        many[i] = dup(pipes[0]);
    fcntl(fd, F_SETFL, 0);
    loop_hold(fd, 1);
    for (int round = 0; round <= ROUNDS; round++) {
        for (way = 0; way < WAYS; way++)
            cancel_one();
        before = round == 0 ? mapped() : before;
    }
    loop_check(mapped() == before, "%ld pages mapped, %ld before", mapped(), before);
    loop_release();
    loop_check(loop_wait(set, fd) == EPOLLOUT, "not writable");
    loop_good(fd, "after all");
    return loop_code();
}

const struct loop_command cancel_commands[] = {
    { "cancelled", 2, cancelled, "ADDRESS CONTROL" },
    { NULL, 0, NULL, NULL },
};
