/* SPDX-License-Identifier: ISC */
/* namemap.h - names and slots: the slot of a name, the name of a slot, in memory that many processes share
 *
 * The caller maps the memory, zero-filled at first, and turns slots into addresses.  Every word in it is a 32-bit
 * atomic, so that programs of both word sizes may share it.  Readers take no lock; a writer holds a lock of the
 * caller's that keeps all other writers out.  The memory is not trusted: whatever bytes stand in it, each function
 * ends after a bounded number of steps, touches only the slots the view allows, and gives a wrong name only if a
 * 32-bit checksum fits by chance.  A writer may die at any instruction.
 * Names are compared without regard to ASCII case and kept in lower case.
 * All functions are async-signal-safe; they need no care at fork.
 */
#ifndef SOCKSIFY_CORE_NAMEMAP_H
#define SOCKSIFY_CORE_NAMEMAP_H

#include <stdatomic.h>
#include <stdint.h>

#include "addr.h"

enum {
    NAMEMAP_SLOTS = 1 << 16,
    NAMEMAP_INDEX = 2 * NAMEMAP_SLOTS,      /* words of the hash index: half full at most */
    NAMEMAP_KEPT = NAMEMAP_SLOTS / 32,
    NAMEMAP_WORDS = ADDR_NAME_SIZE / 4      /* words of a name: its length octet, its text, zeros */
};

struct namemap_entry {
    _Atomic uint32_t sequence;              /* odd while it is written; 0: never written */
    _Atomic uint32_t sum;                   /* over slot, seed and the words in use */
    _Atomic uint32_t word[NAMEMAP_WORDS];
};

struct namemap_memory {
    _Atomic uint32_t clock;                 /* the youngest stamp */
    _Atomic uint32_t next;                  /* a hint: the first slot never used */
    _Atomic uint32_t rebuilding;            /* not 0 while the index is made anew */
    _Atomic uint32_t spare[13];
    _Atomic uint32_t stamp[NAMEMAP_SLOTS];  /* when each slot was last asked for; 0: never used */
    _Atomic uint32_t index[NAMEMAP_INDEX];
    struct namemap_entry entry[NAMEMAP_SLOTS];
};

/* A view: a plain value that each process makes for itself. */
struct namemap {
    struct namemap_memory *memory;          /* not NULL; up to its first `slots` entries may be touched */
    uint32_t slots;                         /* at most NAMEMAP_SLOTS */
    uint32_t seed;                          /* a random number, the same for all who share the memory */
    const uint32_t *kept;                   /* NAMEMAP_KEPT words, a bit for each slot that goes only if all others are
                                               kept as well; NULL: none is */
};

/* Look up the slot of a name and stamp it as used now.
 * name: NUL-terminated.  Returns 0; -ENOENT when it is not there, or could not be seen while a writer was at work
 * (*slot untouched).  Lock-free. */
int namemap_find(const struct namemap *m, const char *name, uint32_t *slot);

/* Copy out the name of a slot and stamp it as used now.
 * slot: any value.  name: room for ADDR_NAME_SIZE bytes; gets the name, in lower case, and a NUL.
 * Returns the name's length; -ENOENT when the slot has no name or a damaged one (name untouched).  Lock-free. */
int namemap_name(const struct namemap *m, uint32_t slot, char *name);

/* Give a name a slot, or find the one it has, and stamp it as used now.  While the view has fewer than NAMEMAP_SLOTS
 * slots and none is free the caller makes it larger; in the full view the name that was not asked for the longest
 * time, of those that are not kept, loses its slot.
 * name: NUL-terminated.  Returns 0; -ENOSPC as said; -EINVAL for an empty name or one longer than ADDR_NAME_MAX (*slot
 * untouched on error).  The caller holds the writers' lock. */
int namemap_insert(const struct namemap *m, const char *name, uint32_t *slot);

#endif
