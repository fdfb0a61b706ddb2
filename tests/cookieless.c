/* SPDX-License-Identifier: ISC */
/* cookieless.c - a library that is preloaded behind the object: a kernel, or a filter, without SO_COOKIE */
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

/* What SO_COOKIE fails with; a program may change it.  0: it does not fail. */
int cookieless_error = ENOPROTOOPT;

/* How often it is told before it fails; how often it fails then, 0: from there on; and how often it has failed. */
int cookieless_after, cookieless_times, cookieless_count;

static int fails(void)
{
    if (!cookieless_error || cookieless_after-- > 0)
        return 0;
    cookieless_after = 0;
    cookieless_count++;
    errno = cookieless_error;
    if (cookieless_times && cookieless_count == cookieless_times)
        cookieless_error = 0;
    return 1;
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
    int (*next)(int, int, int, void *, socklen_t *);

    if (level == SOL_SOCKET && option == SO_COOKIE && fails())
        return -1;
    *(void **)&next = dlsym(RTLD_NEXT, "getsockopt");
    return next(fd, level, option, value, len);
}
