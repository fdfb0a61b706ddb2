/* SPDX-License-Identifier: ISC */
/* listen.c - sockets that listen */
#include "inbound.h"

int listen(int fd, int backlog)
{
    int entry_errno, result;

    if (hook_idle(GATE_BIND))
        return real.listen(fd, backlog);
    hook_enter();
    entry_errno = errno;
    result = inbound_listen(fd);
    errno = entry_errno;
    return result == INBOUND_NOT_OURS ? real.listen(fd, backlog) : (int)hook_return(entry_errno, result);
}
