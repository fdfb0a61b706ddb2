/* SPDX-License-Identifier: ISC */
/* objects.h - the preloadable objects that lie beside each other, one for each kind of program
 *
 * A 64-bit machine runs 32-bit programs too, and the loader passes an object of the wrong class over.  All lie in one
 * directory, so that each finds the others wherever they were installed.  Async-signal-safe, no allocation; no
 * descriptor stays open.
 */
#ifndef SOCKSIFY_IO_OBJECTS_H
#define SOCKSIFY_IO_OBJECTS_H

#include "program.h"

enum {
    OBJECTS_MAX = 3,                /* one, and as many beside it as have a name */
    OBJECTS_NAME_SIZE = 24          /* more than the longest of these names */
};

/* What kind of programs is this file for?
 * path: absolute, kept by out.  Returns 0; -ENOEXEC when it is no shared object of this machine's byte order,
 * -EACCES when its file system is mounted noexec, or the errno of open() (out untouched). */
int objects_look(const char *path, struct program_object *out);

/* Complete a table: behind the first object, those beside it that are for other kinds of programs.
 * table: room for OBJECTS_MAX, of which the first is filled; nothing is added when its path is NULL.
 * text: (OBJECTS_MAX - 1) * (strlen(path) + OBJECTS_NAME_SIZE) bytes, kept by the table.
 * Returns the number of objects in the table. */
size_t objects_complete(struct program_object *table, char *text);

#endif
