/* SPDX-License-Identifier: ISC */
/* elf.c - what an ELF program's own headers tell about how it will run */
#include "elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* A member of a structure that has the same members, elsewhere, in both classes. */
#define FIELD(target, p, kind, member)                                                                               \
    ((target)->class == ELFCLASS64                                                                                   \
     ? number(target, (p) + offsetof(Elf64_##kind, member), sizeof ((Elf64_##kind *)0)->member)                      \
     : number(target, (p) + offsetof(Elf32_##kind, member), sizeof ((Elf32_##kind *)0)->member))

static uint64_t number(const struct elf_target *t, const uint8_t *p, size_t size)
{
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | p[t->order == ELFDATA2MSB ? i : size - 1 - i];
    return value;
}

static uint64_t round_up(uint64_t value, uint64_t align)
{
    return (value + align - 1) & ~(align - 1);
}

static bool is_elf(const uint8_t *p, size_t len)
{
    if (len < EI_NIDENT || memcmp(p, ELFMAG, SELFMAG) != 0)
        return false;
    if (p[EI_CLASS] == ELFCLASS64)
        return len >= sizeof(Elf64_Ehdr);
    return p[EI_CLASS] == ELFCLASS32 && len >= sizeof(Elf32_Ehdr);
}

/* Programs whose segments' headers have another size are none to the kernel. */
static bool runs(const struct elf_header *h, uint64_t type)
{
    bool wide = h->target.class == ELFCLASS64;

    return (type == ET_EXEC || type == ET_DYN) && h->segment_count > 0 &&
           h->segment_size == (wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));
}

/* The file may go without sections; they are for tools. */
static void find_names(struct elf_header *h, const uint8_t *p)
{
    const struct elf_target *t = &h->target;
    uint64_t sections = FIELD(t, p, Ehdr, e_shoff), index = FIELD(t, p, Ehdr, e_shstrndx);

    h->section_size = t->class == ELFCLASS64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
    if (sections && index != SHN_UNDEF && index < SHN_LORESERVE && FIELD(t, p, Ehdr, e_shentsize) == h->section_size)
        h->names = sections + index * h->section_size;
}

int elf_header(const uint8_t *p, size_t len, struct elf_header *out)
{
    struct elf_header h = { .names = 0 };
    struct elf_target *t = &h.target;
    uint64_t type;

    if (!is_elf(p, len))
        return -ENOEXEC;
    t->class = p[EI_CLASS];
    t->order = p[EI_DATA];
    t->machine = (uint16_t)FIELD(t, p, Ehdr, e_machine);
    type = FIELD(t, p, Ehdr, e_type);
    h.position_independent = type == ET_DYN;
    h.segments = FIELD(t, p, Ehdr, e_phoff);
    h.segment_count = (uint32_t)FIELD(t, p, Ehdr, e_phnum);
    h.segment_size = (uint32_t)FIELD(t, p, Ehdr, e_phentsize);
    if (!runs(&h, type))
        return -ENOEXEC;
    find_names(&h, p);
    *out = h;
    return 0;
}

bool elf_same_target(const struct elf_target *a, const struct elf_target *b)
{
    return a->class == b->class && a->order == b->order && a->machine == b->machine;
}

static enum elf_part part_of(uint64_t type)
{
    switch (type) {
    case PT_INTERP:
        return ELF_INTERPRETER;
    case PT_DYNAMIC:
        return ELF_DYNAMIC;
    case PT_NOTE:
        return ELF_NOTE;
    default:
        return ELF_OTHER;
    }
}

void elf_segment(const struct elf_header *h, const uint8_t *p, struct elf_segment *out)
{
    out->part = part_of(FIELD(&h->target, p, Phdr, p_type));
    out->offset = FIELD(&h->target, p, Phdr, p_offset);
    out->size = FIELD(&h->target, p, Phdr, p_filesz);
    out->align = FIELD(&h->target, p, Phdr, p_align);
}

void elf_names(const struct elf_header *h, const uint8_t *p, uint64_t *offset, uint64_t *size)
{
    *offset = FIELD(&h->target, p, Shdr, sh_offset);
    *size = FIELD(&h->target, p, Shdr, sh_size);
}

/* .go.buildinfo and .note.go.buildid: either may be missing, by the options of the linker. */
bool elf_names_go(const uint8_t *p, size_t len)
{
    static const char name[] = ".go.build";

    _Static_assert(sizeof name - 1 == ELF_GO_NAME_LEN, "the overlap that the header asks for");
    for (size_t i = 0; i + ELF_GO_NAME_LEN <= len; i++)
        if (memcmp(p + i, name, ELF_GO_NAME_LEN) == 0)
            return true;
    return false;
}

uint64_t elf_note(const struct elf_header *h, const uint8_t *p, uint64_t align, bool *go)
{
    static const char name[] = { 'G', 'o', '\0', '\0' };
    uint64_t name_size = number(&h->target, p, 4), size = number(&h->target, p + 4, 4);
    uint64_t step = align == 8 ? 8 : 4;

    *go = name_size == sizeof name && memcmp(p + 12, name, sizeof name) == 0;
    return round_up(round_up(12 + name_size, step) + size, step);
}

int elf_dynamic_needs(const struct elf_header *h, const uint8_t *p, size_t len)
{
    size_t size = h->target.class == ELFCLASS64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);

    for (; len >= size; p += size, len -= size) {
        uint64_t tag = FIELD(&h->target, p, Dyn, d_tag);

        if (tag == DT_NEEDED)
            return 1;
        if (tag == DT_NULL)
            return 0;
    }
    return -EAGAIN;
}

enum elf_libc elf_libc(const char *name, size_t len)
{
    static const char musl[] = "ld-musl-";
    size_t size = sizeof musl - 1;

    for (size_t i = 0; i + size <= len && name[i]; i++)
        if (memcmp(name + i, musl, size) == 0)
            return ELF_MUSL;
    return ELF_GLIBC;
}

/* ld-linux-x86-64.so.2, ld-2.31.so, ld-musl-x86_64.so.1, ld.so.1, ld64.so.2 */
bool elf_is_loader(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

    if (strncmp(name, "ld-", 3) == 0)
        return strstr(name, ".so") != NULL;
    return strncmp(name, "ld.so", 5) == 0 || strncmp(name, "ld64.so", 7) == 0;
}
