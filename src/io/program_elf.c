/* SPDX-License-Identifier: ISC */
/* program_elf.c - reads from an open ELF file what tells whether the loader will bring our object into it */
#include "program_elf.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "real.h"

enum {
    PIECE = 256,
    NOTES_MAX = 64,         /* of a segment; compilers and linkers leave about four */
    NAMES_MAX = 65536,      /* bytes of section names; C++ with a section for each function has that many at most */
    NEEDS_MAX = 65536       /* bytes of a dynamic section */
};

/* Made by the linker: the header of the object, or program, that this code is in. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

long program_read(int fd, uint64_t offset, void *p, size_t len)
{
    struct iovec piece = { .iov_base = p, .iov_len = len };
    long n;

    /* Of all positioned reads this one takes its offset in the same way on every machine: as two words, low and
     * high. */
    do
        n = real.syscall(SYS_preadv, (long)fd, &piece, 1L, (long)(unsigned long)offset, (long)(offset >> 32));
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

struct elf_target program_own_target(void)
{
    struct elf_header h = { .names = 0 };

    elf_header((const uint8_t *)&__ehdr_start, sizeof __ehdr_start, &h);
    return h.target;
}

static bool go_notes(int fd, const struct elf_header *h, const struct elf_segment *s)
{
    uint64_t at = 0;

    for (int i = 0; i < NOTES_MAX && at + ELF_NOTE_SIZE <= s->size; i++) {
        uint8_t note[ELF_NOTE_SIZE];
        bool go;

        if (program_read(fd, s->offset + at, note, sizeof note) != sizeof note)
            return false;
        at += elf_note(h, note, s->align, &go);
        if (go)
            return true;
    }
    return false;
}

static bool go_names(int fd, const struct elf_header *h)
{
    uint8_t piece[PIECE];
    uint64_t offset, size;

    if (h->names == 0 || program_read(fd, h->names, piece, h->section_size) != (long)h->section_size)
        return false;
    elf_names(h, piece, &offset, &size);
    for (uint64_t at = 0; at < size && at < NAMES_MAX; at += PIECE - ELF_GO_NAME_LEN + 1) {
        uint64_t rest = size - at;
        long n = program_read(fd, offset + at, piece, rest < PIECE ? (size_t)rest : PIECE);

        if (n <= 0)
            return false;
        if (elf_names_go(piece, (size_t)n))
            return true;
    }
    return false;
}

static bool needs_library(int fd, const struct elf_header *h, const struct elf_segment *s)
{
    uint8_t piece[PIECE];

    for (uint64_t at = 0; at < s->size && at < NEEDS_MAX; at += PIECE) {
        uint64_t rest = s->size - at;
        long n = program_read(fd, s->offset + at, piece, rest < PIECE ? (size_t)rest : PIECE);
        int found = n <= 0 ? 0 : elf_dynamic_needs(h, piece, (size_t)n);

        if (found != -EAGAIN)
            return found == 1;
    }
    return false;
}

static enum elf_libc loader_libc(int fd, const struct elf_segment *s)
{
    char name[PIECE];
    long n = program_read(fd, s->offset, name, s->size < PIECE ? (size_t)s->size : PIECE);

    return elf_libc(name, n < 0 ? 0 : (size_t)n);
}

static void add_segment(int fd, const struct elf_header *h, const struct elf_segment *s, struct program_shape *out)
{
    switch (s->part) {
    case ELF_INTERPRETER:
        out->interpreter = true;
        out->libc = loader_libc(fd, s);
        break;
    case ELF_DYNAMIC:
        out->needs = needs_library(fd, h, s);
        break;
    case ELF_NOTE:
        out->go = out->go || go_notes(fd, h, s);
        break;
    case ELF_OTHER:
        break;
    }
}

void program_shape(int fd, const struct elf_header *h, struct program_shape *out)
{
    uint8_t entry[ELF_ENTRY_SIZE];

    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < h->segment_count; i++) {
        struct elf_segment segment;

        if (program_read(fd, h->segments + (uint64_t)i * h->segment_size, entry, h->segment_size) !=
            (long)h->segment_size)
            break;
        elf_segment(h, entry, &segment);
        add_segment(fd, h, &segment, out);
    }
    out->go = out->go || go_names(fd, h);
}
