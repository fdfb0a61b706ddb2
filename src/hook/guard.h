/* SPDX-License-Identifier: ISC */
/* guard.h - calls on a descriptor whose handshake is pending
 *
 * Every call that would read, write or ask a socket begins with guard_stops(), every wait with guard_idle(); both cost
 * the gate's load when no handshake was ever left pending here, and two more when none lasts.
 */
#ifndef SOCKSIFY_HOOK_GUARD_H
#define SOCKSIFY_HOOK_GUARD_H

#include <signal.h>
#include <sys/types.h>

#include "../io/kind.h"
#include "hook.h"

/* What guard_idle() and guard_stops() do when the gate does not tell. */
bool guard_idle_now(void);
bool guard_stops_now(int fd, short events, int flags);

/* Enter a hook that is concerned only while some handshake lasts, a socket's or that of an association.  Returns true
 * when none does. */
static inline bool guard_idle(void)
{
    return hook_idle(GATE_PENDING | GATE_DATAGRAM) || guard_idle_now();
}

/* The handle in the word of fd, or of a handshake that another number or process has begun for its socket.  0 in a
 * process whose table is another's, when its fd is another socket by now. */
pending_handle guard_handle_of(int fd, uint32_t word);

/* When a call on fd that waits for events runs out of SO_RCVTIMEO (POLLIN) or SO_SNDTIMEO; INT64_MAX: never. */
int64_t guard_limit(int fd, short events);

/* The handle of fd's pending handshake, or 0; PENDING_UNKNOWN as of pending_find(). */
static inline pending_handle guard_handle(int fd)
{
    uint32_t word;

    if (hook_idle(GATE_PENDING) || !pending_matters(&process.pending))
        return 0;
    word = fdtab_get(&process.fdtab, fd);
    if (!(fdtab_handle(word) || word & FDTAB_SHARED))
        return 0;
    /* A datagram socket's handle is that of an association.  To the kernel a listener is connected all the time, and
     * all its numbers here have the handle: that it is shared counts again when it is one no more. */
    return (word & FDTAB_KIND) == KIND_DATAGRAM || ((word & FDTAB_KIND) == KIND_LISTENER && !fdtab_handle(word))
               ? 0 : guard_handle_of(fd, word);
}

/* Step the handshake of fd once.  Returns true while it lasts.  Async-signal-safe. */
bool guard_pending(int fd);

/* What guard_stops() does when there is a handle: 0, -EAGAIN or -EINTR. */
int guard_wait(int fd, pending_handle handle, short events, bool dont_wait);

/* The same, whatever the socket's flags say, for a caller that has blocked all signals.
 * limit: of clock_ms(), as guard_limit() says; signals: the thread's own mask, in force while it sleeps. */
int guard_wait_until(int fd, pending_handle handle, int64_t limit, const sigset_t *signals);

/* Enter a hook that does I/O on fd: bring its handshake on, if there is one.
 * events: POLLIN or POLLOUT, which names the socket's own time limit; flags: of the call, of which MSG_DONTWAIT and
 * MSG_NOSIGNAL count.
 * Returns false: make the call.  True: return -1; errno is EAGAIN (the handshake lasts, and the call must not sleep, or
 * its time limit ran out), EINTR (a signal handler ran while it slept), or as of a listener, which SIGPIPE comes with.
 * A cancellation point when it sleeps. */
static inline bool guard_stops(int fd, short events, int flags)
{
    return !hook_idle(GATE_PENDING) && guard_stops_now(fd, events, flags);
}

/* Turn the result of a call on a socket into what the program must see: a connection refused only to make the kernel
 * report an error gets that error's errno.  Returns result. */
static inline ssize_t guard_result(int fd, ssize_t result)
{
    if (result < 0 && !hook_idle(GATE_PENDING))
        errno = pending_error(&process.pending, fd, errno);
    return result;
}

/* Step the handshake of fd.  Returns true while it lasts, or may (PENDING_UNKNOWN, which is asked again); a handle that
 * is none of fd's is taken from the table. */
bool guard_step(int fd, pending_handle handle);

/* How many of the requests of io_submit() the kernel may have now: those in front of the first one for a socket that is
 * pending.  count, list: the program's, any value.  Returns count or less; a negative errno where that is the very
 * first (as guard_stops() with MSG_DONTWAIT; -EINVAL to wait until a listener is writable); keeps errno.  Sleeps for a
 * listener's handshake.  In aio.c. */
struct iocb;
long guard_admit(long count, struct iocb *const *list);

/* A blocking accept(): bring the handshakes of this process on until there is something to accept, for programs that
 * connect to themselves.  Returns 0, -EINTR or -EAGAIN.  A cancellation point. */
int guard_accept(int fd);

/* Wait until the handshake of fd is over, well or not, whatever the socket's flags say; at most for its deadlines.
 * For what cannot be taken to where no hook is: exec, and descriptors passed to other processes. */
void guard_drain(int fd);

/* The same of one whose handle is known: not 0, or PENDING_UNKNOWN. */
void guard_drain_handle(int fd, pending_handle handle);

/* guard_drain() for the descriptors that exec would leave open: here (replaces), or in a child that is made for it.
 * Of those that exec closes here the others are told.
 * Those that a thread waits for inside connect() are left to it, unless exec ends it.  Also in the child of a vfork,
 * whose own numbers other than the standard streams are not known. */
void guard_drain_open(bool replaces);

/* The same before exec; what is queued of datagrams is sent before. */
void guard_drain_for_exec(void);

/* That exec has failed.  Keeps errno.  Async-signal-safe. */
void guard_stay(void);

/* The sockets that may yet be connected are about to be shared with a child of fork(). */
void guard_share(void);

/* A handshake of fd, which is FDTAB_SHARED, has begun: tell its other numbers.  Where one is under a stream of stdio,
 * wait for the end. */
void guard_spread(int fd, pending_handle handle);

/* Forget what was kept for the handshake of a socket that is connected now; one that was given up is reset. */
void guard_settle(int fd);

/* The same as pending_token() tells it: nothing has to be asked.  Not for a process that has the memory of another. */
void guard_over(int fd, pending_handle handle);

/* fd is about to be connected, maybe once more: find its registrations in sets that are known, where they are
 * not followed. */
void guard_recall(int fd);

/* True if the connect() of fd, a TCP socket, is still to be seen, so that all that may reach it is to be followed.  One
 * that has TRIED becomes FRESH again, or neither: the kernel tells which.  Keeps errno. */
bool guard_is_fresh(int fd);

/* Milliseconds that a wait may sleep at most, for the deadlines' sake, and because another thread or process may end a
 * handshake with nothing in the kernel to tell us; -1: for ever.  one: it waits for a socket with a handshake. */
int guard_slice(bool one);

#endif
