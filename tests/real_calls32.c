/* SPDX-License-Identifier: ISC */
/* real_calls32.c - system calls by the numbers that 32-bit machines alone have
 *
 *     real_calls32 HOST PORT     the host answers HTTP; one line for each way of waiting for a non-blocking connect()
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

/* The kernel's timespec of 64 bits. */
struct wide {
    int64_t s, ns;
};

static struct addrinfo *to;

static long by_ppoll(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    struct wide patience = { 20, 0 };

    return syscall(SYS_ppoll_time64, &wait, 1L, &patience, NULL, 8L);
}

static long by_pselect(int fd)
{
    struct wide patience = { 20, 0 };
    long mask[2] = { 0, 8 };
    fd_set out;

    FD_ZERO(&out);
    FD_SET(fd, &out);
    return syscall(SYS_pselect6_time64, fd + 1, NULL, &out, NULL, &patience, mask);
}

static long by_select(int fd)
{
    struct timeval patience = { 20, 0 };
    fd_set out;

    FD_ZERO(&out);
    FD_SET(fd, &out);
    return syscall(SYS__newselect, fd + 1, NULL, &out, NULL, &patience);
}

static long by_epoll(int fd)
{
    struct epoll_event event = { .events = EPOLLOUT }, got;
    struct wide patience = { 20, 0 };
    int set = epoll_create1(0);
    long n;

    epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    n = syscall(SYS_epoll_pwait2, set, &got, 1L, &patience, NULL, 8L);
    close(set);
    return n;
}

/* By the duplicate's number, which must be known for the same socket. */
static long by_duplicate(int fd)
{
    int copy = (int)syscall(SYS_fcntl64, fd, F_DUPFD_CLOEXEC, 100L);
    long n = by_ppoll(copy);

    close(copy);
    return n;
}

static void wait_by(const char *name, long (*way)(int fd))
{
    int fd = socket(to->ai_family, SOCK_STREAM | SOCK_NONBLOCK, 0), error = -1;
    static const char request[] = "GET /hello HTTP/1.0\r\n\r\n";
    struct sockaddr_storage peer;
    socklen_t size = sizeof error, peer_size = sizeof peer;
    char answer[8] = "";
    long n;
    int connected;

    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0 || errno != EINPROGRESS)
        printf("%s: connect: %s\n", name, strerror(errno));
    n = way(fd);
    /* Not while the handshake lasts, which is when the kernel's own socket is writable already. */
    connected = getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    fcntl(fd, F_SETFL, 0);
    send(fd, request, sizeof request - 1, MSG_NOSIGNAL);
    recv(fd, answer, sizeof answer - 1, MSG_WAITALL);
    printf("%s: %ld, %s, error %d, %s\n", name, n, connected ? "connected" : "too early", error, answer);
    close(fd);
}

int main(int argc, char **argv)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    long nothing[3] = { AF_INET, SOCK_STREAM, 0 }, result;

    if (argc < 3 || getaddrinfo(argv[1], argv[2], &hints, &to) != 0)
        return 2;
    wait_by("ppoll_time64", by_ppoll);
    wait_by("pselect6_time64", by_pselect);
    wait_by("_newselect", by_select);
    wait_by("epoll_pwait2", by_epoll);
    wait_by("fcntl64", by_duplicate);
    result = syscall(SYS_socketcall, 1L, nothing);
    printf("socketcall: %ld %s\n", result, strerror(errno));
    return 0;
}
