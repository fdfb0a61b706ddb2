/* SPDX-License-Identifier: ISC */
/* recv.c - the receiving calls that may bring descriptors */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/clock.h"
#include "../io/memory.h"
#include "../io/message.h"
#include "../io/tunnel.h"
#include "datagram_place.h"
#include "guard.h"
#include "number.h"
#include "wait.h"

enum {
    MESSAGES_MAX = 1024,        /* UIO_MAXIOV */
    RESTART = 512,              /* ERESTARTSYS */
    SIZES = 3                   /* which of them, or none, takes two bits */
};

/* The numbers that came with SCM_RIGHTS were made anew: what was known of them is over. */
static void forget_passed(struct msghdr *message)
{
    struct cmsghdr *c = NULL;
    size_t len = 0;

    while ((c = message_control(message, c, &len))) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t used = CMSG_LEN(0); used + sizeof(int) <= len; used += sizeof(int)) {
            int fd;

            memcpy(&fd, (unsigned char *)c + used, sizeof fd);
            number_made(fd);
            datagram_adopt(fd);
        }
    }
}

static ssize_t receive_message(int fd, struct msghdr *message, int flags)
{
    struct datagram_room room = { 0, 0 };
    ssize_t result;

    if (memory_readable(message, sizeof *message))
        room = (struct datagram_room){ message->msg_namelen, message->msg_controllen };
    result = guard_result(fd, real.recvmsg(fd, message, flags));
    return datagram_is_late(fd, result, flags) ? datagram_late(fd, message, room, flags, result) : result;
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    int entry_errno = errno;
    ssize_t result;

    if (datagram_handle(fd) && memory_writable(message, sizeof *message) &&
        datagram_receive(fd, message, flags, &result))
        return hook_return(entry_errno, result);
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    result = receive_message(fd, message, flags);
    if (result >= 0 && message->msg_controllen)
        forget_passed(message);
    return result;
}

static long receive_one(int fd, struct mmsghdr *message, int flags)
{
    ssize_t result;

    if (!memory_writable(message, sizeof *message))
        return -EFAULT;
    if (!datagram_receive(fd, &message->msg_hdr, flags & ~MSG_WAITFORONE, &result)) {
        /* The number is something else by now. */
        if (guard_stops(fd, POLLIN, flags))
            return -errno;
        result = receive_message(fd, &message->msg_hdr, flags & ~MSG_WAITFORONE);
        if (result < 0)
            return -errno;
    }
    if (result >= 0)
        message->msg_len = (unsigned)result;
    return result < 0 ? result : 1;
}

/* All that a call for several has brought was dropped.  Of a signal that ended it the kernel tells the next call, by a
 * number that programs never see elsewhere (ERESTARTSYS). */
static long receive_behind(int fd, struct mmsghdr *message, int flags)
{
    long got = receive_one(fd, message, flags);

    if (got != -RESTART)
        return got;
    return tunnel_restarts() ? receive_one(fd, message, flags) : -EINTR;
}

static int64_t end_of(const struct timespec *t)
{
    if (!t || t->tv_sec > INT32_MAX)
        return INT64_MAX;
    return clock_ms() + (int64_t)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

/* An error, or the word that wakes sleepers, came behind datagrams: the next call tells of it, as the kernel's. */
static void tell_later(int fd, int error)
{
    struct assoc *a = datagram_of(fd);

    if (a && error != EINTR && error != EAGAIN)
        atomic_store(&a->failed, -error);
}

/* timeout: looked at after each datagram, as the kernel does; gets what is left of it. */
static long receive_many(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int64_t limit = end_of(timeout), left;
    unsigned done = 0;
    bool more = true;
    long got = 0;

    if (!wait_is_time(timeout))
        return -EINVAL;
    if (count > MESSAGES_MAX)
        count = MESSAGES_MAX;
    while (more && done < count) {
        int own = flags & MSG_WAITFORONE && done ? flags | MSG_DONTWAIT : flags;

        if (!datagram_receive_batch(fd, messages + done, count - done, own, timeout, &got, &more))
            got = receive_one(fd, messages + done, own);
        else if (got == 0)
            got = receive_behind(fd, messages + done, own);
        if (got < 0)
            break;
        done += (unsigned)got;
        more = more && clock_ms() < limit;
    }
    if (done && got < 0)
        tell_later(fd, (int)-got);
    left = limit == INT64_MAX ? INT64_MAX : limit - clock_ms();
    if (left != INT64_MAX)
        *timeout = (struct timespec){ left > 0 ? left / 1000 : 0, left > 0 ? left % 1000 * 1000000 : 0 };
    return done ? (long)done : got;
}

static void forget_all_passed(struct mmsghdr *messages, int count)
{
    for (int i = 0; i < count; i++)
        if (messages[i].msg_hdr.msg_controllen)
            forget_passed(&messages[i].msg_hdr);
}

/* Room that messages have, which the kernel's call overwrites.  No address takes more than a byte tells; of sizes for
 * control messages programs have one or two. */
struct rooms {
    unsigned count, sizes;
    size_t size[SIZES];
    uint8_t name[MESSAGES_MAX], control[MESSAGES_MAX / 4];  /* the latter: which size; SIZES: another */
};

static unsigned size_of(const struct rooms *r, unsigned i)
{
    return r->control[i / 4] >> i % 4 * 2 & 3;
}

static void note_room(const struct msghdr *m, struct rooms *r, unsigned i)
{
    unsigned size = 0;

    while (size < r->sizes && r->size[size] != m->msg_controllen)
        size++;
    if (size == r->sizes && size < SIZES)
        r->size[r->sizes++] = m->msg_controllen;
    /* In order: the first of four finds nothing there. */
    r->control[i / 4] = (uint8_t)((i % 4 ? r->control[i / 4] : 0) | size << i % 4 * 2);
    r->name[i] = m->msg_namelen < UINT8_MAX ? (uint8_t)m->msg_namelen : UINT8_MAX;
}

/* Where the size is not known, what is left of it. */
static struct datagram_room room_of(const struct msghdr *m, const struct rooms *r, int i)
{
    unsigned size = size_of(r, (unsigned)i);

    return (struct datagram_room){ r->name[i], size < SIZES ? r->size[size] : m->msg_controllen };
}

static void give_back(struct msghdr *m, const struct rooms *r, int i)
{
    struct datagram_room room = room_of(m, r, i);

    m->msg_namelen = room.name;
    m->msg_controllen = room.control;
}

static void note_rooms(int fd, const struct mmsghdr *messages, unsigned count, struct rooms *r)
{
    uint32_t kind = fdtab_get(&process.fdtab, fd) & FDTAB_KIND;

    r->sizes = 0;
    r->count = count < MESSAGES_MAX ? count : MESSAGES_MAX;
    if (kind && kind != KIND_DATAGRAM)
        r->count = 0;
    /* The kernel, too, gets as far as it can. */
    for (unsigned i = 0; i < r->count; i++) {
        if (!memory_readable(&messages[i], sizeof *messages))
            r->count = i;
        else
            note_room(&messages[i].msg_hdr, r, i);
    }
}

/* Returns datagram_late()'s for a message. */
static ssize_t receive_late_one(int fd, struct mmsghdr *message, int flags, struct datagram_room room)
{
    struct msghdr *m = &message->msg_hdr;
    ssize_t n = message->msg_len;

    if (!datagram_is_late(fd, n, flags) ||
        (m->msg_name && !memory_readable(m->msg_name, m->msg_namelen < room.name ? m->msg_namelen : room.name)))
        return n;
    return datagram_late(fd, m, room, flags, n);
}

/* What came to a thread that slept here since before the socket's first datagram: see datagram_late().  Our own word
 * that the association has failed goes, and what lies behind it comes forward. */
static int receive_late(int fd, struct mmsghdr *messages, int count, int flags, const struct rooms *r)
{
    int entry_errno = errno, kept = 0, error = 0, all = count;

    /* Where nothing could be noted the kernel could read nothing, or it is no datagram socket. */
    if (count <= 0 || (unsigned)count > r->count)
        return count;
    /* The kernel shows the same one again and again. */
    if (flags & MSG_PEEK && datagram_is_late(fd, 0, flags))
        count = 1;
    for (int i = 0; i < count; i++) {
        /* For one that is dropped another is received only if nothing is left. */
        bool last = !kept && i + 1 == count && (!error || error == EAGAIN);
        int own = last ? flags & ~MSG_WAITFORONE : flags | MSG_WAITFORONE;
        ssize_t n = receive_late_one(fd, &messages[i], own, room_of(&messages[i].msg_hdr, r, i));
        socklen_t room = r->name[i] < r->name[kept] ? r->name[i] : r->name[kept];

        if (n < 0) {
            /* That another was told, or that one was dropped, is less than a failure. */
            if (!error || error == EAGAIN || (error == EINTR && errno != EAGAIN))
                error = errno;
            continue;
        }
        messages[i].msg_len = (unsigned)n;
        if (kept != i)
            give_back(&messages[kept].msg_hdr, r, kept);
        if (kept == i || datagram_late_move(&messages[kept], room, &messages[i], flags) == 0)
            kept++;
        else
            error = EFAULT;
    }
    for (int i = kept; i < all; i++)
        give_back(&messages[i].msg_hdr, r, i);
    if (kept && error)
        tell_later(fd, error);
    errno = kept || !error ? entry_errno : error;
    return kept || !error ? kept : -1;
}

/* True if the socket's datagrams come from the relay. */
static bool is_relayed(int fd, const struct mmsghdr *messages, int flags)
{
    return datagram_handle(fd) && messages && !(flags & MSG_ERRQUEUE);
}

OWN_FRAME static int receive_all(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    struct rooms rooms;
    int result;

    note_rooms(fd, messages, count, &rooms);
    result = (int)guard_result(fd, real.recvmmsg(fd, messages, count, (mmsg_flags)flags, timeout));
    result = receive_late(fd, messages, result, flags, &rooms);
    forget_all_passed(messages, result);
    return result;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, mmsg_flags flags, struct timespec *timeout)
{
    int entry_errno = errno, result;
    struct timespec left;

    if (is_relayed(fd, messages, flags)) {
        if (timeout && !memory_take(&left, timeout, sizeof left))
            return (int)hook_return(entry_errno, -EFAULT);
        result = (int)hook_return(entry_errno, receive_many(fd, messages, count, flags, timeout ? &left : NULL));
        if (result > 0 && timeout && memory_writable(timeout, sizeof left))
            *timeout = left;
        return result;
    }
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    return receive_all(fd, messages, count, flags, timeout);
}

OWN_FRAME static int receive_all64(int fd, struct mmsghdr *messages, unsigned count, int flags, struct time64 *timeout)
{
    struct rooms rooms;
    int result;

    note_rooms(fd, messages, count, &rooms);
    result = (int)guard_result(fd, real.__recvmmsg64(fd, messages, count, flags, timeout));
    result = receive_late(fd, messages, result, flags, &rooms);
    forget_all_passed(messages, result);
    return result;
}

/* What 32-bit programs with 64-bit time call. */
int __recvmmsg64(int fd, struct mmsghdr *messages, unsigned count, int flags, struct time64 *timeout)
{
    int entry_errno = errno, result;
    struct timespec left;
    struct time64 taken;

    if (is_relayed(fd, messages, flags)) {
        if (timeout && !memory_take(&taken, timeout, sizeof taken))
            return (int)hook_return(entry_errno, -EFAULT);
        wait_narrow(timeout ? &taken : NULL, &left);
        result = (int)hook_return(entry_errno, receive_many(fd, messages, count, flags, timeout ? &left : NULL));
        if (result > 0 && timeout && left.tv_sec < INT_MAX && memory_writable(timeout, sizeof taken))
            *timeout = (struct time64){ .s = left.tv_sec, .ns = left.tv_nsec };
        return result;
    }
    if (guard_stops(fd, POLLIN, flags))
        return -1;
    if (!HOOK_HAVE(__recvmmsg64))
        return (int)hook_return(entry_errno, -ENOSYS);
    return receive_all64(fd, messages, count, flags, timeout);
}
