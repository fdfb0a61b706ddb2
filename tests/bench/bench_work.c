/* SPDX-License-Identifier: ISC */
/* bench_work.c - one kind of work, done as often as is asked, for whoever counts what it takes
 *
 * bench_work WORK COUNT [TARGET PORT [PROXY PORT order|flight|account|account-flight]]: with a proxy this is the client
 * written by hand, one message a round trip or all in one flight, without credentials or with.  What is counted from
 * outside (instructions, system calls) prints nothing; work that takes time measures itself and prints one number.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_work.h"

struct bench_place bench_target;
static struct bench_place proxy;
static bool by_hand, in_flight, with_account;

void bench_die(const char *what)
{
    perror(what);
    exit(1);
}

int64_t bench_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void set_place(struct bench_place *p, const char *address, const char *port)
{
    p->sa.sin_family = AF_INET;
    p->sa.sin_port = htons((uint16_t)atoi(port));
    if (inet_pton(AF_INET, address, &p->sa.sin_addr) != 1)
        bench_die(address);
}

static void send_all(int fd, const void *p, size_t len)
{
    if (send(fd, p, len, MSG_NOSIGNAL) != (ssize_t)len)
        bench_die("send");
}

static void receive_all(int fd, void *p, size_t len)
{
    if (recv(fd, p, len, MSG_WAITALL) != (ssize_t)len)
        bench_die("recv");
}

/* The messages, one behind the other, and the lengths of the replies. */
static void shake_hands(int fd)
{
    static const uint8_t login[] = "\1\2me\6secret";
    uint8_t message[64], reply[16];
    size_t length[3] = { 3, with_account ? sizeof login - 1 : 0, 10 }, answer[3] = { 2, with_account ? 2 : 0, 10 };
    uint8_t *p = message;

    memcpy(p, with_account ? "\5\1\2" : "\5\1\0", 3);
    memcpy(p + 3, login, length[1]);
    memcpy(p + 3 + length[1], "\5\1\0\1", 4);
    memcpy(p + 7 + length[1], &bench_target.sa.sin_addr, 4);
    memcpy(p + 11 + length[1], &bench_target.sa.sin_port, 2);
    if (in_flight) {
        send_all(fd, p, 13 + length[1]);
        receive_all(fd, reply, 12 + answer[1]);
        return;
    }
    for (int i = 0; i < 3; p += length[i++]) {
        if (!length[i])
            continue;
        send_all(fd, p, length[i]);
        receive_all(fd, reply, answer[i]);
    }
}

void bench_connect(int fd)
{
    const struct bench_place *to = by_hand ? &proxy : &bench_target;

    if (connect(fd, (const struct sockaddr *)&to->sa, sizeof to->sa) != 0)
        bench_die("connect");
    if (by_hand)
        shake_hands(fd);
}

int bench_stream(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        bench_die("socket");
    bench_connect(fd);
    return fd;
}

static const struct bench_cell *find(const char *name)
{
    const struct bench_cell *const lists[] = { bench_counted, bench_timed };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (const struct bench_cell *c = lists[i]; c->name; c++)
            if (strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

int main(int argc, char **argv)
{
    const struct bench_cell *cell = argc > 2 ? find(argv[1]) : NULL;

    if (!cell)
        return 2;
    if (argc > 4)
        set_place(&bench_target, argv[3], argv[4]);
    if (argc > 7) {
        set_place(&proxy, argv[5], argv[6]);
        by_hand = true;
        with_account = strncmp(argv[7], "account", 7) == 0;
        in_flight = strstr(argv[7], "flight") != NULL;
    }
    cell->work(atol(argv[2]));
    return 0;
}
