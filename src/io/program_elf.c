/* SPDX-License-Identifier: ISC */
/* program_elf.c - reads from an open ELF file what tells whether the loader will bring our object into it */
#include "program_elf.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "real.h"

enum {
    WINDOW = 1024,          /* bytes; linkers put headers, interpreter and notes into the first ones */
    PIECE = 256,
    NOTES_MAX = 64,         /* of a segment; compilers and linkers leave about four */
    NAMES_MAX = 65536,      /* bytes of section names; C++ with a section for each function has that many at most */
    NEEDS_MAX = 65536       /* bytes of a dynamic section */
};

/* Made by the linker: the header of the object, or program, that this code is in. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

long program_read(int fd, uint64_t offset, void *p, size_t len)
{
    struct iovec piece;
    size_t got = 0;
    long n;

    /* Of all positioned reads this one takes its offset in the same way on every machine: as two words, low and
     * high.  Some file systems give less than there is. */
    do {
        uint64_t at = offset + got;

        piece = (struct iovec){ .iov_base = (char *)p + got, .iov_len = len - got };
        n = real.syscall(SYS_preadv, (long)fd, &piece, 1L, (long)(unsigned long)at, (long)(at >> 32));
        got += n > 0 ? (size_t)n : 0;
    } while (n > 0 ? got < len : n < 0 && errno == EINTR);
    return n < 0 ? -errno : (long)got;
}

struct elf_target program_own_target(void)
{
    struct elf_header h = { .names = 0 };

    elf_header((const uint8_t *)&__ehdr_start, sizeof __ehdr_start, &h);
    return h.target;
}

/* A part of the file, read at once: what tells lies in few places, in many small pieces. */
struct window {
    int fd;
    uint64_t start;             /* offset in the file */
    size_t len;                 /* bytes that are there */
    bool failed;                /* something is there, and was not to be had */
    uint8_t bytes[WINDOW];
};

/* A piece of the file, good until the next one is asked for.  len: at most WINDOW.
 * Returns NULL when there is none; *got: its length, shorter than len only where the file ends. */
static const uint8_t *look(struct window *w, uint64_t offset, size_t len, size_t *got)
{
    /* Any number may stand in the file. */
    if (offset < w->start || offset - w->start > w->len || len > w->len - (size_t)(offset - w->start)) {
        long n = program_read(w->fd, offset, w->bytes, sizeof w->bytes);

        w->start = offset;
        w->len = n > 0 ? (size_t)n : 0;
        w->failed = w->failed || (n < 0 && n != -EINVAL);
    }
    *got = w->len - (size_t)(offset - w->start);
    *got = *got < len ? *got : len;
    return *got ? w->bytes + (offset - w->start) : NULL;
}

static const uint8_t *look_whole(struct window *w, uint64_t offset, size_t len)
{
    size_t got;
    const uint8_t *p = look(w, offset, len, &got);

    return got == len ? p : NULL;
}

static bool go_notes(struct window *w, const struct elf_header *h, const struct elf_segment *s)
{
    uint64_t at = 0;

    for (int i = 0; i < NOTES_MAX && at + ELF_NOTE_SIZE <= s->size; i++) {
        const uint8_t *note = look_whole(w, s->offset + at, ELF_NOTE_SIZE);
        bool go;

        if (!note)
            return false;
        at += elf_note(h, note, s->align, &go);
        if (go)
            return true;
    }
    return false;
}

static bool go_names(struct window *w, const struct elf_header *h)
{
    const uint8_t *p = h->names ? look_whole(w, h->names, h->section_size) : NULL;
    uint64_t offset, size;

    if (!p)
        return false;
    elf_names(h, p, &offset, &size);
    for (uint64_t at = 0; at < size && at < NAMES_MAX; at += PIECE - ELF_GO_NAME_LEN + 1) {
        uint64_t rest = size - at;
        size_t got;

        p = look(w, offset + at, rest < PIECE ? (size_t)rest : PIECE, &got);
        if (!p)
            return false;
        if (elf_names_go(p, got))
            return true;
    }
    return false;
}

static bool needs_library(struct window *w, const struct elf_header *h, const struct elf_segment *s)
{
    for (uint64_t at = 0; at < s->size && at < NEEDS_MAX; at += PIECE) {
        uint64_t rest = s->size - at;
        size_t got;
        const uint8_t *p = look(w, s->offset + at, rest < PIECE ? (size_t)rest : PIECE, &got);
        int found = p ? elf_dynamic_needs(h, p, got) : 0;

        if (found != -EAGAIN)
            return found == 1;
    }
    return false;
}

static void look_at_loader(struct window *w, const struct elf_segment *s, struct program_shape *out)
{
    size_t got;
    const char *name = (const char *)look(w, s->offset, s->size < PIECE ? (size_t)s->size : PIECE, &got);

    out->interpreter = true;
    out->libc = elf_libc(name, got);
    out->lost = name && memchr(name, 0, got) && real.syscall(SYS_faccessat, (long)AT_FDCWD, name, (long)X_OK) != 0;
}

static void add_segment(struct window *w, const struct elf_header *h, const struct elf_segment *s,
                        struct program_shape *out)
{
    switch (s->part) {
    case ELF_INTERPRETER:
        look_at_loader(w, s, out);
        break;
    case ELF_DYNAMIC:
        out->needs = needs_library(w, h, s);
        break;
    case ELF_NOTE:
        out->go = out->go || go_notes(w, h, s);
        break;
    case ELF_OTHER:
        break;
    }
}

void program_shape(int fd, const struct elf_header *h, struct program_shape *out)
{
    struct window w = { .fd = fd };

    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < h->segment_count; i++) {
        const uint8_t *entry = look_whole(&w, h->segments + (uint64_t)i * h->segment_size, h->segment_size);
        struct elf_segment segment;

        if (!entry)
            break;
        elf_segment(h, entry, &segment);
        add_segment(&w, h, &segment, out);
    }
    out->go = out->go || go_names(&w, h);
    out->failed = w.failed;
}
