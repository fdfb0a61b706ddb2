/* SPDX-License-Identifier: ISC */
/* data.c - reading and writing, for descriptors of any kind
 *
 * They concern us only while the handshake of a socket is pending: its bytes are not the program's; and for datagram
 * sockets with an association.  All that takes room is in functions of its own, since what saves registers and makes a
 * frame costs every call.
 */
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#include "../core/frame.h"
#include "../io/memory.h"
#include "datagram_quick.h"
#include "guard.h"
#include "inbound.h"

static bool is_plain(void)
{
    return hook_idle(GATE_PENDING | GATE_DATAGRAM);
}

/* result: DATAGRAM_SLOW or a negative errno. */
OWN_FRAME static bool receives_slowly(int fd, void *data, size_t size, int flags, ssize_t *result)
{
    struct iovec piece = { data, size < SSIZE_MAX / 2 ? size : SSIZE_MAX / 2 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
    int entry_errno = errno;

    if (*result == DATAGRAM_SLOW && !datagram_receive(fd, &m, flags, result))
        return false;
    *result = hook_return(entry_errno, *result);
    return true;
}

/* A datagram from the relay, or the like, if that is what fd receives. */
static inline bool receives(int fd, void *data, size_t size, int flags, ssize_t *result)
{
    struct assoc *a = datagram_of(fd);

    if (!a)
        return false;
    *result = datagram_quick_receive(a, fd, data, size, flags, NULL, NULL);
    return HOOK_LIKELY(*result >= 0) || receives_slowly(fd, data, size, flags, result);
}

OWN_FRAME static ssize_t received_datagram(int fd, void *data, size_t size, int flags, ssize_t result)
{
    return datagram_is_late(fd, result, flags) ? datagram_late_data(fd, data, size, flags, result) : result;
}

static inline ssize_t received(int fd, void *data, size_t size, int flags, ssize_t result)
{
    return HOOK_LIKELY(result <= 0 || hook_idle(GATE_DATAGRAM)) ? result
                                                                : received_datagram(fd, data, size, flags, result);
}

OWN_FRAME static ssize_t read_with_care(int fd, void *data, size_t size)
{
    ssize_t n;

    /* The kernel takes no datagram for a read() of nothing. */
    if (size && receives(fd, data, size, 0, &n))
        return n;
    return guard_stops(fd, POLLIN, 0)
               ? -1 : received(fd, data, size, 0, guard_result(fd, real.read(fd, data, size)));
}

ssize_t read(int fd, void *data, size_t size)
{
    struct {
        void *data;
        size_t size;
        int fd;
    } call = { data, size, fd };
    ssize_t n;

    if (!HOOK_LIKELY(is_plain()))
        return read_with_care(fd, data, size);
    HOOK_KEEP(call);
    n = real.read(fd, data, size);
    return received(call.fd, call.data, call.size, 0, n);
}

OWN_FRAME static ssize_t recv_with_care(int fd, void *data, size_t size, int flags)
{
    ssize_t n;

    if (receives(fd, data, datagram_cut(size), flags, &n))
        return n;
    return guard_stops(fd, POLLIN, flags)
               ? -1 : received(fd, data, size, flags, guard_result(fd, real.recv(fd, data, size, flags)));
}

ssize_t recv(int fd, void *data, size_t size, int flags)
{
    struct {
        void *data;
        size_t size;
        int fd, flags;
    } call = { data, size, fd, flags };
    ssize_t n;

    if (!HOOK_LIKELY(is_plain()))
        return recv_with_care(fd, data, size, flags);
    HOOK_KEEP(call);
    n = real.recv(fd, data, size, flags);
    return received(call.fd, call.data, call.size, call.flags, n);
}

/* result: as in receives_slowly(). */
OWN_FRAME static bool receives_from_slowly(int fd, void *data, size_t size, int flags, struct sockaddr *sa,
                                           socklen_t *len, ssize_t *result)
{
    struct iovec piece = { data, size < SSIZE_MAX / 2 ? size : SSIZE_MAX / 2 };
    /* As the kernel, which looks there when the datagram is received. */
    bool lost = *result == DATAGRAM_SLOW && sa && !memory_writable(len, sizeof *len);
    struct msghdr m = { .msg_name = lost ? NULL : sa, .msg_iov = &piece, .msg_iovlen = 1 };
    int entry_errno = errno;

    if (*result == DATAGRAM_SLOW) {
        if (m.msg_name)
            m.msg_namelen = *len;
        if (!datagram_receive(fd, &m, flags, result))
            return false;
        if (*result >= 0 && m.msg_name)
            *len = m.msg_namelen;
        if (*result >= 0 && lost)
            *result = -EFAULT;
    }
    *result = hook_return(entry_errno, *result);
    return true;
}

/* recvfrom() on a socket with an association. */
static inline bool receives_from(int fd, void *data, size_t size, int flags, struct sockaddr *sa, socklen_t *len,
                                 ssize_t *result)
{
    struct assoc *a = datagram_of(fd);

    if (!a)
        return false;
    *result = datagram_quick_receive(a, fd, data, size, flags, sa, len);
    return HOOK_LIKELY(*result >= 0) || receives_from_slowly(fd, data, size, flags, sa, len, result);
}

/* room: what *len was before the call. */
static ssize_t received_from(int fd, void *data, size_t size, int flags, struct sockaddr *sa, socklen_t room,
                             socklen_t *len, ssize_t result)
{
    struct iovec piece = { data, size };
    struct msghdr m = { .msg_name = sa, .msg_iov = &piece, .msg_iovlen = 1 };

    if (HOOK_LIKELY(!datagram_is_late(fd, result, flags)))
        return result;
    m.msg_namelen = sa ? *len : 0;
    result = datagram_late(fd, &m, (struct datagram_room){ room, 0 }, flags, result);
    if (sa)
        *len = m.msg_namelen;
    return result;
}

static socklen_t room_for_name(const struct sockaddr *sa, const socklen_t *len)
{
    return sa && memory_readable(len, sizeof *len) ? *len : 0;
}

ssize_t recvfrom(int fd, void *data, size_t size, int flags, struct sockaddr *sa, socklen_t *len)
{
    socklen_t room;
    ssize_t n;

    if (receives_from(fd, data, datagram_cut(size), flags, sa, len, &n))
        return n;
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    room = room_for_name(sa, len);
    n = guard_result(fd, real.recvfrom(fd, data, size, flags, sa, len));
    return received_from(fd, data, size, flags, sa, room, len, n);
}

/* result: as in receives_slowly(). */
OWN_FRAME static bool sends_slowly(int fd, const void *data, size_t size, int flags, ssize_t *result)
{
    struct iovec piece = { (void *)data, size };
    const struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
    int entry_errno = errno;

    if (*result == DATAGRAM_SLOW && !datagram_send(fd, &m, flags, NULL, result))
        return false;
    *result = hook_return(entry_errno, *result);
    return true;
}

/* A datagram to the peer, if fd has one that the kernel does not know. */
static inline bool sends(int fd, const void *data, size_t size, int flags, ssize_t *result)
{
    struct assoc *a = datagram_of(fd);

    if (!a)
        return false;
    *result = datagram_quick_send(a, fd, data, size, flags, NULL, 0);
    return HOOK_LIKELY(*result >= 0) || sends_slowly(fd, data, size, flags, result);
}

/* What libc has made of a datagram to the peer, which another number or process may have recorded. */
static inline ssize_t sent(int fd, const void *data, size_t size, int flags, int entry_errno, ssize_t result)
{
    if (HOOK_LIKELY(!datagram_lacks_peer(result)) || !datagram_found(fd))
        return result;
    errno = entry_errno;
    return sends(fd, data, size, flags, &result) ? result : hook_return(0, -EDESTADDRREQ);
}

OWN_FRAME static ssize_t write_with_care(int fd, const void *data, size_t size)
{
    int entry_errno;
    ssize_t n;

    if (sends(fd, data, size, 0, &n))
        return n;
    if (guard_stops(fd, POLLOUT, 0))
        return -1;
    entry_errno = errno;
    return sent(fd, data, size, 0, entry_errno, guard_result(fd, real.write(fd, data, size)));
}

ssize_t write(int fd, const void *data, size_t size)
{
    return HOOK_LIKELY(is_plain()) ? real.write(fd, data, size) : write_with_care(fd, data, size);
}

OWN_FRAME static ssize_t send_with_care(int fd, const void *data, size_t size, int flags)
{
    int entry_errno;
    ssize_t n;

    if (sends(fd, data, datagram_cut(size), flags, &n))
        return n;
    if (guard_stops(fd, POLLOUT, flags))
        return -1;
    entry_errno = errno;
    return sent(fd, data, datagram_cut(size), flags, entry_errno, guard_result(fd, real.send(fd, data, size, flags)));
}

ssize_t send(int fd, const void *data, size_t size, int flags)
{
    return HOOK_LIKELY(is_plain()) ? real.send(fd, data, size, flags) : send_with_care(fd, data, size, flags);
}

/* What a fortified program calls; the libc that has them checks the size and ends the program, for which a size that is
 * too great is left to it. */
ssize_t __read_chk(int fd, void *data, size_t size, size_t room)
{
    ssize_t n;

    if (size && size <= room && receives(fd, data, size, 0, &n))
        return n;
    if (guard_stops(fd, POLLIN, 0))
        return -1;
    n = guard_result(fd, HOOK_HAVE(__read_chk) ? real.__read_chk(fd, data, size, room) : real.read(fd, data, size));
    return received(fd, data, size, 0, n);
}

ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags)
{
    ssize_t n;

    if (size <= room && receives(fd, data, datagram_cut(size), flags, &n))
        return n;
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    n = guard_result(fd, HOOK_HAVE(__recv_chk) ? real.__recv_chk(fd, data, size, room, flags)
                                               : real.recv(fd, data, size, flags));
    return received(fd, data, size, flags, n);
}

ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *sa, socklen_t *len)
{
    socklen_t name_room;
    ssize_t n;

    if (size <= room && receives_from(fd, data, datagram_cut(size), flags, sa, len, &n))
        return n;
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    name_room = room_for_name(sa, len);
    n = guard_result(fd, HOOK_HAVE(__recvfrom_chk) ? real.__recvfrom_chk(fd, data, size, room, flags, sa, len)
                                                   : real.recvfrom(fd, data, size, flags, sa, len));
    return received_from(fd, data, size, flags, sa, name_room, len, n);
}

/* What counts bytes of a connection, which a listener has none of. */
static bool counts(ioctl_request request)
{
    enum { OUTQNSD = 0x894b };

    return request == FIONREAD || request == TIOCOUTQ || request == OUTQNSD;
}

/* While a handshake is pending its replies may lie in the socket; the program's bytes are none. */
int ioctl(int fd, ioctl_request request, ...)
{
    int entry_errno = errno, waiting;
    va_list arguments;
    void *argument;

    hook_enter();
    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    if (counts(request) && inbound_listens(fd))
        return (int)hook_return(entry_errno, -EINVAL);
    if (request == FIONREAD && guard_pending(fd)) {
        if (!memory_writable(argument, sizeof(int)))
            return (int)hook_return(entry_errno, -EFAULT);
        *(int *)argument = 0;
        return 0;
    }
    if (request == FIONREAD && datagram_handle(fd) && datagram_waiting(fd, &waiting)) {
        if (!memory_writable(argument, sizeof(int)))
            return (int)hook_return(entry_errno, -EFAULT);
        *(int *)argument = waiting;
        return (int)hook_return(entry_errno, 0);
    }
    return real.ioctl(fd, request, argument);
}
