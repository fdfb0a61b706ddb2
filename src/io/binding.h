/* SPDX-License-Identifier: ISC */
/* binding.h - listening sockets whose connections come through the proxy (BIND, RFC 1928 section 4)
 *
 * The program's own socket is connected to the proxy and carries the request, so that whoever waits for it is woken by
 * the second reply.  accept() then takes the connection off the number, and puts a new socket with the next request
 * there:
 *
 *     binding_begin()                 ARMING    the handshake up to the first reply is pending, as a connect()'s
 *     first reply                     WAITING   the second one is awaited
 *     binding_take(): second reply    ARMING    the old socket is the connection, the number has a new one
 *     refused, or the proxy is gone   FAILED
 *     binding_refuse()                REFUSED   the socket is as it was before; listen() has yet to say so
 *
 * The places lie in the arena of pending handshakes, shared by forked processes, under its lock, and are found by
 * SO_COOKIE.  Of two processes that listen on one socket the one that accepts goes on; the other finds its socket
 * TAKEN, and gets a request of its own.  Functions are async-signal-safe, keep errno, and are no cancellation points.
 */
#ifndef SOCKSIFY_IO_BINDING_H
#define SOCKSIFY_IO_BINDING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/conf.h"
#include "fdtab.h"
#include "pending.h"

enum { BINDING_PLACES = 128, BINDING_TAKEN_KEPT = 256 };

enum binding_state {
    BINDING_NONE, BINDING_ARMING, BINDING_WAITING, BINDING_FAILED, BINDING_REFUSED, BINDING_TAKEN,
    BINDING_UNKNOWN                 /* the kernel does not say whose the number is: it is what it was */
};

/* What a request is about. */
struct binding_about {
    int domain;                     /* of the socket */
    int status;                     /* its flags as F_GETFL tells them, when a connection was taken off */
    bool only_ipv6;                 /* it was bound to IPv6 alone, and has had to be replaced by one for both */
    unsigned which;                 /* the proxy's place in struct conf */
    struct addr proxy;              /* its address */
    struct addr target;             /* whom the proxy is to let in: an address or a name; the any-address: everyone */
    struct addr shown;              /* the same as the program knows it; ADDR_NONE for everyone */
    struct addr own;                /* what the program has bound the socket to; port 0: nothing */
    struct addr local;              /* the real address for what the program takes for its own, or ADDR_NONE */
    struct addr bound;              /* where peers come to, as the program is shown it; ADDR_NONE: not known yet */
};

struct binding {
    uint64_t cookie;                /* of the control connection; 0: free */
    uint32_t age;
    int32_t pid;                    /* who has made the request; 0: it has closed its numbers, others may hold some */
    bool forked;                    /* others hold the socket too */
    bool listening;                 /* listen() was called */
    uint8_t state;
    int error;                      /* negative, of FAILED and REFUSED */
    pending_handle handle;          /* of the handshake while ARMING */
    struct binding_about about;
    struct socks5 machine;          /* for the second reply */
};

/* A connection that was taken off, and by what name the program knows its own end. */
struct binding_taken {
    uint64_t cookie;                /* 0: none */
    struct binding_about about;
};

struct binding_table {              /* in the arena; all zero at first */
    atomic_bool used;
    uint32_t ages, next_taken;
    struct binding place[BINDING_PLACES];
    struct binding_taken taken[BINDING_TAKEN_KEPT];
};

/* What a request takes beside what it is about. */
struct binding_request {
    int fd;
    struct fdtab *numbers;          /* the words of all numbers of a listener are changed with it */
    const struct conf_proxy *proxies;   /* by struct binding_about's which */
    enum conf_pipeline pipeline;
    struct tunnel_limits limits;
};

/* What binding_take() tells of a connection. */
struct binding_peer {
    uint64_t cookie;
    int domain;
    struct addr from;               /* BND of the second reply, any kind */
    struct addr target, shown;      /* as in struct binding_about */
    bool shared;                    /* other processes listen there too; set with every result */
};

/* Send the first request of a socket that is bound or not, and neither connected nor listening.
 * about: bound is not looked at; listening: listen() is called, not getsockname().  The word of the number becomes that
 * of a KIND_LISTENER with a pending handshake; registrations in epoll sets lose EPOLLOUT, which no listener reports.
 * Returns -EINPROGRESS; -ENOBUFS when there is no room; -EDEADLK; the kernel's own -errno of connect() (nothing has
 * changed then). */
int binding_begin(struct pending *p, const struct binding_request *q, const struct binding_about *about,
                  bool listening);

/* What is known of a number.  listening: may be NULL; bound: filled when WAITING, may be NULL. */
enum binding_state binding_look(struct pending *p, int fd, bool *listening, struct addr *bound);

/* The error of one that is FAILED or REFUSED; negative. */
int binding_error(struct pending *p, int fd);

/* listen() was called. */
void binding_listen(struct pending *p, int fd);

/* Take a connection, if there is one.  flags: SOCK_NONBLOCK, SOCK_CLOEXEC.
 * Returns its descriptor, the caller's; -EAGAIN when there is none (yet); -ECONNABORTED when the proxy has given the
 * request up, the next one is on its way then; -EINVAL when the socket does not listen (any more); -ESTALE when it is
 * none of ours; -EMFILE, also where a number of the listener lies beyond the limit, -ENFILE, -ENOBUFS, also where the
 * kernel does not say whose the number is: nothing has changed then. */
int binding_take(struct pending *p, const struct binding_request *q, int flags, struct binding_peer *out);

/* Where the socket is TAKEN: a new one in its place, with a request of its own. */
void binding_follow(struct pending *p, const struct binding_request *q);

/* The request failed: the socket is made as it was before, and listen() has yet to say so. */
void binding_refuse(struct pending *p, struct fdtab *numbers, int fd, int error);

/* The socket listens no more: it is made as it was before, unconnected and bound as the program had bound it. */
void binding_drop(struct pending *p, struct fdtab *numbers, int fd);

/* A number of a listener is about to be closed.  Its word is taken out of the table, so that nothing is put on the
 * number any more, and returned. */
uint32_t binding_close(struct pending *p, struct fdtab *numbers, int fd);

/* True if there was ever a request in this family of processes.  No lock. */
bool binding_any(const struct pending *p);

/* The name that the program knows its own end of a connection by: one that was taken off, or, with the port as it is,
 * one to the peer that a request waits for.  cookie: of the socket; peer: as the program knows it, or NULL.
 * Returns false when it is the kernel's. */
bool binding_own_name(struct pending *p, uint64_t cookie, const struct addr *peer, struct addr *own);

/* The real address behind one that was shown as the program's own.  a: the port does not count.  Returns false when it
 * was never shown. */
bool binding_real_local(struct pending *p, const struct addr *a, struct addr *local);

/* ---- for io/pending and io/handshake, with the lock held */

struct pending_arena;
struct arena_slot;

/* The first reply of a handshake is whole: 0, or the error that it means all the same. */
int binding_judge(const struct arena_slot *s);

/* The handshake is over, well (error: 0) or not. */
void binding_ended(struct pending_arena *a, const struct arena_slot *s, int error);

/* Process pid is about to fork. */
void binding_share(struct pending_arena *a, int32_t pid);

/* True if the socket is that of a request. */
bool binding_has(const struct pending_arena *a, uint64_t cookie);

/* ---- between binding.c, binding_take.c and binding_undo.c */

struct binding *binding_of(struct pending_arena *a, uint64_t cookie);
struct binding_taken *binding_taken_of(struct pending_arena *a, uint64_t cookie);

/* A free place, or NULL. */
struct binding *binding_place(struct pending_arena *a);

/* Send a request for a place that is filled in but for the handshake.  Returns as binding_begin(). */
int binding_arm(struct pending *p, const struct binding_request *q, struct binding *b);

/* A socket that is bound so that it cannot reach an IPv4 proxy, which is too late to change: put another one on its
 * numbers.  Returns 0, also when it can, or -errno. */
int binding_open_to_mapped(struct pending *p, const struct binding_request *q, struct binding *b);

/* Make the socket of a place what it was before; the lock is held.  refusal: 0, the place is free then; or the error
 * that listen() has yet to say. */
void binding_undo(struct pending *p, struct fdtab *numbers, int fd, struct binding *b, int refusal);

/* A listener is never writable: what its registrations hide. */
#define BINDING_HIDDEN ((uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))

#endif
