/* SPDX-License-Identifier: ISC */
/* vector.h - bytes that lie in several pieces, as readv() fills them */
#ifndef SOCKSIFY_IO_VECTOR_H
#define SOCKSIFY_IO_VECTOR_H

#include <stddef.h>
#include <sys/uio.h>

/* The bytes that a vector has room for; SIZE_MAX when the sum is greater than SSIZE_MAX.  Async-signal-safe. */
size_t vector_size(const struct iovec *v, size_t count);

/* Move size bytes from one offset to another; both ranges must lie within the vector.  Pieces may be empty, must not
 * overlap.  Async-signal-safe. */
void vector_move(const struct iovec *v, size_t to, size_t from, size_t size);

/* Fill size bytes at an offset with zeros, as far as the vector goes. */
void vector_clear(const struct iovec *v, size_t count, size_t at, size_t size);

/* Copy size bytes from one vector to another; both must have as many.  Async-signal-safe. */
void vector_copy(const struct iovec *to, const struct iovec *from, size_t size);

/* Copy between a vector and size bytes in one piece; the vector must have room for them. */
void vector_gather(const struct iovec *v, size_t count, void *out, size_t size);
void vector_scatter(const struct iovec *v, size_t count, const void *in, size_t size);

#endif
