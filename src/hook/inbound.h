/* SPDX-License-Identifier: ISC */
/* inbound.h - connections that come in through the proxy (io/binding), for every call that meets a listener
 *
 * Nothing of this concerns a process that has made no connection through the proxy: GATE_BIND is down.
 */
#ifndef SOCKSIFY_HOOK_INBOUND_H
#define SOCKSIFY_HOOK_INBOUND_H

#include <sys/socket.h>

#include "../io/kind.h"
#include "hook.h"

enum { INBOUND_NOT_OURS = 1 };

/* True if fd takes its connections through the proxy: one load while the gate is down. */
static inline bool inbound_is(int fd)
{
    return !hook_idle(GATE_BIND) && (fdtab_get(&process.fdtab, fd) & FDTAB_KIND) == KIND_LISTENER;
}

/* A socket is about to become a tunnel: peers that are told of a port will come for its sake.  cookie: its own; which:
 * the proxy's place in struct conf. */
void inbound_tunnel(uint64_t cookie, unsigned which);

/* listen().  Returns INBOUND_NOT_OURS when the kernel's own call is to be made, else 0 or -errno: -EOPNOTSUPP or
 * -ECONNREFUSED, said once, when the proxy takes no connections for us; -ENOBUFS.  Sleeps for the handshake. */
int inbound_listen(int fd);

/* accept4() on a listener.  Returns the descriptor or -errno.  A cancellation point. */
int inbound_accept(int fd, struct sockaddr *sa, socklen_t *len, int flags);

/* The name that the program knows a socket by.  sa: room for any; *len: its length.
 * Returns INBOUND_NOT_OURS when it is the kernel's, else 0.  May sleep for a handshake. */
int inbound_own_name(int fd, struct sockaddr_storage *sa, socklen_t *len);

/* bind() of libc, which leads an address that was shown as the program's own to the real one behind it, and notes a
 * port of the kernel's choice.  sa: a copy of the program's address that can be read, unless the kernel refuses it.
 * Returns what bind() does, with errno. */
int inbound_bind(int fd, const struct sockaddr *sa, socklen_t len);

/* True if listen() was called on a listener. */
bool inbound_listens(int fd);

/* connect() on a listener: -EISCONN, also while the kernel does not say whose it is, or INBOUND_NOT_OURS after it was
 * made an ordinary socket again.
 * away: connect() with AF_UNSPEC, which ends a listener; returns 0 then. */
int inbound_connect(int fd, bool away);

/* shutdown() on a listener.  Returns 0. */
int inbound_shutdown(int fd, int how);

/* A listener's number is about to be closed: its word is taken out of the table, and returned. */
uint32_t inbound_close(int fd);

#endif
