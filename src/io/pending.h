/* SPDX-License-Identifier: ISC */
/* pending.h - handshakes that go on after connect() has returned
 *
 * connect() on a non-blocking socket starts one and returns EINPROGRESS; so does a blocking connect() that a signal or
 * SO_SNDTIMEO cut short.  From then on every call that waits for the descriptor or touches it steps the handshake
 * (pending_poke(), pending_token()); nobody else does: there is no thread.
 *
 *     connect()                       CONNECTING  the kernel connects to the proxy
 *     POLLOUT without error           HANDSHAKE   the machine of core/socks5 sends and receives
 *     DONE                            free        registrations put back, the target's name noted
 *     FAILED, deadline                free        the kernel's socket is made a refused one, registrations put back
 *     POLLERR, POLLHUP in CONNECTING  free        the kernel holds the error already: registrations put back
 *
 * Nothing is synthesised: once free, all events and errors come from the kernel, but for an errno that the kernel
 * cannot be made to say, which is kept by SO_COOKIE (pending_error()) until it was shown once.
 *
 * The handshakes lie in memory shared by forked processes, under one lock (io/lock).  A process steps a handshake only
 * through a number whose SO_COOKIE is that of the handshake.  All functions are async-signal-safe, keep errno, and are
 * no cancellation points, unless said otherwise.
 */
#ifndef SOCKSIFY_IO_PENDING_H
#define SOCKSIFY_IO_PENDING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "../core/socks5.h"
#include "state.h"
#include "tally.h"
#include "tunnel.h"

struct pending_arena;

/* The process' own view of the shared handshakes; a part of struct process. */
struct pending {
    struct pending_arena *arena;       /* NULL: it could not be mapped; then nothing is ever pending, and a
                                          non-blocking connect() fails */
    struct state *state;
    struct tally *tally;               /* how handshakes end is counted there; NULL: nowhere */
    pid_t pid;                         /* of the process that may change things: a vfork child has another */
    uint64_t space;                    /* inode of the PID namespace */
    atomic_bool shares;                /* a forked process may hold a socket whose handshake is pending here */
};

/* A descriptor's link to its handshake; 0: none.  At most 24 bits. */
typedef uint32_t pending_handle;

/* Of no handshake: pending_find() could not tell. */
#define PENDING_UNKNOWN ((pending_handle)1 << 24)

struct pending_request {
    int fd, domain;
    uint64_t cookie;                   /* SO_COOKIE of fd; 0 where the kernel has none */
    const struct addr *proxy;          /* an address */
    const struct addr *target;         /* for the handshake and the log */
    const struct addr *peer;           /* for getpeername(): the address as the program gave it */
    const struct socks5 *machine;      /* prepared, or in the middle of its work; copied, as is */
    const struct flight *flight;       /* ... how its messages go */
    struct tunnel_limits limits;
    bool nonblocking;                  /* fd has O_NONBLOCK */
    bool (*shared)(int fd);            /* asked with the lock held: may fd's socket have a handshake already? */
    void (*announce)(int fd, pending_handle handle);    /* called before fd is dialled, lock held; or NULL */
    bool dialled;                      /* connect() was done; false: pending_start() does it */
    bool binding;                      /* a listener's request: how it ends goes to io/binding */
    bool awaited;                      /* the thread stays inside connect() and goes on with it: pending_unawait() */
    bool unwatched;                    /* no other thread or process can be asleep in an epoll set that fd is in */
};

/* Map the arena.  Returns 0 or -ENOMEM (p->arena is NULL then, and p good for all calls). */
int pending_open(struct pending *p, struct state *s);

/* Begin, or take over, a handshake.  *handle: set when -EINPROGRESS is returned.
 * Returns -EINPROGRESS; the kernel's own -errno of connect(); -EAGAIN when there is no room; -EDEADLK;
 * -EBUSY when another thread, or process, has begun one of the same socket meanwhile.
 * Never returns 0: even a connection that stands at once must first greet the proxy. */
int pending_start(struct pending *p, const struct pending_request *q, pending_handle *handle);

/* Step the handshake of fd as far as it goes without sleeping.
 * Returns -EAGAIN while it lasts; 0 when it is over, well or not, or when the handle is none of fd's (any more). */
int pending_poke(struct pending *p, int fd, pending_handle handle);

/* True if handle is that of a handshake that lasts, by a look without lock. */
bool pending_is_live(const struct pending *p, pending_handle handle);

/* True if it is that of fd's own socket, by a look without lock.  A system call. */
bool pending_is_of(const struct pending *p, int fd, pending_handle handle);

/* The poll() events a handshake waits for; 0 when it is over. */
short pending_wants(const struct pending *p, pending_handle handle);

/* True if any handshake of the family lasts, or has left behind what pending_tidy() is for. */
bool pending_any(const struct pending *p);

/* True if a number with a handle must be looked at: some handshake lasts, or was given up by who could not reach it. */
bool pending_matters(const struct pending *p);

/* Milliseconds until the next deadline of any handshake, rounded up and at least 0; -1 for none. */
int pending_next_ms(const struct pending *p);

/* True while another process may bring on a handshake of ours: nothing in the kernel wakes us when it has. */
bool pending_shares(const struct pending *p);

/* Which handshakes pending_tend() steps. */
enum pending_some {
    PENDING_DUE,       /* none, and it looks at deadlines only when the next is over */
    PENDING_SHARED,    /* those that other processes may hold too: after a wait that has ended by its slice */
    PENDING_ALL
};

/* End the handshakes whose deadline is over and step some of the others, as far as this process holds their
 * descriptors. */
void pending_tend(struct pending *p, enum pending_some some);

/* Put back the registrations of this process for which other processes have ended the handshake.  To be called before
 * each wait in the kernel. */
void pending_tidy(struct pending *p);

/* True while nobody can step a handshake, since the lock is lost: what a sleep finds ready stays so.  No lock. */
bool pending_is_stuck(const struct pending *p);

/* The handshake of fd's socket, whoever began it, or 0; fd is one of its numbers from then on.  PENDING_UNKNOWN while
 * some last and it cannot be told (no SO_COOKIE, no lock): that may be over only when this says so. */
pending_handle pending_find(struct pending *p, int fd);

/* True if a thread inside connect() goes on with the handshake, whatever this one does.  replaces: this process is
 * about to exec, which ends its threads; those of another process last.  A look without lock; keeps errno.  For any
 * process, a vfork child too. */
bool pending_awaited(const struct pending *p, pending_handle handle, bool replaces);

/* That thread has left connect(): a handshake that lasts goes on beside the program.  Keeps errno. */
void pending_unawait(struct pending *p, pending_handle handle);

/* This process is about to exec, which closes the numbers it has of a handshake: from its deadline on others may give
 * it up, as if this process had ended. */
void pending_leave(struct pending *p, pending_handle handle);

/* exec has failed: the handshakes that this process was about to leave are its own on.  Keeps errno. */
void pending_stay(struct pending *p);

/* Other processes may hold the socket of a handshake that has just begun. */
void pending_share(struct pending *p, pending_handle handle);

/* Told of a handshake that has just come to a tunnel.  fd: a number of its socket in this process; handle: what its
 * own was.  The lock is held: no call of this file may be made. */
typedef void pending_over(int fd, pending_handle handle);

/* If the data of an epoll event is a token, step its handshake and return true: the event is not the program's.
 * quiet: all signals are blocked.  over: NULL in a process that has the memory of another (vfork); the caller has
 * asked. */
bool pending_token(struct pending *p, const struct epoll_event *event, bool quiet, pending_over *over);

/* epoll_ctl() for a descriptor whose registrations matter: one with a handle, or a TCP socket not connected yet.
 * tell: the handle that fd has, or 0, asked with the lock held, since another thread may have begun one just now.
 * Returns 0 or -errno. */
int pending_control(struct pending *p, pending_handle (*tell)(int fd), int epfd, int op, int fd,
                    const struct epoll_event *event);

/* The socket fd may be connected once more: follow its registration in the set epfd again.
 * Returns whether there is one. */
bool pending_recall(struct pending *p, int epfd, int fd);

/* fd is about to be closed or replaced: its registrations are given back, and the handshake is given up when no other
 * number holds it.  While it lasts the registrations go over to one of those numbers, which is returned; else -1.
 * registered: the number is a socket's with registrations; handle: 0 for none.  Not for a process that has the memory
 * of another (vfork): the caller has asked. */
int pending_close(struct pending *p, int fd, pending_handle handle, bool registered);

/* The number of an epoll set is about to be closed or replaced: the registrations in it are given back. */
void pending_close_set(struct pending *p, int epfd);

/* The socket was connected, or given another use, without us: its registrations are the program's alone. */
void pending_forget(struct pending *p, int fd);

/* to was made a duplicate of a descriptor with this handle. */
void pending_dup(struct pending *p, pending_handle handle, int to);

/* setsockopt(SO_RCVLOWAT), whose value is kept until the handshake's end.  value, len: the program's, to the kernel.
 * Returns false when there is no handshake of fd's: nothing was done; else *error is 0 or -errno. */
bool pending_set_low_water(struct pending *p, int fd, pending_handle handle, const void *value, socklen_t len,
                           int *error);

/* The program's SO_RCVLOWAT while the handshake lasts; 0 when it is over. */
int pending_low_water(const struct pending *p, pending_handle handle);

/* The address that the program gave connect() for the handshake of fd's socket.
 * Returns false, and leaves *peer alone, when there is none or no more. */
bool pending_peer(struct pending *p, int fd, pending_handle handle, struct addr *peer);

/* Give the handshake up, as shutdown() does with a connecting socket: fd is unconnected afterwards.
 * Returns false when the handshake is over, or none of fd's: nothing was done. */
bool pending_abandon(struct pending *p, int fd, pending_handle handle);

/* The errno kept for a socket whose error the kernel is about to show, or error itself when none is kept.  The kept one
 * is used up.  error: what the kernel said, positive. */
int pending_error(struct pending *p, int fd, int error);

/* Around fork(): before it, and after it in the parent; then in the child.  pending_fork_before() returns with the lock
 * held and signals blocked, unless the lock could not be had. */
struct lock_hold;
bool pending_fork_before(struct pending *p, struct lock_hold *hold);
void pending_fork_parent(struct pending *p, const struct lock_hold *hold);
void pending_fork_child(struct pending *p, const struct lock_hold *hold);

#endif
