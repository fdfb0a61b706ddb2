/* SPDX-License-Identifier: ISC */
/* data_move.c - from one descriptor to another, without the program's memory; see data.c */
#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>

#include "datagram.h"
#include "guard.h"

/* A datagram that came through the proxy is no use so, header and all: to the program it is a file that cannot do
 * this. */
static bool moves(int from, int to, bool dont_wait)
{
    int flags = dont_wait ? MSG_DONTWAIT : 0;

    if (guard_stops(from, POLLIN, flags) || guard_stops(to, POLLOUT, flags))
        return false;
    if (!datagram_has_header(from))
        return true;
    errno = EINVAL;
    return false;
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    return moves(from, to, false) ? guard_result(to, real.sendfile(to, from, offset, size)) : -1;
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
    return moves(from, to, false) ? guard_result(to, real.sendfile64(to, from, offset, size)) : -1;
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
    ssize_t n;

    if (!moves(from, to, flags & SPLICE_F_NONBLOCK))
        return -1;
    n = real.splice(from, from_offset, to, to_offset, size, flags);
    return guard_result(from, guard_result(to, n));
}
