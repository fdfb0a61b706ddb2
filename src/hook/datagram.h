/* SPDX-License-Identifier: ISC */
/* datagram.h - datagrams: where they may go, and their way through the proxy
 *
 * A socket becomes ours with the first connect() or datagram to a proxied destination: the word of its number in the
 * descriptor table then holds the handle of its association (io/assoc).  It is never connected in the kernel for that.
 */
#ifndef SOCKSIFY_HOOK_DATAGRAM_H
#define SOCKSIFY_HOOK_DATAGRAM_H

#include <sys/socket.h>

#include "../io/kind.h"
#include "hook.h"

enum { DATAGRAM_NOT_OURS = 1, DATAGRAM_PROXIED = 2 };

/* Where a datagram goes through the proxy. */
struct datagram_to {
    struct addr target;         /* what the proxy is told */
    struct addr shown;          /* the address the program used */
    sa_family_t family;         /* of the address as it was given */
};

/* The handle of fd's association, or 0: one load while no socket of this process has one. */
static inline assoc_handle datagram_handle(int fd)
{
    uint32_t word;

    if (hook_idle(GATE_DATAGRAM))
        return 0;
    word = fdtab_get(&process.fdtab, fd);
    return (word & FDTAB_KIND) == KIND_DATAGRAM ? fdtab_handle(word) : 0;
}

/* Judge the destination of a socket that is not TCP.
 * fd: the socket; kind: KIND_DATAGRAM or KIND_OTHER; sa: len readable bytes.
 * Returns DATAGRAM_NOT_OURS when libc's own call is to be made (a direct destination, or no internet address);
 * DATAGRAM_PROXIED, with *to filled (KIND_DATAGRAM only); else the negative errno the call must fail with.
 * Async-signal-safe. */
int datagram_judge(int fd, enum kind kind, const struct sockaddr *sa, socklen_t len, struct datagram_to *to);

/* connect() on a datagram socket.  domain: its AF_INET or AF_INET6.
 * Returns DATAGRAM_NOT_OURS, 0, or a negative errno. */
int datagram_connect(int fd, int domain, const struct sockaddr *sa, socklen_t len);

/* connect() with AF_UNSPEC.  Returns DATAGRAM_NOT_OURS when the kernel's own call is to be made, else 0 or -errno. */
int datagram_disconnect(int fd);

/* The place of a socket, made when it has none.  Returns 0 with *a, or the negative errno of the call. */
int datagram_attach(int fd, struct assoc **a);

/* The number is another socket's than it was: what the table says of it is over. */
void datagram_forget(int fd);

/* See to it that the association stands, as assoc_make(). */
int datagram_ready(int fd, struct assoc *a, int domain);

/* Send a datagram through the proxy: to a destination, or, when to is NULL, to the recorded peer.
 * m: the program's, its msg_name is not looked at.  *result: the payload's length, or a negative errno.
 * Returns false when there is no such peer: libc's own call is to be made.  A cancellation point. */
bool datagram_send(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result);

/* Receive a datagram for the program as recvmsg() does.  m: the program's, filled on success.
 * *result: the length, or a negative errno.  Returns false when fd has no association: libc's own call is to be made.
 * A cancellation point. */
bool datagram_receive(int fd, struct msghdr *m, int flags, ssize_t *result);

/* A call of libc has received a datagram while another thread made the first association of the socket: take the
 * relay's header off.  m: as filled by the kernel, msg_namelen the part of the address that the program has; result:
 * the kernel's.  Returns the payload's length. */
ssize_t datagram_late(int fd, struct msghdr *m, ssize_t result);

/* True if datagram_late() is to be called: no load but the gate's while no socket has an association. */
static inline bool datagram_is_late(int fd, ssize_t result, int flags)
{
    return result > 0 && datagram_handle(fd) && !(flags & MSG_ERRQUEUE);
}

/* FIONREAD: the payload's length of the first datagram.  Returns false when fd has no association. */
bool datagram_waiting(int fd, int *value);

/* getpeername() and getsockname().  Return DATAGRAM_NOT_OURS when the kernel's answer is right, else 0 with the address
 * in the form of the socket. */
int datagram_peer_name(int fd, struct assoc_address *out);
int datagram_own_name(int fd, struct assoc_address *out);

/* An option is about to be set.  Returns 0, or the negative errno of one that would bypass us. */
int datagram_option(int fd, int level, int option, const void *value, socklen_t len);

/* shutdown() succeeds on a socket with a peer; this one's the kernel does not know.  result: of the kernel's call,
 * errno set. */
int datagram_shutdown(int fd, int result);

#endif
