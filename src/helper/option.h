/* SPDX-License-Identifier: ISC */
/* option.h - what the user of the launcher has given, where a variable stands for it */
#ifndef SOCKSIFY_HELPER_OPTION_H
#define SOCKSIFY_HELPER_OPTION_H

#include <stddef.h>

/* What a variable was given as: an option, or the variable of another program that the launcher has taken it from.
 * variable: len bytes, no NUL needed; given: the letters that the launcher has passed, NUL-terminated.
 * Returns a constant, or NULL when the variable was given as what it is. */
const char *option_of(const char *variable, size_t len, const char *given);

#endif
