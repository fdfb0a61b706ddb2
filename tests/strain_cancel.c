/* SPDX-License-Identifier: ISC */
/* strain_cancel.c - which calls obey a cancellation request that came before them, and which leave errno alone */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "probe_text.h"
#include "strain.h"

enum { SENTINEL = 4711 };

struct trial {
    const struct call *call;
    struct world world;
    atomic_bool ready, go;
    long result;
    int error;
};

static void *run(void *argument)
{
    struct trial *t = argument;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    atomic_store(&t->ready, true);
    while (!atomic_load(&t->go))
        sched_yield();
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    t->result = t->call->run(&t->world);
    t->error = errno;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    return NULL;
}

/* Returns whether the call has obeyed. */
static bool run_cancelled(struct trial *t)
{
    pthread_t thread;
    void *end;

    if (pthread_create(&thread, NULL, run, t) != 0)
        net_die("pthread_create");
    while (!atomic_load(&t->ready))
        sched_yield();
    pthread_cancel(thread);
    atomic_store(&t->go, true);
    pthread_join(thread, &end);
    return end == PTHREAD_CANCELED;
}

static void try(struct trial *t)
{
    if (run_cancelled(t))
        printf("%s: cancelled\n", t->call->name);
    else
        say_error(t->call->name, t->result < 0 ? t->error : 0);
}

int strain_cancel(char **argv)
{
    for (int i = 0; i < call_count; i++) {
        struct trial t = { .call = &calls[i] };

        if (calls[i].traits & NAMES)    /* POSIX leaves it open */
            continue;
        world_make(&t.world, argv, 0);
        try(&t);
        world_end(&t.world);
    }
    return 0;
}

/* Both families, of which the right one is first: what the machine has a way to is asked for. */
static long both_families(struct world *w)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    int error = getaddrinfo("localhost", NULL, &hints, &list);

    (void)w;
    if (list)
        freeaddrinfo(list);
    return error;
}

static long host_id(struct world *w)
{
    (void)w;
    return gethostid() == 0 ? -1 : 0;
}

static long refused_socket(struct world *w)
{
    (void)w;
    return socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
}

/* Calls that open something for themselves leave nothing open, whether they obey or not. */
int strain_open(char **argv)
{
    static const struct call inside[] = {
        { "getaddrinfo", both_families, NAMES }, { "gethostid", host_id, NAMES }, { "socket", refused_socket, 0 },
    };

    (void)argv;
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        struct trial t = { .call = &inside[i] };
        int before;

        /* What stays open for all that comes. */
        if (inside[i].run(&t.world) != 0)
            say(inside[i].name, -1);
        before = net_descriptors();
        run_cancelled(&t);
        say(inside[i].name, net_descriptors() - before);
    }
    return 0;
}

int strain_errno(char **argv)
{
    for (int i = 0; i < call_count; i++) {
        struct world w;
        long result;
        int error;

        world_make(&w, argv, 0);
        errno = SENTINEL;
        result = calls[i].run(&w);
        error = errno;
        if (result < 0)
            say_error(calls[i].name, error);
        else
            printf("%s: %s\n", calls[i].name, error == SENTINEL ? "kept" : "changed");
        world_end(&w);
    }
    return 0;
}
