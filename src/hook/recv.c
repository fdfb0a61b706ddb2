/* SPDX-License-Identifier: ISC */
/* recv.c - the receiving calls that may bring descriptors */
#include <poll.h>
#include <string.h>

#include "guard.h"

/* The numbers that came with SCM_RIGHTS were made anew: what was known of them is over. */
static void forget_passed(struct msghdr *message)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t used = CMSG_LEN(0); used + sizeof(int) <= c->cmsg_len; used += sizeof(int)) {
            int fd;

            memcpy(&fd, (unsigned char *)c + used, sizeof fd);
            fdtab_drop(&process.fdtab, fd);
        }
    }
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    ssize_t result;

    if (guard_stops(fd, POLLIN, flags & MSG_DONTWAIT))
        return -1;
    result = guard_result(fd, real.recvmsg(fd, message, flags));
    if (result >= 0 && !hook_idle(GATE_FACTS))
        forget_passed(message);
    return result;
}

int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    int result;

    if (guard_stops(fd, POLLIN, flags & MSG_DONTWAIT))
        return -1;
    result = (int)guard_result(fd, real.recvmmsg(fd, messages, count, flags, timeout));
    if (!hook_idle(GATE_FACTS)) {
        for (int i = 0; i < result; i++)
            forget_passed(&messages[i].msg_hdr);
    }
    return result;
}
