/* SPDX-License-Identifier: ISC */
/* question.h - datagrams to the resolvers of this system: answered here, or sent on
 *
 * The resolvers of resolv.conf, and whatever listens to port 53 on this machine, would carry names past the proxy.  An
 * answer that is made here reaches the program by its own socket, which sends it to itself, behind the header of a
 * relayed datagram that names the resolver as its source; so that poll(), dup() and fork() need nothing special.
 */
#ifndef SOCKSIFY_HOOK_QUESTION_H
#define SOCKSIFY_HOOK_QUESTION_H

#include "datagram.h"

/* True if a is a resolver of this system that is to be left alone, since names are local.  Async-signal-safe. */
bool question_is_local(const struct addr *a);

/* True if a refused route was refused by default alone, and leads to a resolver of this system (its address may be
 * link-local).  Async-signal-safe. */
bool question_is_near(const struct route *r);

/* What the proxy is told in the place of a resolver of this system: SOCKSIFY_RESOLVER, if there is one.  target: left
 * as it is when it is no such resolver. */
void question_target(struct addr *target);

/* True if a datagram goes to a resolver of this system.  to: the destination, or NULL for the recorded peer.
 * Async-signal-safe; one load while the socket's peer is at another port. */
bool question_concerns(int fd, const struct datagram_to *to);

/* Send such a datagram, as datagram_send(). */
bool question_send(int fd, const struct msghdr *m, int flags, const struct datagram_to *to, ssize_t *result);

/* Say that a question is refused since the socket cannot be sent the answer.  Returns the negative errno for that. */
int question_untold(void);

/* True if a datagram that came was sent by the socket itself.  sa: its source, len readable bytes. */
bool question_is_own(struct assoc *a, const struct sockaddr *sa, socklen_t len);

/* True if a datagram that came is the answer of a resolver of this system itself, which it was sent to. */
bool question_is_answer(struct assoc *a, const struct sockaddr *sa, socklen_t len);

/* Tell the resolver that the program knows a datagram from.  source: what its header says.  Returns false when it is
 * none of a resolver. */
bool question_source(struct assoc *a, const struct addr *source, struct addr *known);

/* A TCP connection to a resolver of this system: to SOCKSIFY_RESOLVER, or to the one that was asked if others can reach
 * it, else refused; direct when names are local.  r: as route_judge() said, changed if it leads to a resolver. */
void question_stream(struct route *r);

#endif
