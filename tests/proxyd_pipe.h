/* SPDX-License-Identifier: ISC */
/* proxyd_pipe.h - one direction of a relayed TCP connection */
#ifndef SOCKSIFY_TESTS_PROXYD_PIPE_H
#define SOCKSIFY_TESTS_PROXYD_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PIPE_SIZE = 16384 };

struct pipe {
    size_t start, end;          /* what was read and not yet written */
    bool eof, shut;             /* the source ended; the end was passed on */
    uint8_t data[PIPE_SIZE];
};

/* Empty it. */
void pipe_init(struct pipe *p);

/* True while more can be read into it. */
bool pipe_has_room(const struct pipe *p);

/* Read what one recv() gives, at most limit bytes in all being kept.  Returns 0, also when there is nothing to read
 * now; at the end of the stream, with eof set; a negative errno when the connection broke. */
int pipe_fill(struct pipe *p, int fd, size_t limit);

/* Write what the socket takes, then pass the end of the stream on.  Returns 0 or a negative errno. */
int pipe_flush(struct pipe *p, int fd);

/* Drop n bytes from the front. */
void pipe_drop(struct pipe *p, size_t n);

#endif
