/* SPDX-License-Identifier: ISC */
/* probe_udp_number.c - the calls that are about a datagram socket, by their numbers; and the limits of what it takes */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

enum { LEVEL_UDP = 17, SEGMENT = 103, LARGEST = 65527, SMALLEST = 65000, PIECES_TOO_MANY = 1025 };

static void say_name(const char *what, long number, int fd)
{
    struct target name = { .len = sizeof name.sa };
    char text[TEXT_SIZE];

    memset(&name.sa, 0, sizeof name.sa);
    if (say(what, syscall(number, fd, &name.sa, &name.len)) != 0)
        return;
    printf(" port: %s", ((struct sockaddr_in *)&name.sa)->sin_port ? "some" : "none");
    ((struct sockaddr_in *)&name.sa)->sin_port = 0;
    printf(" %s\n", text_sockaddr(&name.sa, name.len, text));
}

static void say_option(const char *what, int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    say(what, syscall(SYS_getsockopt, fd, (long)level, (long)name, &value, &len));
    printf(" %d, %u\n", value, (unsigned)len);
}

/* argv: ADDRESS. */
static int by_number(char **argv)
{
    struct target t = net_target(argv[0]);
    struct sockaddr_in6 any = { .sin6_family = t.sa.ss_family };
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int fd = udp_socket(&t), on = 1, waiting = -1;

    say_name("SYS_getpeername", SYS_getpeername, fd);
    say("SYS_bind", syscall(SYS_bind, fd, &any, (long)t.len));
    say("SYS_bind again", syscall(SYS_bind, fd, &any, (long)t.len));
    say_name("SYS_getsockname", SYS_getsockname, fd);
    say("SYS_connect", syscall(SYS_connect, fd, &t.sa, (long)t.len));
    say_name("SYS_getpeername", SYS_getpeername, fd);
    say_option("SYS_getsockopt", fd, SOL_SOCKET, SO_TYPE);
    say("SYS_setsockopt", syscall(SYS_setsockopt, fd, (long)SOL_SOCKET, (long)SO_TIMESTAMP, &on, (long)sizeof on));
    say("SYS_sendto", syscall(SYS_sendto, fd, udp_outgoing, 40L, 0L, NULL, 0L));
    say("poll", poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, UDP_PATIENCE_S * 1000));
    say("SYS_ioctl", syscall(SYS_ioctl, fd, (long)FIONREAD, &waiting));
    printf(" %d\n", waiting);
    udp_receive(fd, UDP_RECVMSG, 100, 0, 1);
    say("SYS_connect, AF_UNSPEC", syscall(SYS_connect, fd, &none, (long)sizeof none));
    say_name("SYS_getpeername", SYS_getpeername, fd);
    udp_exchange(fd, &t);
    say("SYS_connect", syscall(SYS_connect, fd, &t.sa, (long)t.len));
    say("SYS_shutdown", syscall(SYS_shutdown, fd, (long)SHUT_RD));
    udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  The options that would bypass a proxy, and the way's size. */
static int options_by_number(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t), value = 100;

    say("SYS_connect", syscall(SYS_connect, fd, &t.sa, (long)t.len));
    say_option("IP_MTU", fd, IPPROTO_IP, IP_MTU);
    say("UDP_SEGMENT", syscall(SYS_setsockopt, fd, (long)LEVEL_UDP, (long)SEGMENT, &value, (long)sizeof value));
    close(fd);
    return 0;
}

static int by_message(int fd, const struct target *to, const char *data, size_t size)
{
    struct iovec piece = { (void *)data, size };
    struct mmsghdr m = { .msg_hdr = { .msg_iov = &piece, .msg_iovlen = 1 } };

    if (to) {
        m.msg_hdr.msg_name = (void *)&to->sa;
        m.msg_hdr.msg_namelen = to->len;
    }
    return sendmmsg(fd, &m, 1, 0);
}

/* The largest datagram that goes out, and what is said of one byte more. */
static void find_largest(int fd, const struct target *to)
{
    static char data[LARGEST + 1];
    size_t size = LARGEST;
    socklen_t len = to ? to->len : 0;
    const struct sockaddr *sa = to ? (const struct sockaddr *)&to->sa : NULL;

    while (size > SMALLEST && sendto(fd, data, size, 0, sa, len) < 0 && errno == EMSGSIZE)
        size--;
    printf(" %zu", size);
    errno = 0;
    printf(", by a message %d", by_message(fd, to, data, size));
    printf(", one more %d", (int)sendto(fd, data, size + 1, 0, sa, len));
    printf(" %s", text_errno(errno));
    errno = 0;
    printf(", by a message %d", by_message(fd, to, data, size + 1));
    printf(" %s\n", text_errno(errno));
}

/* argv: PORT HOST...  With and without a peer. */
static int largest(char **argv)
{
    for (char **host = argv + 1; *host; host++) {
        struct target t = udp_resolve(*host, argv[0], strchr(*host, ':') ? AF_INET6 : AF_INET);
        int fd = udp_socket(&t);

        say("a byte", sendto(fd, "x", 1, 0, (struct sockaddr *)&t.sa, t.len));
        find_largest(fd, &t);
        say("connect", net_connect(fd, &t));
        find_largest(fd, NULL);
        close(fd);
    }
    return 0;
}

/* argv: ADDRESS.  As many pieces as there may be, and one more, by every call that takes a vector. */
static int pieces(char **argv)
{
    static struct iovec out[PIECES_TOO_MANY], in[PIECES_TOO_MANY];
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    for (size_t i = 0; i < PIECES_TOO_MANY; i++) {
        out[i] = (struct iovec){ udp_outgoing + i, 1 };
        in[i] = (struct iovec){ udp_incoming + i, 1 };
    }
    say("connect", net_connect(fd, &t));
    for (size_t count = PIECES_TOO_MANY - 2; count <= PIECES_TOO_MANY; count++) {
        struct msghdr to = { .msg_iov = out, .msg_iovlen = count }, from = { .msg_iov = in, .msg_iovlen = count };
        bool fits = count < PIECES_TOO_MANY;

        for (int way = 0; way < 2; way++) {
            memset(udp_incoming, 0, UDP_BYTES);
            say(way ? "sendmsg" : "writev", way ? sendmsg(fd, &to, 0) : writev(fd, out, (int)count));
            if (!fits)
                say("send", send(fd, udp_outgoing, count, 0));
            say(way ? "recvmsg" : "readv", way ? recvmsg(fd, &from, 0) : readv(fd, in, (int)count));
            if (!fits)
                say("recv", recv(fd, udp_incoming, UDP_BYTES, 0));
            say("as sent", memcmp(udp_incoming, udp_outgoing, count) == 0);
        }
    }
    close(fd);
    return 0;
}

static bool is_recent(const struct timeval *stamp)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return stamp->tv_sec <= now.tv_sec && now.tv_sec - stamp->tv_sec < 60;
}

/* What a datagram's control messages hold, as far as it is the same from run to run. */
static void say_control(struct cmsghdr *c)
{
    char text[TEXT_SIZE];

    printf(" level %d type %d", c->cmsg_level, c->cmsg_type);
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP) {
        struct timeval stamp;

        memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        printf(" %s", is_recent(&stamp) ? "now" : "another time");
    } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        struct sockaddr_storage sa = { .ss_family = AF_INET };

        memcpy(&info, CMSG_DATA(c), sizeof info);
        ((struct sockaddr_in *)&sa)->sin_addr = info.ipi_addr;
        printf(" device %d at %s", (int)info.ipi_ifindex, text_sockaddr(&sa, sizeof(struct sockaddr_in), text));
    } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        /* The relay may be of the other family, and so is the address then. */
        memcpy(&info, CMSG_DATA(c), sizeof info);
        printf(" device %d", (int)info.ipi6_ifindex);
    }
    puts("");
}

/* argv: ADDRESS.  Into one buffer and into several, short and long. */
static int control(char **argv)
{
    static struct parcel p;
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t), on = 1, ipv6 = t.sa.ss_family == AF_INET6;

    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
    if (ipv6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
    else
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    for (int i = 0; i < 4; i++) {
        udp_send(fd, UDP_SENDTO, &t, 40, 0, 1);
        p.size = i < 2 ? 100 : 10;
        p.pieces = i % 2 ? 70 : 1;
        udp_cut(&p, udp_incoming);
        p.m.msg_control = p.control;
        p.m.msg_controllen = sizeof p.control;
        say("recvmsg", recvmsg(fd, &p.m, 0));
        printf(" control: %zu, flags %x\n", (size_t)p.m.msg_controllen, (unsigned)p.m.msg_flags);
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&p.m); c; c = CMSG_NXTHDR(&p.m, c))
            say_control(c);
    }
    close(fd);
    return 0;
}

const struct command udp_number_commands[] = {
    { "udp-by-number", 1, by_number, "ADDRESS: bind(), connect() and the like by their numbers" },
    { "udp-options-by-number", 1, options_by_number, "ADDRESS: options by the calls' numbers" },
    { "udp-largest", 2, largest, "PORT HOST...: the largest datagrams" },
    { "udp-vectors", 1, pieces, "ADDRESS: 1,023 pieces and more" },
    { "udp-control", 1, control, "ADDRESS: what control messages hold" },
    { NULL, 0, NULL, NULL }
};
