/* SPDX-License-Identifier: ISC */
/* raw.c - system calls by number
 *
 * libuv, glib, libev, Java and others make socket calls through libc's syscall(); they are led to the hooks of this
 * object (it is linked with -Bsymbolic-functions, so that the names below are ours whatever the program defines).
 * Numbers that are none of our business pass.
 */
#include <signal.h>
#include <stdarg.h>
#include <unistd.h>

#include "../io/memory.h"
#include "callnumber.h"
#include "guard.h"
#include "number.h"

/* Calls that this architecture lacks get a number that no call has. */
#ifndef SYS_dup2
#define SYS_dup2 (-1002)
#endif
#ifndef SYS_accept
#define SYS_accept (-1003)
#endif
#ifndef SYS_poll
#define SYS_poll (-1005)
#endif
#ifndef SYS_epoll_wait
#define SYS_epoll_wait (-1006)
#endif
#ifndef SYS_sendfile64
#define SYS_sendfile64 (-1007)
#endif
#ifndef SYS_preadv2
#define SYS_preadv2 (-1008)
#endif
#ifndef SYS_pwritev2
#define SYS_pwritev2 (-1009)
#endif
/* Where there is a newer one the old one may be another call (i386: one argument, in memory). */
#ifdef SYS__newselect
#undef SYS_select
#define SYS_select SYS__newselect
#endif
#ifndef SYS_select
#define SYS_select (-1010)
#endif
#ifndef SYS_socketcall
#define SYS_socketcall (-1004)
#endif
/* Of 32-bit machines alone. */
#ifndef SYS_fcntl64
#define SYS_fcntl64 (-1011)
#endif
#if !defined SYS_ppoll_time64 || __SIZEOF_LONG__ == 8
#undef SYS_ppoll_time64
#undef SYS_pselect6_time64
#undef SYS_recvmmsg_time64
#define SYS_ppoll_time64 (-1012)
#define SYS_pselect6_time64 (-1013)
#define SYS_recvmmsg_time64 (-1014)
#endif

enum { ARGUMENTS = 6, SIGNAL_SET_SIZE = _NSIG / 8 };

static int descriptor_call(long number, const long a[ARGUMENTS], long *result)
{
    switch (number) {
    case SYS_close:
        /* By number it is no cancellation point, as libuv counts on: what is known ends, the call itself passes. */
        if (!hook_idle(GATE_FACTS))
            number_forget((int)a[0]);
        return 0;
    case SYS_close_range:
        *result = close_range((unsigned)a[0], (unsigned)a[1], (int)a[2]);
        return 1;
    case SYS_dup:
        *result = dup((int)a[0]);
        return 1;
    case SYS_dup2:
        *result = dup2((int)a[0], (int)a[1]);
        return 1;
    case SYS_dup3:
        *result = dup3((int)a[0], (int)a[1], (int)a[2]);
        return 1;
    case SYS_pidfd_getfd:
        *result = pidfd_getfd((int)a[0], (int)a[1], (unsigned)a[2]);
        return 1;
    case SYS_fcntl:
        *result = fcntl((int)a[0], (int)a[1], a[2]);
        return 1;
    case SYS_fcntl64:
        *result = fcntl64((int)a[0], (int)a[1], a[2]);
        return 1;
    case SYS_ioctl:
        *result = ioctl((int)a[0], (ioctl_request)a[1], a[2]);
        return 1;
    default:
        return 0;
    }
}

static int exec_call(long number, const long a[ARGUMENTS], long *result)
{
    switch (number) {
    case SYS_execve:
        *result = execve((const char *)a[0], (char *const *)a[1], (char *const *)a[2]);
        return 1;
    case SYS_execveat:
        *result = execveat((int)a[0], (const char *)a[1], (char *const *)a[2], (char *const *)a[3], (int)a[4]);
        return 1;
    case SYS_exit_group:
        _exit((int)a[0]);
    default:
        return 0;
    }
}

static int socket_call(long number, const long a[ARGUMENTS], long *result)
{
    switch (number) {
    case SYS_socket:
        *result = socket((int)a[0], (int)a[1], (int)a[2]);
        return 1;
    case SYS_socketpair:
        *result = socketpair((int)a[0], (int)a[1], (int)a[2], (int *)a[3]);
        return 1;
    case SYS_connect:
        *result = connect((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]);
        return 1;
    case SYS_bind:
        *result = bind((int)a[0], (const struct sockaddr *)a[1], (socklen_t)a[2]);
        return 1;
    case SYS_listen:
        *result = listen((int)a[0], (int)a[1]);
        return 1;
    case SYS_accept:
        *result = accept((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
        return 1;
    case SYS_accept4:
        *result = accept4((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2], (int)a[3]);
        return 1;
    case SYS_getpeername:
        *result = getpeername((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
        return 1;
    case SYS_getsockname:
        *result = getsockname((int)a[0], (struct sockaddr *)a[1], (socklen_t *)a[2]);
        return 1;
    case SYS_getsockopt:
        *result = getsockopt((int)a[0], (int)a[1], (int)a[2], (void *)a[3], (socklen_t *)a[4]);
        return 1;
    case SYS_setsockopt:
        *result = setsockopt((int)a[0], (int)a[1], (int)a[2], (const void *)a[3], (socklen_t)a[4]);
        return 1;
    case SYS_shutdown:
        *result = shutdown((int)a[0], (int)a[1]);
        return 1;
    default:
        return 0;
    }
}

static int message_call(long number, const long a[ARGUMENTS], long *result)
{
    switch (number) {
    case SYS_sendto:
        *result = sendto((int)a[0], (const void *)a[1], (size_t)a[2], (int)a[3], (const struct sockaddr *)a[4],
                         (socklen_t)a[5]);
        return 1;
    case SYS_sendmsg:
        *result = sendmsg((int)a[0], (const struct msghdr *)a[1], (int)a[2]);
        return 1;
    case SYS_sendmmsg:
        *result = sendmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3]);
        return 1;
    case SYS_recvfrom:
        *result = recvfrom((int)a[0], (void *)a[1], (size_t)a[2], (int)a[3], (struct sockaddr *)a[4],
                           (socklen_t *)a[5]);
        return 1;
    case SYS_recvmsg:
        *result = recvmsg((int)a[0], (struct msghdr *)a[1], (int)a[2]);
        return 1;
    case SYS_recvmmsg:
        *result = recvmmsg((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct timespec *)a[4]);
        return 1;
    default:
        return 0;
    }
}

/* Two halves where a long is one. */
static off64_t offset_of(long low, long high)
{
    return sizeof low < sizeof(off64_t) ? (off64_t)((uint64_t)high << 32 | (uint32_t)low) : low;
}

static int data_call(long number, const long a[ARGUMENTS], long *result)
{
    switch (number) {
    case SYS_read:
        *result = read((int)a[0], (void *)a[1], (size_t)a[2]);
        return 1;
    case SYS_write:
        *result = write((int)a[0], (const void *)a[1], (size_t)a[2]);
        return 1;
    case SYS_readv:
        *result = readv((int)a[0], (const struct iovec *)a[1], (int)a[2]);
        return 1;
    case SYS_writev:
        *result = writev((int)a[0], (const struct iovec *)a[1], (int)a[2]);
        return 1;
    case SYS_preadv2:
        *result = preadv64v2((int)a[0], (const struct iovec *)a[1], (int)a[2], offset_of(a[3], a[4]), (int)a[5]);
        return 1;
    case SYS_pwritev2:
        *result = pwritev64v2((int)a[0], (const struct iovec *)a[1], (int)a[2], offset_of(a[3], a[4]), (int)a[5]);
        return 1;
    case SYS_sendfile:
        *result = sendfile((int)a[0], (int)a[1], (off_t *)a[2], (size_t)a[3]);
        return 1;
    case SYS_sendfile64:
        *result = sendfile64((int)a[0], (int)a[1], (off64_t *)a[2], (size_t)a[3]);
        return 1;
    case SYS_splice:
        *result = splice((int)a[0], (off64_t *)a[1], (int)a[2], (off64_t *)a[3], (size_t)a[4], (unsigned)a[5]);
        return 1;
    default:
        return 0;
    }
}

/* The kernel's signal sets are shorter than libc's; the hooks hand them on and never look inside. */
static int wait_call(long number, const long a[ARGUMENTS], long *result)
{
    int mask = number == SYS_ppoll ? 3 : number == SYS_epoll_pwait ? 4 : 0;

    /* A set of another size is the kernel's to refuse. */
    if (mask && a[mask] && a[mask + 1] != SIGNAL_SET_SIZE)
        return 0;
    /* The kernel writes to the time what is left of it, libc's call does not. */
    if (number == SYS_ppoll && guard_idle())
        return 0;
    switch (number) {
    case SYS_poll:
        *result = poll((struct pollfd *)a[0], (nfds_t)a[1], (int)a[2]);
        return 1;
    case SYS_ppoll:
        *result = ppoll((struct pollfd *)a[0], (nfds_t)a[1], (const struct timespec *)a[2], (const sigset_t *)a[3]);
        return 1;
    case SYS_epoll_ctl:
        *result = epoll_ctl((int)a[0], (int)a[1], (int)a[2], (struct epoll_event *)a[3]);
        return 1;
    case SYS_epoll_wait:
        *result = epoll_wait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3]);
        return 1;
    case SYS_epoll_pwait:
        *result = epoll_pwait((int)a[0], (struct epoll_event *)a[1], (int)a[2], (int)a[3], (const sigset_t *)a[4]);
        return 1;
    default:
        return 0;
    }
}

/* Calls whose times have 64 bits everywhere. */
static int wide_call(long number, const long a[ARGUMENTS], long *result)
{
    int mask = number == SYS_epoll_pwait2 ? 4 : number == SYS_ppoll_time64 ? 3 : 0;

    if (mask && a[mask] && a[mask + 1] != SIGNAL_SET_SIZE)
        return 0;
    if (number == SYS_ppoll_time64 && guard_idle())
        return 0;
    switch (number) {
    case SYS_epoll_pwait2:
        *result = sizeof(long) < sizeof(int64_t)
                      ? __epoll_pwait2_time64((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                                              (const struct time64 *)a[3], (const sigset_t *)a[4])
                      : epoll_pwait2((int)a[0], (struct epoll_event *)a[1], (int)a[2],
                                     (const struct timespec *)a[3], (const sigset_t *)a[4]);
        return 1;
    case SYS_ppoll_time64:
        *result = __ppoll64((struct pollfd *)a[0], (nfds_t)a[1], (const struct time64 *)a[2], (const sigset_t *)a[3]);
        return 1;
    case SYS_recvmmsg_time64:
        *result = __recvmmsg64((int)a[0], (struct mmsghdr *)a[1], (unsigned)a[2], (int)a[3], (struct time64 *)a[4]);
        return 1;
    default:
        return 0;
    }
}

/* These write the time that is left to where libc's leave it: led only when they must be.  pselect6's last argument
 * points to the mask and its size. */
static int select_call(long number, const long a[ARGUMENTS], long *result)
{
    fd_set *in = (fd_set *)a[1], *out = (fd_set *)a[2], *except = (fd_set *)a[3];
    bool sized = number == SYS_pselect6 || number == SYS_pselect6_time64;
    struct { const sigset_t *mask; size_t size; } own = { NULL, SIGNAL_SET_SIZE };

    if ((number != SYS_select && !sized) || guard_idle())
        return 0;
    /* What is wrong there is the kernel's to say. */
    if (sized && a[5] && (!memory_take(&own, (const void *)a[5], sizeof own) ||
                          (own.mask && own.size != SIGNAL_SET_SIZE)))
        return 0;
    if (number == SYS_select)
        *result = select((int)a[0], in, out, except, (struct timeval *)a[4]);
    else if (number == SYS_pselect6)
        *result = pselect((int)a[0], in, out, except, (const struct timespec *)a[4], own.mask);
    else
        *result = __pselect64((int)a[0], in, out, except, (const struct time64 *)a[4], own.mask);
    return 1;
}

/* Each leads the numbers of its topic: true when it did, with what the hook returned. */
static int (*const led[])(long number, const long a[ARGUMENTS], long *result) = {
    data_call, wait_call, wide_call, select_call, message_call, socket_call, descriptor_call, exec_call
};

long syscall(long number, ...)
{
    long a[ARGUMENTS], result = 0;
    va_list arguments;

    hook_enter();
    va_start(arguments, number);
    for (int i = 0; i < ARGUMENTS; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_io_uring_setup)
        return hook_return(errno, io_uring_setup(0, NULL));
    if (number == SYS_io_submit && a[1] > 0 && !hook_idle(GATE_PENDING | GATE_DATAGRAM)) {
        a[1] = guard_admit(a[1], (struct iocb *const *)a[2]);
        if (a[1] < 0)
            return hook_return(errno, a[1]);
    }
    /* All socket calls of some 32-bit programs behind one number: refused rather than let through unseen. */
    if (number == SYS_socketcall)
        return hook_return(errno, -ENOSYS);
    for (size_t i = 0; i < sizeof led / sizeof led[0]; i++) {
        if (led[i](number, a, &result))
            return result;
    }
    return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
