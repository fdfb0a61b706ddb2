/* SPDX-License-Identifier: ISC */
/* symbol.h - finds functions in the loaded objects without dlsym(), which is a hook itself
 *
 * Reads the dynamic symbols that the loader has in memory.  Versions are not looked at.  Allocates nothing and keeps
 * errno; takes the loader's lock for a moment (dl_iterate_phdr): thread-safe, but not async-signal-safe.
 */
#ifndef SOCKSIFY_IO_SYMBOL_H
#define SOCKSIFY_IO_SYMBOL_H

/* The function of this name in the first object behind ours that has one, else in any other.  Returns NULL if there is
 * none. */
void *symbol_next(const char *name);

/* The same, but never glibc's own. */
void *symbol_not_libc(const char *name);

/* The function of this name in the object that holds this address (of a function or a variable of it), or NULL. */
void *symbol_beside(const void *address, const char *name);

/* The function of this name that our object exports, or NULL. */
void *symbol_own(const char *name);

#endif
