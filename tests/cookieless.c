/* SPDX-License-Identifier: ISC */
/* cookieless.c - a library that is preloaded behind the object: a kernel, or a filter, without SO_COOKIE */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

/* What SO_COOKIE fails with; a program may change it.  0: it does not fail. */
int cookieless_error = ENOPROTOOPT;

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    int (*next)(int, int, int, void *, socklen_t *);

    if (level == SOL_SOCKET && option == SO_COOKIE && cookieless_error) {
        errno = cookieless_error;
        return -1;
    }
    *(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
    return next(fd, level, option, value, len);
}
