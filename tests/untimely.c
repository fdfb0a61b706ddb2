/* SPDX-License-Identifier: ISC */
/* untimely.c - a library that is preloaded behind the object: a signal that comes while no call of the kernel sleeps */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>

/* At which look at a file's status flags SIGALRM comes, from the next one on: 1 for that.  0: never. */
int untimely_after;

int fcntl(int fd, int command, ...)
{
    int (*next)(int, int, ...);
    void *argument;
    va_list list;

    va_start(list, command);
    argument = va_arg(list, void *);
    va_end(list);
    if (command == F_GETFL && untimely_after && --untimely_after == 0)
        raise(SIGALRM);
    *(void **)&next = dlsym(RTLD_NEXT, "fcntl");
    return next(fd, command, argument);
}
