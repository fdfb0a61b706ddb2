/* SPDX-License-Identifier: ISC */
/* guard_fresh.c - sockets that may yet be connected through the proxy, after other attempts */
#include "guard.h"

static void recall(int fd)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);

    for (unsigned set = 0; set < top; set++) {
        if (fdtab_is_set(fdtab_get(&process.fdtab, (int)set)) && pending_recall(&process.pending, (int)set, fd))
            fdtab_change(&process.fdtab, fd, 0, FDTAB_REGISTERED);
    }
}

void guard_recall(int fd)
{
    /* Those of a fresh one are all followed. */
    if (!(fdtab_get(&process.fdtab, fd) & FDTAB_FRESH))
        recall(fd);
}

bool guard_is_fresh(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);
    int saved_errno = errno;
    bool stands;

    if ((word & (FDTAB_KIND | FDTAB_FRESH | FDTAB_TRIED)) != (KIND_STREAM | FDTAB_TRIED) || process_is_guest())
        return word & FDTAB_FRESH;
    stands = real_has_peer(fd);
    if (!stands) {
        recall(fd);
        word = fdtab_get(&process.fdtab, fd);
    }
    if (word & FDTAB_TRIED)
        fdtab_replace(&process.fdtab, fd, word, (word & ~(uint32_t)FDTAB_TRIED) | (stands ? 0 : FDTAB_FRESH));
    errno = saved_errno;
    return !stands;
}
