/* SPDX-License-Identifier: ISC */
/* program_elf.h - reads from an open ELF file what tells whether the loader will bring our object into it
 *
 * Raw system calls where libc's would be cancellation points.  Everything here is async-signal-safe and needs less than
 * one KiB of stack.
 */
#ifndef SOCKSIFY_IO_PROGRAM_ELF_H
#define SOCKSIFY_IO_PROGRAM_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/elf.h"

struct program_shape {
    bool interpreter;       /* it names a loader */
    bool lost;              /* which is not there, or may not be run */
    bool needs;             /* it links a shared library, libc for one */
    bool go;                /* Go's linker made it */
    bool failed;            /* some of it could not be read: the rest says nothing */
    enum elf_libc libc;     /* of the loader */
};

/* pread() that is no cancellation point and leaves the file's offset alone.
 * Returns the bytes read, fewer only at the end of the file, or -errno. */
long program_read(int fd, uint64_t offset, void *p, size_t len);

/* Look through the segments and section names of a file of our own byte order.
 * h: its header.  What is not in the file is taken as absent.  Never fails. */
void program_shape(int fd, const struct elf_header *h, struct program_shape *out);

/* What this very object was built for. */
struct elf_target program_own_target(void);

#endif
