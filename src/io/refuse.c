/* SPDX-License-Identifier: ISC */
/* refuse.c - a genuine refused connection on demand */
#include "refuse.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>

#include "../core/addr.h"
#include "clock.h"
#include "real.h"

enum { LIMIT_MS = 20 };

/* A socket bound to a free port of loopback, not listening.  Returns the descriptor or -errno; *where: its address. */
static int closed_port(struct addr *where)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int fd = real_socket(where->kind == ADDR_IPV4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    addr_to_sockaddr(where, AF_UNSPEC, &sa, &len);
    if (real.syscall(SYS_bind, (long)fd, &sa, (long)len) == 0 &&
        real.syscall(SYS_getsockname, (long)fd, &sa, &len) == 0 &&
        addr_from_sockaddr((struct sockaddr *)&sa, len, where) == 0)
        return fd;
    real_close(fd);
    return -1;
}

/* POLLERR alone may be of the error queue (time stamps): then what has failed is looked for now and then. */
static bool has_failed(int fd)
{
    struct pollfd p = { .fd = fd };

    for (int64_t end = clock_ms() + LIMIT_MS;;) {
        struct timespec limit = { 0, LIMIT_MS * 1000000L }, pause = { 0, 1000000 };

        if (real.syscall(SYS_ppoll, &p, 1L, &limit, NULL, 0L) != 1)
            return false;
        if (p.revents & POLLHUP)
            return true;
        if (clock_ms() >= end)
            return false;
        real.syscall(SYS_ppoll, NULL, 0L, &pause, NULL, 0L);
    }
}

/* connect() without sleeping: one that sleeps would itself take the error that is meant for the program.  Who else
 * holds the socket keeps away from it while its handshake is pending, and does not notice. */
static void connect_at_once(int fd, const struct sockaddr *sa, socklen_t len)
{
    int flags = real.fcntl(fd, F_GETFL);
    bool change = flags >= 0 && !(flags & O_NONBLOCK);

    if (change)
        real.fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    real_connect(fd, sa, len);
    if (change)
        real.fcntl(fd, F_SETFL, flags);
}

void refuse_socket(int fd, int domain, bool mapped, bool near)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    struct addr where = { .kind = domain == AF_INET || mapped ? ADDR_IPV4 : ADDR_IPV6 };
    struct sockaddr_storage sa;
    socklen_t len;
    int closed;

    where.ip[0] = where.kind == ADDR_IPV4 ? 127 : 0;
    where.ip[where.kind == ADDR_IPV4 ? 3 : 15] = 1;
    closed = near ? closed_port(&where) : -1;
    /* This alone leaves ECONNRESET behind. */
    real_connect(fd, &nowhere, sizeof nowhere);
    if (closed < 0)
        return;
    if (addr_to_sockaddr(&where, domain, &sa, &len) == 0)
        connect_at_once(fd, (const struct sockaddr *)&sa, len);
    real_close(closed);
    if (!has_failed(fd))
        real_connect(fd, &nowhere, sizeof nowhere);
}
