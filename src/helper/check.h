/* SPDX-License-Identifier: ISC */
/* check.h - the launcher's question: would this command use the proxy? */
#ifndef SOCKSIFY_HELPER_CHECK_H
#define SOCKSIFY_HELPER_CHECK_H

/* Judge a command as the exec hooks of the library do; `socksify-helper check OBJECT COMMAND [ARGUMENT...]`.
 * arguments: the path of the launcher's object, the command and its arguments, NULL-terminated.
 * object: gets the path of that object or of the one beside it, whichever fits the command, valid until the next call;
 * NULL when none does, or when it is not known.
 * Returns the launcher's exit status: 0 when the command would use the proxy, or SOCKSIFY_BYPASS is "allow"; 126 when
 * it would bypass the library or cannot be executed; 127 when there is none; 125 when no command was given.  All but 0
 * after one line on standard error.  It needs no set-up, but must run in a process of one thread. */
int check_command(char **arguments, const char **object);

#endif
