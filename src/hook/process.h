/* SPDX-License-Identifier: ISC */
/* process.h - the one state of this process: start-up, configuration, environment
 *
 * Written once at start-up, before any hook acts; after that only the parts that say so change, by atomics.
 */
#ifndef SOCKSIFY_HOOK_PROCESS_H
#define SOCKSIFY_HOOK_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "../core/conf.h"
#include "../io/assoc.h"
#include "../io/carry.h"
#include "../io/cleanup.h"
#include "../io/fdtab.h"
#include "../io/pending.h"
#include "../io/resolvers.h"
#include "../io/route.h"
#include "../io/state.h"
#include "../io/tally.h"
#include "../io/upstream.h"

enum gate {
    GATE_WARM = 1,       /* start-up has run; a hook that comes before must let it run first */
    GATE_FACTS = 2,      /* the descriptor table knows something: calls that make or end numbers must tell it */
    GATE_PENDING = 4,    /* a handshake was started that goes on beside the program */
    GATE_DATAGRAM = 8,   /* a datagram socket has a peer or an association of ours */
    GATE_DEVICE = 16,    /* a socket may be bound to a network device */
    GATE_BIND = 32       /* a listening socket may be one whose connections come through the proxy */
};

enum { PROCESS_TUNNELS = 64 };

struct process {
    atomic_uint gate;                 /* enum gate bits; one relaxed load of it tells a hook that it is not concerned */
    atomic_uint phase;
    struct conf conf;
    struct carry carry;
    char **_Atomic restored;          /* the last environment that system() or popen() put together; never freed, since
                                         the program may have kept the pointer */
    atomic_bool networks_local;       /* libc has been told to look networks up in /etc/networks alone */
    struct state state;
    struct fdtab fdtab;
    struct pending pending;
    struct tally tally;               /* for the summary at the end */
    struct assoc_table assoc;
    struct resolvers resolvers;
    struct upstreams proxies;
    atomic_bool forked;               /* a process may have what this one had before */
    atomic_bool moves;                /* some posix_spawn() may begin in another directory */
    struct {
        _Atomic uint64_t cookie;
        _Atomic uint8_t proxy;
    } tunnel[PROCESS_TUNNELS];            /* the sockets that were last to become tunnels, and by which proxy */
    atomic_uint tunnels;                  /* how many there were */
    atomic_uint refusal;                  /* a mark of the refused program that was last told of; launch.c */
    atomic_int table_words;               /* what select() found the table of open files to have last, or 0 */
};

extern struct process process;

/* Start up, once, whoever comes first: our constructor, or a hook called by another library's.  Looks up libc's
 * functions, reads environment, configuration and files, maps the state.  Signals are blocked meanwhile.  Keeps
 * errno. */
void process_start(void);

/* The address to dial for a socket of this domain (AF_INET or AF_INET6).  which: of conf.proxies.  A proxy given by
 * name is resolved at the first call, by the real resolver, and remembered.
 * Returns 0; -EHOSTUNREACH when the name has no address; -EAFNOSUPPORT when none fits the domain.  Not
 * async-signal-safe while a name has yet to be resolved. */
int process_proxy(unsigned which, int domain, struct addr *out);

/* True in a process that has the memory of another (vfork, clone with CLONE_VM, fork that told nobody): it must leave
 * this state as it is.  A system call.  Async-signal-safe. */
bool process_is_guest(void);

/* Raise a bit of the gate. */
void process_gate(enum gate bit);

/* True while this thread is inside the real resolver on our own behalf: its sockets are not the program's. */
bool process_inside(void);

/* True when the resolver calls of this thread are libc's alone: names are local, or it is inside. */
bool process_leaves_names(void);

/* A call of the real resolver on our own behalf. */
struct process_call {
    struct process_call *outer;
    struct cleanup cleanup;
};

/* Have process_inside() tell true until process_leave(): also until this thread is cancelled in between, or jumps out
 * by siglongjmp().  call: in a frame that lives so long, as the last thing before the real call. */
void process_enter(struct process_call *call);

/* The call has returned. */
void process_leave(struct process_call *call);

#endif
