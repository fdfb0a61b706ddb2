/* SPDX-License-Identifier: ISC */
/* data_vector.c - reading and writing in pieces, for descriptors of any kind; see data.c */
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "../io/memory.h"
#include "../io/vector.h"
#include "datagram.h"
#include "guard.h"

/* Calls that older headers lack. */
#ifndef SYS_preadv2
#define SYS_preadv2 (-1001)
#endif
#ifndef SYS_pwritev2
#define SYS_pwritev2 (-1002)
#endif

enum {
    VECTOR_MAX = 1024,    /* UIO_MAXIOV */
    NO_WAIT = 8           /* RWF_NOWAIT */
};

static bool is_plain(void)
{
    return hook_idle(GATE_PENDING | GATE_DATAGRAM);
}

static bool reads_vector(int fd, const struct iovec *vector, int count, int flags, ssize_t *result)
{
    struct msghdr m = { .msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count };
    int entry_errno = errno;

    if (!datagram_handle(fd) || count <= 0 || count > VECTOR_MAX ||
        !memory_readable(vector, (size_t)count * sizeof *vector) || vector_size(vector, (size_t)count) == 0 ||
        !datagram_receive(fd, &m, flags, result))
        return false;
    *result = hook_return(entry_errno, *result);
    return true;
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    struct msghdr m = { .msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count };
    ssize_t n;

    if (is_plain()) {
        n = real.readv(fd, vector, count);
    } else {
        if (reads_vector(fd, vector, count, 0, &n))
            return n;
        if (guard_stops(fd, POLLIN, 0))
            return -1;
        n = guard_result(fd, real.readv(fd, vector, count));
    }
    return datagram_is_late(fd, n, 0) ? datagram_late(fd, &m, (struct datagram_room){ 0, 0 }, 0, n) : n;
}

/* The kernel sends no datagram for a vector of nothing. */
static bool sends_vector(int fd, const struct iovec *vector, int count, int flags, ssize_t *result)
{
    const struct msghdr m = { .msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count };
    int entry_errno = errno;

    if (!datagram_handle(fd) || count <= 0 || count > VECTOR_MAX ||
        !memory_readable(vector, (size_t)count * sizeof *vector) || vector_size(vector, (size_t)count) == 0 ||
        !datagram_send(fd, &m, flags, NULL, result))
        return false;
    *result = hook_return(entry_errno, *result);
    return true;
}

/* What libc has made of a datagram to the peer, which another number or process may have recorded. */
static ssize_t sent_vector(int fd, const struct iovec *vector, int count, int flags, int entry_errno, ssize_t n)
{
    n = guard_result(fd, n);
    if (HOOK_LIKELY(!datagram_lacks_peer(n)) || !datagram_found(fd))
        return n;
    errno = entry_errno;
    return sends_vector(fd, vector, count, flags, &n) ? n : hook_return(0, -EDESTADDRREQ);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    int entry_errno;
    ssize_t n;

    if (is_plain())
        return real.writev(fd, vector, count);
    if (sends_vector(fd, vector, count, 0, &n))
        return n;
    if (guard_stops(fd, POLLOUT, 0))
        return -1;
    entry_errno = errno;
    return sent_vector(fd, vector, count, 0, entry_errno, real.writev(fd, vector, count));
}

/* With an offset of -1 these two act as readv() and writev(); any other a socket refuses.  True: return *n. */
static bool reads_here(int fd, const struct iovec *vector, int count, off64_t offset, int flags, ssize_t *n)
{
    hook_enter();
    *n = -1;
    return offset == -1 && (reads_vector(fd, vector, count, flags & NO_WAIT ? MSG_DONTWAIT : 0, n) ||
                            guard_stops(fd, POLLIN, flags & NO_WAIT ? MSG_DONTWAIT : 0));
}

static bool writes_here(int fd, const struct iovec *vector, int count, off64_t offset, int flags, ssize_t *n)
{
    hook_enter();
    *n = -1;
    return offset == -1 && (sends_vector(fd, vector, count, flags & NO_WAIT ? MSG_DONTWAIT : 0, n) ||
                            guard_stops(fd, POLLOUT, flags & NO_WAIT ? MSG_DONTWAIT : 0));
}

/* For a libc that lacks the function. */
static ssize_t at_offset(long number, int fd, const struct iovec *vector, int count, off64_t offset, int flags)
{
    return real.syscall(number, (long)fd, vector, (long)count, (long)offset, (long)(offset >> 32), (long)flags);
}

static ssize_t received_vector(int fd, const struct iovec *vector, int count, off64_t offset, ssize_t n)
{
    struct msghdr m = { .msg_iov = (struct iovec *)vector, .msg_iovlen = (size_t)count };

    n = guard_result(fd, n);
    return offset == -1 && datagram_is_late(fd, n, 0) ? datagram_late(fd, &m, (struct datagram_room){ 0, 0 }, 0, n) : n;
}

ssize_t preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    ssize_t n;

    return reads_here(fd, vector, count, offset, flags, &n) ? n
           : received_vector(fd, vector, count, offset,
                             HOOK_HAVE(preadv2) ? real.preadv2(fd, vector, count, offset, flags)
                                                : at_offset(SYS_preadv2, fd, vector, count, offset, flags));
}

ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags)
{
    ssize_t n;

    return reads_here(fd, vector, count, offset, flags, &n) ? n
           : received_vector(fd, vector, count, offset,
                             HOOK_HAVE(preadv64v2) ? real.preadv64v2(fd, vector, count, offset, flags)
                                                   : at_offset(SYS_preadv2, fd, vector, count, offset, flags));
}

ssize_t pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    int entry_errno = errno;
    ssize_t n;

    if (writes_here(fd, vector, count, offset, flags, &n))
        return n;
    n = HOOK_HAVE(pwritev2) ? real.pwritev2(fd, vector, count, offset, flags)
                            : at_offset(SYS_pwritev2, fd, vector, count, offset, flags);
    return sent_vector(fd, vector, count, flags & NO_WAIT ? MSG_DONTWAIT : 0, entry_errno, n);
}

ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags)
{
    int entry_errno = errno;
    ssize_t n;

    if (writes_here(fd, vector, count, offset, flags, &n))
        return n;
    n = HOOK_HAVE(pwritev64v2) ? real.pwritev64v2(fd, vector, count, offset, flags)
                               : at_offset(SYS_pwritev2, fd, vector, count, offset, flags);
    return sent_vector(fd, vector, count, flags & NO_WAIT ? MSG_DONTWAIT : 0, entry_errno, n);
}
