/* SPDX-License-Identifier: ISC */
/* loop_datagram.h - a socket of this process that is the target of its datagrams (the sink) */
#ifndef SOCKSIFY_TESTS_LOOP_DATAGRAM_H
#define SOCKSIFY_TESTS_LOOP_DATAGRAM_H

#include <pthread.h>

#include "loop.h"

/* The sink and its address, made by sink_begin().  argv: CONTROL. */
extern int sink;
extern struct target to_sink;
void sink_begin(char **argv);

/* A datagram socket of the sink's family.  type: SOCK_NONBLOCK and the like. */
int sink_socket(int type);

/* Send the numbers from first on, each as a datagram: no call may sleep or fail. */
void sink_send(int fd, int first, int count, int flags);

/* The sink has these numbers, in this order, now or soon.  from: gets the source of the last. */
void sink_has(int first, int count, struct target *from);

/* Bring on what is to arrive: the reading of the sink does not. */
void sink_waits(void);

/* There is no more. */
void sink_empty(void);

/* The sink answers through the relay; fd's program sees the sink's own address. */
void sink_answer(int fd, const struct target *relay, const char *what);

/* A thread that lets the proxy go on once it holds so many replies.  count: lives as long as the thread. */
pthread_t loop_release_later(int *count);

#endif
