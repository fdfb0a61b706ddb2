/* SPDX-License-Identifier: ISC */
/* number.c - the facts of a number end with what it stands for */
#include "number.h"

#include "datagram.h"
#include "inbound.h"

/* Only words that say something cost more than a look. */
void number_forget(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);
    int other = -1;

    if (word == 0 || process_is_guest())
        return;
    if (fdtab_is_set(word))
        pending_close_set(&process.pending, fd);
    if ((word & FDTAB_KIND) == KIND_LISTENER)
        word = inbound_close(fd);
    if ((word & FDTAB_KIND) == KIND_DATAGRAM)
        datagram_forget(fd);
    else if ((word & FDTAB_KIND) == KIND_OWN)
        assoc_watch_forget(&process.assoc, fd);
    else if (word & FDTAB_REGISTERED || fdtab_handle(word))
        other = pending_close(&process.pending, fd, fdtab_handle(word), word & FDTAB_REGISTERED);
    if (other >= 0)
        fdtab_change(&process.fdtab, other, 0, FDTAB_REGISTERED);
    fdtab_drop(&process.fdtab, fd);
}

int number_made(int fd)
{
    if (fd >= 0 && !hook_idle(GATE_FACTS))
        number_forget(fd);
    return fd;
}
