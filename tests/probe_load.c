/* SPDX-License-Identifier: ISC */
/* probe_load.c - many connections, one after the other and side by side, and many that come to nothing */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { THREADS_MAX = 256, STACK = 1 << 18, PATIENCE_MS = 30000 };

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

/* ---- one socket after the other that comes to nothing; each returns 0 or a positive errno */

static int refused(const struct target *t)
{
    int fd = net_socket(t, SOCK_STREAM | SOCK_NONBLOCK), error = net_connect_wait(fd, t);

    close(fd);
    return error;
}

/* Two in turn: in the one the error is asked for, in the other it is left. */
static int unasked(const struct target *t)
{
    static int turn;
    int fd = net_socket(t, SOCK_STREAM | SOCK_NONBLOCK), error;
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    if (turn++ % 2 == 0) {
        close(fd);
        return refused(t);
    }
    error = net_connect(fd, t) == 0 ? 0 : errno;
    if (error == EINPROGRESS && poll(&p, 1, PATIENCE_MS) == 1 && p.revents & POLLHUP)
        error = 0;
    close(fd);
    return error ? error : refused(t);
}

/* close() while the handshake lasts. */
static int abandoned(const struct target *t)
{
    int fd = net_socket(t, SOCK_STREAM | SOCK_NONBLOCK), error = net_connect(fd, t) == 0 ? 0 : errno;

    close(fd);
    return error;
}

static int peered(const struct target *t)
{
    int fd = net_socket(t, SOCK_DGRAM), error = net_connect(fd, t) == 0 ? 0 : errno;

    close(fd);
    return error;
}

static int unassociated(const struct target *t)
{
    int fd = net_socket(t, SOCK_DGRAM), error = 0;

    if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&t->sa, t->len) < 0)
        error = errno;
    close(fd);
    return error;
}

static int unheard(const struct target *t)
{
    int fd = net_socket(t, SOCK_STREAM), error = listen(fd, 4) == 0 ? 0 : errno;

    close(fd);
    return error;
}

static const struct {
    const char *name;
    int (*try)(const struct target *t);
} vain[] = {
    { "connect", refused }, { "connect-unasked", unasked }, { "close", abandoned }, { "peer", peered },
    { "sendto", unassociated }, { "listen", unheard },
};

/* argv: WHAT ADDRESS COUNT.  That many; how many gave which errno, the first one's, and the first other. */
static int in_vain(char **argv)
{
    struct target t = net_target(argv[1]);
    int count = atoi(argv[2]), before = net_descriptors(), first = 0, same = 0, other = 0;
    size_t what = 0;

    while (what < sizeof vain / sizeof vain[0] && strcmp(vain[what].name, argv[0]) != 0)
        what++;
    if (what == sizeof vain / sizeof vain[0])
        return 2;
    for (int i = 0; i < count; i++) {
        int error = vain[what].try(&t);

        first = i == 0 ? error : first;
        if (error == first)
            same++;
        else if (!other)
            other = error;
    }
    say_error("each", first);
    printf("so many: %d\n", same);
    say_error("another", other);
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command load_commands[] = {
    { "load", 3, load, "ADDRESS THREADS COUNT" },
    { "load-vain", 3, in_vain, "WHAT ADDRESS COUNT" },
    { NULL, 0, NULL, NULL },
};
