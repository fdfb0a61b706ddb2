/* SPDX-License-Identifier: ISC */
/* conf_file.h - the lines of a configuration file
 *
 *     # a comment, as a line of its own
 *     KEY = VALUE
 *     [rules]
 *     VERDICT = LIST
 *
 * Blanks around keys and values do not count; everything else in a value does.  Pure functions: no state, no
 * allocation, async-signal-safe.
 */
#ifndef SOCKSIFY_CORE_CONF_FILE_H
#define SOCKSIFY_CORE_CONF_FILE_H

#include <stdbool.h>

/* Where a reading stands. */
struct conf_cursor {
    char *next;             /* to begin with: the text, NUL-terminated, which the reading cuts up in place */
    unsigned number;        /* of the last line, from 1; 0 to begin with */
    bool rules;             /* below [rules]; false to begin with */
};

struct conf_line {
    unsigned number;        /* from 1 */
    bool rules;             /* below [rules] */
    const char *key;        /* NUL-terminated, within the text; so is value */
    const char *value;      /* not empty */
    const char *fault;      /* NULL, or what is wrong with the line, a constant phrase; key and value are then unset */
};

/* The next line that says something: not blank, a comment or a heading.  Returns false at the end (out untouched). */
bool conf_file_next(struct conf_cursor *c, struct conf_line *out);

#endif
