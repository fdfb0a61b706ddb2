/* SPDX-License-Identifier: ISC */
/* probe_udp_call.c - one datagram out or in, by any call */
#include "probe_udp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe_text.h"

enum { UNTOUCHED = '#' };

/* What programs call that are compiled with _FORTIFY_SOURCE; other libcs have none. */
#ifdef __GLIBC__
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *sa, socklen_t *len);
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
#else
#define __recv_chk(fd, data, size, room, flags) recv(fd, data, size, flags)
#define __recvfrom_chk(fd, data, size, room, flags, sa, len) recvfrom(fd, data, size, flags, sa, len)
#define __read_chk(fd, data, size, room) read(fd, data, size)
#endif

char udp_outgoing[UDP_BYTES], udp_incoming[UDP_BYTES];

void udp_cut(struct parcel *p, char *data)
{
    for (unsigned i = 0; i < p->pieces; i++) {
        size_t from = p->size * i / p->pieces, end = p->size * (i + 1) / p->pieces;

        p->piece[i] = (struct iovec){ data + from, end - from };
    }
    memset(&p->m, 0, sizeof p->m);
    p->m.msg_iov = p->piece;
    p->m.msg_iovlen = p->pieces;
    p->m.msg_name = p->to.len ? &p->to.sa : NULL;
    p->m.msg_namelen = p->to.len;
}

static const struct sockaddr *address_of(const struct parcel *p)
{
    return p->to.len ? (const struct sockaddr *)&p->to.sa : NULL;
}

static long by_send(int fd, struct parcel *p)
{
    return p->to.len ? -2 : send(fd, udp_outgoing, p->size, p->flags);
}

static long by_write(int fd, struct parcel *p)
{
    return p->to.len || p->flags ? -2 : write(fd, udp_outgoing, p->size);
}

static long by_writev(int fd, struct parcel *p)
{
    return p->to.len || p->flags || !p->size ? -2 : writev(fd, p->piece, (int)p->pieces);
}

static long by_sendto(int fd, struct parcel *p)
{
    return sendto(fd, udp_outgoing, p->size, p->flags, address_of(p), p->to.len);
}

static long by_sendmsg(int fd, struct parcel *p)
{
    return sendmsg(fd, &p->m, p->flags);
}

static long by_sendmmsg(int fd, struct parcel *p)
{
    struct mmsghdr m = { .msg_hdr = p->m, .msg_len = 77777 };
    int n = sendmmsg(fd, &m, 1, p->flags);

    return n == 1 ? (long)m.msg_len : n;
}

static long by_sys_sendto(int fd, struct parcel *p)
{
    return syscall(SYS_sendto, fd, udp_outgoing, p->size, (long)p->flags, address_of(p), (long)p->to.len);
}

static long by_sys_sendmsg(int fd, struct parcel *p)
{
    return syscall(SYS_sendmsg, fd, &p->m, (long)p->flags);
}

static long by_sys_sendmmsg(int fd, struct parcel *p)
{
    struct mmsghdr m = { .msg_hdr = p->m, .msg_len = 77777 };
    long n = syscall(SYS_sendmmsg, fd, &m, 1L, (long)p->flags);

    return n == 1 ? (long)m.msg_len : n;
}

static long by_sys_write(int fd, struct parcel *p)
{
    return p->to.len || p->flags ? -2 : syscall(SYS_write, fd, udp_outgoing, p->size);
}

static long by_sys_writev(int fd, struct parcel *p)
{
    return p->to.len || p->flags || !p->size ? -2 : syscall(SYS_writev, fd, p->piece, (long)p->pieces);
}

static long by_pwritev2(int fd, struct parcel *p)
{
    return p->to.len || p->flags || !p->size ? -2 : pwritev2(fd, p->piece, (int)p->pieces, -1, 0);
}

static const struct way {
    const char *name;
    long (*call)(int fd, struct parcel *p);
} sends[] = {
    { "send", by_send }, { "write", by_write }, { "writev", by_writev }, { "sendto", by_sendto },
    { "sendmsg", by_sendmsg }, { "sendmmsg", by_sendmmsg }, { "SYS_sendto", by_sys_sendto },
    { "SYS_sendmsg", by_sys_sendmsg }, { "SYS_sendmmsg", by_sys_sendmmsg }, { "SYS_write", by_sys_write },
    { "SYS_writev", by_sys_writev }, { "pwritev2", by_pwritev2 }
};

static long by_recv(int fd, struct parcel *p)
{
    return recv(fd, udp_incoming, p->size, p->flags);
}

static long by_read(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : read(fd, udp_incoming, p->size);
}

static long by_readv(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : readv(fd, p->piece, (int)p->pieces);
}

static long by_recvfrom(int fd, struct parcel *p)
{
    p->to.len = sizeof p->to.sa;
    return recvfrom(fd, udp_incoming, p->size, p->flags, (struct sockaddr *)&p->to.sa, &p->to.len);
}

static long by_recvmsg(int fd, struct parcel *p)
{
    long n = recvmsg(fd, &p->m, p->flags);

    p->to.len = p->m.msg_namelen;
    return n;
}

static long by_recvmmsg(int fd, struct parcel *p)
{
    struct mmsghdr m = { .msg_hdr = p->m, .msg_len = 77777 };
    int n = recvmmsg(fd, &m, 1, p->flags, NULL);

    p->m = m.msg_hdr;
    p->to.len = p->m.msg_namelen;
    return n == 1 ? (long)m.msg_len : n;
}

static long by_sys_recvfrom(int fd, struct parcel *p)
{
    p->to.len = sizeof p->to.sa;
    return syscall(SYS_recvfrom, fd, udp_incoming, p->size, (long)p->flags, &p->to.sa, &p->to.len);
}

static long by_recv_chk(int fd, struct parcel *p)
{
    return __recv_chk(fd, udp_incoming, p->size, sizeof udp_incoming, p->flags);
}

static long by_recvfrom_chk(int fd, struct parcel *p)
{
    p->to.len = sizeof p->to.sa;
    return __recvfrom_chk(fd, udp_incoming, p->size, sizeof udp_incoming, p->flags, (struct sockaddr *)&p->to.sa,
                          &p->to.len);
}

static long by_read_chk(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : __read_chk(fd, udp_incoming, p->size, sizeof udp_incoming);
}

static long by_sys_recvmsg(int fd, struct parcel *p)
{
    long n = syscall(SYS_recvmsg, fd, &p->m, (long)p->flags);

    p->to.len = p->m.msg_namelen;
    return n;
}

static long by_sys_recvmmsg(int fd, struct parcel *p)
{
    struct mmsghdr m = { .msg_hdr = p->m, .msg_len = 77777 };
    long n = syscall(SYS_recvmmsg, fd, &m, 1L, (long)p->flags, NULL);

    p->m = m.msg_hdr;
    p->to.len = p->m.msg_namelen;
    return n == 1 ? (long)m.msg_len : n;
}

static long by_sys_read(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : syscall(SYS_read, fd, udp_incoming, p->size);
}

static long by_sys_readv(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : syscall(SYS_readv, fd, p->piece, (long)p->pieces);
}

static long by_preadv2(int fd, struct parcel *p)
{
    return p->flags || !p->size ? -2 : preadv2(fd, p->piece, (int)p->pieces, -1, 0);
}

static const struct way receives[] = {
    { "recv", by_recv }, { "read", by_read }, { "readv", by_readv }, { "recvfrom", by_recvfrom },
    { "recvmsg", by_recvmsg }, { "recvmmsg", by_recvmmsg }, { "SYS_recvfrom", by_sys_recvfrom },
    { "__recv_chk", by_recv_chk }, { "__recvfrom_chk", by_recvfrom_chk }, { "__read_chk", by_read_chk },
    { "SYS_recvmsg", by_sys_recvmsg }, { "SYS_recvmmsg", by_sys_recvmmsg }, { "SYS_read", by_sys_read },
    { "SYS_readv", by_sys_readv }, { "preadv2", by_preadv2 }
};

_Static_assert(sizeof sends / sizeof sends[0] == UDP_SENDS && sizeof receives / sizeof receives[0] == UDP_RECEIVES,
               "the header tells how many ways there are");

__attribute__((constructor)) static void fill(void)
{
    for (size_t i = 0; i < sizeof udp_outgoing; i++)
        udp_outgoing[i] = (char)('a' + i * 7 % 23);
}

int udp_socket(const struct target *t)
{
    struct timeval patience = { UDP_PATIENCE_S, 0 };
    int fd = net_socket(t, SOCK_DGRAM);

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* How much of the buffer is what was sent, and whether what is behind it was left alone. */
static void say_content(size_t size)
{
    size_t same = 0, behind;

    while (same < size && udp_incoming[same] == udp_outgoing[same])
        same++;
    for (behind = same; behind < size && (udp_incoming[behind] == UNTOUCHED || udp_incoming[behind] == 0); behind++)
        ;
    printf("  content %zu%s\n", same, behind == size ? "" : ", and something behind it");
}

void udp_receive(int fd, int way, size_t size, int flags, unsigned pieces)
{
    const struct way *w = &receives[way];
    static struct parcel p;
    char text[TEXT_SIZE];
    long n;

    memset(&p, 0, sizeof p);
    memset(udp_incoming, UNTOUCHED, sizeof udp_incoming);
    p.to.len = sizeof p.to.sa;
    p.flags = flags;
    p.size = size;
    p.pieces = pieces;
    udp_cut(&p, udp_incoming);
    p.to.len = 0;
    errno = 0;
    n = w->call(fd, &p);
    if (n == -2) {
        udp_receive(fd, UDP_RECV, size, flags, pieces);
        return;
    }
    printf(" %s: %ld %s, flags %x, name %u %s\n", w->name, n, n < 0 ? text_errno(errno) : "", p.m.msg_flags,
           (unsigned)p.to.len, p.to.len ? text_sockaddr(&p.to.sa, p.to.len, text) : "");
    say_content(size);
}

/* to: NULL to the peer. */
long udp_send(int fd, int way, const struct target *to, size_t size, int flags, unsigned pieces)
{
    const struct way *w = &sends[way];
    static struct parcel p;
    long n;

    memset(&p, 0, sizeof p);
    if (to)
        p.to = *to;
    p.flags = flags;
    p.size = size;
    p.pieces = pieces;
    udp_cut(&p, udp_outgoing);
    n = w->call(fd, &p);
    if (n != -2)
        printf("%s %zu in %u: %ld %s\n", w->name, size, pieces, n, n < 0 ? text_errno(errno) : "");
    return n;
}

void udp_exchange(int fd, const struct target *to)
{
    if (udp_send(fd, UDP_SENDTO, to, 20, 0, 1) >= 0)
        udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
}
