/* SPDX-License-Identifier: ISC */
/* datagram_queue.c - datagrams while the association is being made: nobody is to sleep who does not want to */
#include "datagram_place.h"

#include <fcntl.h>
#include <string.h>

#include "../io/clock.h"
#include "../io/vector.h"
#include "stray.h"

enum { PAYLOAD_MAX = 65507 };    /* of UDP over IPv4, whose relay is not known yet; the header counts */

bool datagram_sleeps(int fd, int flags)
{
    int mode = flags & MSG_DONTWAIT ? O_NONBLOCK : real.fcntl(fd, F_GETFL);

    return mode >= 0 && !(mode & O_NONBLOCK);
}

void datagram_watch(void)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);
    bool made = false;
    int set = assoc_watch(&process.assoc, &made);

    if (!made)
        return;
    /* So that its end is seen if the program closes all numbers. */
    fdtab_set(&process.fdtab, set, KIND_OWN);
    for (unsigned fd = 0; fd < top; fd++) {
        if (fdtab_is_set(fdtab_get(&process.fdtab, (int)fd)))
            assoc_watch_join(&process.assoc, (int)fd);
    }
}

bool datagram_tend(void)
{
    return !process_is_guest() && assoc_tend(&process.assoc);
}

void datagram_joined(int epfd)
{
    if (process_is_guest())
        return;
    fdtab_change(&process.fdtab, epfd, 0, FDTAB_SET);
    assoc_watch_join(&process.assoc, epfd);
}

ssize_t datagram_queue(int fd, struct assoc *a, const struct msghdr *m, int flags, const struct iovec *header)
{
    size_t size = vector_size(m->msg_iov, m->msg_iovlen);
    struct msghdr taken = *m;
    struct assoc_facts f;

    if (size > PAYLOAD_MAX - header->iov_len)
        return -EMSGSIZE;
    if (!datagram_readable(m->msg_iov, m->msg_iovlen))
        return -EFAULT;
    if (!m->msg_control)
        taken.msg_controllen = 0;
    /* Whoever asks for its name, or is to be woken, must find one. */
    if (assoc_facts(a, false, &f))
        datagram_give_port(fd, (int)f.domain);
    if (!assoc_queue(&process.assoc, a, fd, header, &taken, flags,
                     flags & MSG_MORE || atomic_load_explicit(&a->trunk->corked, memory_order_relaxed)))
        return -EINPROGRESS;
    datagram_watch();
    return (ssize_t)size;
}

int datagram_settle(int fd, struct assoc *a, int flags, int64_t limit)
{
    int error = 0;

    if (process_is_guest())
        return 0;
    if (!datagram_sleeps(fd, flags))
        assoc_poke(&process.assoc, a);
    else
        error = assoc_wait(&process.assoc, a, fd, limit);
    return error;
}
