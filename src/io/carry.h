/* SPDX-License-Identifier: ISC */
/* carry.h - what must go along with every program that is started from here: our objects and our variables
 *
 * Found and copied once at start-up, into memory that is read-only after; only read then, from anywhere.
 */
#ifndef SOCKSIFY_IO_CARRY_H
#define SOCKSIFY_IO_CARRY_H

#include "../core/envlist.h"
#include "objects.h"

struct carry {                      /* zero-filled: nothing is carried, and no program is judged */
    struct envlist list;
    struct program_object objects[OBJECTS_MAX];    /* this one, then those for other kinds of programs */
    size_t object_count;            /* 0 until carry_init() was successful */
    const char *paths[OBJECTS_MAX]; /* of those that have one */
    size_t path_count;
};

/* Find out which file this object was loaded from, and what lies beside it, and copy the variables.
 * env: the environment at start-up.  found: what other processes get instead of what env says.
 * Returns 0, or -ENOMEM (c untouched).  objects[0].path is NULL when this code is in the program itself, or at a path
 * that LD_PRELOAD cannot hold.  Call once, at start-up, while the working directory is still that of the loader. */
int carry_init(struct carry *c, char *const env[], const struct envlist_found *found);

#endif
