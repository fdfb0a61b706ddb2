/* SPDX-License-Identifier: ISC */
/* probe_odd_names.c - libc's other names of what the object takes over, found as plug-ins find them */
#include <aio.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "probe_odd.h"
#include "probe_text.h"

enum { WORDS = 8, ROOM = 64 };

static char room[ROOM];
static struct iovec piece = { room, 8 };
static struct mmsghdr messages = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };
static struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1 };
static struct pollfd closed = { .fd = 900, .events = POLLIN };
static struct aiocb request = { .aio_fildes = -1, .aio_reqprio = INT_MAX };
static struct aiocb *list[1] = { &request };
static struct timespec late = { 0, 1000000000 };
static fd_set set;

#define P(pointer) (long)(pointer)

/* Nothing here may succeed in doing anything: no descriptor, no room, no such command. */
static const struct {
    const char *name;
    long word[WORDS];
} calls[] = {
    { "__read_chk", { -1, P(room), 8, ROOM } },
    { "__recv_chk", { -1, P(room), 8, ROOM, 0 } },
    { "__recvfrom_chk", { -1, P(room), 8, ROOM, 0, 0, 0 } },
    { "preadv2", { -1, P(&piece), 1, -1, -1, 0 } },
    { "preadv64v2", { -1, P(&piece), 1, -1, -1, 0 } },
    { "pwritev2", { -1, P(&piece), 1, -1, -1, 0 } },
    { "pwritev64v2", { -1, P(&piece), 1, -1, -1, 0 } },
    { "dprintf", { -1, P("text") } },
    { "__dprintf_chk", { -1, 1, P("text") } },
    { "aio_read", { P(&request) } },
    { "aio_read64", { P(&request) } },
    { "aio_write", { P(&request) } },
    { "aio_write64", { P(&request) } },
    { "lio_listio", { 77, P(list), 1, 0 } },
    { "lio_listio64", { 77, P(list), 1, 0 } },
    { "__poll_chk", { P(&closed), 1, 0, sizeof closed } },
    { "__ppoll_chk", { P(&closed), 1, P(&late), 0, sizeof closed } },
    { "__ppoll64", { P(&closed), UINT_MAX, 0, 0 } },
    { "__ppoll64_chk", { P(&closed), 0, P(room), 0, sizeof closed } },
    { "__select64", { -1, P(&set), 0, 0, 0 } },
    { "__pselect64", { -1, P(&set), 0, 0, 0, 0 } },
    { "epoll_pwait2", { -1, P(room), 1, P(&late), 0 } },
    { "__epoll_pwait2_time64", { -1, P(room), 1, P(room), 0 } },
    { "closefrom", { INT_MAX } },
    { "fcntl64", { -1, F_GETFD } },
    { "pidfd_getfd", { -1, -1, 0 } },
    { "recvmmsg", { -1, P(&messages), 1, 0, 0 } },
    { "__recvmmsg64", { -1, P(&messages), 1, 0, 0 } },
    { "__connect", { -1, P(room), ROOM } },
    { "__socket", { AF_INET, 77, 0 } },
    { "__send", { -1, P(room), 1, 0 } },
    { "__recv", { -1, P(room), 1, 0 } },
    { "__read", { -1, P(room), 1 } },
    { "__write", { -1, P(room), 1 } },
    { "__sendmsg64", { -1, P(&message), 0 } },
    { "__recvmsg64", { -1, P(&message), 0 } },
    { "__sendmmsg", { -1, P(&messages), 1, 0 } },
    { "__sendmmsg64", { -1, P(&messages), 1, 0 } },
    { "__getsockopt64", { -1, SOL_SOCKET, SO_ERROR, 0, 0 } },
    { "__setsockopt64", { -1, SOL_SOCKET, SO_REUSEADDR, 0, 0 } },
    { "__poll", { P(&closed), 1, 0 } },
    { "__select", { -1, P(&set), 0, 0, 0 } },
    { "__close", { -1 } },
    { "__dup2", { -1, -1 } },
    { "__fcntl", { -1, F_GETFD } },
    { "__libc_fcntl64", { -1, F_GETFD } },
    { "__fcntl_time64", { -1, F_GETFD } },
    { "__ioctl_time64", { -1, 0 } },
    { "_IO_fdopen", { -1, P("r") } },
    { "_IO_popen", { P("true"), P("x") } },
    { "__libc_system", { 0 } },
};

/* Bare, the name is libc's or nobody's; under the object it must be so too, whatever else that exports. */
static void *find(const char *name)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD), *found = libc ? dlsym(libc, name) : NULL;

    return found ? dlsym(RTLD_DEFAULT, name) : NULL;
}

static void call(const char *name, const long *w)
{
    int (*function)(long, long, long, long, long, long, long, long);

    *(void **)&function = find(name);
    if (!function) {
        printf("%s: not in this libc\n", name);
        return;
    }
    errno = ODD_ERRNO;
    odd_say(name, function(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]));
}

/* Those that take a list of arguments. */
static int __attribute__((format(printf, 2, 3))) lists(const char *checked, const char *format, ...)
{
    int (*function)(int, int, const char *, va_list);
    va_list arguments;

    va_start(arguments, format);
    TRY(vdprintf(-1, format, arguments));
    va_end(arguments);
    *(void **)&function = find(checked);
    va_start(arguments, format);
    if (function)
        TRY(function(-1, 1, format, arguments));
    va_end(arguments);
    return 0;
}

int odd_names(char **argv)
{
    FILE *file = tmpfile();
    int (*end)(FILE *);

    (void)argv;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        call(calls[i].name, calls[i].word);
    lists("__vdprintf_chk", "%s", "text");
    *(void **)&end = find("_IO_fclose");
    if (file && end)
        TRY(end(file));
    return 0;
}
