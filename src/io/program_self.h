/* SPDX-License-Identifier: ISC */
/* program_self.h - who made the program that this process runs */
#ifndef SOCKSIFY_IO_PROGRAM_SELF_H
#define SOCKSIFY_IO_PROGRAM_SELF_H

#include <stdbool.h>

/* Has Go's linker made it?  Looks at the notes that the loader has mapped, so at no file; a program without them counts
 * as not.  Takes the loader's lock: not for signal handlers.  Never fails.  Source: notes of the System V gABI, and
 * what Go's linker writes there. */
bool program_is_go(void);

#endif
