/* SPDX-License-Identifier: ISC */
/* report.h - the one log line of a connection */
#ifndef SOCKSIFY_IO_REPORT_H
#define SOCKSIFY_IO_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "../core/conf.h"
#include "../core/socks5.h"
#include "resolve.h"
#include "tally.h"

/* Count and log how connect() to a target through a proxy ended, the latter at CONF_LOG_INFO.
 * t: where to count, or NULL; machine: tells what the proxy said; error: 0 or negative errno; began: clock_ms() at the
 * start. */
void report_connect(struct tally *t, const struct addr *target, const struct addr *proxy,
                    const struct socks5 *machine, int error, int64_t began);

/* Log, at CONF_LOG_DEBUG, that n bytes of the handshake over fd went out, or came in.  stage: that of the message.
 * Keeps errno; async-signal-safe; no cancellation point. */
void report_sent(int fd, enum socks5_stage stage, size_t n);
void report_received(int fd, enum socks5_stage stage, size_t n);

/* The same for a request for connections, which is not counted.  target: whom it is for. */
void report_bind(const struct addr *target, const struct addr *proxy, const struct socks5 *machine, int error,
                 int64_t began);

/* Log that this side refuses a destination, by a rule or because the configuration is none: once in a process at
 * CONF_LOG_WARN for each of the two, since nobody else can say why; later ones at CONF_LOG_INFO.
 * c: in any state; target: an address or a name as text; why: of a valid configuration, a constant or a rule's own.
 * Keeps errno; async-signal-safe. */
void report_refused(const struct conf *c, const char *target, const char *why);

/* Log what a name was told to be: refused ones as report_refused(), else at CONF_LOG_INFO where it does not exist, and
 * at CONF_LOG_DEBUG where it does.  asked: what asks, a word; found: as resolve_name() has set it.  Keeps errno;
 * async-signal-safe. */
void report_name(const struct conf *c, const char *asked, const char *name, const struct resolve_answer *found);

/* What became of a handshake, in words; a constant.  error: 0 or negative errno. */
const char *report_explain(const struct socks5 *machine, int error);

#endif
