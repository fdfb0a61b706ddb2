/* SPDX-License-Identifier: ISC */
/* memory.h - looking where a program's pointer leads, when there may be nothing
 *
 * The kernel says EFAULT to a bad pointer; so must a hook that looks before the kernel does.  The kernel is asked once
 * for each page and thread, and the last few answers are remembered: a page that is taken away after a good call, and
 * then named in a bad one, is a SIGSEGV as in any code of the program.
 * All functions are async-signal-safe, keep errno, and are no cancellation points.
 */
#ifndef SOCKSIFY_IO_MEMORY_H
#define SOCKSIFY_IO_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* A pointer to which every kernel says EFAULT: handed on in the place of one that led nowhere a moment ago, since
 * another thread may have put something there. */
#define MEMORY_NOWHERE ((void *)~(uintptr_t)0)

/* Can these 4 bytes be read?  p: a multiple of 4.  Asks the kernel each time, which answers where touching them could
 * be SIGBUS. */
bool memory_probe(const void *p);

/* Can len bytes be read, or written?  p: any value; len: 0 is always good.  memory_writable() changes nothing, but
 * makes the pages the process' own. */
bool memory_readable(const void *p, size_t len);
bool memory_writable(void *p, size_t len);

/* Copy len bytes from p to own, once.  Returns false when they cannot be read (own is undefined then). */
static inline bool memory_take(void *own, const void *p, size_t len)
{
    if (!memory_readable(p, len))
        return false;
    memcpy(own, p, len);
    return true;
}

/* Take an address that a call names: what is judged and what the kernel gets must be the same, whatever other threads
 * do to it.  sa: any value, may be NULL; len: as given; own: gets the copy.
 * Returns own; sa itself, where the kernel does not look at it (NULL, no length or too great a one); MEMORY_NOWHERE. */
const struct sockaddr *memory_address(const struct sockaddr *sa, socklen_t len, struct sockaddr_storage *own);

#endif
