/* SPDX-License-Identifier: ISC */
/* bench_work.h - what the benchmarks' kinds of work share */
#ifndef SOCKSIFY_TESTS_BENCH_WORK_H
#define SOCKSIFY_TESTS_BENCH_WORK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

struct bench_place {
    struct sockaddr_in sa;
};

/* Where the work leads, as the command line says. */
extern struct bench_place bench_target;

struct bench_cell {
    const char *name;
    void (*work)(long count);
};

/* What others count; what measures itself.  Both end with a cell without a name. */
extern const struct bench_cell bench_counted[], bench_timed[];

/* Says why, and ends the program. */
void bench_die(const char *what) __attribute__((noreturn));

/* Nanoseconds of a clock that only goes forward. */
int64_t bench_ns(void);

/* Connect a blocking socket to the target, by hand through the proxy where the command line says so. */
void bench_connect(int fd);

/* The same with a new socket, which is the caller's. */
int bench_stream(void);

#endif
