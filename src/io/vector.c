/* SPDX-License-Identifier: ISC */
/* vector.c - bytes that lie in several pieces, as readv() fills them */
#include "vector.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A place in a vector. */
struct place {
    const struct iovec *piece;
    size_t at;
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static char *address(const struct place *p)
{
    return (char *)p->piece->iov_base + p->at;
}

/* To the first piece that has a byte at the place. */
static struct place place_at(const struct iovec *v, size_t offset)
{
    struct place p = { v, offset };

    while (p.at >= p.piece->iov_len) {
        p.at -= p.piece->iov_len;
        p.piece++;
    }
    return p;
}

static void advance(struct place *p, size_t n, bool more)
{
    p->at += n;
    while (more && p->at >= p->piece->iov_len) {
        p->at -= p->piece->iov_len;
        p->piece++;
    }
}

/* From the beginning. */
static void copy(struct place d, struct place s, size_t size)
{
    while (size) {
        size_t n = least(size, least(d.piece->iov_len - d.at, s.piece->iov_len - s.at));

        memmove(address(&d), address(&s), n);
        size -= n;
        advance(&d, n, size != 0);
        advance(&s, n, size != 0);
    }
}

/* From the end: the bytes that are written over were read before. */
static void move_up(const struct iovec *v, size_t to, size_t from, size_t size)
{
    while (size) {
        struct place d = place_at(v, to + size - 1), s = place_at(v, from + size - 1);
        size_t n = least(size, least(d.at + 1, s.at + 1));

        memmove(address(&d) + 1 - n, address(&s) + 1 - n, n);
        size -= n;
    }
}

size_t vector_size(const struct iovec *v, size_t count)
{
    size_t size = 0;

    for (size_t i = 0; i < count; i++) {
        if (v[i].iov_len > SSIZE_MAX - size)
            return SIZE_MAX;
        size += v[i].iov_len;
    }
    return size;
}

void vector_move(const struct iovec *v, size_t to, size_t from, size_t size)
{
    if (size == 0)
        return;
    if (to < from)
        copy(place_at(v, to), place_at(v, from), size);
    else if (to > from)
        move_up(v, to, from, size);
}

void vector_copy(const struct iovec *to, const struct iovec *from, size_t size)
{
    if (size)
        copy(place_at(to, 0), place_at(from, 0), size);
}

void vector_clear(const struct iovec *v, size_t count, size_t at, size_t size)
{
    for (size_t i = 0; i < count && size; i++) {
        size_t n = at < v[i].iov_len ? least(size, v[i].iov_len - at) : 0;

        if (n)
            memset((char *)v[i].iov_base + at, 0, n);
        at = n ? 0 : at - v[i].iov_len;
        size -= n;
    }
}

void vector_gather(const struct iovec *v, size_t count, void *out, size_t size)
{
    char *p = out;

    for (size_t i = 0; i < count && size; i++) {
        size_t n = least(size, v[i].iov_len);

        if (n)
            memcpy(p, v[i].iov_base, n);
        p += n;
        size -= n;
    }
}

void vector_scatter(const struct iovec *v, size_t count, const void *in, size_t size)
{
    const char *p = in;

    for (size_t i = 0; i < count && size; i++) {
        size_t n = least(size, v[i].iov_len);

        if (n)
            memcpy(v[i].iov_base, p, n);
        p += n;
        size -= n;
    }
}
