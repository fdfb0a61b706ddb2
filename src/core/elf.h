/* SPDX-License-Identifier: ISC */
/* elf.h - what an ELF program's own headers tell about how it will run (System V gABI, chapters 4 and 5)
 *
 * Pure functions over pieces of a file that the caller reads: no state, no allocation, async-signal-safe.  Both classes
 * and both byte orders; every number of the file is taken as it is, so the caller bounds what it reads.
 */
#ifndef SOCKSIFY_CORE_ELF_H
#define SOCKSIFY_CORE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_HEADER_SIZE = 64,       /* bytes that elf_header() looks at; a 32-bit file may be shorter */
    ELF_ENTRY_SIZE = 64,        /* no header of a segment or section is larger */
    ELF_NOTE_SIZE = 16,         /* bytes that elf_note() looks at */
    ELF_GO_NAME_LEN = 9         /* of what elf_names_go() looks for */
};

/* What a program and an object must have in common for the loader to bring them together. */
struct elf_target {
    uint8_t class;              /* ELFCLASS32 or ELFCLASS64 */
    uint8_t order;              /* ELFDATA2LSB or ELFDATA2MSB */
    uint16_t machine;
};

struct elf_header {
    struct elf_target target;
    bool position_independent;  /* ET_DYN */
    uint64_t segments;          /* file offset of the first segment's header */
    uint32_t segment_count;
    uint32_t segment_size;      /* bytes of one header */
    uint64_t names;             /* file offset of the header of the section with the sections' names; 0: none */
    uint32_t section_size;      /* bytes of that header */
};

enum elf_part { ELF_OTHER, ELF_INTERPRETER, ELF_DYNAMIC, ELF_NOTE };

struct elf_segment {
    enum elf_part part;
    uint64_t offset, size;      /* in the file, bytes */
    uint64_t align;
};

/* The libc whose loader a program names. */
enum elf_libc { ELF_GLIBC = 1, ELF_MUSL = 2 };

/* Read the header at the start of a program file.
 * p: len bytes.  Returns 0; -ENOEXEC when it is none, is cut short, is neither ET_EXEC nor ET_DYN, or has segment
 * headers of a size that the kernel does not run (out untouched). */
int elf_header(const uint8_t *p, size_t len, struct elf_header *out);

/* True if both are of one class, byte order and machine. */
bool elf_same_target(const struct elf_target *a, const struct elf_target *b);

/* Read one segment's header.  p: h->segment_size bytes. */
void elf_segment(const struct elf_header *h, const uint8_t *p, struct elf_segment *out);

/* Read the header at h->names.  p: h->section_size bytes.  offset and size get the place of the names in the file. */
void elf_names(const struct elf_header *h, const uint8_t *p, uint64_t *offset, uint64_t *size);

/* Is one of the names in a piece of the section names that of a section only Go's linker makes?
 * p: len bytes; consecutive pieces must overlap by ELF_GO_NAME_LEN - 1. */
bool elf_names_go(const uint8_t *p, size_t len);

/* Read one note.  p: ELF_NOTE_SIZE bytes.  align: of its segment.
 * Returns the distance to the next note, never 0; *go whether this one is the build id of Go's linker. */
uint64_t elf_note(const struct elf_header *h, const uint8_t *p, uint64_t align, bool *go);

/* Look for DT_NEEDED in a piece of the dynamic section.  p: len bytes, whole entries (16 bytes, or 8 in a 32-bit file;
 * a rest is not looked at).  Returns 1 if there is one; 0 if the section ended without; -EAGAIN to be asked again with
 * the next piece. */
int elf_dynamic_needs(const struct elf_header *h, const uint8_t *p, size_t len);

/* Which libc's loader is this?  name: path of the interpreter, len bytes.  Unknown loaders count as glibc's, whose
 * names differ from machine to machine. */
enum elf_libc elf_libc(const char *name, size_t len);

/* True if a file of this path, itself without an interpreter, is a loader.  path: NUL-terminated. */
bool elf_is_loader(const char *path);

#endif
