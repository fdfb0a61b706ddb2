/* SPDX-License-Identifier: ISC */
/* probe_odd.h - one line for one odd call: result, errno, and whether a success left errno alone */
#ifndef SOCKSIFY_TESTS_PROBE_ODD_H
#define SOCKSIFY_TESTS_PROBE_ODD_H

#include <errno.h>

enum { ODD_ERRNO = 4242 };    /* no call sets this one */

/* Try a call and print it with what came of it. */
#define TRY(call) (errno = ODD_ERRNO, odd_say(#call, (long)(call)))

/* Print one line.  result: of a call that was made with errno at ODD_ERRNO.  Returns the result. */
long odd_say(const char *what, long result);

/* Sub-command: the calls of sockets.  argv: ADDRESS, where nothing listens. */
int odd_sockets(char **argv);

/* Sub-command: pointers that lead nowhere.  argv: an ADDRESS that accepts TCP, and an ADDRESS that answers
 * datagrams. */
int odd_pointers(char **argv);
/* Sub-commands: waits, and reads, writes and options.  argv: ADDRESS; where odd_data() is answered by an echo. */
int odd_waits(char **argv);
int odd_data(char **argv);

/* Sub-command: other names of the same calls, by dlsym(). */
int odd_names(char **argv);

#endif
