/* SPDX-License-Identifier: ISC */
/* fuzz_elf.c - no file, of whatever bytes, makes the judging of programs read beyond it or run on
 *
 * Input: a byte that chooses what kind of file; then records of three bytes (place, place, value), each a byte written
 * over it.  With the byte 0xff the rest is the file, for scripts and whatever else.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../elf_image.h"
#include "core/elf.h"
#include "io/program.h"
#include "io/program_elf.h"
#include "io/real.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool truth)
{
    if (!truth)
        abort();
}

/* As hook/exec does, by the descriptor. */
static void judge(int fd)
{
    char *const argv[] = { "program", "--library-path", "/x", "./word", NULL };
    const struct program_object object = { program_own_target(), ELF_GLIBC | ELF_MUSL, "/object" };
    struct program_query q = { .dir = fd, .path = "", .argv = argv, .search = "/nowhere", .objects = { &object, 1 } };
    struct program_finding out;

    program_judge(&q, &out);
    demand(out.reason >= PROGRAM_CARRIED && out.reason <= PROGRAM_UNREADABLE);
    demand((out.object != NULL) <= (out.reason == PROGRAM_CARRIED));
    demand(memchr(out.culprit, 0, sizeof out.culprit));
}

static void try_file(const uint8_t *p, size_t len)
{
    struct elf_header h;
    int fd = memfd_create("program", 0);

    if (elf_header(p, len, &h) == 0)
        demand(h.segment_size <= ELF_ENTRY_SIZE && h.section_size <= ELF_ENTRY_SIZE);
    demand(fd >= 0 && write(fd, p, len) == (ssize_t)len && fchmod(fd, 0755) == 0);
    judge(fd);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t image[ELF_IMAGE_SIZE];
    struct elf_image kind;

    real_init();
    if (size == 0)
        return 0;
    if (data[0] == 0xff) {
        try_file(data + 1, size - 1);
        return 0;
    }
    kind = (struct elf_image){ .narrow = data[0] & 1, .big = data[0] & 2, .fixed = data[0] & 4, .machine = 62,
                               .interpreter = data[0] & 8 ? "/lib/ld-musl-x86_64.so.1" : NULL,
                               .needed = data[0] & 16 ? 3 : 0, .go_note = data[0] & 32,
                               .section = data[0] & 64 ? ".note.go.buildid" : NULL, .ballast = 300 };
    elf_image_make(&kind, image);
    for (size_t i = 1; i + 3 <= size; i += 3)
        image[(data[i] << 8 | data[i + 1]) % ELF_IMAGE_SIZE] = data[i + 2];
    try_file(image, sizeof image);
    return 0;
}
