/* SPDX-License-Identifier: ISC */
/* fd.c - numbers that come and go */
#include <stdarg.h>
#include <stdint.h>
#include <sys/resource.h>

#include "../io/kind.h"
#include "callnumber.h"
#include "guard.h"
#include "number.h"

enum {
    RANGE_UNSHARE = 2,    /* CLOSE_RANGE_UNSHARE and CLOSE_RANGE_CLOEXEC, which older headers lack */
    RANGE_CLOEXEC = 4
};

static void forget_range(unsigned first, unsigned last)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);

    if (process_is_guest())
        return;
    for (unsigned fd = first; fd < top && fd <= last; fd++)
        number_forget((int)fd);
}

int close(int fd)
{
    if (!hook_idle(GATE_FACTS)) {
        hook_enter();
        number_forget(fd);
    }
    return real.close(fd);
}

/* Will close_range() close the numbers for the whole process?  With a table of its own a thread closes them for itself
 * alone; what it then finds under a number it tells by SO_COOKIE. */
static bool range_closes(unsigned first, unsigned last, int flags)
{
    if (first > last || flags & ~RANGE_UNSHARE)
        return false;
    return !(flags & RANGE_UNSHARE) || real_is_alone();
}

/* An old kernel has no such call, and filters forbid it: then nothing is closed.  Here nothing is either, since no
 * number is as large. */
static bool range_works(void)
{
    int saved_errno = errno;
    bool works = real.syscall(SYS_close_range, (long)~0u, (long)~0u, 0L) == 0;

    errno = saved_errno;
    return works;
}

int close_range(unsigned first, unsigned last, int flags)
{
    hook_enter();
    if (range_closes(first, last, flags) && !hook_idle(GATE_FACTS) && range_works())
        forget_range(first, last);
    /* A libc that lacks it has programs that ask by number. */
    return HOOK_HAVE(close_range) ? real.close_range(first, last, flags)
                                  : (int)real.syscall(SYS_close_range, (long)first, (long)last, (long)flags);
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
        number_forget(fileno(stream));
        errno = entry_errno;
    }
    return real.fclose(stream);
}

static int duplicated(int from, int to)
{
    uint32_t word;

    if (to < 0 || to == from || hook_idle(GATE_FACTS))
        return to;
    number_forget(to);
    word = fdtab_get(&process.fdtab, from);
    if (word == 0 || process_is_guest())
        return to;
    if (guard_is_fresh(from))
        fdtab_change(&process.fdtab, from, 0, FDTAB_SHARED);
    fdtab_copy(&process.fdtab, from, to);
    /* As it was copied: connect() in another thread may have come between. */
    word = fdtab_get(&process.fdtab, to);
    if ((word & FDTAB_KIND) == KIND_DATAGRAM)
        assoc_dup(&process.assoc, fdtab_handle(word));
    else if (fdtab_handle(word))
        pending_dup(&process.pending, fdtab_handle(word), to);
    return to;
}

/* A number that was made before the limit came down cannot be duplicated over. */
static bool is_within_limit(int fd)
{
    struct {
        uint64_t soft, hard;
    } limit;    /* as the kernel has it for every word size */

    return real.syscall(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NULL, &limit) != 0 || (uint64_t)fd < limit.soft;
}

/* A number that is about to be duplicated over is closed by that, unless the call fails. */
static void replaced(int from, int to, int flags)
{
    int entry_errno = errno;

    if (from == to || hook_idle(GATE_FACTS) || fdtab_get(&process.fdtab, to) == 0)
        return;
    if (!(flags & ~O_CLOEXEC) && real.fcntl(from, F_GETFD) >= 0 && is_within_limit(to))
        number_forget(to);
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

int pidfd_getfd(int process_fd, int fd, unsigned flags)
{
    hook_enter();
    if (HOOK_HAVE(pidfd_getfd))
        return number_made(real.pidfd_getfd(process_fd, fd, flags));
    return number_made((int)real.syscall(SYS_pidfd_getfd, (long)process_fd, (long)fd, (long)flags));
}
