/* SPDX-License-Identifier: ISC */
/* log.h - one line, one write()
 *
 * Set up once at start-up, only read after.  Lines go to standard error, or are appended to a file that is opened and
 * closed for each line, so that no descriptor of ours lives in the program.  Standard error is written to only while
 * descriptor 2 is still the file it was at start-up: a program may have closed it and put a database there.
 * A line that could not be written without sleeping (a full pipe, a stopped terminal) is lost.
 * All functions but log_init() keep errno, allocate nothing, and are async-signal-safe and fork-safe.
 * Never pass credentials.
 */
#ifndef SOCKSIFY_IO_LOG_H
#define SOCKSIFY_IO_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/conf.h"

/* Things that are said once in a process at CONF_LOG_WARN, since a program may try them in a loop. */
enum log_topic { LOG_CONF, LOG_UDP, LOG_KIND, LOG_NAME, LOG_STATE, LOG_BLOCKED, LOG_IO_URING, LOG_FAMILY, LOG_CALL,
    LOG_BIND };

/* Set level and target.  path: absolute, or empty for standard error; copied. */
void log_init(enum conf_level level, const char *path);

/* True if a line of this level would be written: spares the work of making one. */
bool log_wants(enum conf_level level);

/* True if the lines go to a terminal, where somebody reads them at once. */
bool log_terminal(void);

/* Write "socksify[PID]: ..." in one write(), cut at 900 bytes; control characters, and what is no UTF-8, are
 * escaped.
 * format: %s (NULL gives "-"), %d, %u and %% only, each with a width where blanks are to be put before it. */
void log_line(enum conf_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* As log_line() at CONF_LOG_WARN, but only the first time this topic comes up in this process (and the children forked
 * after that); later lines of the topic are at CONF_LOG_INFO. */
void log_once(enum log_topic topic, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
