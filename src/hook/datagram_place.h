/* SPDX-License-Identifier: ISC */
/* datagram_place.h - what was received, in the program's hands
 *
 * The kernel's vector is [10][the program's][spare]: behind the header of the IPv4 form the payload lies in its place
 * at once; what has a longer header, or none, is moved.  piece: that vector; count: the program's part of it.
 */
#ifndef SOCKSIFY_HOOK_DATAGRAM_PLACE_H
#define SOCKSIFY_HOOK_DATAGRAM_PLACE_H

#include <sys/uio.h>

#include "../io/cleanup.h"
#include "datagram.h"

/* Can a vector be read?  Can size bytes of it be written, from an offset on?  count: its pieces, which can be read. */
bool datagram_readable(const struct iovec *v, size_t count);
bool datagram_writable(const struct iovec *v, size_t count, size_t at, size_t size);

/* Memory for a datagram of more pieces than go on a stack, DATAGRAM_COPY bytes, which a cancelled thread leaves. */
struct datagram_copy {
    void *memory;
    struct cleanup cleanup;
};

enum { DATAGRAM_COPY = 65536 };     /* more than any datagram holds */

/* Have some; let it go.  datagram_copy_make() returns 0 or -ENOBUFS; *c: of a frame that lives until it is let go. */
int datagram_copy_make(struct datagram_copy *c);
void datagram_copy_free(struct datagram_copy *c);

/* What a datagram begins with, in one piece.  had: bytes that lie in the vector.  Returns the length. */
size_t datagram_look(const struct iovec *piece, size_t count, size_t had, uint8_t head[UDP_HEADER_MAX]);

/* Put the payload where the program wants it.  room: of its part; skip: the header's length.
 * Returns the bytes that are in the program's part, or -EFAULT where that cannot be written. */
ssize_t datagram_place(const struct iovec *piece, size_t count, size_t room, size_t had, size_t skip);

/* Tell the program of a message.  k: the kernel's; cut: the payload did not fit.
 * Returns 0, or -EFAULT as the kernel does, to whom the datagram is received then. */
int datagram_fill(struct msghdr *m, const struct msghdr *k, const struct assoc_address *shown, bool cut);

/* ---- several at once */

enum { DATAGRAM_BATCH = 32 };

/* Some of the messages of sendmmsg(), that go out in one call. */
struct datagram_batch {
    struct mmsghdr message[DATAGRAM_BATCH];
    struct iovec piece[DATAGRAM_BATCH][2];
    uint8_t header[DATAGRAM_BATCH][UDP_HEADER_IPV6];
    int fd;
    struct assoc *a;
    struct assoc_facts facts;
    struct assoc *other;            /* the place of another proxy, which carries some of them, or NULL */
    struct assoc_address relay;     /* its relay */
    unsigned count;
};

/* Begin one for a socket.  Returns false when its messages must go one by one. */
bool datagram_batch_begin(struct datagram_batch *b, int fd, int flags);

/* Add a message of the program's, which can be read; there must be room.  Returns false when it must go by itself, or
 * not at all. */
bool datagram_batch_add(struct datagram_batch *b, const struct msghdr *message);

/* Send them; message[].msg_len is then what the program is to see.  Returns their number or a negative errno.  A
 * cancellation point. */
long datagram_batch_send(struct datagram_batch *b, int fd, int flags);

/* Receive some messages as recvmmsg() does, in one call.  messages: the program's; count: at least 1; timeout: ours.
 * *got: the number that was received, or a negative errno; 0 when all that came was dropped.  *more: there may be more
 * for the same call of the program's.
 * Returns false when they must be received one by one.  A cancellation point. */
bool datagram_receive_batch(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout,
                            long *got, bool *more);

#endif
