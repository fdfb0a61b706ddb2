/* SPDX-License-Identifier: ISC */
/* fd.c - numbers that come and go */
#include <stdarg.h>
#include <sys/syscall.h>

#include "../io/kind.h"
#include "hook.h"

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

enum {
    RANGE_CLOEXEC = 4    /* CLOSE_RANGE_CLOEXEC, which older headers lack */
};

/* What a number stood for is over.  Only words that say something cost more than a look. */
static void forget(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    if (word == 0 || process_is_guest())
        return;
    if (word & FDTAB_SET)
        pending_close_set(&process.pending, fd);
    if ((word & FDTAB_KIND) == KIND_DATAGRAM)
        assoc_drop(&process.assoc, fdtab_handle(word));
    else if (word & FDTAB_REGISTERED || fdtab_handle(word))
        pending_close(&process.pending, fd, fdtab_handle(word), word & FDTAB_REGISTERED);
    fdtab_drop(&process.fdtab, fd);
}

static void forget_range(unsigned first, unsigned last)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);

    if (process_is_guest())
        return;
    for (unsigned fd = first; fd < top && fd <= last; fd++)
        forget((int)fd);
}

int close(int fd)
{
    if (!hook_idle(GATE_FACTS)) {
        hook_enter();
        forget(fd);
    }
    return real.close(fd);
}

int close_range(unsigned first, unsigned last, int flags)
{
    hook_enter();
    if (!HOOK_HAVE(close_range)) {
        errno = ENOSYS;
        return -1;
    }
    if (!(flags & RANGE_CLOEXEC) && first <= last)
        forget_range(first, last);
    return real.close_range(first, last, flags);
}

void closefrom(int first)
{
    hook_enter();
    forget_range(first < 0 ? 0 : (unsigned)first, ~0u);
    if (HOOK_HAVE(closefrom))
        real.closefrom(first);
    else
        real.syscall(SYS_close_range, first < 0 ? 0L : (long)first, (long)~0u, 0L);
}

/* libc closes the number inside, where no hook sees it. */
int fclose(FILE *stream)
{
    int entry_errno = errno;

    hook_enter();
    if (!hook_idle(GATE_FACTS)) {
        forget(fileno(stream));
        errno = entry_errno;
    }
    return real.fclose(stream);
}

static int duplicated(int from, int to)
{
    uint32_t word;

    if (to < 0 || to == from || hook_idle(GATE_FACTS))
        return to;
    word = fdtab_get(&process.fdtab, from);
    if ((word == 0 && fdtab_get(&process.fdtab, to) == 0) || process_is_guest())
        return to;
    fdtab_copy(&process.fdtab, from, to);
    if ((word & FDTAB_KIND) == KIND_DATAGRAM)
        assoc_dup(&process.assoc, fdtab_handle(word));
    else if (fdtab_handle(word))
        pending_dup(&process.pending, fdtab_handle(word), to);
    return to;
}

/* A number that is about to be duplicated over is closed by that, unless the call fails. */
static void replaced(int from, int to, int flags)
{
    int entry_errno = errno;

    if (from == to || hook_idle(GATE_FACTS) || fdtab_get(&process.fdtab, to) == 0)
        return;
    if (!(flags & ~O_CLOEXEC) && real.fcntl(from, F_GETFD) >= 0)
        forget(to);
    errno = entry_errno;
}

int dup(int fd)
{
    hook_enter();
    return duplicated(fd, real.dup(fd));
}

int dup2(int from, int to)
{
    hook_enter();
    replaced(from, to, 0);
    return duplicated(from, real.dup2(from, to));
}

int dup3(int from, int to, int flags)
{
    hook_enter();
    replaced(from, to, flags);
    return duplicated(from, real.dup3(from, to, flags));
}

/* Whatever fcntl()'s argument is, it travels in one register or one slot of the stack. */
int fcntl(int fd, int command, ...)
{
    va_list arguments;
    void *argument;
    int result;

    hook_enter();
    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    result = real.fcntl(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? duplicated(fd, result) : result;
}

int fcntl64(int fd, int command, ...)
{
    va_list arguments;
    void *argument;
    int result;

    hook_enter();
    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    result = HOOK_HAVE(fcntl64) ? real.fcntl64(fd, command, argument) : real.fcntl(fd, command, argument);
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC ? duplicated(fd, result) : result;
}
