/* SPDX-License-Identifier: ISC */
/* conf_load.h - the configuration of this process, from its environment and files */
#ifndef SOCKSIFY_IO_CONF_LOAD_H
#define SOCKSIFY_IO_CONF_LOAD_H

#include "../core/conf.h"

/* Read the configuration as conf_read() does.  The file is the one that SOCKSIFY_CONF names, else the first there is of
 * $XDG_CONFIG_HOME/socksify/socksify.conf ($HOME/.config without it) and socksify.conf in the system's directory.  One
 * that SOCKSIFY_CONF names must be readable; of the others one out of reach counts as absent, since it is another
 * user's.  At most 1 MiB.  A password file's first line is the password; everyone may not read it.
 * lookup: the value of a variable, or NULL, as getenv().  c: zero-filled, so that pages of it that hold nothing are
 * never touched; its rules keep memory that is never freed.
 * Opens and closes descriptors, leaves none; async-signal-safe if lookup is. */
void conf_load(struct conf *c, char *(*lookup)(const char *name));

/* The places where a file is looked for that nobody has named, in their order.
 * path: set, empty where the variable for it is not set or no absolute path; number: from 0; lookup: as above.
 * Returns false when there is none of this number.  Keeps errno. */
bool conf_usual_place(char path[CONF_PATH_SIZE], int number, char *(*lookup)(const char *name));

#endif
