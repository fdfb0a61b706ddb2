/* SPDX-License-Identifier: ISC */
/* data.c - reading and writing, for descriptors of any kind
 *
 * They concern us only while the handshake of a socket is pending: its bytes are not the program's.
 */
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "guard.h"

ssize_t read(int fd, void *data, size_t size)
{
    return guard_stops(fd, POLLIN, false) ? -1 : guard_result(fd, real.read(fd, data, size));
}

ssize_t readv(int fd, const struct iovec *vector, int count)
{
    return guard_stops(fd, POLLIN, false) ? -1 : guard_result(fd, real.readv(fd, vector, count));
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    return guard_stops(fd, POLLIN, flags & MSG_DONTWAIT) ? -1 : guard_result(fd, real.recv(fd, data, size, flags));
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *sa, socklen_t *len)
{
    return guard_stops(fd, POLLIN, flags & MSG_DONTWAIT)
               ? -1 : guard_result(fd, real.recvfrom(fd, data, size, flags, sa, len));
}

ssize_t write(int fd, const void *data, size_t size)
{
    return guard_stops(fd, POLLOUT, false) ? -1 : guard_result(fd, real.write(fd, data, size));
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    return guard_stops(fd, POLLOUT, false) ? -1 : guard_result(fd, real.writev(fd, vector, count));
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return guard_stops(fd, POLLOUT, flags & MSG_DONTWAIT) ? -1 : guard_result(fd, real.send(fd, data, size, flags));
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
    return guard_stops(to, POLLOUT, false) ? -1 : guard_result(to, real.sendfile(to, from, offset, size));
}

ssize_t sendfile64(int to, int from, off64_t *offset, size_t size)
{
    return guard_stops(to, POLLOUT, false) ? -1 : guard_result(to, real.sendfile64(to, from, offset, size));
}

ssize_t splice(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size, unsigned flags)
{
    if (guard_stops(from, POLLIN, flags & SPLICE_F_NONBLOCK) || guard_stops(to, POLLOUT, flags & SPLICE_F_NONBLOCK))
        return -1;
    return real.splice(from, from_offset, to, to_offset, size, flags);
}

/* What a fortified program calls; the libc that has them checks the size and ends the program. */
ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    if (guard_stops(fd, POLLIN, false))
        return -1;
    return guard_result(fd, HOOK_HAVE(__read_chk) ? real.__read_chk(fd, data, size, room) : real.read(fd, data, size));
}

ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags)
{
    if (guard_stops(fd, POLLIN, flags & MSG_DONTWAIT))
        return -1;
    return guard_result(fd, HOOK_HAVE(__recv_chk) ? real.__recv_chk(fd, data, size, room, flags)
                                                  : real.recv(fd, data, size, flags));
}

ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *sa, socklen_t *len)
{
    if (guard_stops(fd, POLLIN, flags & MSG_DONTWAIT))
        return -1;
    return guard_result(fd, HOOK_HAVE(__recvfrom_chk) ? real.__recvfrom_chk(fd, data, size, room, flags, sa, len)
                                                      : real.recvfrom(fd, data, size, flags, sa, len));
}

/* While a handshake is pending its replies may lie in the socket; the program's bytes are none. */
int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    hook_enter();
    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == FIONREAD && guard_pending(fd)) {
        *(int *)argument = 0;
        return 0;
    }
    return real.ioctl(fd, request, argument);
}
