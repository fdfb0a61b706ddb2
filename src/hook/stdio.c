/* SPDX-License-Identifier: ISC */
/* stdio.c - streams and formatted output, which libc writes without a hook of ours being asked */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>

#include "guard.h"

/* Nothing that goes through the stream can be guarded later: the handshake comes to its end first, and one that is
 * begun under an open stream will too (hook/stream.c). */
FILE *fdopen(int fd, const char *mode)
{
    FILE *stream;

    hook_enter();
    guard_drain(fd);
    stream = real.fdopen(fd, mode);
    if (stream && guard_is_fresh(fd) && !process_is_guest())
        fdtab_change(&process.fdtab, fd, 0, FDTAB_STDIO);
    return stream;
}

int vdprintf(int fd, const char *format, va_list list)
{
    return guard_stops(fd, POLLOUT, 0) ? -1 : (int)guard_result(fd, real.vdprintf(fd, format, list));
}

int dprintf(int fd, const char *format, ...)
{
    va_list list;
    int result;

    if (guard_stops(fd, POLLOUT, 0))
        return -1;
    va_start(list, format);
    result = (int)guard_result(fd, real.vdprintf(fd, format, list));
    va_end(list);
    return result;
}

static int checked(int fd, int flag, const char *format, va_list list)
{
    if (guard_stops(fd, POLLOUT, 0))
        return -1;
    return (int)guard_result(fd, HOOK_HAVE(__vdprintf_chk) ? real.__vdprintf_chk(fd, flag, format, list)
                                                           : real.vdprintf(fd, format, list));
}

/* What a fortified program calls. */
int __vdprintf_chk(int fd, int flag, const char *format, va_list list)
{
    return checked(fd, flag, format, list);
}

int __dprintf_chk(int fd, int flag, const char *format, ...)
{
    va_list list;
    int result;

    va_start(list, format);
    result = checked(fd, flag, format, list);
    va_end(list);
    return result;
}
