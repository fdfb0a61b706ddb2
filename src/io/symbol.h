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
    const uint16_t *versions;           /* of each symbol; NULL: there are none */
    ElfW(Addr) base;
};

enum { SYMBOL_OBJECTS = 48 };

/* The objects behind ours, in the order in which the loader searches them. */
struct symbol_list {
    unsigned count, libc;               /* libc: the index of the one that dlsym() is in; count: it is in none */
    bool whole;                         /* there are no others */
    struct symbol_object of[SYMBOL_OBJECTS];
};

enum symbol_answer {
    SYMBOL_FOUND,
    SYMBOL_NONE,                        /* in no object behind ours */
    SYMBOL_ASK                          /* in another than libc, or in a form that the loader alone understands */
};

/* Gather the objects behind ours.  dlsym: libc's own. */
void symbol_behind(struct symbol_list *l, const void *dlsym);

/* What dlsym(RTLD_NEXT, name) would find, without it, which takes ten times as long.  *function: set with SYMBOL_FOUND
 * alone, where libc has a function of the default version and no object before it has one of that name.
 * Async-signal-safe. */
enum symbol_answer symbol_first(const struct symbol_list *l, const char *name, void **function);

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
