/* SPDX-License-Identifier: ISC */
/* assoc_making.h - an association while it is made; inside io/assoc only, with the table's lock held
 *
 * Mapped for as long as it lasts, so that sockets whose association stands cost nothing more.  It has a descriptor of
 * its own for the program's socket: whatever the program does to its numbers, what it has sent can still go.
 */
#ifndef SOCKSIFY_IO_ASSOC_MAKING_H
#define SOCKSIFY_IO_ASSOC_MAKING_H

#include <poll.h>

#include "../core/dns.h"
#include "assoc.h"

enum { QUEUE_DATAGRAMS = 64, QUEUE_QUESTIONS = 512, QUEUE_BYTES = 256 * 1024 };

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
    struct tally *tally;                /* the table's */
    unsigned number;                    /* the proxy's */
    struct addr proxy;
    struct tunnel_limits limits;
    struct socks5 machine;
    struct flight flight;
    const struct conf_proxy *account;   /* lives as long as the configuration */
    enum conf_pipeline pipeline;
    bool asks;                          /* begun for a DNS question */
    bool stream;                        /* the proxy has no UDP: the queue holds questions, which go by TCP */
    bool talks;                         /* of a stream: its connection stands */
    bool progress;                      /* of a stream: the server has answered on it */
    unsigned sent;                      /* of the queue: the questions that are out, and not answered yet */
    uint32_t out;                       /* bytes of the next one that are out, with its prefix */
    uint32_t got;                       /* bytes of the next answer, with its prefix */
    uint8_t prefix[2];
    struct addr server;                 /* whom the connection is for, as the proxy is told it */
    struct assoc_address relay;         /* known once the handshake is over: the queue is on its way */
    unsigned count;
    uint32_t used;                      /* bytes of room[] */
    struct assoc_queued queued[QUEUE_QUESTIONS];
    _Alignas(8) uint8_t room[QUEUE_BYTES];
    struct dns_question question;       /* of a stream: the one that is being answered */
    uint8_t answer[UINT16_MAX];
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

/* Bring on the handshake of the control connection.  Returns 0, -EAGAIN while it lasts, or its error. */
int assoc_making_handshake(struct assoc_table *t, struct assoc_making *m);

/* A step begins that has so long. */
void assoc_making_limit(struct assoc_table *t, struct assoc_making *m, uint32_t ms);

/* What it waits for, as poll() events of the control connection; 0: for nothing there. */
short assoc_making_events(const struct assoc_making *m);

/* True if all that is queued, and something is, are DNS questions, whose answers the socket can be given. */
bool assoc_stream_takes(const struct assoc_making *m);

/* From now on the queue goes by TCP. */
void assoc_stream_begin(struct assoc_table *t, struct assoc_making *m);

/* Bring it on.  Returns -EAGAIN while there are questions, else 0: all are answered, with SERVFAIL at worst. */
int assoc_stream_step(struct assoc_table *t, struct assoc_making *m);

/* What its connection waits for once it stands, as poll() events. */
short assoc_stream_events(const struct assoc_making *m);

/* What the sizes of the queue's parts become there. */
static inline uint32_t assoc_queue_round(uint32_t n)
{
    return (n + 7) & ~(uint32_t)7;
}

/* Where the socket reaches itself.  ipv6: by ::1, for the second try, where it is bound to the any-address.  Returns
 * false when there is no (other) way, or its address is not this machine's alone, or our number of the socket is
 * another's by now. */
bool assoc_own_address(const struct assoc_making *m, struct addr *own, bool ipv6);

/* Have the socket send something to itself, there: where assoc_own_address() has just said.  Returns false when that
 * failed. */
bool assoc_tell_self(const struct assoc_making *m, const struct addr *own, const struct iovec *piece, size_t count);

/* Count n datagrams that will never go out. */
void assoc_queue_lost(struct assoc_making *m, unsigned n);

/* Send what is queued, in order.  Returns 0 when that was all, -EAGAIN while the socket has no room. */
int assoc_queue_flush(struct assoc_making *m);

/* Make the program's socket readable, with something that assoc_is_wake() knows; not one whose port others may have. */
void assoc_wake(const struct assoc_making *m);

/* Keep what is watched of one up to date with what it waits for; with none of it when it is about to end.  What the
 * kernel refuses to watch is tried again with the next update; until then waits look by themselves. */
void assoc_watch_update(struct assoc_table *t, struct assoc_making *m, short events, bool room);

/* A number beside those that programs count on: fd duplicated there, or -errno. */
int assoc_number_high(int fd);

/* ---- between assoc.c and its parts */

/* Change what is published; the lock is held. */
void assoc_publish(struct assoc *a, const struct assoc_facts *f);

/* A free place, with what a new one holds; or NULL.  fd: the socket, or -1; trunk: NULL for one that is a trunk.  The
 * lock is held. */
struct assoc *assoc_occupy(struct assoc_table *t, int fd, int domain, uint64_t cookie, struct assoc *trunk);

/* No number leads to the place any more.  The lock is held. */
void assoc_retire(struct assoc_table *t, struct assoc *a);

/* The same for a socket: its associations that are being made are given up.  a: the trunk. */
void assoc_retire_all(struct assoc_table *t, struct assoc *a);

/* Begin a control connection and prepare its handshake.  a->control is its descriptor, set as soon as there is one.
 * Returns 0 or -errno.  The lock is held. */
int assoc_control_begin(struct assoc_table *t, struct assoc_making *m);

/* What an error of the handshake means for the program; said. */
int assoc_control_failed(struct assoc_table *t, const struct assoc_making *m, int error);

/* Say that datagrams are refused. */
void assoc_control_refuse(const struct addr *proxy);

/* The relay that the handshake has brought, in the form of the socket, which is opened to it.  Returns 0 or -errno. */
int assoc_control_relay(struct assoc_making *m, struct assoc_address *relay);

/* True while the control connection stands. */
bool assoc_control_stands(const struct assoc *a);

/* Bring on the associations of a socket for some time, if datagrams wait for them: the last number that leads there is
 * about to go.  a: the trunk.  The lock is not held. */
void assoc_drain_one(struct assoc_table *t, struct assoc *a);

/* Close the control connection of a place, unless its number is another socket's by now.  linger: not at once.  The
 * lock is held. */
void assoc_control_close(struct assoc_table *t, struct assoc *a, bool linger);

/* In a forked child: what lingers is the parent's. */
void assoc_control_forked(struct assoc_table *t);

/* How long the process should live on for the sake of what it has sent at last and nobody has answered:
 * milliseconds.  The caller waits for so long: it is not told again of the same datagrams. */
int assoc_control_last_ms(struct assoc_table *t);

/* Close what has lingered for long enough.  The lock is held. */
void assoc_control_tidy(struct assoc_table *t, int64_t now);

#endif
