/* SPDX-License-Identifier: ISC */
/* loop_matrix.h - every way to wait for a connect(), as one: the cells of the matrix */
#ifndef SOCKSIFY_TESTS_LOOP_MATRIX_H
#define SOCKSIFY_TESTS_LOOP_MATRIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum way { WAY_EPOLL, WAY_POLL, WAY_PPOLL, WAY_SELECT, WAY_PSELECT };

struct mode {
    const char *name;
    enum way way;
    uint32_t events;       /* of the registration, beyond EPOLLIN and EPOLLOUT */
    bool before;           /* registered before connect() */
};

extern const struct mode matrix_modes[];

enum { MATRIX_MODES = 12, MATRIX_ORDERS = 4, MATRIX_CELLS = MATRIX_MODES * MATRIX_ORDERS, MATRIX_TEXT = 2048 };

/* One cell, in memory shared with the process that runs it. */
struct cell {
    atomic_uint used;
    char text[MATRIX_TEXT];
};

struct matrix {
    atomic_uint held;          /* cells that have seen what there is to see before the release */
    atomic_bool released;
    bool speaks;               /* the target speaks first: the order of its bytes and of writability is open */
    bool early_wait;           /* wait once before connect() */
    int beside;                /* a socket that every wait has as well, and that shows nothing; -1: none */
    struct cell cell[MATRIX_CELLS];
};

/* Run one cell in this process.  sa: where it connects to. */
void matrix_run(struct matrix *m, int number, const struct sockaddr *sa, socklen_t len);

#endif
