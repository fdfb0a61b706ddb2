/* SPDX-License-Identifier: ISC */
/* probe_bad.c - socket calls with pointers that lead nowhere */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_odd.h"
#include "probe_text.h"

enum { LEFT = 3 };    /* bytes that can be read before a page that cannot */

static const char *place_name;

/* The line tells the pointer, too. */
#define BAD(call) (printf("%s: ", place_name), TRY(call))

/* A page with the end of a page that can be used before it, and one that can only be read. */
static unsigned char *map_pages(size_t page)
{
    unsigned char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE) != 0 || mprotect(p + 2 * page, page, PROT_READ) != 0)
        net_die("mmap");
    return p;
}

static void connects(const struct target *t, void *bad)
{
    int stream = net_socket(t, SOCK_STREAM | SOCK_NONBLOCK), datagram = net_socket(t, SOCK_DGRAM);
    int local = socket(AF_UNIX, SOCK_STREAM, 0);

    BAD(connect(stream, bad, t->len));
    BAD(connect(stream, bad, 2));
    BAD(connect(stream, bad, 0));
    BAD(connect(stream, bad, 4096));
    BAD(connect(stream, bad, (socklen_t)-1));
    BAD(connect(datagram, bad, t->len));
    BAD(connect(local, bad, 20));
    BAD(connect(-1, bad, t->len));
    BAD(bind(datagram, bad, t->len));
    close(stream);
    close(datagram);
    close(local);
}

static void sends(int fd, const struct target *t, void *bad)
{
    const struct sockaddr *sa = (const struct sockaddr *)&t->sa;

    BAD(sendto(fd, "x", 1, 0, bad, t->len));
    BAD(sendto(fd, "x", 1, 0, bad, 2));
    BAD(sendto(fd, "x", 1, 0, bad, 0));
    BAD(sendto(fd, "x", 1, 0, bad, 4096));
    BAD(sendto(-1, "x", 1, 0, bad, t->len));
    BAD(sendto(fd, bad, 100, 0, sa, t->len));
}

static void messages(int fd, const struct target *t, void *bad)
{
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 }, lost = { .iov_base = bad, .iov_len = 100 };
    struct mmsghdr two[2];
    struct msghdr good = { .msg_name = (void *)&t->sa, .msg_namelen = t->len, .msg_iov = &piece, .msg_iovlen = 1 };
    struct msghdr m = good;

    BAD(sendmsg(fd, bad, 0));
    BAD(sendmsg(-1, bad, 0));
    m.msg_name = bad;
    BAD(sendmsg(fd, &m, 0));
    m.msg_namelen = 4096;
    BAD(sendmsg(fd, &m, 0));
    m = good;
    m.msg_iov = bad;
    BAD(sendmsg(fd, &m, 0));
    m.msg_iovlen = 100;
    BAD(sendmsg(fd, &m, 0));
    m = good;
    m.msg_iov = &lost;
    BAD(sendmsg(fd, &m, 0));
    m = good;
    m.msg_control = bad;
    m.msg_controllen = CMSG_SPACE(sizeof(int));
    BAD(sendmsg(fd, &m, 0));
    memset(two, 0, sizeof two);
    two[0].msg_hdr = two[1].msg_hdr = good;
    two[1].msg_hdr.msg_name = bad;
    two[1].msg_hdr.msg_namelen = t->len;
    BAD(sendmmsg(fd, bad, 1, 0));
    BAD(sendmmsg(-1, bad, 1, 0));
    BAD(sendmmsg(fd, bad, 0, 0));
    if (bad)
        BAD(sendmmsg(fd, two, 2, 0));
}

/* What receives nothing looks at its pointers all the same, or not. */
static void receives(int fd, void *bad)
{
    char byte;

    BAD(recvmsg(fd, bad, MSG_DONTWAIT));
    BAD(recvmsg(-1, bad, MSG_DONTWAIT));
    BAD(recvmmsg(fd, bad, 1, MSG_DONTWAIT, NULL));
    BAD(recvfrom(fd, &byte, 1, MSG_DONTWAIT, bad, bad));
    BAD(recv(fd, bad, 1, MSG_DONTWAIT));
}

/* An answer is received, but there is no place for its source.  The answers to what was sent before have come. */
static void answers(const struct target *t, void *bad)
{
    const struct sockaddr *sa = (const struct sockaddr *)&t->sa;
    int fd = net_socket(t, SOCK_DGRAM);
    struct iovec piece = { .iov_base = (char[8]){ "" }, .iov_len = 8 };
    struct msghdr m = { .msg_name = bad, .msg_namelen = 64, .msg_iov = &piece, .msg_iovlen = 1 };
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    char data[8];

    sendto(fd, "one", 3, 0, sa, t->len);
    BAD(recvfrom(fd, data, sizeof data, 0, bad, &len));
    sendto(fd, "two", 3, 0, sa, t->len);
    BAD(recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, bad));
    sendto(fd, "tri", 3, 0, sa, t->len);
    BAD(recvmsg(fd, &m, 0));
    sendto(fd, "for", 3, 0, sa, t->len);
    len = sizeof from;
    BAD(recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &len));
    close(fd);
}

static void names(int fd, void *bad)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int value;

    BAD(getsockname(fd, (struct sockaddr *)&sa, bad));
    BAD(getpeername(fd, (struct sockaddr *)&sa, bad));
    BAD(getsockname(-1, bad, bad));
    BAD(getpeername(-1, bad, bad));
    BAD(getsockname(fd, bad, &len));
    len = sizeof sa;
    BAD(getpeername(fd, bad, &len));
    BAD(accept(fd, bad, &len));
    BAD(accept4(-1, bad, bad, 0));
    len = sizeof value;
    BAD(getsockopt(fd, SOL_SOCKET, SO_ERROR, bad, &len));
    BAD(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, bad));
    BAD(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, bad, sizeof value));
    BAD(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bad, 8));
    BAD(ioctl(fd, FIONREAD, bad));
    BAD(socketpair(AF_UNIX, SOCK_STREAM, 0, bad));
}

/* left: bytes that can be written. */
static void every(const struct target *stream, const struct target *datagram, const char *name, void *bad, size_t left)
{
    int tcp = net_socket(stream, SOCK_STREAM), udp = net_socket(datagram, SOCK_DGRAM);

    place_name = name;
    if (net_connect(tcp, stream) != 0 || net_connect(udp, datagram) != 0)
        net_die("connect");
    connects(stream, bad);
    sends(udp, datagram, bad);
    messages(udp, datagram, bad);
    if (left)
        memset(bad, 0, left);
    names(tcp, bad);
    if (left)
        memset(bad, 0, left);
    names(udp, bad);
    close(udp);
    udp = net_socket(datagram, SOCK_DGRAM);
    sends(udp, datagram, bad);
    close(udp);
    udp = net_socket(datagram, SOCK_DGRAM);
    receives(udp, bad);
    close(udp);
    close(tcp);
}

int odd_pointers(char **argv)
{
    struct target stream = net_target(argv[0]), datagram = net_target(argv[1]);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages = map_pages(page);

    memcpy(pages + page - LEFT, &datagram.sa, LEFT);
    every(&stream, &datagram, "NULL", NULL, 0);
    every(&stream, &datagram, "-1", (void *)-1, 0);
    every(&stream, &datagram, "unmapped", pages + page, 0);
    every(&stream, &datagram, "boundary", pages + page - LEFT, LEFT);
    place_name = "NULL";
    answers(&datagram, NULL);
    place_name = "unmapped";
    answers(&datagram, pages + page);
    place_name = "read-only";
    answers(&datagram, pages + 2 * page);
    return 0;
}
