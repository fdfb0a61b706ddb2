/* SPDX-License-Identifier: ISC */
/* datagram.h - where datagrams may go, for every call that names an address */
#ifndef SOCKSIFY_HOOK_DATAGRAM_H
#define SOCKSIFY_HOOK_DATAGRAM_H

#include <sys/socket.h>

#include "../io/kind.h"

enum { DATAGRAM_NOT_OURS = 1 };

/* Judge the destination of a socket that is not TCP.
 * kind: KIND_DATAGRAM or KIND_OTHER; sa: len readable bytes.
 * Returns DATAGRAM_NOT_OURS when libc's own call is to be made (a direct destination, or no internet address), else the
 * negative errno the call must fail with.  Async-signal-safe. */
int datagram_judge(enum kind kind, const struct sockaddr *sa, socklen_t len);

#endif
