/* SPDX-License-Identifier: ISC */
/* symbol.h - finds functions in the loaded objects without dlsym(), which is a hook itself
 *
 * Reads the dynamic symbols that the loader has in memory.  Versions are not looked at.  Allocates nothing and keeps
 * errno; takes the loader's lock for a moment (dl_iterate_phdr): thread-safe, but not async-signal-safe.
 */
#ifndef SOCKSIFY_IO_SYMBOL_H
#define SOCKSIFY_IO_SYMBOL_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

/* What the loader mapped of an object; good for as long as that is loaded. */
struct symbol_object {
    const ElfW(Sym) *symbols;
    const char *strings;
    const uint32_t *gnu_hash, *hash;    /* either may be NULL */
    ElfW(Addr) base;
};

/* The object that holds this address.  Returns false when there is none, or when it has no symbols (*out undefined). */
bool symbol_open(const void *address, struct symbol_object *out);

/* The function of this name in it, or NULL: what symbol_beside() finds, for many names.  Async-signal-safe. */
void *symbol_in(const struct symbol_object *o, const char *name);

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
