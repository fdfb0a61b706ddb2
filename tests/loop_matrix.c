/* SPDX-License-Identifier: ISC */
/* loop_matrix.c - the matrix: all cells at once, each in a process of its own
 *
 * Bare, the kernel holds the SYN: the target's queue is full.  To let it go on is to accept, or to close the listener,
 * which then refuses.  Through a proxy, the proxy holds its reply.
 */
#include "loop_matrix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop.h"

enum { MOST = 4 * MATRIX_CELLS };

struct held {
    struct target at;
    int listener, filler;
};

static void hold(struct held *h)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    h->at.len = sizeof sa;
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    h->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(h->listener, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(h->listener, 0) != 0 ||
        getsockname(h->listener, (struct sockaddr *)&h->at.sa, &h->at.len) != 0 || net_connect(h->filler, &h->at) != 0)
        net_die("a listener that holds");
}

/* A connect() through a proxy that never answers. */
static int begin_beside(const char *address)
{
    struct target t = net_target(address);
    int fd = net_socket(&t, SOCK_STREAM | SOCK_NONBLOCK);

    if (net_connect(fd, &t) != -1 || errno != EINPROGRESS)
        net_die("a connect() that lasts");
    return fd;
}

static struct matrix *new_matrix(char **flags)
{
    struct matrix *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (m == MAP_FAILED)
        net_die("mmap");
    m->beside = -1;
    for (; *flags; flags++) {
        m->speaks |= strcmp(*flags, "speaks") == 0;
        m->early_wait |= strcmp(*flags, "early") == 0;
        if (strncmp(*flags, "beside=", 7) == 0)
            m->beside = begin_beside(*flags + 7);
    }
    return m;
}

static void start_cells(struct matrix *m, const struct held *h, const struct target *one)
{
    for (int i = 0; i < MATRIX_CELLS; i++) {
        const struct target *t = one ? one : &h[i].at;
        pid_t pid = fork();

        if (pid < 0)
            net_die("fork");
        if (pid == 0) {
            /* The parent closes its listeners to refuse; ours would keep them open. */
            for (int k = 0; h && k < MATRIX_CELLS; k++) {
                close(h[k].listener);
                close(h[k].filler);
            }
            matrix_run(m, i, (const struct sockaddr *)&t->sa, t->len);
            _exit(0);
        }
    }
}

static void all_held(struct matrix *m)
{
    while (atomic_load(&m->held) < MATRIX_CELLS) {
        if (waitpid(-1, NULL, WNOHANG) > 0) {
            fputs("a cell has ended too early\n", stderr);
            exit(1);
        }
        sched_yield();
    }
    atomic_store(&m->released, true);
}

/* other: a child that is no cell, or 0. */
static int report(const struct matrix *m, pid_t other)
{
    int status, code = 0;

    for (int i = 0; i < MATRIX_CELLS; i++)
        code |= wait(&status) > 0 ? status : 1;
    if (other > 0) {
        kill(other, SIGKILL);
        waitpid(other, &status, 0);
    }
    for (int i = 0; i < MATRIX_CELLS; i++)
        printf("%s, order %d\n%s", matrix_modes[i / MATRIX_ORDERS].name, i % MATRIX_ORDERS, m->cell[i].text);
    return code != 0;
}

static bool echo(int fd)
{
    char buf[256];
    ssize_t n = recv(fd, buf, sizeof buf, 0);

    return n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

/* Accept and echo, until the parent has what it needs. */
static void accept_all(const struct held *h, bool speaks)
{
    struct pollfd p[MOST];
    nfds_t count = MATRIX_CELLS;

    for (int i = 0; i < MATRIX_CELLS; i++)
        p[i] = (struct pollfd){ .fd = h[i].listener, .events = POLLIN };
    while (poll(p, count, 30000) > 0) {
        for (nfds_t i = 0; i < count; i++) {
            if (i >= MATRIX_CELLS && p[i].revents && !echo(p[i].fd)) {
                close(p[i].fd);
                p[i].fd = -1;
            }
            if (i < MATRIX_CELLS && p[i].revents && count < MOST) {
                p[count] = (struct pollfd){ .fd = accept(p[i].fd, NULL, NULL), .events = POLLIN };
                if (speaks)
                    send(p[count].fd, "hello", 5, MSG_NOSIGNAL);
                p[count++].revents = 0;
            }
        }
    }
}

static int bare(char **argv)
{
    static struct held h[MATRIX_CELLS];
    struct matrix *m = new_matrix(argv + 1);
    bool refuse = strcmp(argv[0], "refuse") == 0;
    pid_t server;

    for (int i = 0; i < MATRIX_CELLS; i++)
        hold(&h[i]);
    start_cells(m, h, NULL);
    all_held(m);
    server = refuse ? 0 : fork();
    if (!refuse && server == 0) {
        accept_all(h, m->speaks);
        _exit(0);
    }
    for (int i = 0; i < MATRIX_CELLS; i++)
        close(h[i].listener);
    return report(m, server);
}

static int through(char **argv)
{
    struct matrix *m = new_matrix(argv + 2);

    loop_arguments(argv);
    start_cells(m, NULL, &loop_target);
    loop_held(MATRIX_CELLS);
    all_held(m);
    loop_release();
    return report(m, 0);
}

/* Nothing is released: the deadline ends each. */
static int hang(char **argv)
{
    struct matrix *m = new_matrix(argv + 1);

    loop_target = net_target(argv[0]);
    atomic_store(&m->released, true);
    start_cells(m, NULL, &loop_target);
    return report(m, 0);
}

const struct loop_command matrix_commands[] = {
    { "bare", 1, bare, "accept|refuse [speaks] [early] [beside=ADDRESS]: the matrix, with targets of its own" },
    { "through", 2, through, "ADDRESS CONTROL [speaks] [early]: the matrix, through a proxy that holds" },
    { "hang", 1, hang, "ADDRESS [early]: the matrix, through a proxy that never answers" },
    { NULL, 0, NULL, NULL },
};
