/* SPDX-License-Identifier: ISC */
/* script.h - which program a line or a command names: "#!" of scripts, arguments of env and of the loader
 *
 * Pure functions: no state, no allocation, async-signal-safe.
 */
#ifndef SOCKSIFY_CORE_SCRIPT_H
#define SOCKSIFY_CORE_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

enum {
    SCRIPT_LINE_SIZE = 256,    /* bytes of a script that the kernel looks at (BINPRM_BUF_SIZE; 128 before 5.1) */
    SCRIPT_WORD_SIZE = 256
};

/* Take a script's first line apart as the kernel does.
 * head: SCRIPT_LINE_SIZE bytes from the file's start and a NUL, zeros after the end of a shorter file; NULs are
 * written into it.  interpreter and argument point into head; argument NULL: none.
 * Returns false if it is no script, or one that the kernel does not run (outputs untouched). */
bool script_line(char *head, const char **interpreter, const char **argument);

/* True if the last part of path is "env". */
bool script_is_env(const char *path);

/* The name of the program that env will start when it gets this one argument from a "#!" line (with -S, several).
 * word: SCRIPT_WORD_SIZE bytes; empty when the argument names none, or one that only env itself can tell. */
void script_env_word(const char *argument, char *word);

/* The path of the program that a loader will start when it gets this one argument from a "#!" line.
 * word: SCRIPT_WORD_SIZE bytes; empty when the argument is an option, or a name that the loader looks for itself. */
void script_loader_argument(const char *argument, char *word);

/* The program among the arguments of a loader that is run as a command, or NULL.  argv: ends with NULL. */
const char *script_loader_word(char *const argv[]);

#endif
