/* SPDX-License-Identifier: ISC */
/* inquiry.h - a DNS question of the library's own, by TCP through the proxy */
#ifndef SOCKSIFY_HOOK_INQUIRY_H
#define SOCKSIFY_HOOK_INQUIRY_H

#include "hook.h"

/* True if there is a resolver behind the proxy: SOCKSIFY_RESOLVER, or else the first of this system with a public
 * address.  Async-signal-safe. */
bool inquiry_possible(void);

/* Ask it.
 * message: a query of len bytes.  answer: size bytes, at least a header; a longer answer is cut, with TC set.
 * Returns the answer's whole length, which may be more than size, as res_send() does; or a negative errno: -ENOENT
 * without a resolver, those of the connection, -ETIMEDOUT when the answer does not come within the limit of a step.
 * Sleeps meanwhile; no cancellation point; not async-signal-safe. */
int inquiry_ask(const uint8_t *message, size_t len, uint8_t *answer, size_t size);

#endif
