/* SPDX-License-Identifier: ISC */
/* proxyd_pipe.c - one direction of a relayed TCP connection */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "proxyd_pipe.h"

void pipe_init(struct pipe *p)
{
    p->start = p->end = 0;
    p->eof = p->shut = false;
}

bool pipe_has_room(const struct pipe *p)
{
    return !p->eof && p->end - p->start < PIPE_SIZE;
}

int pipe_fill(struct pipe *p, int fd, size_t limit)
{
    if (p->eof || p->end - p->start >= limit)
        return 0;
    if (p->start > 0) {
        memmove(p->data, p->data + p->start, p->end - p->start);
        p->end -= p->start;
        p->start = 0;
    }
    ssize_t n = recv(fd, p->data + p->end, limit - p->end, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    p->end += (size_t)n;
    p->eof = n == 0;
    return 0;
}

int pipe_flush(struct pipe *p, int fd)
{
    while (p->start < p->end) {
        ssize_t n = send(fd, p->data + p->start, p->end - p->start, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        pipe_drop(p, (size_t)n);
    }
    if (p->eof && !p->shut) {
        p->shut = true;
        (void)shutdown(fd, SHUT_WR);
    }
    return 0;
}

void pipe_drop(struct pipe *p, size_t n)
{
    p->start += n;
    if (p->start == p->end)
        p->start = p->end = 0;
}
