/* SPDX-License-Identifier: ISC */
/* untimely.c - a library that is preloaded behind the object: what comes while no call of the kernel sleeps, a signal
 * or the end of a connect(), and what others might see meanwhile */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

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

/* Called once, after a look for a peer that has found none. */
void (*untimely_alone)(int fd);

int getpeername(int fd, struct sockaddr *sa, socklen_t *len)
{
    int (*next)(int, struct sockaddr *, socklen_t *);
    void (*then)(int) = untimely_alone;
    int result;

    *(void **)&next = dlsym(RTLD_NEXT, "getpeername");
    result = next(fd, sa, len);
    if (result != 0 && errno == ENOTCONN && then) {
        untimely_alone = NULL;
        then(fd);
        errno = ENOTCONN;
    }
    return result;
}

/* How often SO_SNDTIMEO was set. */
int untimely_limits;

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
    int (*next)(int, int, int, const void *, socklen_t);

    untimely_limits += level == SOL_SOCKET && option == SO_SNDTIMEO;
    *(void **)&next = dlsym(RTLD_NEXT, "setsockopt");
    return next(fd, level, option, value, len);
}

/* An old kernel has no close_range(): by its name and by its number. */
int untimely_ranges;

enum { CLOSE_RANGE = 436 };

int close_range(unsigned first, unsigned last, int flags)
{
    int (*next)(unsigned, unsigned, int);

    if (untimely_ranges) {
        errno = ENOSYS;
        return -1;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "close_range");
    return next(first, last, flags);
}

long syscall(long number, ...)
{
    long (*next)(long, ...), a[6];
    va_list list;

    if (number == CLOSE_RANGE && untimely_ranges) {
        errno = ENOSYS;
        return -1;
    }
    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    *(void **)&next = dlsym(RTLD_NEXT, "syscall");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
