/* SPDX-License-Identifier: ISC */
/* probe_load.c - many connections, one after the other and side by side */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { THREADS_MAX = 256, STACK = 1 << 18 };

struct load {
    struct target target;
    int count;
    atomic_int good, bad, first_error, strange_peers;
};

static int use(struct load *l, int fd)
{
    struct target peer = { .len = sizeof peer.sa };

    if (net_connect(fd, &l->target) != 0)
        return errno;
    if (getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len) != 0)
        return errno;
    if (peer.len != l->target.len || memcmp(&peer.sa, &l->target.sa, peer.len) != 0)
        atomic_fetch_add(&l->strange_peers, 1);
    return net_echo(fd, 500);
}

static void *run(void *argument)
{
    struct load *l = argument;

    for (int i = 0; i < l->count; i++) {
        int fd = socket(l->target.sa.ss_family, SOCK_STREAM, 0);
        int error = fd < 0 ? errno : use(l, fd);
        int none = 0;

        if (fd >= 0)
            close(fd);
        atomic_fetch_add(error ? &l->bad : &l->good, 1);
        if (error)
            atomic_compare_exchange_strong(&l->first_error, &none, error);
    }
    return NULL;
}

static void run_threads(struct load *l, int threads)
{
    pthread_t thread[THREADS_MAX];
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    for (int i = 0; i < threads; i++) {
        errno = pthread_create(&thread[i], &attr, run, l);
        if (errno != 0)
            net_die("pthread_create");
    }
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

/* argv: ADDRESS THREADS COUNT.  The count is for each thread. */
static int load(char **argv)
{
    struct load l = { .target = net_target(argv[0]), .count = atoi(argv[2]) };
    int threads = atoi(argv[1]) < THREADS_MAX ? atoi(argv[1]) : THREADS_MAX;
    int before = net_descriptors();

    if (threads > 1)
        run_threads(&l, threads);
    else
        run(&l);
    printf("good: %d\nbad: %d\n", atomic_load(&l.good), atomic_load(&l.bad));
    say_error("first error", atomic_load(&l.first_error));
    printf("strange peers: %d\n", atomic_load(&l.strange_peers));
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command load_commands[] = {
    { "load", 3, load, "ADDRESS THREADS COUNT" },
    { NULL, 0, NULL, NULL },
};
