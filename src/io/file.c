/* SPDX-License-Identifier: ISC */
/* file.c - files, asked, opened and made longer by system calls */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real.h"

/* Headers older than the call: the kernel says ENOSYS to the number, as an old kernel does to the right one. */
#ifndef SYS_statx
#define SYS_statx (-1)
#endif

enum {
    WANTED = 0x7ff,           /* STATX_BASIC_STATS */
    PATH_EMPTY = 0x1000,      /* AT_EMPTY_PATH */
    EXTEND_TRIES = 16         /* after a signal */
};

/* The kernel's struct statx: the same bytes for every machine, word size and libc. */
struct answer {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, spare;
    uint64_t inode, size, blocks, attributes_mask;
    struct {
        int64_t s;
        uint32_t ns, spare;
    } accessed, born, changed, modified;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t more[14];
};

static int ask(int fd, const char *path, int flags, struct file_info *out)
{
    struct answer a;

    memset(&a, 0, sizeof a);
    if (real.syscall(SYS_statx, (long)fd, path, (long)flags, (long)WANTED, &a) != 0)
        return -errno;
    out->device = (uint64_t)a.dev_major << 32 | a.dev_minor;
    out->inode = a.inode;
    out->size = a.size;
    out->modified_s = a.modified.s;
    out->changed_s = a.changed.s;
    out->modified_ns = a.modified.ns;
    out->changed_ns = a.changed.ns;
    out->mode = a.mode;
    out->uid = a.uid;
    out->links = a.links;
    return 0;
}

int file_ask(int fd, struct file_info *out)
{
    return ask(fd, "", PATH_EMPTY, out);
}

int file_ask_path(const char *path, bool follow, struct file_info *out)
{
    return ask(AT_FDCWD, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, out);
}

int file_open(const char *path, int flags, unsigned mode)
{
    long fd;

    do
        fd = real.syscall(SYS_openat, (long)AT_FDCWD, path, (long)(flags | O_CLOEXEC), (long)mode);
    while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : (int)fd;
}

uint64_t file_namespace(const char *kind)
{
    char path[32] = "/proc/self/ns/";
    struct file_info info;

    strncat(path, kind, sizeof path - strlen(path) - 1);
    return file_ask_path(path, true, &info) == 0 ? info.inode : 0;
}

/* Returns 0, or the errno; EOPNOTSUPP where there is no such call, or its arguments are not one word each. */
static int reserve(int fd, uint64_t from, uint64_t to)
{
    int error = sizeof(long) == 8 ? EINTR : EOPNOTSUPP;

    for (int i = 0; i < EXTEND_TRIES && error == EINTR; i++)
        error = real.syscall(SYS_fallocate, (long)fd, 0L, (long)from, (long)(to - from)) == 0 ? 0 : errno;
    return error;
}

bool file_may_grow(uint64_t size)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

/* posix_fallocate() is a cancellation point where libc has to write by itself. */
int file_extend(int fd, uint64_t from, uint64_t to)
{
    static const char zero[4096];
    int error;

    if (!file_may_grow(to))
        return -EFBIG;
    error = reserve(fd, from, to);
    if (error != EOPNOTSUPP && error != ENOSYS)
        return -error;
    if (real.syscall(SYS_lseek, (long)fd, (long)from, (long)SEEK_SET) < 0)
        return -errno;
    for (int tries = EXTEND_TRIES; from < to;) {
        uint64_t left = to - from;
        long n = real.syscall(SYS_write, (long)fd, zero, (long)(left < sizeof zero ? left : sizeof zero));

        if (n <= 0 && (n == 0 || errno != EINTR || --tries == 0))
            return n == 0 ? -ENOSPC : -errno;
        from += n > 0 ? (uint64_t)n : 0;
    }
    return 0;
}
