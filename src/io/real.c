/* SPDX-License-Identifier: ISC */
/* real.c - finds libc's own functions behind ours, and makes the library's own marked calls */
#include "real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/frame.h"
#include "symbol.h"

/* The mark a kernel filter compares with the fourth and fifth argument of connect and socket. */
#define MARK_1 0x736f636b73696679L
#define MARK_2 0x352d636f6f6b6965L

enum { ASK_TIMES = 3 };

struct real real;

static const struct entry {
    const char *name;
    size_t offset;
} table[] = {
#define HOOK(fn) { #fn, offsetof(struct real, fn) },
#define FACE(fn)
#define USE(fn) HOOK(fn)
#include "real.def"
#undef HOOK
#undef FACE
#undef USE
};

void real_init_dlsym(void)
{
    void *symbol = symbol_next("dlsym");

    if (!symbol)
        abort();    /* no loader without one */
    memcpy(&real.dlsym, &symbol, sizeof symbol);
}

/* Nearly all are in libc.  A dlsym() that fails allocates a message, which would lock up an allocator that called a
 * hook. */
static void *find(const struct symbol_list *behind, const char *name)
{
    void *function;

    switch (symbol_first(behind, name, &function)) {
    case SYMBOL_FOUND:
        return function;
    case SYMBOL_NONE:
        return NULL;
    default:
        return symbol_next(name) ? real.dlsym(RTLD_NEXT, name) : NULL;
    }
}

void real_init(void)
{
    struct symbol_list behind;

    real_init_dlsym();
    symbol_behind(&behind, (const void *)real.dlsym);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        void *symbol = find(&behind, table[i].name);

        /* POSIX lets void * hold a function; ISO C offers no cast for it. */
        memcpy((char *)&real + table[i].offset, &symbol, sizeof symbol);
    }
}

static int result(long r)
{
    return r < 0 ? -errno : (int)r;
}

int real_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return result(real.syscall(SYS_connect, (long)fd, address, (long)len, MARK_1, MARK_2));
}

int real_socket(int domain, int type, int protocol)
{
    return result(real.syscall(SYS_socket, (long)domain, (long)type, (long)protocol, MARK_1, MARK_2));
}

void real_close(int fd)
{
    real.syscall(SYS_close, (long)fd);
}

ssize_t real_send(int fd, const void *data, size_t size, int flags)
{
    long n = real.syscall(SYS_sendto, (long)fd, data, (long)size, (long)flags, NULL, 0L);

    return n < 0 ? -errno : n;
}

ssize_t real_recv(int fd, void *data, size_t size, int flags)
{
    long n = real.syscall(SYS_recvfrom, (long)fd, data, (long)size, (long)flags, NULL, NULL);

    return n < 0 ? -errno : n;
}

/* Absent in musl and before glibc 2.32. */
extern char __libc_single_threaded __attribute__((weak));

bool real_is_alone(void)
{
    return &__libc_single_threaded && __libc_single_threaded;
}

OWN_FRAME bool real_has_peer(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;
    int saved_errno = errno;
    bool has = real.getpeername(fd, (struct sockaddr *)&peer, &len) == 0;

    errno = saved_errno;
    return has;
}

/* Returns 0 or -errno.  cookie: gets 0 with an error. */
static int ask_cookie(int fd, uint64_t *cookie)
{
    int saved_errno = errno, error = 0;
    socklen_t len = sizeof *cookie;

    if (real.getsockopt(fd, SOL_SOCKET, SO_COOKIE, cookie, &len) != 0) {
        error = -errno;
        *cookie = 0;
    }
    errno = saved_errno;
    return error;
}

uint64_t real_cookie(int fd)
{
    uint64_t cookie = 0;

    ask_cookie(fd, &cookie);
    return cookie;
}

bool real_tells_cookie(int fd, uint64_t *cookie)
{
    int error = ask_cookie(fd, cookie);

    return !error || error == -EBADF || error == -ENOTSOCK;
}

bool real_is(int fd, uint64_t cookie)
{
    uint64_t present = 0;

    return cookie && ask_cookie(fd, &present) == 0 && present == cookie;
}

bool real_is_other(int fd, uint64_t cookie)
{
    uint64_t present = 0;
    int error = ask_cookie(fd, &present);

    return error ? error == -EBADF || error == -ENOTSOCK : present != cookie;
}

void real_close_own(int fd, uint64_t cookie)
{
    for (int i = 0; i < ASK_TIMES && fd >= 0 && cookie && !real_is_other(fd, cookie); i++) {
        if (!real_is(fd, cookie))
            continue;
        real_close(fd);
        return;
    }
}
