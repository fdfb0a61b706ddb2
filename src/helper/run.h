/* SPDX-License-Identifier: ISC */
/* run.h - the helper becomes the command */
#ifndef SOCKSIFY_HELPER_RUN_H
#define SOCKSIFY_HELPER_RUN_H

#include "check.h"

/* Judge a command, put the object that fits it at the head of LD_PRELOAD, and become the command, in this process.
 * arguments, allow: as for check_command().
 * Does not return when the command runs.  Else the launcher's exit status after one line on standard error: that of
 * check_command(); 125 for an object that cannot be preloaded; 126 or 127 for what the kernel says to the command.
 * real_init() was called; for a process of one thread. */
int run_command(char **arguments, bool allow);

#endif
