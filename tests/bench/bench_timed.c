/* SPDX-License-Identifier: ISC */
/* bench_timed.c - work that measures itself, and prints one number */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench_work.h"

enum { CHUNK = 65536, SECOND = 1000000000, TICK_MS = 10, MANY = 100 };

static int start(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    if (connect(fd, (struct sockaddr *)&bench_target.sa, sizeof bench_target.sa) != 0 && errno != EINPROGRESS)
        bench_die("connect");
    return fd;
}

static int outcome(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Milliseconds from connect() to the first byte back; the median of count. */
static void first_byte(long count)
{
    double *took = calloc((size_t)count, sizeof *took);

    for (long i = 0; i < count; i++) {
        int64_t began = bench_ns();
        int fd = bench_stream();
        char byte = 'x';

        if (send(fd, &byte, 1, 0) != 1 || recv(fd, &byte, 1, 0) != 1)
            bench_die("first byte");
        took[i] = (double)(bench_ns() - began) / 1e6;
        close(fd);
    }
    qsort(took, (size_t)count, sizeof *took, compare);
    printf("%.3f\n", took[count / 2]);
    free(took);
}

/* The longest gap of a ticker of 10 ms while a connect() lasts, in milliseconds.  count: ticks after its end. */
static void ticker(long count)
{
    struct itimerspec every = { { 0, TICK_MS * 1000000 }, { 0, TICK_MS * 1000000 } };
    struct epoll_event e = { .events = EPOLLIN, .data.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK) };
    int set = epoll_create1(0), timer = e.data.fd, fd;
    int64_t last, gap = 0;
    bool connected = false;

    epoll_ctl(set, EPOLL_CTL_ADD, timer, &e);
    timerfd_settime(timer, 0, &every, NULL);
    last = bench_ns();
    fd = start();
    e = (struct epoll_event){ .events = EPOLLOUT | EPOLLONESHOT, .data.fd = fd };
    epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
    while (!connected || count > 0) {
        uint64_t ticks;

        if (epoll_wait(set, &e, 1, 5000) != 1)
            bench_die("ticker");
        if (e.data.fd == fd) {
            if (outcome(fd))
                bench_die("connect");
            connected = true;
        } else if (read(timer, &ticks, sizeof ticks) == sizeof ticks) {
            gap = bench_ns() - last > gap ? bench_ns() - last : gap;
            last = bench_ns();
            count -= connected;
        }
    }
    printf("%.3f\n", (double)gap / 1e6);
}

/* Milliseconds until count sockets are connected, all begun at once. */
static void together(long count)
{
    struct epoll_event e = { .events = EPOLLOUT | EPOLLONESHOT };
    int set = epoll_create1(0);
    int64_t began = bench_ns();

    for (long i = 0; i < count; i++) {
        e.events = EPOLLOUT | EPOLLONESHOT;
        e.data.fd = start();
        epoll_ctl(set, EPOLL_CTL_ADD, e.data.fd, &e);
    }
    for (long i = 0; i < count; i++)
        if (epoll_wait(set, &e, 1, 5000) != 1 || outcome(e.data.fd))
            bench_die("together");
    printf("%.3f\n", (double)(bench_ns() - began) / 1e6);
}

static long kib_of(const char *path, const char *name)
{
    FILE *f = fopen(path, "r");
    size_t len = strlen(name);
    char line[128];
    long kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, len) == 0)
            kib = atol(line + len);
    if (f)
        fclose(f);
    return kib;
}

static long private_kib(void)
{
    return kib_of("/proc/self/smaps_rollup", "Private_Dirty:");
}

/* A connection that ends without its minute of waiting, of which there are no ports for so many. */
static int leave_no_trace(int fd)
{
    struct linger now = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return fd;
}

/* Microseconds for a further connect() and close() while count are open, and bytes of memory for each of those. */
static void crowd(long count)
{
    struct rlimit files = { 60000, 60000 };
    int64_t began;
    long before;

    setrlimit(RLIMIT_NOFILE, &files);
    close(bench_stream());
    before = private_kib();
    for (long i = 0; i < count; i++)
        leave_no_trace(bench_stream());
    before = private_kib() - before;
    began = bench_ns();
    for (int i = 0; i < MANY; i++)
        close(leave_no_trace(bench_stream()));
    printf("%.1f %.0f\n", (double)(bench_ns() - began) / 1e3 / MANY, (double)before * 1024 / (double)count);
}

/* Microseconds for a name that was never asked for. */
static void names(long count)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    int64_t began = bench_ns();

    for (long i = 0; i < count; i++) {
        char name[64];

        snprintf(name, sizeof name, "host%ld.bench.example", i);
        if (getaddrinfo(name, "80", &hints, &list) != 0)
            bench_die(name);
        freeaddrinfo(list);
    }
    printf("%.3f\n", (double)(bench_ns() - began) / 1e3 / (double)count);
}

/* MB/s from a target that sends for ever.  count: milliseconds. */
static void stream(long count)
{
    static char room[CHUNK];
    int fd = bench_stream();
    int64_t began = bench_ns(), sum = 0;

    while (bench_ns() - began < count * 1000000) {
        ssize_t n = recv(fd, room, sizeof room, 0);

        if (n < 1)
            bench_die("recv");
        sum += n;
    }
    printf("%.1f\n", (double)sum * 1e3 / (double)(bench_ns() - began));
}

/* The memory of a process that has done nothing, private and at its peak, in KiB. */
static void nothing(long count)
{
    (void)count;
    printf("%ld %ld\n", private_kib(), kib_of("/proc/self/status", "VmHWM:"));
}

const struct bench_cell bench_timed[] = {
    { "first-byte", first_byte }, { "ticker", ticker }, { "together", together }, { "crowd", crowd },
    { "names", names }, { "stream", stream }, { "nothing", nothing }, { NULL, NULL },
};
