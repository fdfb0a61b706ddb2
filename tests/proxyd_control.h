/* SPDX-License-Identifier: ISC */
/* proxyd_control.h - the test's hand on the proxy: lines over a unix-domain socket */
#ifndef SOCKSIFY_TESTS_PROXYD_CONTROL_H
#define SOCKSIFY_TESTS_PROXYD_CONTROL_H

#include <poll.h>
#include <stdbool.h>

#include "proxyd_options.h"

enum { CONTROL_CLIENTS = 8, CONTROL_POLL_MAX = CONTROL_CLIENTS + 1 };

/* Listen at a path, replacing an old socket; path NULL: no control.  Returns 0 or a negative errno. */
int control_open(const char *path);

/* Fill in what to wait for; always uses CONTROL_POLL_MAX entries of set. */
void control_poll(struct pollfd *set);

/* Read and answer.  set: as control_poll() filled it; o->script changes by `hold` and `set`.  Returns false after
 * `quit`. */
bool control_step(const struct pollfd *set, struct options *o);

/* Answer those who wait for replies to be held; to be called after the clients went on. */
void control_answer_waiting(void);

/* Remove the path. */
void control_end(void);

/* The other end, for shell scripts: send one command to a running proxy and print its answer.
 * path: the proxy's --control; word: count words, joined by blanks.  Returns the exit code: 0, 1 when the answer is
 * an error or does not come. */
int control_tell(const char *path, char **word, int count);

#endif
