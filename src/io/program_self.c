/* SPDX-License-Identifier: ISC */
/* program_self.c - who made the program that this process runs */
#include "program_self.h"

#include <link.h>
#include <stddef.h>
#include <stdint.h>

#include "program_elf.h"

enum { NOTES_MAX = 64 };    /* of a segment */

static bool is_mapped(const struct dl_phdr_info *info, const ElfW(Phdr) *part)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && part->p_vaddr - p->p_vaddr <= p->p_filesz &&
            part->p_memsz <= p->p_filesz - (part->p_vaddr - p->p_vaddr))
            return true;
    }
    return false;
}

static bool go_notes_at(const uint8_t *p, uint64_t size, uint64_t align)
{
    const struct elf_header h = { .target = program_own_target() };
    uint64_t at = 0;

    for (int i = 0; i < NOTES_MAX && at + ELF_NOTE_SIZE <= size; i++) {
        bool go;

        at += elf_note(&h, p + at, align, &go);
        if (go)
            return true;
    }
    return false;
}

/* The first that it is called with is the program, and it asks for no other. */
static int find_go(struct dl_phdr_info *info, size_t size, void *found)
{
    (void)size;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_NOTE && is_mapped(info, p) &&
            go_notes_at((const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr), p->p_memsz, p->p_align))
            *(bool *)found = true;
    }
    return 1;
}

bool program_is_go(void)
{
    bool found = false;

    dl_iterate_phdr(find_go, &found);
    return found;
}
