/* SPDX-License-Identifier: ISC */
/* loop.h - a client with event loops: one sub-command for each thing to be tried
 *
 * Where the kernel can do the same without a proxy the sub-command prints what it sees, and both outputs are compared;
 * elsewhere it checks by itself, says each fault in one line, and ends with code 1.
 */
#ifndef SOCKSIFY_TESTS_LOOP_H
#define SOCKSIFY_TESTS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "probe_net.h"

struct loop_command {
    const char *name;              /* NULL ends a table */
    int arguments;                 /* how many must follow the name at least */
    int (*run)(char **argv);       /* argv: what follows the name; returns the exit code */
    const char *usage;
};

extern const struct loop_command matrix_commands[];
extern const struct loop_command pending_commands[];
extern const struct loop_command number_commands[];
extern const struct loop_command process_commands[];
extern const struct loop_command time_commands[];
extern const struct loop_command thread_loop_commands[];
extern const struct loop_command beside_commands[];
extern const struct loop_command serve_loop_commands[];
extern const struct loop_command calls_commands[];
extern const struct loop_command cancel_commands[];
extern const struct loop_command exec_loop_commands[];
extern const struct loop_command datagram_commands[];
extern const struct loop_command datagram_end_commands[];
extern const struct loop_command datagram_odd_commands[];
extern const struct loop_command datagram_via_commands[];
extern const struct loop_command odd_commands[];

/* What the checking sub-commands share: the target's address and the proxy's control socket. */
extern struct target loop_target;
extern const char *loop_control;

/* Note a fault unless the condition holds.  Returns the condition. */
bool loop_check(bool condition, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a result and an errno: result -1 and this errno; error 0: any result but -1. */
bool loop_is(long result, int error, const char *what);

/* 1 when a fault was noted, else 0. */
int loop_code(void);

/* Take the arguments ADDRESS and CONTROL. */
void loop_arguments(char **argv);

/* A TCP socket whose connect() was begun.  type: SOCK_NONBLOCK, SOCK_CLOEXEC, 0. */
int loop_begin(int type);

/* Wait until the proxy holds that many replies; somebody else must bring the handshakes on meanwhile. */
void loop_held(int count);

/* The same, while this call brings on that of fd, and of the sockets registered in fd when it is an epoll set. */
void loop_hold(int fd, int count);

/* Let the proxy answer all it holds. */
void loop_release(void);

/* Wait, a few seconds at most, until a thread of this or another process sleeps in the kernel.  tid: its thread id. */
void loop_until_asleep(int tid);

/* The end of a connection that must be good: SO_ERROR 0, the peer is the target, bytes come back as they went. */
void loop_good(int fd, const char *what);

/* Wait with poll() for POLLIN, POLLOUT or both, 10 s at most; the events, 0 at the end of that time. */
short loop_poll(int fd, short events);

/* A new epoll set; a registration in it, whose data is fd; one wait, 10 s at most, with its events: 0 at the end. */
int loop_set(void);
void loop_add(int set, int fd, uint32_t events);
uint32_t loop_wait(int set, int fd);

/* fork(), with no faults in the child; wait for a child, whose exit code tells of its faults. */
int loop_fork(void);
void loop_reap(int pid, const char *what);

#endif
