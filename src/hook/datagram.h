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

enum { DATAGRAM_NOT_OURS = 1, DATAGRAM_PROXIED = 2, DATAGRAM_QUEUED = 3 };

/* Where a datagram goes through the proxy. */
struct datagram_to {
    struct addr target;         /* what the proxy is told */
    struct addr shown;          /* the address the program used */
    sa_family_t family;         /* of the address as it was given */
    bool any;                   /* that was the any-address */
    uint16_t proxy;             /* the number of the one that carries it */
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

/* The place of fd's association, its trunk, or NULL. */
static inline struct assoc *datagram_of(int fd)
{
    return assoc_of(&process.assoc, datagram_handle(fd));
}

/* Judge the destination of a socket that is not TCP.
 * fd: the socket; kind: KIND_DATAGRAM or KIND_OTHER; sa: len readable bytes.
 * Returns DATAGRAM_NOT_OURS when libc's own call is to be made (a direct destination, or no internet address);
 * DATAGRAM_PROXIED, with *to filled (KIND_DATAGRAM only); else the negative errno the call must fail with.
 * Async-signal-safe. */
int datagram_judge(int fd, enum kind kind, const struct sockaddr *sa, socklen_t len, struct datagram_to *to);

/* True if a datagram with this address is for the peer all the same: UDP over IPv6 takes AF_UNSPEC for no address, UDP
 * over IPv4 for its own family.  sa: may be NULL or MEMORY_NOWHERE, else len readable bytes.
 * Async-signal-safe. */
bool datagram_to_nobody(int fd, const struct sockaddr *sa, socklen_t len);

/* connect() on a datagram socket.  domain: its AF_INET or AF_INET6.
 * Returns DATAGRAM_NOT_OURS, 0, or a negative errno. */
int datagram_connect(int fd, int domain, const struct sockaddr *sa, socklen_t len);

/* connect() with AF_UNSPEC.  Returns DATAGRAM_NOT_OURS when the kernel's own call is to be made, else 0 or -errno. */
int datagram_disconnect(int fd);

/* The place of a socket, made when it has none.  Returns 0 with *a, or the negative errno of the call. */
int datagram_attach(int fd, struct assoc **a);

/* A socket came from another process: what that one knows of its peer and its relay holds here.  Nothing happens for
 * other descriptors.  Keeps errno. */
void datagram_adopt(int fd);

/* True if a call of libc's without an address has failed since the kernel knows no peer.  result: of that call. */
static inline bool datagram_lacks_peer(ssize_t result)
{
    return result < 0 && errno == EDESTADDRREQ;
}

/* After such a failure, or ENOTCONN of getpeername(), and before a peer goes: the number may be a duplicate, or another
 * process' copy, from before the socket was connected through the proxy.  Returns true if it leads to a peer now.
 * Keeps errno.  Async-signal-safe. */
bool datagram_found(int fd);

/* What a call of libc's has returned that sent a message without an address; made again where such a peer is found.
 * m: the program's; entry_errno: before that call.  Returns as the call, with errno. */
ssize_t datagram_sent(int fd, const struct msghdr *m, int flags, int entry_errno, ssize_t result);

/* Do datagrams of this number come with a header?  For calls that can do nothing with one: a number that was made
 * before the association is asked for as well.  Keeps errno.  Async-signal-safe. */
bool datagram_has_header(int fd);

/* datagram_adopt() for the descriptors that a program was started with.  To be called at start-up. */
void datagram_adopt_inherited(void);

/* The number is another socket's than it was: what the table says of it is over. */
void datagram_forget(int fd);

/* See to it that the association of a place stands.  sleeps: until it is over; a cancellation point then.  asks: for a
 * DNS question, for which nobody sleeps where it goes by TCP.
 * Returns as assoc_ready() or assoc_ready_wait(). */
int datagram_ready(int fd, struct assoc *a, int domain, bool sleeps, bool asks);

/* ---- while an association is being made (datagram_queue.c) */

/* True if a call with these flags may sleep on this socket. */
bool datagram_sleeps(int fd, int flags);

/* Have every wait of this process look after the associations that are made now: those that begin, and those that sleep
 * in an epoll set with a datagram socket. */
void datagram_watch(void);

/* The program has put a datagram socket into an epoll set. */
void datagram_joined(int epfd);

/* assoc_tend(), but not in a vfork child, which has its parent's associations and not its descriptors. */
bool datagram_tend(void);

/* Queue a datagram as datagram_send() has it.  a: the place whose association was being made a moment ago.
 * Returns the payload's length or a negative errno; -EINPROGRESS when the association is no longer being made. */
ssize_t datagram_queue(int fd, struct assoc *a, const struct msghdr *m, int flags, const struct iovec *header);

/* Before something is received: bring the association on that is being made, and sleep for it where the call may sleep.
 * limit: when SO_RCVTIMEO runs out.  Returns 0, or the negative errno that the call must fail with. */
int datagram_settle(int fd, struct assoc *a, int flags, int64_t limit);

/* Give a socket that has no port one, as the kernel does when it sends. */
void datagram_give_port(int fd, int domain);

/* Send a datagram through the proxy: to a destination, or, when to is NULL, to the recorded peer.
 * m: the program's, its msg_name is not looked at.  *result: the payload's length, or a negative errno.
 * Returns false when there is no such peer: libc's own call is to be made.  A cancellation point. */
bool datagram_send(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result);

/* The same, whatever resolver of this system it goes to. */
bool datagram_carry(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result);

/* Receive a datagram for the program as recvmsg() does.  m: the program's, filled on success.
 * *result: the length, or a negative errno.  Returns false when fd has no association: libc's own call is to be made.
 * A cancellation point. */
bool datagram_receive(int fd, struct msghdr *m, int flags, ssize_t *result);

/* Room of a message, in bytes, which the kernel's call overwrites with what it has used. */
struct datagram_room {
    socklen_t name;
    size_t control;
};

/* A call of libc has received a datagram while another thread made the first association of the socket: take the
 * relay's header off.  m: as filled by the kernel; room: of it before; flags: of the call; result: the kernel's.  What
 * is to be dropped is, if the name tells that it is the relay's, and the next one is received, or with MSG_WAITFORONE
 * none (EAGAIN).  Returns the payload's length, or -1 with errno, and the room of m as it was. */
ssize_t datagram_late(int fd, struct msghdr *m, struct datagram_room room, int flags, ssize_t result);

/* One of several messages comes forward to the place of one that the program is not to see, such as our own word.
 * to: with its room as before the call; from: as filled by the kernel; room: bytes for a name that both have at least;
 * flags: of the call.
 * Returns 0, or -EFAULT with nothing done. */
int datagram_late_move(struct mmsghdr *to, socklen_t room, struct mmsghdr *from, int flags);

/* The same of a call without an address.  data: size bytes. */
ssize_t datagram_late_data(int fd, void *data, size_t size, int flags, ssize_t result);

/* True if datagram_late() is to be called, also where the number is not known to lead to an association.  No load but
 * the gate's while no socket has one. */
static inline bool datagram_is_late(int fd, ssize_t result, int flags)
{
    return result >= 0 && !hook_idle(GATE_DATAGRAM) && !(flags & MSG_ERRQUEUE) &&
           (fdtab_get(&process.fdtab, fd) & FDTAB_KIND) == KIND_DATAGRAM;
}

/* SO_ERROR, with an error of ours that the next call would tell, which is used up.  *len: at least that of an int.
 * Returns what getsockopt() does, with errno. */
int datagram_so_error(int fd, int *value, socklen_t *len);

/* FIONREAD: the payload's length of the first datagram.  Returns false when fd has no association. */
bool datagram_waiting(int fd, int *value);

/* getpeername() and getsockname().  Return DATAGRAM_NOT_OURS when the kernel's answer is right, else 0 with the address
 * in the form of the socket. */
int datagram_peer_name(int fd, struct assoc_address *out);
int datagram_own_name(int fd, struct assoc_address *out);

/* The kernel's own name of a socket, in both forms.  Returns false when it has none of AF_INET or AF_INET6. */
bool datagram_kernel_name(int fd, struct addr *own, struct assoc_address *as);

/* bind() of a datagram socket.  sa: taken from the program, len readable bytes.  One of this machine's addresses with
 * any port is taken for the name that the socket is to show; the kernel gets the any-address.
 * Returns DATAGRAM_NOT_OURS when the kernel's own call is to be made, else 0 or a negative errno. */
int datagram_bind(int fd, const struct sockaddr *sa, socklen_t len);

/* A socket of IPv6 alone is made for both families if the relay wants IPv4: once bound it could not be. */
void datagram_open_to_relay(int fd, int domain);

/* IP_MTU and IPV6_MTU of a socket with a peer: what a datagram may have, without the header.
 * Returns DATAGRAM_NOT_OURS when the kernel knows, else 0 with *value or a negative errno. */
int datagram_mtu(int fd, int level, int option, int *value);

/* An option is about to be set.  Returns 0, or the negative errno of one that would bypass us. */
int datagram_option(int fd, int level, int option, const void *value, socklen_t len);

/* shutdown() succeeds on a socket with a peer; this one's the kernel does not know.  result: of the kernel's call,
 * errno set. */
int datagram_shutdown(int fd, int result);

#endif
