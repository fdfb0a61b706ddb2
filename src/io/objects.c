/* SPDX-License-Identifier: ISC */
/* objects.c - the preloadable objects that lie beside each other, one for each kind of program */
#include "objects.h"

#include <asm/statfs.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "file.h"
#include "program_elf.h"
#include "real.h"

enum { FILESYSTEM_NOEXEC = 8 };    /* ST_NOEXEC */

/* The call whose counts have 64 bits.  Of <asm/statfs.h>, as a libc's own structure may have another shape. */
#ifdef SYS_fstatfs64
#define FILESYSTEM_ASK(fd, fs) real.syscall(SYS_fstatfs64, (long)(fd), (long)sizeof *(fs), fs)
#else
#define FILESYSTEM_ASK(fd, fs) real.syscall(SYS_fstatfs, (long)(fd), fs)
#endif

static const char *const names[OBJECTS_MAX - 1] = { "libsocksify.so", "libsocksify32.so" };

/* An object of 64 bits without DT_NEEDED serves both libcs.  In 32 bits time_t, and with it what a program calls, is
 * musl's own; the second object is made for glibc. */
static unsigned served(const struct elf_header *h, const struct program_shape *shape)
{
    return h->target.class == ELFCLASS64 && !shape->needs ? ELF_GLIBC | ELF_MUSL : ELF_GLIBC;
}

/* The loader cannot map the code from there, and starts the program without it. */
static bool on_noexec(int fd)
{
    struct statfs64 fs;

    return FILESYSTEM_ASK(fd, &fs) == 0 && ((unsigned long)fs.f_flags & FILESYSTEM_NOEXEC);
}

static int look(int fd, const char *path, struct program_object *out)
{
    uint8_t head[ELF_HEADER_SIZE];
    struct program_shape shape;
    struct elf_header h;
    long n = program_read(fd, 0, head, sizeof head);

    if (n < 0 || elf_header(head, (size_t)n, &h) != 0 || !h.position_independent ||
        h.target.order != program_own_target().order)
        return -ENOEXEC;
    if (on_noexec(fd))
        return -EACCES;
    program_shape(fd, &h, &shape);
    *out = (struct program_object){ .target = h.target, .libcs = served(&h, &shape), .path = path };
    return 0;
}

int objects_look(const char *path, struct program_object *out)
{
    int fd = file_open(path, O_RDONLY, 0), error;

    if (fd < 0)
        return fd;
    error = look(fd, path, out);
    real_close(fd);
    return error;
}

static bool is_known(const struct program_object *table, size_t count, const struct elf_target *target)
{
    for (size_t i = 0; i < count; i++)
        if (elf_same_target(&table[i].target, target))
            return true;
    return false;
}

size_t objects_complete(struct program_object *table, char *text)
{
    const char *own = table[0].path, *slash = own ? strrchr(own, '/') : NULL;
    size_t count = 1, directory = slash ? (size_t)(slash + 1 - own) : 0;

    for (size_t i = 0; slash && i < OBJECTS_MAX - 1; i++) {
        memcpy(text, own, directory);
        strcpy(text + directory, names[i]);
        if (strcmp(text, own) == 0 || objects_look(text, &table[count]) != 0 ||
            is_known(table, count, &table[count].target))
            continue;
        text += strlen(text) + 1;
        count++;
    }
    return count;
}
