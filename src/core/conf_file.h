/* SPDX-License-Identifier: ISC */
/* conf_file.h - the lines of a configuration file
 *
 *     # a comment
 *     KEY = VALUE    # another, but behind a user or password
 *     [proxy NAME]
 *     KEY = VALUE
 *     [rules]
 *     VERDICT = LIST
 *     via NAME = LIST
 *
 * Blanks around keys and values do not count, nor what stands behind a blank and a #.  A user or password with the two
 * in it is a fault.  A UTF-8 byte-order mark at the head of the text says nothing.  Pure functions: no state, no
 * allocation, async-signal-safe.
 */
#ifndef SOCKSIFY_CORE_CONF_FILE_H
#define SOCKSIFY_CORE_CONF_FILE_H

#include <stdbool.h>

enum conf_section { SECTION_MAIN, SECTION_PROXY, SECTION_RULES };

/* Where a reading stands. */
struct conf_cursor {
    char *next;             /* to begin with: the text, NUL-terminated, which the reading cuts up in place */
    unsigned number;        /* of the last line, from 1; 0 to begin with */
    enum conf_section section;  /* SECTION_MAIN to begin with */
};

struct conf_line {
    unsigned number;        /* from 1 */
    enum conf_section section;
    const char *key;        /* NUL-terminated, within the text; so are the two below.  NULL: a proxy's heading */
    const char *name;       /* of a proxy, in its heading and behind `via`; NULL elsewhere */
    const char *value;      /* not empty */
    const char *fault;      /* NULL, or what is wrong with the line, a constant phrase; key and value are then unset */
};

/* The next line that says something: not blank, a comment or another heading than that of a proxy.  Returns false at
 * the end (out untouched). */
bool conf_file_next(struct conf_cursor *c, struct conf_line *out);

#endif
