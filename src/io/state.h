/* SPDX-License-Identifier: ISC */
/* state.h - what outlives fork and exec: the addresses that stand for names, and the peers of tunnelled sockets
 *
 * Names get addresses from an IPv4 /15 and from a random IPv6 /96 (core/pools.h).  They live in a file that all
 * processes of a user, boot and network namespace map (state_file.h); its addresses are the lower half of the IPv4
 * pool.  Whoever cannot write there puts new names into memory that only its forked children share, with addresses of
 * the upper half and an IPv6 prefix of its own, so that no other process ever takes them for another name.
 *
 * After state_open() every function may be called from any thread, from a signal handler, and in the child of a fork
 * of a threaded program.  They may change errno.  Looking up takes no lock; giving a new name an address blocks all
 * signals, opens and closes one descriptor and waits for other writers for a second at most.
 */
#ifndef SOCKSIFY_IO_STATE_H
#define SOCKSIFY_IO_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/addr.h"
#include "hosts_known.h"
#include "learned.h"
#include "state_file.h"

struct state_options {
    const char *directory;          /* SOCKSIFY_STATE; NULL or empty: choose */
    const struct pools *pools;      /* NULL: the default */
};

/* Slots that a name pool does not take back as long as there are others, since a socket may be connected there.  Made
 * anew by the writer of the pool, after a while. */
struct state_kept {
    int64_t made_ms;                /* 0: never */
    uint32_t bit[NAMEMAP_KEPT];
};

struct state {                      /* zero-filled before state_open() */
    struct state_file file;
    struct state_image *own;        /* private memory; NULL when the system had none, or not to spare */
    struct state_kept kept_file, kept_own;
    const char *_Atomic warning;
    struct learned direct;          /* real addresses that names were resolved to; this process' own */
    struct hosts_known hosts;       /* what /etc/hosts does not have; this process' own */
};

/* Map the state: the file, and private memory, which a limit of the address space (RLIMIT_AS) leaves to processes
 * without a file.  Sleeps only while another process makes the file, about a second
 * at most; leaves no descriptor open.
 * o: need not outlive the call.  Returns 0; or a negative errno when there is only private memory, which is no reason
 * to stop, with a phrase for state_warning(); -ENOMEM also when there is no memory at all.
 * Call once, at start-up, before any other thread. */
int state_open(struct state *s, const struct state_options *o);

/* In the child of a fork: gives up what other threads of the parent had open.  Not for vfork. */
void state_after_fork(struct state *s);

/* Why new names of this process go to private memory: a constant phrase, or NULL while they do not. */
const char *state_warning(const struct state *s);

/* The directory of the file, an absolute path for SOCKSIFY_STATE in the environment of children; NULL when there is no
 * fit one.  Owned by s. */
const char *state_directory(const struct state *s);

/* Give a name its address: the one it has, or a new one.
 * name: NUL-terminated, as addr_from_name() accepts, without regard to case.  family: AF_INET or AF_INET6.
 * Returns 0 with ADDR_IPV4 or ADDR_IPV6, port 0, in out; -EAFNOSUPPORT for another family; -EINVAL for an empty or too
 * long name; -EAGAIN when a writer of the private memory did not let go; -ENOMEM when there is no memory (out
 * untouched on error). */
int state_name_assign(struct state *s, const char *name, int family, struct addr *out);

/* The address that a name has, without giving it one: as state_name_assign(), or -ENOENT. */
int state_name_look(struct state *s, const char *name, int family, struct addr *out);

/* The name that an address stands for.
 * a: any address.  Returns 0 with ADDR_NAME, in lower case, and the port of a in out; -ERANGE when the address is
 * outside our pools; -EHOSTUNREACH when it is inside, but stands for no name that can be seen here (out untouched on
 * error). */
int state_name_find(struct state *s, const struct addr *a, struct addr *out);

/* The same of a datagram socket, and its relays, of which a few are kept: datagrams come from those of other processes
 * that hold the socket, too. */
void state_datagram_peer(struct state *s, uint64_t cookie, const struct addr *peer);
void state_relay_add(struct state *s, uint64_t cookie, const struct addr *relay);

/* True if relay is one of a socket's.  Returns false when none is known. */
bool state_relay_has(struct state *s, uint64_t cookie, const struct addr *relay);

/* One of them.  Returns false when none is known (*relay untouched). */
bool state_relay_get(struct state *s, uint64_t cookie, struct addr *relay);

/* True if any process has ever noted a datagram socket: spares others a look at a descriptor that comes to them. */
bool state_has_datagrams(const struct state *s);

/* The same as of when the state was opened, without touching its memory: spares those that start a look at all their
 * descriptors. */
bool state_had_datagrams(const struct state *s);

/* Remember the peer of a tunnelled socket.  cookie: its SO_COOKIE.  peer: IPv4 or IPv6 as the program gave it. */
void state_peer_set(struct state *s, uint64_t cookie, const struct addr *peer);

/* Look up the peer of a socket.  Returns false when none is known (peer untouched). */
bool state_peer_get(struct state *s, uint64_t cookie, struct addr *peer);

/* What is known of proxies; NULL where there is no file to keep it in.  Owned by s. */
struct traits *state_traits(const struct state *s);

/* Forget the peer of a socket. */
void state_peer_forget(struct state *s, uint64_t cookie);

#endif
