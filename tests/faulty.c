/* SPDX-License-Identifier: ISC */
/* faulty.c - a library that is preloaded behind the object, so that its table of real functions leads here: one call
 * fails, in one of the ways in which the kernel may make it fail
 *
 * For one thread.  No header that declares the functions
 * is included: here all of them take and return words.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

enum { SHORT = -1, AFTER = 1 << 16, WAYS = 5, CALLS_MAX = 1024, DONTWAIT = 0x40, STREAM = 1, SOCKET = 1, TYPE = 3,
       NONBLOCK = 04000, DUPFD = 0, GETFL = 3, DUPFD_CLOEXEC = 1030, ADD = 1, SIGSET = 8 };

typedef long (*words)(long, long, long, long, long, long, long);

/* What may become of a call.  AFTER: it has done its work all the same.  SHORT: it does one byte of it. */
static const struct fate {
    const char *name;
    long number;
    int way[WAYS];
} fates[] = {
    { "socket", SYS_socket, { EMFILE, ENFILE, ENOBUFS } },
    { "connect", SYS_connect, { ENETUNREACH, EADDRNOTAVAIL, ENOBUFS } },
    { "bind", SYS_bind, { EADDRINUSE, ENOMEM } },
    { "listen", SYS_listen, { EADDRINUSE } },
    { "accept4", SYS_accept4, { EINTR, EMFILE, ENFILE, ECONNABORTED } },
    { "getsockopt", SYS_getsockopt, { ENOBUFS } },
    { "setsockopt", SYS_setsockopt, { ENOBUFS } },
    { "getsockname", SYS_getsockname, { ENOBUFS } },
    { "getpeername", SYS_getpeername, { ENOBUFS } },
    { "shutdown", SYS_shutdown, { ENOTCONN } },
    { "fcntl", SYS_fcntl, { EMFILE } },
    { "dup3", SYS_dup3, { EMFILE, EINTR } },
    { "sendto", SYS_sendto, { EINTR, EAGAIN, SHORT, ENOBUFS, ECONNRESET } },
    { "recvfrom", SYS_recvfrom, { EINTR, EAGAIN, SHORT, ENOMEM, ECONNRESET } },
    { "sendmsg", SYS_sendmsg, { EINTR, EAGAIN, ENOBUFS } },
    { "recvmsg", SYS_recvmsg, { EINTR, EAGAIN, ENOMEM } },
    { "ppoll", SYS_ppoll, { EINTR, ENOMEM } },
    { "pselect6", SYS_pselect6, { EINTR, ENOMEM } },
    { "epoll_create1", SYS_epoll_create1, { EMFILE, ENFILE, ENOMEM } },
    { "epoll_ctl", SYS_epoll_ctl, { ENOMEM, ENOSPC } },
    { "epoll_pwait", SYS_epoll_pwait, { EINTR } },
    { "openat", SYS_openat, { EINTR, EMFILE, ENFILE, ENOENT, EACCES } },
    { "read", SYS_read, { EINTR, EIO, SHORT } },
    { "statx", SYS_statx, { ENOSYS, EACCES } },
    { "close", SYS_close, { AFTER | EINTR, AFTER | EIO } },
    { "mmap", SYS_mmap, { ENOMEM } },
    { "ftruncate", SYS_ftruncate, { ENOSPC, EIO } },
    { "flock", SYS_flock, { EINTR, ENOLCK } },
    { "getrandom", SYS_getrandom, { EINTR, ENOSYS } },
};

static struct {
    int nth, way, count, paused;    /* nth 0: only counted */
    const struct fate *call[CALLS_MAX], *hit;
    int error;                      /* that it got; 0: none, SHORT */
    words kernel;
} state;

void faulty_arm(int nth, int way);
void faulty_pause(int on);
int faulty_count(void);
int faulty_ways(int nth);
const char *faulty_hit(int *error);

/* Begin to count; nth: the call that fails, from 1; 0: none. */
void faulty_arm(int nth, int way)
{
    state.nth = nth;
    state.way = way;
    state.count = state.error = state.paused = 0;
    state.hit = NULL;
}

/* The calls from here on are not counted; on: they are again. */
void faulty_pause(int on)
{
    state.paused = !on;
}

/* The calls since faulty_arm(); and none fails any more. */
int faulty_count(void)
{
    state.nth = -1;
    return state.count;
}

/* In how many ways the call of that number may fail, as far as its name tells. */
int faulty_ways(int nth)
{
    int ways = 0;

    while (nth <= CALLS_MAX && ways < WAYS && state.call[nth - 1]->way[ways])
        ways++;
    return ways;
}

/* The name of the call that failed, with its errno, SHORT for a short count; NULL if there was none, or if there is
 * no such way for it. */
const char *faulty_hit(int *error)
{
    *error = state.error;
    return state.hit ? state.hit->name : NULL;
}

static const struct fate *fate_of(long number)
{
    for (size_t i = 0; i < sizeof fates / sizeof fates[0]; i++) {
        if (fates[i].number == number)
            return &fates[i];
    }
    return NULL;
}

static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
    if (!state.kernel)
        *(void **)&state.kernel = dlsym(RTLD_NEXT, "syscall");
    return state.kernel(number, a, b, c, d, e, f);
}

/* EAGAIN is for who does not want to wait; a short count for streams; of fcntl() and epoll_ctl() fails what needs a
 * number or memory.  Any getsockopt() may, where a program of the control group looks at it (SO_COOKIE as well). */
static int is_possible(int error, long number, long fd, long what, long flags)
{
    int type = 0, len = sizeof type;

    if (number == SYS_fcntl)
        return what == DUPFD || what == DUPFD_CLOEXEC;
    if (number == SYS_epoll_ctl)
        return what == ADD;
    if (error == EAGAIN)
        return flags & DONTWAIT || kernel(SYS_fcntl, fd, GETFL, 0, 0, 0, 0) & NONBLOCK;
    if (error != SHORT || number == SYS_read)
        return 1;
    return kernel(SYS_getsockopt, fd, SOCKET, TYPE, (long)&type, (long)&len, 0) == 0 && type == STREAM;
}

static long act(long number, long a, long b, long c, long d, long e, long f)
{
    const struct fate *fate = state.nth >= 0 && !state.paused ? fate_of(number) : NULL;
    int error, message = number == SYS_sendmsg || number == SYS_recvmsg;

    if (fate && ++state.count <= CALLS_MAX)
        state.call[state.count - 1] = fate;
    if (!fate || state.count != state.nth || state.way >= WAYS)
        return kernel(number, a, b, c, d, e, f);
    error = fate->way[state.way];
    if (!error || !is_possible(error, number, a, b, message ? c : d))
        return kernel(number, a, b, c, d, e, f);
    state.hit = fate;
    if (error == SHORT) {
        state.error = SHORT;
        return kernel(number, a, b, c > 0 ? 1 : c, d, e, f);
    }
    if (error & AFTER)
        kernel(number, a, b, c, d, e, f);
    state.error = error & ~AFTER;
    errno = state.error;
    return -1;
}

/* ---- libc's names */

#define CALL6(name) \
    long name(long a, long b, long c, long d, long e, long f); \
    long name(long a, long b, long c, long d, long e, long f) { return act(SYS_##name, a, b, c, d, e, f); }

CALL6(socket)
CALL6(connect)
CALL6(bind)
CALL6(listen)
CALL6(accept4)
CALL6(getsockopt)
CALL6(setsockopt)
CALL6(getsockname)
CALL6(getpeername)
CALL6(shutdown)
CALL6(fcntl)
CALL6(dup3)
CALL6(sendto)
CALL6(recvfrom)
CALL6(sendmsg)
CALL6(recvmsg)
CALL6(epoll_ctl)
CALL6(openat)
CALL6(read)
CALL6(close)
CALL6(mmap)
CALL6(ftruncate)
CALL6(flock)

long accept(long fd, long sa, long len);
long send(long fd, long data, long size, long flags);
long recv(long fd, long data, long size, long flags);
long epoll_wait(long set, long events, long most, long ms);
long epoll_pwait(long set, long events, long most, long ms, long mask);
long ppoll(long fds, long count, const long *limit, long mask);
long poll(long fds, long count, int ms);
long pselect(long count, long in, long out, long except, const long *limit, long mask);
long select(long count, long in, long out, long except, long *limit);
long syscall(long number, long a, long b, long c, long d, long e, long f);

long accept(long fd, long sa, long len)
{
    return act(SYS_accept4, fd, sa, len, 0, 0, 0);
}

long send(long fd, long data, long size, long flags)
{
    return act(SYS_sendto, fd, data, size, flags, 0, 0);
}

long recv(long fd, long data, long size, long flags)
{
    return act(SYS_recvfrom, fd, data, size, flags, 0, 0);
}

long epoll_wait(long set, long events, long most, long ms)
{
    return act(SYS_epoll_pwait, set, events, most, ms, 0, SIGSET);
}

long epoll_pwait(long set, long events, long most, long ms, long mask)
{
    return act(SYS_epoll_pwait, set, events, most, ms, mask, SIGSET);
}

/* The kernel writes to the limit.  No function here calls another by libc's name, which would be the object's. */
static long wait_for(long fds, long count, const long *limit, long mask)
{
    long left[2] = { limit ? limit[0] : 0, limit ? limit[1] : 0 };

    return act(SYS_ppoll, fds, count, limit ? (long)left : 0, mask, SIGSET, 0);
}

static long choose(long count, const long set[3], const long *limit, long mask)
{
    long left[2] = { limit ? limit[0] : 0, limit ? limit[1] : 0 }, signals[2] = { mask, SIGSET };

    return act(SYS_pselect6, count, set[0], set[1], set[2], limit ? (long)left : 0, (long)signals);
}

long ppoll(long fds, long count, const long *limit, long mask)
{
    return wait_for(fds, count, limit, mask);
}

long poll(long fds, long count, int ms)
{
    long limit[2] = { ms / 1000, ms % 1000 * 1000000L };

    return wait_for(fds, count, ms < 0 ? NULL : limit, 0);
}

long pselect(long count, long in, long out, long except, const long *limit, long mask)
{
    return choose(count, (const long[]){ in, out, except }, limit, mask);
}

long select(long count, long in, long out, long except, long *limit)
{
    long left[2] = { limit ? limit[0] : 0, limit ? limit[1] * 1000 : 0 };

    return choose(count, (const long[]){ in, out, except }, limit ? left : NULL, 0);
}

/* What the object asks the kernel by number, under the name that it has with libc. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    return act(number, a, b, c, d, e, f);
}
