/* SPDX-License-Identifier: ISC */
/* proxyd_log.h - the event lines of the test proxy */
#ifndef SOCKSIFY_TESTS_PROXYD_LOG_H
#define SOCKSIFY_TESTS_PROXYD_LOG_H

#include <stdbool.h>

/* Where event lines go from now on.  path: a file to append to, or NULL for standard output; ids: end each line in
 * " #N", the connection's number.  Returns 0 or a negative errno. */
int log_open(const char *path, bool ids);

/* Write one line at once, whatever the format gives.  id: the connection's number, 0 for none.  A line for a pipe
 * that nobody reads is dropped, so that a test that looks only at `ready` does not stop the proxy. */
__attribute__((format(printf, 2, 3))) void log_event(unsigned id, const char *format, ...);

#endif
