/* SPDX-License-Identifier: ISC */
/* assoc_making.h - an association while it is made; inside io/assoc only, with the table's lock held
 *
 * Mapped for as long as it lasts, so that sockets whose association stands cost nothing more.  It has a descriptor of
 * its own for the program's socket: whatever the program does to its numbers, what it has sent can still go.
 */
#ifndef SOCKSIFY_IO_ASSOC_MAKING_H
#define SOCKSIFY_IO_ASSOC_MAKING_H

#include "assoc.h"

enum { QUEUE_DATAGRAMS = 64, QUEUE_BYTES = 256 * 1024 };

struct assoc_queued {
    uint32_t size;                      /* bytes of header and payload */
    uint32_t control;                   /* bytes of control messages, in front of them */
    int flags;                          /* of the program's call */
    bool open;                          /* MSG_MORE: what comes next belongs to it */
};

struct assoc_making {
    struct assoc_making *next;          /* of the table's list */
    struct assoc *a;
    int socket;                         /* our number of the program's socket */
    bool connecting;                    /* the kernel still connects to the proxy */
    bool accepted;                      /* a datagram was queued: the program was told that it is sent */
    bool alarmed;                       /* the socket itself is watched, for room to send */
    uint8_t step;                       /* for which the deadline was set, as tunnel_patience() names it */
    short watched;                      /* the poll() events of the control connection that are watched; 0: none */
    int64_t deadline;
    struct addr proxy;
    struct tunnel_limits limits;
    struct socks5 machine;
    struct assoc_address relay;         /* known once the handshake is over: the queue is on its way */
    unsigned count;
    uint32_t used;                      /* bytes of room[] */
    struct assoc_queued queued[QUEUE_DATAGRAMS];
    _Alignas(8) uint8_t room[QUEUE_BYTES];
};

/* Memory for one, or NULL. */
struct assoc_making *assoc_making_map(void);

/* Step one as far as it goes.  Returns -EAGAIN while it lasts; else it is gone, and the result is that of
 * assoc_ready(). */
int assoc_making_step(struct assoc_table *t, struct assoc_making *m);

/* Give one up: the control connection is closed, what is queued is lost. */
void assoc_making_abort(struct assoc_table *t, struct assoc_making *m);

/* In a forked child: its descriptors and its memory are let go, without a word to the proxy. */
void assoc_making_leave(struct assoc_table *t, struct assoc_making *m);

/* The one of a place, or NULL. */
struct assoc_making *assoc_making_of(const struct assoc *a);

/* Send what is queued, in order.  Returns 0 when that was all, -EAGAIN while the socket has no room. */
int assoc_queue_flush(struct assoc_making *m);

/* Make the program's socket readable, with something that assoc_wake_is() knows. */
void assoc_wake(const struct assoc_making *m);

/* Keep what is watched of one up to date with what it waits for; with none of it when it is about to end. */
void assoc_watch_update(struct assoc_table *t, struct assoc_making *m, short events, bool room);

/* A number beside those that programs count on: fd duplicated there, or -errno. */
int assoc_number_high(int fd);

#endif
