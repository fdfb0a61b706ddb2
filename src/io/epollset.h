/* SPDX-License-Identifier: ISC */
/* epollset.h - the program's epoll registrations of sockets whose handshake is to come or under way
 *
 * While a handshake runs, the kernel's registration of its socket is not the program's but a private one: what the
 * handshake waits for, EPOLLONESHOT, and a token in place of the program's data.  One token event wakes exactly one
 * waiter, which steps the handshake and arms the registration anew; arming looks at readiness again, so that no wake-up
 * is lost.  When the handshake is over the program's own events and data are put back, and the kernel itself reports
 * what there is to report.
 *
 * The table lies in memory shared by a family of forked processes.  Its owner (io/pending) holds its lock around every
 * call but epollset_is_token() and epollset_left().  A registration is keyed by the socket's SO_COOKIE, so that a
 * number used again never inherits one.  The number of the epoll set means the same file in the process that made the
 * registration; in those forked after it only while the kernel's own list, in /proc, shows the registration there.
 *
 * The process that ends a handshake may be unable to reach the set in which another one has registered the socket.
 * That registration is left with its token, and marked, until its maker puts it back (epollset_tidy()).
 */
#ifndef SOCKSIFY_IO_EPOLLSET_H
#define SOCKSIFY_IO_EPOLLSET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/* The upper quarter of every token: no user-space address and no small number has it. */
#define EPOLLSET_MARK 0xa5c5u

enum { EPOLLSET_SIZE = 8192, EPOLLSET_BUCKETS = 1024 };

struct epollset_entry {
    uint64_t cookie;         /* SO_COOKIE of the socket */
    uint64_t data;           /* the program's */
    uint32_t events;         /* the program's, but for those that are hidden */
    uint32_t hidden;         /* those that the kernel is not asked for now */
    uint32_t serial;         /* 0: free; the token's lower half */
    uint32_t owner;          /* the handshake it was armed for, as its user names it; of one that is left: since when */
    int32_t pid;             /* who made it; 0: has closed its numbers since, while children may have them open */
    int32_t epfd, fd;        /* numbers in that process */
    bool shared;             /* made before a fork: children may know it too */
    bool left;               /* armed for a handshake that another process has ended */
    bool armed;              /* the kernel holds the token */
    uint16_t next;           /* index + 1 of the next of the bucket, or of the free list */
};

struct epollset {
    uint32_t prefix;         /* upper half of every token */
    uint32_t counter;
    uint16_t free;           /* index + 1 */
    uint16_t unused;         /* entries at and above it were never used */
    atomic_uint left;        /* entries that are left */
    uint16_t bucket[EPOLLSET_BUCKETS];
    struct epollset_entry entry[EPOLLSET_SIZE];
};

/* Prepare an empty table in zeroed memory.  random: any bits. */
void epollset_init(struct epollset *e, uint32_t random);

/* True if the data of an event may be a token; a look at its own bits alone. */
static inline bool epollset_may_be_token(uint64_t data)
{
    return data >> 48 == EPOLLSET_MARK;
}

/* True if the data of an event can only be a token, live or stale.  No lock. */
bool epollset_is_token(const struct epollset *e, uint64_t data);

/* True if there are registrations for epollset_tidy().  No lock. */
bool epollset_left(const struct epollset *e);

/* The entry of a token, or NULL when it is stale. */
struct epollset_entry *epollset_of_token(struct epollset *e, uint64_t data);

/* The entry of a registration as seen by process pid, or NULL. */
struct epollset_entry *epollset_find(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd);

/* Do what epoll_ctl(epfd, op, fd, event) is to do, and remember it.
 * want: 0 when no handshake runs (the kernel gets the program's own event), else the events the handshake waits for;
 * owner: that handshake.
 * event: may be NULL, as the kernel takes it.
 * Returns 0 or the kernel's -errno; -ENOSPC when the table is full (nothing was done). */
int epollset_control(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int op, int fd,
                     const struct epoll_event *event, uint32_t want, uint32_t owner);

/* Take up a registration that is not followed any more, or was made by nobody we know, as the kernel shows it.
 * Returns 0 when it is followed now; -ENOENT when there is none; -ENOSPC. */
int epollset_recall(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd);

/* Put tokens in place of, or put back, the program's registrations of a socket, as far as process pid can reach them.
 * want: EPOLLIN or EPOLLOUT to arm for owner; 0 to put back: those out of reach are then left. */
void epollset_arm(struct epollset *e, pid_t pid, uint64_t cookie, uint32_t want, uint32_t owner);

/* What process pid has made of a socket and left is nobody's: pid is another program by now, with the same number. */
void epollset_desert(struct epollset *e, pid_t pid, uint64_t cookie);

/* Put back the registrations that process pid, the caller, has made of a socket, while the lock is lost: without it,
 * and none is dropped. */
void epollset_release(struct epollset *e, pid_t pid, uint64_t cookie);

/* Keep some of the program's events of all registrations of a socket from the kernel, before they are armed. */
void epollset_hide(struct epollset *e, uint64_t cookie, uint32_t events);

/* Have a registration, made or modified just now without them, come back with these as well. */
void epollset_hide_one(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd, uint32_t events);

/* Nothing of a socket is hidden any more. */
void epollset_unhide(struct epollset *e, pid_t pid, uint64_t cookie);

/* Another socket is about to take the number of this one.  Take the registrations that process pid can reach out of the
 * kernel, since with the number nobody could do so later; then put them in for the new one, armed with tokens that wait
 * for a handshake yet to begin (epollset_arm()). */
void epollset_take_out(struct epollset *e, pid_t pid, uint64_t cookie);
void epollset_put_in(struct epollset *e, pid_t pid, uint64_t old, uint64_t cookie);

/* Forget all registrations of a socket that are the program's own. */
void epollset_forget(struct epollset *e, uint64_t cookie);

/* Process pid puts back what others have left of its registrations; those of processes that are gone are
 * dropped, and after a while those whose maker has closed its numbers. */
void epollset_tidy(struct epollset *e, pid_t pid);

/* A number under which process pid has registered a socket, or -1. */
int epollset_number(struct epollset *e, pid_t pid, uint64_t cookie);

/* A socket's number in process pid is about to be closed: give its registrations back to the program, and forget them;
 * those that children may have as well are left to them.  over: with the last number its file goes as well. */
void epollset_close_socket(struct epollset *e, pid_t pid, uint64_t cookie, int fd, bool over);

/* The same while the handshake lasts and the socket has another number, to: the registrations are made anew by that, as
 * far as the set has none of it and no child shares them; the others are given back.  want: as for epollset_arm(). */
void epollset_move(struct epollset *e, pid_t pid, uint64_t cookie, int from, int to, uint32_t want);

/* The same for the number of an epoll set. */
void epollset_close_set(struct epollset *e, pid_t pid, int epfd);

/* Process pid is about to fork: what it has registered will be good in the child too. */
void epollset_share(struct epollset *e, pid_t pid);

#endif
