/* SPDX-License-Identifier: ISC */
/* textfile.c - a file, byte by byte, on a kilobyte of stack */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>

#include "file.h"
#include "real.h"

enum { BYTES_MAX = 64 << 20 };      /* a file without an end must not hang the program */

void textfile_open(struct textfile *f, const char *path)
{
    int saved_errno = errno;

    f->fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    f->at = f->end = f->total = 0;
    errno = saved_errno;
}

void textfile_close(struct textfile *f)
{
    int saved_errno = errno;

    if (f->fd >= 0)
        real_close(f->fd);
    errno = saved_errno;
}

int textfile_more(struct textfile *f)
{
    int saved_errno = errno;
    long n = 0;

    if (f->fd < 0 || f->total >= BYTES_MAX)
        return -1;
    /* A thread that was cancelled in libc's read() would leave the descriptor behind. */
    do
        n = real.syscall(SYS_read, (long)f->fd, f->data, (long)sizeof f->data);
    while (n < 0 && errno == EINTR);
    errno = saved_errno;
    if (n <= 0)
        return -1;
    f->total += (size_t)n;
    f->end = (size_t)n;
    f->at = 1;
    return f->data[0];
}
