/* SPDX-License-Identifier: ISC */
/* alias.c - the other names under which glibc exports functions of the table
 *
 * Old programs import some of them, glibc's own companions (libresolv, libpthread, librt) the private ones, and
 * programs built with 64-bit time on 32-bit machines those that end in 64.  Each leads to the function of this object
 * that bears the usual name, which -Bsymbolic-functions makes ours whatever the program defines.
 */
#include <stdarg.h>

#include "hook.h"

int __connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    return connect(fd, sa, len);
}

int __socket(int domain, int type, int protocol)
{
    return socket(domain, type, protocol);
}

ssize_t __send(int fd, const void *data, size_t size, int flags)
{
    return send(fd, data, size, flags);
}

ssize_t __recv(int fd, void *data, size_t size, int flags)
{
    return recv(fd, data, size, flags);
}

ssize_t __read(int fd, void *data, size_t size)
{
    return read(fd, data, size);
}

ssize_t __write(int fd, const void *data, size_t size)
{
    return write(fd, data, size);
}

ssize_t __sendmsg64(int fd, const struct msghdr *message, int flags)
{
    return sendmsg(fd, message, flags);
}

/* Times in control messages have the form that the program's setsockopt() asked for. */
ssize_t __recvmsg64(int fd, struct msghdr *message, int flags)
{
    return recvmsg(fd, message, flags);
}

int __sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return sendmmsg(fd, messages, count, flags);
}

int __sendmmsg64(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    return sendmmsg(fd, messages, count, flags);
}

int __getsockopt64(int fd, int level, int option, void *value, socklen_t *len)
{
    return getsockopt(fd, level, option, value, len);
}

int __setsockopt64(int fd, int level, int option, const void *value, socklen_t len)
{
    return setsockopt(fd, level, option, value, len);
}

int __poll(struct pollfd *fds, nfds_t count, int timeout)
{
    return poll(fds, count, timeout);
}

int __select(int count, fd_set *reads, fd_set *writes, fd_set *errors, struct timeval *timeout)
{
    return select(count, reads, writes, errors, timeout);
}

int __close(int fd)
{
    return close(fd);
}

int __dup2(int from, int to)
{
    return dup2(from, to);
}

/* One word behind the command, whatever it is: as fcntl() and ioctl() take it themselves. */
int __fcntl(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return fcntl(fd, command, argument);
}

int __libc_fcntl64(int fd, int command, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, command);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return fcntl64(fd, command, argument);
}

int __fcntl_time64(int fd, int command, ...) __attribute__((alias("__libc_fcntl64")));

int __ioctl_time64(int fd, unsigned long request, ...)
{
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);
    return ioctl(fd, request, argument);
}

int _IO_fclose(FILE *stream)
{
    return fclose(stream);
}

FILE *_IO_fdopen(int fd, const char *mode)
{
    return fdopen(fd, mode);
}

FILE *_IO_popen(const char *command, const char *mode)
{
    return popen(command, mode);
}

int __libc_system(const char *command)
{
    return system(command);
}

/* libresolv's own lookups, for programs of old. */
struct hostent *res_gethostbyname(const char *name)
{
    return gethostbyname(name);
}

struct hostent *res_gethostbyname2(const char *name, int family)
{
    return gethostbyname2(name, family);
}

struct hostent *res_gethostbyaddr(const void *address, socklen_t len, int family)
{
    return gethostbyaddr(address, len, family);
}
