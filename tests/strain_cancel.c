/* SPDX-License-Identifier: ISC */
/* strain_cancel.c - which calls obey a cancellation request that came before them, and which leave errno alone */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

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

static void try(struct trial *t)
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
    if (end == PTHREAD_CANCELED)
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
