/* SPDX-License-Identifier: ISC */
/* check.h - the launcher's question: would this command use the proxy? */
#ifndef SOCKSIFY_HELPER_CHECK_H
#define SOCKSIFY_HELPER_CHECK_H

#include <stdbool.h>

enum { CHECK_PATH_SIZE = 4096 };

struct check_result {
    const char *path;       /* the command's file, valid until the next call; NULL when it was not found */
    const char *object;     /* the path of the launcher's object or of the one beside it, whichever fits the command,
                               valid until the next call; NULL when none does, or when it is not known */
    const char *phrase;     /* what lets the command bypass the library, a constant; NULL: nothing does */
};

/* Judge a command as the exec hooks of the library do.
 * arguments: the path of the launcher's object, the command and its arguments, NULL-terminated.  allow: programs that
 * bypass the library may run.  out: always set.
 * Returns the launcher's exit status: 0 when the command would use the proxy, or bypass it and may; 126 when it would
 * bypass it or cannot be executed; 127 when there is none; 125 when no command was given.  All but 0 after one line on
 * standard error.  real_init() was called; for a process of one thread. */
int check_command(char **arguments, bool allow, struct check_result *out);

#endif
