/* SPDX-License-Identifier: ISC */
/* strain_calls.c - the table of calls */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "strain.h"

#define CALL(name, expression)                      \
    static long call_##name(struct world *w)        \
    {                                               \
        (void)w;                                    \
        return (long)(expression);                  \
    }

#define SA(target) (struct sockaddr *)&(target).sa, (target).len
#define PIECE(data, size) &(struct iovec){ data, size }, 1

static char room[64];

static long own_name(int fd, int (*ask)(int, struct sockaddr *, socklen_t *))
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    return ask(fd, (struct sockaddr *)&sa, &len);
}

static long in_set(const struct world *w, int fd, bool by_pselect)
{
    struct timespec t = { w->patience / 1000, 0 };
    struct timeval v = { w->patience / 1000, 0 };
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    return by_pselect ? pselect(fd + 1, &set, NULL, NULL, &t, NULL) : select(fd + 1, &set, NULL, NULL, &v);
}

static struct msghdr *message(void)
{
    static __thread struct msghdr m;
    static __thread struct iovec piece;

    piece = (struct iovec){ room, 1 };
    m = (struct msghdr){ .msg_iov = &piece, .msg_iovlen = 1 };
    return &m;
}

static long option(int fd, bool set)
{
    int value = 1;
    socklen_t len = sizeof value;

    return set ? setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, len)
               : getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len);
}

/* Of a call whose result is a descriptor. */
static long made(struct world *w, int fd)
{
    w->made[0] = fd;
    return fd;
}

static long name_to_list(const char *name)
{
    struct addrinfo *list;

    if (getaddrinfo(name, "80", NULL, &list) != 0)
        return -1;
    freeaddrinfo(list);
    return 0;
}

static long address_to_name(void)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char host[NI_MAXHOST];

    return getnameinfo((struct sockaddr *)&sa, sizeof sa, host, sizeof host, NULL, 0, 0);
}

static long name_to_host(void)
{
    struct hostent host, *result;
    char buf[512];
    int code;

    return gethostbyname_r("localhost", &host, buf, sizeof buf, &result, &code) == 0 && result ? 0 : -1;
}

static long address_to_host(void)
{
    struct hostent host, *result;
    struct in_addr a = { htonl(INADDR_LOOPBACK) };
    char buf[512];
    int code;

    return gethostbyaddr_r(&a, sizeof a, AF_INET, &host, buf, sizeof buf, &result, &code) == 0 && result ? 0 : -1;
}

static long spawn_true(struct world *w, bool search)
{
    char name[] = "true", *argv[] = { name, NULL };
    pid_t pid;
    int error = search ? posix_spawnp(&pid, "true", NULL, NULL, argv, environ)
                       : posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ);

    if (error == 0) {
        w->child = pid;
        return 0;
    }
    errno = error;
    return -1;
}

/* The one that fails whatever happens: it has to return. */
static long exec_nothing(void)
{
    char name[] = "nothing", *argv[] = { name, NULL };

    execve("/nonexistent/program", argv, environ);
    return errno == ENOENT ? 0 : -1;
}

static long lock_wait(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_SETLKW, &lock);
}

static long multiple(int fd, bool receive)
{
    struct mmsghdr m = { .msg_hdr = *message() };

    return receive ? recvmmsg(fd, &m, 1, 0, NULL) : sendmmsg(fd, &m, 1, 0);
}

static long wait_epoll(const struct world *w, bool by_pwait)
{
    struct epoll_event event;

    return by_pwait ? epoll_pwait(w->epoll, &event, 1, w->patience, NULL)
                    : epoll_wait(w->epoll, &event, 1, w->patience);
}

static long change_epoll(const struct world *w)
{
    struct epoll_event event = { .events = EPOLLIN };

    return epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->tcp, &event);
}

static long ready(const struct world *w, int fd, bool by_ppoll)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct timespec t = { w->patience / 1000, 0 };

    return by_ppoll ? ppoll(&p, 1, &t, NULL) : poll(&p, 1, w->patience);
}

static long bind_any(int fd)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };

    return bind(fd, (struct sockaddr *)&sa, sizeof sa);
}

static long readable(int fd)
{
    int n;

    return ioctl(fd, FIONREAD, &n);
}

CALL(accept, made(w, accept(w->waiting, NULL, NULL)))
CALL(accept4, made(w, accept4(w->waiting, NULL, NULL, SOCK_CLOEXEC)))
CALL(bind, bind_any(w->fresh))
CALL(close, close(w->fresh))
CALL(connect, connect(w->fresh, SA(w->tcp_to)))
CALL(connect_udp, connect(w->fresh_udp, SA(w->udp_to)))
CALL(dup, made(w, dup(w->tcp)))
CALL(dup2, dup2(w->tcp, w->fresh))
CALL(dup3, dup3(w->tcp, w->fresh, O_CLOEXEC))
CALL(epoll_ctl, change_epoll(w))
CALL(epoll_pwait, wait_epoll(w, true))
CALL(epoll_wait, wait_epoll(w, false))
CALL(execve, exec_nothing())
CALL(fcntl, fcntl(w->tcp, F_GETFL))
CALL(fcntl_dupfd, made(w, fcntl(w->tcp, F_DUPFD, 100)))
CALL(fcntl_setlkw, lock_wait(w->file))
CALL(getaddrinfo, name_to_list("localhost"))
CALL(getaddrinfo_number, name_to_list("192.0.2.1"))
CALL(gethostbyaddr_r, address_to_host())
CALL(gethostbyname_r, name_to_host())
CALL(getnameinfo, address_to_name())
CALL(getpeername, own_name(w->tcp, getpeername))
CALL(getpeername_udp, own_name(w->udp, getpeername))
CALL(getsockname, own_name(w->tcp, getsockname))
CALL(getsockname_udp, own_name(w->udp, getsockname))
CALL(getsockopt, option(w->tcp, false))
CALL(ioctl, readable(w->tcp))
CALL(ioctl_udp, readable(w->udp))
CALL(listen, listen(w->bound, 1))
CALL(poll, ready(w, w->tcp, false))
CALL(poll_udp, ready(w, w->udp, false))
CALL(posix_spawn, spawn_true(w, false))
CALL(posix_spawnp, spawn_true(w, true))
CALL(ppoll, ready(w, w->tcp, true))
CALL(pselect, in_set(w, w->tcp, true))
CALL(read, read(w->tcp, room, 1))
CALL(read_udp, read(w->udp, room, 1))
CALL(readv, readv(w->tcp, PIECE(room, 1)))
CALL(readv_udp, readv(w->udp, PIECE(room, 1)))
CALL(recv, recv(w->tcp, room, 1, 0))
CALL(recv_udp, recv(w->udp, room, 1, 0))
CALL(recvfrom, recvfrom(w->tcp, room, 1, 0, NULL, NULL))
CALL(recvfrom_udp, recvfrom(w->udp, room, 1, 0, NULL, NULL))
CALL(recvmmsg_udp, multiple(w->udp, true))
CALL(recvmsg, recvmsg(w->tcp, message(), 0))
CALL(recvmsg_udp, recvmsg(w->udp, message(), 0))
CALL(select, in_set(w, w->tcp, false))
CALL(send, send(w->tcp, room, 1, 0))
CALL(send_udp, send(w->udp, room, 1, 0))
CALL(sendmmsg_udp, multiple(w->udp, false))
CALL(sendmsg, sendmsg(w->tcp, message(), 0))
CALL(sendmsg_udp, sendmsg(w->udp, message(), 0))
CALL(sendto, sendto(w->tcp, room, 1, 0, NULL, 0))
CALL(sendto_udp, sendto(w->fresh_udp, room, 1, 0, SA(w->udp_to)))
CALL(setsockopt, option(w->tcp, true))
CALL(shutdown, shutdown(w->pair[1], SHUT_RD))
CALL(socket, made(w, socket(AF_INET, SOCK_STREAM, 0)))
CALL(socketpair, socketpair(AF_UNIX, SOCK_STREAM, 0, w->made))
CALL(write, write(w->tcp, room, 1))
CALL(write_udp, write(w->udp, room, 1))
CALL(writev, writev(w->tcp, PIECE(room, 1)))
CALL(writev_udp, writev(w->udp, PIECE(room, 1)))

#define ROW(name, traits) { #name, call_##name, traits }

const struct call calls[] = {
    ROW(accept, SAFE), ROW(accept4, 0), ROW(bind, SAFE), ROW(close, SAFE), ROW(connect, SAFE), ROW(connect_udp, SAFE),
    ROW(dup, SAFE), ROW(dup2, SAFE), ROW(dup3, 0), ROW(epoll_ctl, 0), ROW(epoll_pwait, 0), ROW(epoll_wait, 0),
    ROW(execve, SAFE), ROW(fcntl, SAFE), ROW(fcntl_dupfd, SAFE), ROW(fcntl_setlkw, 0), ROW(getaddrinfo, NAMES),
    ROW(getaddrinfo_number, NAMES), ROW(gethostbyaddr_r, NAMES), ROW(gethostbyname_r, NAMES), ROW(getnameinfo, NAMES),
    ROW(getpeername, SAFE), ROW(getpeername_udp, SAFE), ROW(getsockname, SAFE), ROW(getsockname_udp, SAFE),
    ROW(getsockopt, SAFE), ROW(ioctl, 0), ROW(ioctl_udp, 0), ROW(listen, SAFE), ROW(poll, SAFE | WAITS),
    ROW(poll_udp, SAFE | WAITS),
    ROW(posix_spawn, 0), ROW(posix_spawnp, 0), ROW(ppoll, 0), ROW(pselect, SAFE | WAITS), ROW(read, SAFE),
    ROW(read_udp, SAFE),
    ROW(readv, 0), ROW(readv_udp, 0), ROW(recv, SAFE), ROW(recv_udp, SAFE), ROW(recvfrom, SAFE),
    ROW(recvfrom_udp, SAFE), ROW(recvmmsg_udp, 0), ROW(recvmsg, SAFE), ROW(recvmsg_udp, SAFE),
    ROW(select, SAFE | WAITS),
    ROW(send, SAFE), ROW(send_udp, SAFE), ROW(sendmmsg_udp, 0), ROW(sendmsg, SAFE), ROW(sendmsg_udp, SAFE),
    ROW(sendto, SAFE), ROW(sendto_udp, SAFE), ROW(setsockopt, SAFE), ROW(shutdown, SAFE), ROW(socket, SAFE),
    ROW(socketpair, SAFE), ROW(write, SAFE), ROW(write_udp, SAFE), ROW(writev, 0), ROW(writev_udp, 0),
};

const int call_count = sizeof calls / sizeof calls[0];
