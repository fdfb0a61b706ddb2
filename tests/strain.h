/* SPDX-License-Identifier: ISC */
/* strain.h - every hook that takes a descriptor, in one table, for what must hold of all of them
 *
 * Each call is made with everything at hand that lets it succeed at once, in a world of its own.
 */
#ifndef SOCKSIFY_TESTS_STRAIN_H
#define SOCKSIFY_TESTS_STRAIN_H

#include <stdbool.h>

#include "probe_net.h"

struct world {
    struct target tcp_to, udp_to;       /* echoing */
    int tcp, udp;                       /* connected, with a byte to be read */
    int waiting, client;                /* listening, with a connection to be accepted, and its other end */
    int fresh, fresh_udp, bound;        /* neither connected nor bound; bound, not listening */
    int pair[2], epoll, file;           /* a byte waits in pair[0], which the epoll set holds */
    int made[2];                        /* descriptors that a call has made, or -1 */
    int child;                          /* a process that a call has started, or 0 */
    int socket_flags;                   /* SOCK_NONBLOCK: nothing must sleep */
    int patience;                       /* milliseconds that a wait may sleep */
};

/* POSIX lets a signal handler call it; a resolver call; a wait, which no flag of a handler has restarted */
enum { SAFE = 1, NAMES = 2, WAITS = 4 };

struct call {
    const char *name;
    long (*run)(struct world *w);       /* the result, -1 with errno for a failure; nothing else is called but it */
    int traits;
};

extern const struct call calls[];
extern const int call_count;

/* Make what calls need.  socket_flags: 0, or SOCK_NONBLOCK.  Ends the process on failure. */
void world_make(struct world *w, char **addresses, int socket_flags);

/* Make and end what one call uses up; async-signal-safe. */
void world_refresh(struct world *w);
void world_use_up(struct world *w);

/* Give all back. */
void world_end(struct world *w);

/* What main() runs.  argv: TCP-ADDRESS UDP-ADDRESS, nothing for strain_open(); returns the exit code. */
int strain_cancel(char **argv);
int strain_errno(char **argv);
int strain_open(char **argv);
int strain_stack(char **argv);
int strain_handler(char **argv);

/* argv: NAME.  siglongjmp() out of a resolver call that waits for an answer, and cancellation of one. */
int strain_leave(char **argv);

#endif
