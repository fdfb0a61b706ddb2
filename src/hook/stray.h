/* SPDX-License-Identifier: ISC */
/* stray.h - packets that would go elsewhere than their address says are refused (io/detour.h)
 *
 * Of sockets that were made here the options were seen as they were set, and GATE_DEVICE is up when one names a device;
 * others are asked when they are used.  So nothing of this costs a call on a socket of our own.
 */
#ifndef SOCKSIFY_HOOK_STRAY_H
#define SOCKSIFY_HOOK_STRAY_H

#include "../core/addr.h"
#include "hook.h"

#include <sys/socket.h>

/* fd is about to send to an address in the kernel's own way, or to connect to it.
 * to: the destination, the proxy or a relay included; stream: TCP.  Returns 0, or -EACCES, which is said once: the
 * socket has a source route, or a device that does not lead to a destination on this machine. */
int stray_socket(int fd, const struct addr *to, bool stream);

/* What stray_socket() asks of a socket that was not made here, whatever the destination.  Returns 0 or -EACCES. */
int stray_unknown(int fd);

/* The same for the control messages of a message.  m: they can be read, msg_name is not looked at; to: the destination,
 * or NULL for the peer that the kernel knows.  Returns 0 or -EACCES. */
int stray_message(int fd, const struct msghdr *m, const struct addr *to);

/* An option is about to be set.  value: any.  Returns 0 or -EACCES. */
int stray_option(int fd, int level, int option, const void *value, socklen_t len);

#endif
