/* SPDX-License-Identifier: ISC */
/* reply.h - the meaning of the REP octet (RFC 1928 section 6) */
#ifndef SOCKSIFY_CORE_REPLY_H
#define SOCKSIFY_CORE_REPLY_H

#include <stdint.h>

/* Turn a REP octet into what connect() reports: 0 for 0, else a negative errno (1 and unknown values: -ECONNREFUSED,
 * 2: -EACCES, 3: -ENETUNREACH, 4: -EHOSTUNREACH, 5: -ECONNREFUSED, 6: -ETIMEDOUT, 7: -EOPNOTSUPP,
 * 8: -EAFNOSUPPORT).  Pure; async-signal-safe. */
int reply_errno(uint8_t rep);

/* The RFC's words for a REP octet, lower case, for a log line; never NULL.  A constant: not to be freed. */
const char *reply_text(uint8_t rep);

#endif
