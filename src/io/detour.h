/* SPDX-License-Identifier: ISC */
/* detour.h - what takes a packet elsewhere than its address says: source routes, headers of its own, devices
 *
 * A verdict is about an address.  With a source route, or a header that the program writes, the packet's address is
 * another one; and on a socket that is bound to a device even 127.0.0.1 is looked for on that device's wire.
 */
#ifndef SOCKSIFY_IO_DETOUR_H
#define SOCKSIFY_IO_DETOUR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "../core/addr.h"

enum detour {
    DETOUR_NONE = 0,
    DETOUR_ROUTE = 1,       /* the packet goes where the address does not say */
    DETOUR_DEVICE = 2,      /* it leaves by a device that is not loopback; or may, having another host's address for its
                               own (IP_TRANSPARENT), to which the any-address and answers lead */
    DETOUR_OTHER = 4        /* as DETOUR_ROUTE, on a socket that is neither TCP nor UDP; else no option at all */
};

/* What an option does once it is set, on a socket of AF_INET or AF_INET6.  value: may be bad, to
 * which the kernel then says so: DETOUR_NONE.  Async-signal-safe. */
enum detour detour_option(int level, int option, const void *value, socklen_t len);

/* What the control messages of a message do; enum detour bits.  m: its control messages can be read.  Pure. */
unsigned detour_control(const struct msghdr *m);

/* True if setting an option joins a multicast group on another device than loopback, which the kernel tells the network
 * around in packets of its own.  value: any; *group: which one, port 0, set when true is returned.
 * Async-signal-safe. */
bool detour_joins(int level, int option, const void *value, socklen_t len, struct addr *group);

/* Ask the kernel whether a socket has a device.  stream: TCP, which knows fewer ways to one.  Async-signal-safe. */
bool detour_has_device(int fd, bool stream);

/* Ask the kernel whether a socket has a source route, or writes headers of its own.  Async-signal-safe. */
bool detour_has_route(int fd);

#endif
