/* SPDX-License-Identifier: ISC */
/* probe_once.h - one datagram, one listener, one name: made, tried and closed, in little time */
#ifndef SOCKSIFY_TESTS_PROBE_ONCE_H
#define SOCKSIFY_TESTS_PROBE_ONCE_H

#include "probe_net.h"

/* A word to an echo and back.  fd: a datagram socket.  Returns 0 or a positive errno. */
int once_datagram(int fd, const struct target *to);

/* A listener that the server of probe_bind.h is told of, and connects back to.  Returns 0 or a positive errno; the
 * process goes on whatever comes. */
int once_listener(const struct target *server);

/* A name that was never asked for, and back from its address.  Returns 0 or getaddrinfo()'s error, EAI_SYSTEM where
 * the way back leads elsewhere. */
int once_name(void);

#endif
