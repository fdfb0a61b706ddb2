/* SPDX-License-Identifier: ISC */
/* faulty.c - a library that is preloaded behind the object, so that its table of real functions leads here: one call
 * fails, in one of the ways in which the kernel may make it fail, or the process dies in it
 *
 * A program says which by faulty_arm().  What is to fail before main() stands in the environment: FAULTY_NTH and
 * FAULTY_WAY as there; FAULTY_ONLY, a call's name: only such calls are counted; FAULTY_ALSO, NAME:ERRNO:TIMES: the
 * first of these calls fail in any case.  For one thread.  No header that declares the functions
 * is included: here all of them take and return words.
 */
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

enum { SHORT = -1, AFTER = 1 << 16, WAYS = 5, CALLS_MAX = 1024, DONTWAIT = 0x40, STREAM = 1, SOCKET = 1, TYPE = 3,
       NONBLOCK = 04000, DUPFD = 0, GETFL = 3, DUPFD_CLOEXEC = 1030, ADD = 1, SIGSET = 8, CWD = -100, KILL = 9 };

char *getenv(const char *name);
int atoi(const char *text);

typedef long (*words)(long, long, long, long, long, long, long);

/* What may become of a call.  AFTER: it has done its work all the same.  SHORT: it does one byte of it. */
static const struct fate {
    const char *name;
    long number;
    int way[WAYS];
} fates[] = {
    { "socket", SYS_socket, { EMFILE, ENFILE, ENOBUFS } },
    { "connect", SYS_connect, { AFTER | EINTR, ENETUNREACH, EADDRNOTAVAIL, ENOBUFS } },
    { "bind", SYS_bind, { EADDRINUSE, ENOMEM } },
    { "getsockopt", SYS_getsockopt, { ENOBUFS } },
    { "setsockopt", SYS_setsockopt, { ENOBUFS } },
    { "getsockname", SYS_getsockname, { ENOBUFS } },
    { "getpeername", SYS_getpeername, { ENOBUFS } },
    { "fcntl", SYS_fcntl, { EMFILE } },
    { "dup3", SYS_dup3, { EMFILE, EINTR } },
    { "sendto", SYS_sendto, { EINTR, EAGAIN, SHORT, ENOBUFS, ECONNRESET } },
    { "recvfrom", SYS_recvfrom, { EINTR, EAGAIN, SHORT, ENOMEM, ECONNRESET } },
    { "sendmsg", SYS_sendmsg, { EINTR, EAGAIN, SHORT, ENOBUFS } },
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
    { "flock", SYS_flock, { EINTR, ENOLCK } },
    { "futex", SYS_futex, { EINTR, EAGAIN } },
    { "nanosleep", SYS_nanosleep, { EINTR } },
    { "preadv", SYS_preadv, { EINTR, EIO, SHORT } },
    { "faccessat", SYS_faccessat, { EIO, EACCES } },
    { "getdents64", SYS_getdents64, { ENOMEM } },
    { "mkdir", SYS_mkdirat, { ENOSPC } },
    { "fchmod", SYS_fchmod, { EPERM } },
    { "fallocate", SYS_fallocate, { EINTR, ENOSPC, EOPNOTSUPP } },
    { "write", SYS_write, { EINTR, SHORT, ENOSPC } },
    { "rename", SYS_renameat2, { EIO } },
    { "getrandom", SYS_getrandom, { EINTR, ENOSYS } },
};

enum { FATES = sizeof fates / sizeof fates[0] };

static struct {
    int nth, way, count, paused;    /* nth 0: only counted */
    const struct fate *call[CALLS_MAX], *hit;
    int error;                      /* that it got; 0: none, SHORT */
    const struct fate *only, *deadly;
    struct {
        const struct fate *call;
        int error, times;
    } also;
    int begun;                      /* the environment has been read */
    words kernel;
} state;

void faulty_arm(int row, int nth, int way);
void faulty_pause(int on);
int faulty_count(void);
int faulty_calls(int row);
int faulty_ways(int nth);
const char *faulty_hit(int *error);
const char *faulty_row(int row, int way, int *error);
int faulty_die(const char *name);
long faulty_kernel(long number, long a, long b, long c, long d, long e, long f);

/* Begin to count the calls of a row of the table, of all where it is -1.  nth: the one that fails, from 1; 0: none. */
void faulty_arm(int row, int nth, int way)
{
    state.only = row < 0 ? NULL : &fates[row];
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

/* How many of the calls counted are of that row. */
int faulty_calls(int row)
{
    int calls = 0;

    for (int i = 0; i < state.count && i < CALLS_MAX; i++)
        calls += state.call[i] == &fates[row];
    return calls;
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

/* The name of a row of the table, from 0, and the error of one of its ways, 0: it has no more.  NULL behind the last
 * row. */
const char *faulty_row(int row, int way, int *error)
{
    *error = row < FATES && way < WAYS ? fates[row].way[way] & (fates[row].way[way] < 0 ? -1 : ~AFTER) : 0;
    return row < FATES ? fates[row].name : NULL;
}

static const struct fate *fate_of(long number)
{
    for (size_t i = 0; i < FATES; i++) {
        if (fates[i].number == number)
            return &fates[i];
    }
    return NULL;
}

static const struct fate *fate_named(const char *name)
{
    for (size_t i = 0; name && i < FATES; i++) {
        size_t len = strlen(fates[i].name);

        if (strncmp(fates[i].name, name, len) == 0 && (name[len] == '\0' || name[len] == ':'))
            return &fates[i];
    }
    return NULL;
}

/* The process dies in its next call of that name.  Returns 0 where the table has none. */
int faulty_die(const char *name)
{
    state.deadly = fate_named(name);
    return state.deadly != NULL;
}

static void begin(void)
{
    const char *nth = getenv("FAULTY_NTH"), *way = getenv("FAULTY_WAY"), *also = getenv("FAULTY_ALSO");

    state.begun = 1;
    state.nth = nth ? atoi(nth) : 0;
    state.way = way ? atoi(way) : 0;
    state.only = fate_named(getenv("FAULTY_ONLY"));
    state.also.call = fate_named(also);
    if (!state.also.call)
        return;
    also += strlen(state.also.call->name) + 1;
    state.also.error = atoi(also);
    state.also.times = atoi(strchr(also, ':') + 1);
}

static long kernel(long number, long a, long b, long c, long d, long e, long f)
{
    if (!state.kernel)
        *(void **)&state.kernel = dlsym(RTLD_NEXT, "syscall");
    return state.kernel(number, a, b, c, d, e, f);
}

/* A call of the kernel's that passes the object and this table by. */
long faulty_kernel(long number, long a, long b, long c, long d, long e, long f)
{
    return kernel(number, a, b, c, d, e, f);
}

/* EAGAIN is for who does not want to wait, and connect() is interrupted only where it does; a short count is for
 * streams and files; of fcntl() and epoll_ctl() fails what needs a number or memory.  Any getsockopt() may, where a
 * program of the control group looks at it (SO_COOKIE as well). */
static int is_possible(int error, long number, long fd, long what, long flags)
{
    int type = 0, len = sizeof type;

    if (number == SYS_fcntl)
        return what == DUPFD || what == DUPFD_CLOEXEC;
    if (number == SYS_epoll_ctl)
        return what == ADD;
    if (number == SYS_futex)
        return 1;
    if (number == SYS_connect && error == (AFTER | EINTR))
        return !(kernel(SYS_fcntl, fd, GETFL, 0, 0, 0, 0) & NONBLOCK);
    if (error == EAGAIN)
        return flags & DONTWAIT || kernel(SYS_fcntl, fd, GETFL, 0, 0, 0, 0) & NONBLOCK;
    if (error != SHORT || number == SYS_read || number == SYS_preadv || number == SYS_write)
        return 1;
    return kernel(SYS_getsockopt, fd, SOCKET, TYPE, (long)&type, (long)&len, 0) == 0 && type == STREAM;
}

/* One byte of what was asked for, in the first piece that has one. */
static long act_short(long number, long a, long b, long c, long d, long e, long f)
{
    struct piece { long at, size; } one = { 0, 0 };
    struct { long name, name_len; struct piece *piece; long count, control, control_len, flags; } message;
    int pieces = number == SYS_sendmsg || number == SYS_recvmsg;
    const struct piece *piece = pieces ? ((__typeof__(message) *)b)->piece : (const struct piece *)b;
    long count = pieces ? ((__typeof__(message) *)b)->count : c;

    if (!pieces && number != SYS_preadv)
        return kernel(number, a, b, c > 0 ? 1 : c, d, e, f);
    for (long i = 0; i < count && !one.size; i++)
        one = (struct piece){ piece[i].at, piece[i].size > 0 };
    if (!pieces)
        return kernel(number, a, (long)&one, 1, d, e, f);
    message = *(__typeof__(message) *)b;
    message.piece = &one;
    message.count = 1;
    return kernel(number, a, (long)&message, c, d, e, f);
}

/* The fate that a call has now; NULL: the kernel's. */
static const struct fate *count_call(long number)
{
    const struct fate *fate = state.nth >= 0 && !state.paused ? fate_of(number) : NULL;

    if (!fate || (state.only && fate != state.only))
        return NULL;
    if (++state.count <= CALLS_MAX)
        state.call[state.count - 1] = fate;
    return state.count == state.nth && state.way < WAYS ? fate : NULL;
}

static int fails_also(long number)
{
    if (state.nth < 0 || !state.also.times || state.also.call != fate_of(number))
        return 0;
    state.also.times--;
    return 1;
}

static long act(long number, long a, long b, long c, long d, long e, long f)
{
    const struct fate *fate;
    int error, message = number == SYS_sendmsg || number == SYS_recvmsg;

    if (!state.begun)
        begin();
    if (state.deadly && state.deadly->number == number)
        kernel(SYS_kill, kernel(SYS_getpid, 0, 0, 0, 0, 0, 0), KILL, 0, 0, 0, 0);
    if (fails_also(number)) {
        errno = state.also.error;
        return -1;
    }
    fate = count_call(number);
    error = fate ? fate->way[state.way] : 0;
    if (!error || !is_possible(error, number, a, b, message ? c : d))
        return kernel(number, a, b, c, d, e, f);
    state.hit = fate;
    if (error == SHORT) {
        state.error = SHORT;
        return act_short(number, a, b, c, d, e, f);
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
CALL6(getsockopt)
CALL6(setsockopt)
CALL6(getsockname)
CALL6(getpeername)
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
CALL6(flock)
CALL6(fchmod)

long send(long fd, long data, long size, long flags);
long recv(long fd, long data, long size, long flags);
long epoll_wait(long set, long events, long most, long ms);
long epoll_pwait(long set, long events, long most, long ms, long mask);
long ppoll(long fds, long count, const long *limit, long mask);
long poll(long fds, long count, int ms);
long pselect(long count, long in, long out, long except, const long *limit, long mask);
long select(long count, long in, long out, long except, long *limit);
long mkdir(long path, long mode);
long rename(long from, long to);
long syscall(long number, long a, long b, long c, long d, long e, long f);

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

long mkdir(long path, long mode)
{
    return act(SYS_mkdirat, CWD, path, mode, 0, 0, 0);
}

long rename(long from, long to)
{
    return act(SYS_renameat2, CWD, from, CWD, to, 0, 0);
}

/* What the object asks the kernel by number, under the name that it has with libc. */
long syscall(long number, long a, long b, long c, long d, long e, long f)
{
    return act(number, a, b, c, d, e, f);
}
