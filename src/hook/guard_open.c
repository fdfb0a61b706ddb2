/* SPDX-License-Identifier: ISC */
/* guard_open.c - handshakes of the numbers that a new program would get */
#include <fcntl.h>
#include <unistd.h>

#include "guard.h"

void guard_drain_open(bool replaces)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);
    int saved_errno = errno;
    bool guest;

    if (hook_idle(GATE_PENDING) || !pending_any(&process.pending))
        return;
    guest = process_is_guest();
    for (int fd = 0; fd < (int)top || (guest && fd <= STDERR_FILENO); fd++) {
        pending_handle handle = guard_handle(fd);
        int flags;

        if (guest && !handle && fd <= STDERR_FILENO)
            handle = pending_find(&process.pending, fd);
        if (handle != PENDING_UNKNOWN && (!pending_is_live(&process.pending, handle) ||
                                          pending_awaited(&process.pending, handle, replaces)))
            continue;
        flags = real.fcntl(fd, F_GETFD);
        if (flags >= 0 && !(flags & FD_CLOEXEC))
            guard_drain_handle(fd, handle);
        else if (flags >= 0 && replaces && !guest)
            pending_leave(&process.pending, handle);
    }
    errno = saved_errno;
}

void guard_drain_for_exec(void)
{
    if (!hook_idle(GATE_DATAGRAM) && !process_is_guest())
        assoc_drain(&process.assoc);
    guard_drain_open(true);
}

void guard_stay(void)
{
    if (!hook_idle(GATE_PENDING) && pending_any(&process.pending) && !process_is_guest())
        pending_stay(&process.pending);
}
