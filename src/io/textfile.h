/* SPDX-License-Identifier: ISC */
/* textfile.h - a file, byte by byte, on a kilobyte of stack
 *
 * For the resolver's files, which are read in threads that may have a stack of 16 KiB.  Nothing here allocates, is a
 * cancellation point or changes errno; all of it is async-signal-safe.
 */
#ifndef SOCKSIFY_IO_TEXTFILE_H
#define SOCKSIFY_IO_TEXTFILE_H

#include <stddef.h>

enum { TEXTFILE_PIECE = 1024 };

struct textfile {
    int fd;                     /* negative when it cannot be read: it is then an empty file */
    size_t at, end, total;      /* bytes: the next one and those that are in data; read in all */
    unsigned char data[TEXTFILE_PIECE];
};

/* Open a file for textfile_byte(); to be closed in any case.  path: one that turned into a pipe does not stop the
 * caller. */
void textfile_open(struct textfile *f, const char *path);

/* Give the descriptor back. */
void textfile_close(struct textfile *f);

/* Read the next piece.  Returns its first byte, or -1: the end, an error, or more than any such file holds. */
int textfile_more(struct textfile *f);

/* The next byte, or -1 at the end. */
static inline int textfile_byte(struct textfile *f)
{
    return f->at < f->end ? f->data[f->at++] : textfile_more(f);
}

#endif
