/* SPDX-License-Identifier: ISC */
/* wait.h - what poll() and select() have in common */
#ifndef SOCKSIFY_HOOK_WAIT_H
#define SOCKSIFY_HOOK_WAIT_H

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "../io/cleanup.h"
#include "guard.h"

enum { ROOM_STACK = 128 };

/* Memory for an array of pollfd, without malloc. */
struct room {
    struct pollfd *array;
    size_t bytes;                      /* mapped; 0: on the stack */
    struct cleanup cleanup;
    struct pollfd stack[ROOM_STACK];
};

/* Make and free it, in one function; a thread that is cancelled between them frees it too.  Returns 0 or -ENOMEM. */
int room_make(struct room *r, size_t count);
void room_free(struct room *r);

/* True if a wait for fd must look after a handshake: fd's own, or one in the epoll set that it is. */
bool wait_concerns(int fd);

/* The signals of a wait that looks after handshakes: blocked but for the kernel's own sleep, so that one that comes
 * while a handshake is stepped still ends the wait with EINTR. */
struct quiet {
    sigset_t kept;                     /* the thread's */
    struct cleanup cleanup;
};

/* Block them, and let them in again, keeping errno.  The two calls stand in one function; a thread that is cancelled
 * between them has its own mask in its cleanup handlers, and what its wait took out of the kernel is looked after. */
void quiet_begin(struct quiet *q);
void quiet_end(struct quiet *q);

/* poll() that looks after handshakes.  end: of wait_end(); INT64_MAX: never.  mask: the signals meanwhile; NULL: the
 * thread's own.  Returns what poll() does, with errno. */
int wait_poll(struct pollfd *fds, nfds_t count, int64_t end, const sigset_t *mask);

/* The time of clock_ms() at which a wait is over.  That clock has whole milliseconds, and a wait must not end early:
 * the next one counts.  No time at all: the past. */
int64_t wait_end(int64_t s, int64_t ms);

/* The same for a timespec; NULL: INT64_MAX. */
int64_t wait_end_of(const struct timespec *t);

/* True if the kernel would take it for a time. */
bool wait_is_time(const struct timespec *t);

/* A time of 64 bits in the form that this object has; what is beyond it, 68 years, becomes the longest
 * there is.  Returns out, or NULL for NULL. */
const struct timespec *wait_narrow(const struct time64 *t, struct timespec *out);

#endif
