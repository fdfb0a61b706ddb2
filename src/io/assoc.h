/* SPDX-License-Identifier: ISC */
/* assoc.h - UDP associations of this process' datagram sockets (RFC 1928 section 7)
 *
 * One place for each socket that has a recorded peer or has sent to a proxied destination, by SO_COOKIE; descriptor
 * numbers lead to it by a handle (in io/fdtab) and are counted.  The memory is the process' own: a forked child has a
 * copy, and uses the same relay by the descriptors it inherited; a vfork child must only read.
 *
 * What the data path needs (relay, peer, the peer's header) is published by a sequence count and read without lock or
 * system call.  All else is done under one lock.  An association is made in steps, by whoever waits, sends or receives;
 * what is sent meanwhile is queued (assoc_making.h).  Functions are
 * async-signal-safe, keep errno, and are no cancellation points, unless said otherwise.
 */
#ifndef SOCKSIFY_IO_ASSOC_H
#define SOCKSIFY_IO_ASSOC_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "../core/conf.h"
#include "../core/sources.h"
#include "../core/udp_header.h"
#include "epollset.h"
#include "lock.h"
#include "state.h"
#include "tally.h"
#include "tunnel.h"

enum { ASSOC_PLACES = 1 << 14, ASSOC_LINGERING = 2, ASSOC_NO_PROXY = -1, ASSOC_LOOK_MS = 1000, ASSOC_JUDGED = 8,
       ASSOC_IDS = 16 };

/* The data of our event in the program's epoll sets: a token (io/epollset.h) that no registration has. */
#define ASSOC_TOKEN ((uint64_t)EPOLLSET_MARK << 48)

struct assoc_making;

/* A descriptor's link to its place; 0: none.  At most 24 bits. */
typedef uint32_t assoc_handle;

/* An address in the form of the program's socket. */
struct assoc_address {
    uint32_t len;                       /* 0: none */
    struct sockaddr_in6 sa;             /* or a sockaddr_in at its beginning */
};

struct assoc_facts {                    /* read and written by words, some of them together: see assoc_part */
    _Alignas(uint64_t) struct assoc_address peer;    /* whom connect() named */
    struct assoc_address relay;
    uint16_t header_len;
    uint8_t alive;                      /* the control connection stood when it was last looked at */
    uint8_t by_name;                    /* the peer's address stands for a name */
    uint16_t domain;
    uint16_t proxy;                     /* the number of the one that carries what is for the peer */
    uint8_t header[(UDP_HEADER_MAX + 7) / 8 * 8];    /* of a datagram to the peer */
};

enum {
    ASSOC_WORDS = sizeof(struct assoc_facts) / 8,
    ASSOC_RELAY_WORD = offsetof(struct assoc_facts, relay) / 8,
    ASSOC_HEADER_WORD = offsetof(struct assoc_facts, header) / 8
};

/* A socket whose datagrams go through several proxies has a place for each: the trunk, to which its numbers lead and
 * which knows all of the socket, and branches, which have an association and nothing else. */
struct assoc {
    _Atomic uint32_t handle;            /* 0: free */
    _Atomic uint32_t numbers;           /* descriptors that lead here; of a branch 1 while the socket lives */
    struct assoc *trunk;                /* of a branch; itself of a trunk */
    struct assoc *_Atomic branch;       /* the next place of the same socket, or NULL */
    _Atomic int proxy;                  /* the number of its proxy; ASSOC_NO_PROXY until something was sent */
    struct assoc_making *_Atomic making;    /* the association is being made */
    _Atomic int ended;                  /* how the last one ended that was made: 0 or a negative errno */
    _Atomic int failed;                 /* negative errno that the program has yet to see, else 0 */
    _Atomic uint32_t sequence;          /* odd while word[] is written */
    _Atomic uint64_t word[ASSOC_WORDS]; /* struct assoc_facts */
    _Atomic uint64_t judged[ASSOC_JUDGED];  /* keys of assoc_key(); 0: none */
    _Atomic uint64_t cookie;            /* of the socket */
    _Atomic int64_t looked;             /* when cookie and control connection were looked at */
    _Atomic int control;                /* descriptor of the control connection, or -1 */
    _Atomic uint64_t control_cookie;
    _Atomic uint32_t dropped;           /* datagrams that were not from the relay, or malformed */
    _Atomic uint32_t unsent;            /* datagrams that the queue had no room for, or that never left it */
    atomic_bool owed;                   /* the last datagram was one that went out */
    atomic_bool more;                   /* MSG_MORE: what comes next belongs to the same datagram */
    atomic_bool corked;                 /* UDP_CORK */
    atomic_bool named;                  /* sources holds names */
    atomic_bool by_names;               /* a relay has named a source by its name */
    atomic_bool asks;                   /* the peer's port is that of DNS */
    atomic_bool questions;              /* some have gone to a resolver of this system */
    _Atomic uint32_t self;              /* the socket's port, if it has ever sent an answer to itself */
    atomic_bool bound;                  /* own is what bind() was given; never cleared while the socket lives */
    struct assoc_address own;
    atomic_bool busy;                   /* somebody reads or writes what follows */
    struct sources sources;
    struct addr asked;                  /* the resolver that was asked last */
    uint8_t id[ASSOC_IDS][2];           /* of the last questions that it was asked itself, the newest first */
    uint8_t ids;                        /* how many there are */
    struct addr self_address;           /* where the socket sent that answer */
};

struct assoc_table {                    /* all zero at first */
    struct assoc *_Atomic place;        /* ASSOC_PLACES of them, mapped at first use */
    atomic_uint top;                    /* no place at or above it was ever used */
    struct lock lock;
    uint64_t space;                     /* inode of the PID namespace */
    struct state *state;
    struct tally *tally;                /* datagrams are counted there; NULL: nowhere */
    struct assoc_making *making;        /* list of those that are made now */
    struct assoc_making *spare;         /* memory for one more, from start-up on */
    atomic_uint made_now;               /* their number */
    _Atomic int64_t next_deadline;      /* not later than any of theirs */
    _Atomic int64_t tended;             /* when all were last brought on */
    _Atomic int watch;                  /* an epoll set of ours that holds what they wait for; 0: none */
    atomic_bool forked;                 /* other processes may have our set in their epoll sets */
    atomic_bool blind;                  /* the kernel has refused to watch some of it */
    struct assoc_lingering {
        int control;
        uint64_t cookie;                /* 0: free */
        int64_t since;
    } lingering[ASSOC_LINGERING];
    _Atomic int64_t refused[CONF_PROXIES];  /* the time of clock_ms() until which one is taken to have no UDP */
};

/* What making an association takes. */
struct assoc_request {
    int fd;                             /* the program's socket */
    unsigned number;                    /* the proxy's, below CONF_PROXIES */
    const struct addr *proxy;           /* an address */
    const struct conf_proxy *account;   /* user and password */
    enum conf_pipeline pipeline;
    struct tunnel_limits limits;
    bool asks;                          /* for a DNS question, which goes by TCP (RFC 7766) where there is no UDP */
    int64_t limit;                      /* of assoc_ready_wait(), a time of clock_ms(); INT64_MAX: none */
};

/* The place of a handle, or NULL when it is none (any more). */
static inline struct assoc *assoc_of(const struct assoc_table *t, assoc_handle handle)
{
    struct assoc *place = atomic_load_explicit(&t->place, memory_order_acquire);
    struct assoc *a = place ? &place[handle % ASSOC_PLACES] : NULL;

    return a && handle && atomic_load_explicit(&a->handle, memory_order_acquire) == handle ? a : NULL;
}

/* Reserve the memory of the table, which a program may forbid later (seccomp); where it cannot be had now, the first
 * association tries again.  space: inode of the PID namespace; s: where relays are noted for other processes. */
void assoc_open(struct assoc_table *t, uint64_t space, struct state *s);

/* Count a datagram that was dropped, at a place and for the summary.  a: the trunk. */
void assoc_dropped(struct assoc_table *t, struct assoc *a);

/* Find or make the place of a socket, and count a number for it.  domain: AF_INET or AF_INET6.
 * Returns 0 with *handle; -ENOBUFS when there is no room or SO_COOKIE is missing; -EDEADLK. */
int assoc_attach(struct assoc_table *t, int fd, int domain, assoc_handle *handle);

/* Another number leads to the place, if a number still does. */
void assoc_dup(struct assoc_table *t, assoc_handle handle);

/* A number leads there no more.  With the last one the place is free, and the control connection is closed: at once,
 * or, since relays drop with it what they have not sent yet, a second later if nothing came in after the last datagram
 * went out. */
void assoc_drop(struct assoc_table *t, assoc_handle handle);

/* The place for what goes through a proxy, made when there is none.  a: the trunk; proxy: its number.
 * Returns NULL when there is no room, or the lock cannot be had. */
struct assoc *assoc_branch(struct assoc_table *t, struct assoc *a, unsigned proxy);

/* Record the peer.  target: what the proxy is told, any kind; shown: the address the program used; proxy: the number of
 * the one that carries it.  target and shown NULL: none. */
int assoc_peer(struct assoc_table *t, struct assoc *a, const struct addr *target, const struct addr *shown,
               unsigned proxy);

/* A socket of another process is this one's as well: it may receive from that one's relay, and makes its own when it
 * sends.  Nothing happens to a place that has a relay. */
void assoc_adopt(struct assoc_table *t, struct assoc *a, const struct addr *relay);

/* Read what is published.  header: whether facts->header matters too.  Returns false when it cannot be read; nothing is
 * known then. */
bool assoc_facts(const struct assoc *a, bool header, struct assoc_facts *out);

/* See to it that the association stands; it is begun when it does not, and brought on as far as that goes without
 * sleeping.  It goes on beside the program: whoever waits or touches the socket brings it on.
 * Returns 0; -EINPROGRESS while it lasts; -EACCES when the proxy has no UDP (this is remembered), but once that is
 * known it is -EINPROGRESS for a question, and assoc_queue() takes it; -EAFNOSUPPORT when the socket cannot reach the
 * relay; -EBADF when fd is not the place's socket (any more), or is being closed; -ENOBUFS; -EDEADLK; the errors of a
 * handshake and of connect(). */
int assoc_ready(struct assoc_table *t, struct assoc *a, const struct assoc_request *q);

/* The same, asleep until it is over, or until q->limit (-EINPROGRESS then).  Returns -EINTR after a signal handler
 * without SA_RESTART; it goes on in both cases.  -ECANCELED: another thread has closed the socket.  A cancellation
 * point. */
int assoc_ready_wait(struct assoc_table *t, struct assoc *a, const struct assoc_request *q);

/* Sleep until no association of a socket is being made any more, or fd can be read, or the time of clock_ms() that
 * limit is.  a: the trunk.  Returns 0, -EAGAIN at the limit, -EINTR as above.  A cancellation point. */
int assoc_wait(struct assoc_table *t, struct assoc *a, int fd, int64_t limit);

/* UDP_CORK was switched off: what is queued is whole, and what comes next begins anew.  a: the trunk. */
void assoc_uncork(struct assoc_table *t, struct assoc *a);

/* Queue a datagram for when the association stands.
 * fd: the number that the program sends to; header: empty for what continues a datagram; m: the program's, its payload
 * can be read; flags: as it was called; more: what comes next belongs to the same datagram, which is noted in the
 * trunk's more.
 * Returns true when it was taken, or dropped since the queue is full, with what it continues; false when the
 * association is not being made (any more), or the place is not fd's (any more). */
bool assoc_queue(struct assoc_table *t, struct assoc *a, int fd, const struct iovec *header, const struct msghdr *m,
                 int flags, bool more);

/* True while the association of a place is being made. */
static inline bool assoc_is_made(const struct assoc *a)
{
    return atomic_load_explicit(&a->making, memory_order_relaxed) != NULL;
}

/* The first place of a socket whose association is being made, or NULL.  a: the trunk. */
static inline struct assoc *assoc_unsettled(struct assoc *a)
{
    while (a && !assoc_is_made(a))
        a = atomic_load_explicit(&a->branch, memory_order_acquire);
    return a;
}

/* True if a proxy is known to have no UDP: it has said so, or has hung up when it was asked, within the last minute. */
bool assoc_refuses(const struct assoc_table *t, unsigned proxy);

/* Something has come in after what was sent: whatever relay it came from, it lives.  a: the trunk. */
void assoc_answered(struct assoc *a);

/* True if that is the relay of a branch.  a: the trunk. */
bool assoc_branch_from(const struct assoc *a, const struct sockaddr *sa, uint32_t len);

/* The error of an association that failed after datagrams were queued for it; it is used up.  0 when there is none. */
static inline int assoc_failure(struct assoc *a)
{
    return atomic_load_explicit(&a->failed, memory_order_relaxed) ? atomic_exchange(&a->failed, 0) : 0;
}

/* The length of that word, and its first byte, which no header begins with. */
enum { ASSOC_WAKE = 16, ASSOC_WAKE_FIRST = 0xff };

/* True if what a socket has received is our own word to wake its readers: it is none of the program's.
 * head: the first bytes of len; cookie: of the socket. */
bool assoc_is_wake(const void *head, size_t len, uint64_t cookie);

/* Take such a word from the socket, if it is the next that would be received. */
void assoc_sweep(const struct assoc *a, int fd);

/* True while an association is being made in this process. */
static inline bool assoc_any(const struct assoc_table *t)
{
    return atomic_load_explicit(&t->made_now, memory_order_relaxed) != 0;
}

/* Bring on all that are made.  Returns true if one has ended. */
bool assoc_tend(struct assoc_table *t);

/* Bring on those of a socket.  a: the trunk. */
void assoc_poke(struct assoc_table *t, struct assoc *a);

/* True if assoc_tend() is to be called by a wait that has found something else to do: a deadline is over, or what is
 * waited for is not in the set of assoc_watch() for certain, and nobody has looked for some ms. */
bool assoc_due(const struct assoc_table *t);

/* How long a wait may sleep at most before assoc_tend(): milliseconds; -1: for ever. */
int assoc_slice_ms(const struct assoc_table *t);

/* The epoll set that is readable when assoc_tend() is to be called, for waits that have it in theirs; -1 when there is
 * none.  made: may be made; NULL, or *made set to true when it was. */
int assoc_watch(struct assoc_table *t, bool *made);

/* Put that set into an epoll set of the program's, where its event has the data ASSOC_TOKEN. */
void assoc_watch_join(struct assoc_table *t, int epfd);

/* fd is about to be closed, and may be the number of that set. */
void assoc_watch_forget(struct assoc_table *t, int fd);

/* Bring on what has datagrams queued, for some time: the program is about to end, or to be another.  What was sent just
 * now is given a moment more, since relays drop it with the control connection.  No cancellation point, whatever
 * signals come. */
void assoc_drain(struct assoc_table *t);

/* Look at the association.  fd: a number that leads here; now: clock_ms().
 * Returns 0; -ESTALE when fd is another socket by now; -EAGAIN when the kernel does not say. */
int assoc_look_now(struct assoc_table *t, struct assoc *a, int fd, int64_t now);

/* The same, if it was not done for a second.  now: clock_coarse_ms() will do. */
static inline int assoc_look(struct assoc_table *t, struct assoc *a, int fd, int64_t now)
{
    int64_t looked = atomic_load_explicit(&a->looked, memory_order_relaxed);

    return __builtin_expect(now - looked < ASSOC_LOOK_MS, 1) ? 0 : assoc_look_now(t, a, fd, now);
}

/* Let the next assoc_look() look, since an error came up. */
void assoc_doubt(struct assoc *a);

/* Note where a datagram goes.  shown: the address the program used; by_name: it stands for a name. */
void assoc_sent(struct assoc *a, const struct addr *shown, bool by_name);

/* What the program knows a source by: IPv4 or IPv6 as the relay named it.  *out: at worst the source itself. */
void assoc_source(struct assoc *a, const struct addr *source, struct addr *out);

/* The same for a source that the relay named, as sources_from_name(). */
void assoc_source_name(struct assoc *a, const struct addr alias[2], uint16_t port, struct addr *out);

/* Note which resolver of this system a question went to, as the program knows it; and tell it, or false if none did. */
void assoc_asked_set(struct assoc *a, const struct addr *resolver);
bool assoc_asked(struct assoc *a, struct addr *out);

/* Note the id of a DNS question that goes to a resolver of this system itself; and tell whether one of the last
 * ASSOC_IDS had that of this answer: what is learnt from it makes addresses direct, and anybody near can send one that
 * nobody asked for.  message: at least its first two bytes. */
void assoc_id_add(struct assoc *a, const uint8_t *message);
bool assoc_id_is(struct assoc *a, const uint8_t *message);

/* Note the address by which the socket sends to itself: false when that cannot be done now, and nothing is to be sent;
 * and tell whether a source is that.  Where it cannot be looked up now the port alone decides. */
bool assoc_self_set(struct assoc *a, const struct addr *self);
bool assoc_is_self(struct assoc *a, const struct addr *source);

/* Around fork(): before it, and after it in the parent; then in the child.  assoc_fork_before() returns with the lock
 * held and signals blocked, unless the lock could not be had; hold is NULL then for the child. */
bool assoc_fork_before(struct assoc_table *t, struct lock_hold *hold);
void assoc_fork_parent(struct assoc_table *t, const struct lock_hold *hold);
void assoc_fork_child(struct assoc_table *t, const struct lock_hold *hold);

/* Write an address in the form of a socket of this domain.  Returns false when it has none there. */
bool assoc_address_set(struct assoc_address *out, int domain, const struct addr *a);

/* True if both are the same host and port. */
static inline bool assoc_address_equal(const struct assoc_address *a, const struct sockaddr *sa, uint32_t len)
{
    const char *p = (const char *)&a->sa, *q = (const char *)sa;

    if (a->len == 0 || a->len != len)
        return false;
    if (len == sizeof(struct sockaddr_in))
        return memcmp(p, q, offsetof(struct sockaddr_in, sin_zero)) == 0;
    return memcmp(p, q, offsetof(struct sockaddr_in6, sin6_flowinfo)) == 0 &&
           memcmp(&a->sa.sin6_addr, q + offsetof(struct sockaddr_in6, sin6_addr), 16) == 0;
}

#endif
