/* SPDX-License-Identifier: ISC */
/* message.h - the headers of messages, in the form that glibc and the kernel have
 *
 * musl has half-words where these have words: in a program of musl's the other halves are whatever was there before,
 * until musl's own call clears them.  Async-signal-safe.
 */
#ifndef SOCKSIFY_IO_MESSAGE_H
#define SOCKSIFY_IO_MESSAGE_H

#include <stddef.h>
#include <sys/socket.h>

/* Clear what a program of musl's has left between the members. */
void message_trim(struct msghdr *m);

/* The control message behind another one; NULL: the first.
 * m: trimmed, its control memory readable.  len: of last, as this gave it; gets that of the result, which lies wholly
 * within the control memory.  Returns NULL at the end, or at one whose length is wrong (EINVAL to the kernel). */
struct cmsghdr *message_control(const struct msghdr *m, const struct cmsghdr *last, size_t *len);

#endif
