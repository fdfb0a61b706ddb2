/* SPDX-License-Identifier: ISC */
/* strain_handler.c - what POSIX lets a signal handler call, called by one that interrupts the same */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "probe_text.h"
#include "strain.h"

enum { PAGE = 4096, ROOM = 8192, ROUNDS = 6, HANDLED = 600, BOUND_MS = 25000 };

static struct world in_handler;
static int next_in_handler;
static atomic_int handled, wrong, wrong_call;

/* One interrupt after the other, however long the handler takes. */
static void arm(void)
{
    struct itimerval t = { { 0, 0 }, { 0, 1000 } };

    setitimer(ITIMER_REAL, &t, NULL);
}

/* The errors that a call has where it must not sleep, and that of a wait, which no flag has restarted (signal(7)). */
static bool is_fine(const struct call *c, long result, int error)
{
    return result >= 0 || error == EAGAIN || error == EINPROGRESS || (error == EINTR && c->traits & WAITS);
}

static void make_call(const struct call *c, struct world *w)
{
    long result;

    world_refresh(w);
    errno = 0;
    result = c->run(w);
    if (!is_fine(c, result, errno)) {
        atomic_store(&wrong_call, (int)(c - calls));
        atomic_store(&wrong, errno);
    }
    world_use_up(w);
}

static void on_signal(int number)
{
    int saved_errno = errno;

    (void)number;
    do
        next_in_handler = (next_in_handler + 1) % call_count;
    while (!(calls[next_in_handler].traits & SAFE));
    make_call(&calls[next_in_handler], &in_handler);
    atomic_fetch_add(&handled, 1);
    arm();
    errno = saved_errno;
}

/* An alternative stack of 8 KiB beside what the kernel itself lays there. */
static void install(void)
{
    size_t frame = getauxval(AT_MINSIGSTKSZ), size;
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART };
    stack_t stack = { .ss_flags = 0 };
    char *p;

    size = ((frame ? frame : 2048) + ROOM + PAGE - 1) / PAGE * PAGE;
    p = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE) != 0)
        net_die("mmap");
    stack.ss_sp = p + PAGE;
    stack.ss_size = size;
    if (sigaltstack(&stack, NULL) != 0)
        net_die("sigaltstack");
    sigaction(SIGALRM, &action, NULL);
}

static void round_of_calls(struct world *w)
{
    for (int i = 0; i < call_count; i++) {
        if (calls[i].traits & SAFE)
            make_call(&calls[i], w);
    }
}

int strain_handler(char **argv)
{
    struct world w;
    long end;

    world_make(&w, argv, SOCK_NONBLOCK);
    world_make(&in_handler, argv, SOCK_NONBLOCK);
    world_use_up(&w);
    world_use_up(&in_handler);
    round_of_calls(&w);     /* the loader binds what is called */
    install();
    arm();
    end = net_clock() + BOUND_MS;
    for (int i = 0; (i < ROUNDS || atomic_load(&handled) < HANDLED) && net_clock() < end; i++)
        round_of_calls(&w);
    signal(SIGALRM, SIG_IGN);
    puts(atomic_load(&handled) >= HANDLED ? "handled" : "too few handled");
    if (atomic_load(&wrong))
        printf("%s: ", calls[atomic_load(&wrong_call)].name);
    say_error("wrong", atomic_load(&wrong));
    world_end(&w);
    world_end(&in_handler);
    return 0;
}
