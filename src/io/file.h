/* SPDX-License-Identifier: ISC */
/* file.h - files, asked and opened by system calls
 *
 * Not by libc's wrappers: fstat() is no function of glibc before 2.33 and struct stat is each libc's own; open() and
 * close() are cancellation points, and a thread that is cancelled in them would take a descriptor, or a lock, with it.
 * Needs statx(), Linux 4.11.  Everything here is async-signal-safe and fork-safe.
 */
#ifndef SOCKSIFY_IO_FILE_H
#define SOCKSIFY_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct file_info {
    uint64_t device;       /* major << 32 | minor */
    uint64_t inode;
    uint64_t size;         /* bytes */
    int64_t modified_s;    /* time of modification, seconds of CLOCK_REALTIME */
    int64_t changed_s;     /* of the last change, be it of its content or of what is asked here */
    uint32_t modified_ns, changed_ns;
    uint32_t mode;         /* type and permissions, as S_ISREG() and its kin take them */
    uint32_t uid;
    uint32_t links;
};

/* What getdents64() writes of each name of a directory. */
struct file_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t len;          /* bytes until the next one */
    uint8_t type;
    char name[];
};

/* Ask of an open file.  Returns 0 or -errno (out untouched). */
int file_ask(int fd, struct file_info *out);

/* Ask of a path.  follow: whether a symbolic link at its end is followed.  Returns 0 or -errno (out untouched). */
int file_ask_path(const char *path, bool follow, struct file_info *out);

/* open() with O_CLOEXEC.  mode: of a new file.  Returns a descriptor, to be given to real_close(), or -errno. */
int file_open(const char *path, int flags, unsigned mode);

/* May this process write a file up to that size, in bytes?  Where it may not the kernel would send SIGXFSZ. */
bool file_may_grow(uint64_t size);

/* Make a file longer by real blocks: a hole that the disk has no room for would be a SIGBUS later.  from: its size; to:
 * the new one, bytes; below 2 GiB.  Sends no SIGXFSZ, and is no cancellation point.  Returns 0, or -ENOSPC, -EDQUOT,
 * -EFBIG or another -errno: part of it may have been added. */
int file_extend(int fd, uint64_t from, uint64_t to);

/* The inode number of a namespace of this process.  kind: "net" or "pid".  Returns 0 when /proc is out of reach. */
uint64_t file_namespace(const char *kind);

#endif
