/* SPDX-License-Identifier: ISC */
/* datagram_place.c - what was received, in the program's hands */
#include "datagram_place.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "../io/memory.h"
#include "../io/vector.h"

bool datagram_readable(const struct iovec *v, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!memory_readable(v[i].iov_base, v[i].iov_len))
            return false;
    }
    return true;
}

bool datagram_writable(const struct iovec *v, size_t count, size_t at, size_t size)
{
    for (size_t i = 0; i < count && size; i++) {
        size_t left = at < v[i].iov_len ? v[i].iov_len - at : 0, n = left < size ? left : size;

        if (!memory_writable((char *)v[i].iov_base + at, n))
            return false;
        at = n ? 0 : at - v[i].iov_len;
        size -= n;
    }
    return true;
}

static void unmap(void *argument)
{
    const struct datagram_copy *c = argument;

    munmap(c->memory, DATAGRAM_COPY);
}

int datagram_copy_make(struct datagram_copy *c)
{
    c->memory = mmap(NULL, DATAGRAM_COPY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (c->memory == MAP_FAILED)
        return -ENOBUFS;
    cleanup_begin(&c->cleanup, unmap, c);
    return 0;
}

void datagram_copy_free(struct datagram_copy *c)
{
    cleanup_end(&c->cleanup);
    unmap(c);
}

ssize_t datagram_place(const struct iovec *piece, size_t count, size_t room, size_t had, size_t skip)
{
    size_t payload = had - skip, kept = payload < room ? payload : room;
    size_t known = had > UDP_HEADER_IPV4 ? had - UDP_HEADER_IPV4 : 0;

    if (skip < UDP_HEADER_IPV4) {
        /* The kernel has written less than that. */
        if (known < kept && !datagram_writable(piece + 1, count, known, kept - known))
            return -EFAULT;
        vector_move(piece, UDP_HEADER_IPV4, skip, kept);
    } else if (skip > UDP_HEADER_IPV4) {
        size_t written = known < room ? known : room;

        vector_move(piece + 1, 0, skip - UDP_HEADER_IPV4, kept);
        /* Programs there are that clear a buffer first, and take the zero behind the payload for its end. */
        if (written > kept)
            vector_clear(piece + 1, count, kept, written - kept);
    }
    return (ssize_t)kept;
}

int datagram_fill(struct msghdr *m, const struct msghdr *k, const struct assoc_address *shown, bool cut)
{
    size_t room = m->msg_namelen < shown->len ? m->msg_namelen : shown->len;

    m->msg_flags = (k->msg_flags & ~MSG_TRUNC) | (cut ? MSG_TRUNC : 0);
    m->msg_controllen = k->msg_controllen;
    if (!m->msg_name)
        return 0;
    if (!memory_writable(m->msg_name, room))
        return -EFAULT;
    if (HOOK_LIKELY(room == sizeof(struct sockaddr_in)))
        memcpy(m->msg_name, &shown->sa, sizeof(struct sockaddr_in));
    else
        memcpy(m->msg_name, &shown->sa, room);
    m->msg_namelen = shown->len;
    return 0;
}

size_t datagram_look(const struct iovec *piece, size_t count, size_t had, uint8_t head[UDP_HEADER_MAX])
{
    size_t len = had < UDP_HEADER_MAX ? had : UDP_HEADER_MAX;
    const uint8_t *first = piece[0].iov_base;

    if (had >= UDP_HEADER_IPV4 && first[3] == ADDR_IPV4)
        len = UDP_HEADER_IPV4;
    vector_gather(piece, count + 2, head, len);
    return len;
}
