/* SPDX-License-Identifier: ISC */
/* probe_udp_batch.c - sendmmsg() and recvmmsg() with many messages */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

enum { MANY = 100, ROOM = 40 };

static struct mmsghdr messages[MANY];
static struct iovec pieces[MANY][2];
static struct sockaddr_storage names[MANY];
static char rooms[MANY][ROOM], controls[MANY][64];

/* Message i has i % ROOM * 2 bytes, some of them in two pieces; some to the second address, if there is one. */
static void send_all(int fd, const struct target *to, int targets, int flags)
{
    unsigned sent = 0;

    for (int i = 0; i < MANY; i++) {
        size_t size = (size_t)i % ROOM * 2, half = i % 7 == 3 ? size / 2 : size;

        pieces[i][0] = (struct iovec){ udp_outgoing, half };
        pieces[i][1] = (struct iovec){ udp_outgoing + half, size - half };
        messages[i] = (struct mmsghdr){ .msg_len = 77777,
                                        .msg_hdr = { .msg_iov = pieces[i], .msg_iovlen = half == size ? 1 : 2 } };
        if (targets) {
            messages[i].msg_hdr.msg_name = (void *)&to[i % targets].sa;
            messages[i].msg_hdr.msg_namelen = to[i % targets].len;
        }
    }
    while (sent < MANY) {
        int n = sendmmsg(fd, messages + sent, MANY - sent, flags);

        printf("sendmmsg: %d\n", n);
        if (n <= 0)
            return;
        for (int i = 0; i < n; i++)
            printf(" %u", messages[sent + (unsigned)i].msg_len);
        printf("\n");
        sent += (unsigned)n;
    }
}

static void tell(int i)
{
    const struct msghdr *m = &messages[i].msg_hdr;
    size_t had = messages[i].msg_len < ROOM ? messages[i].msg_len : ROOM;
    char text[TEXT_SIZE];

    printf(" %u flags %x control %zu from %s, %s\n", messages[i].msg_len, m->msg_flags, (size_t)m->msg_controllen,
           text_sockaddr(&names[i], m->msg_namelen, text),
           memcmp(rooms[i], udp_outgoing, had) == 0 ? "as sent" : "other bytes");
}

static void receive_all(int fd, int count, int flags)
{
    int got = 0, n;

    for (int i = 0; i < count; i++) {
        pieces[i][0] = (struct iovec){ rooms[i], ROOM };
        messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &names[i], .msg_namelen = sizeof names[i],
                                                     .msg_iov = pieces[i], .msg_iovlen = 1,
                                                     .msg_control = controls[i],
                                                     .msg_controllen = i < MANY / 2 ? sizeof controls[i] : 0 } };
    }
    while (got < count && (n = recvmmsg(fd, messages + got, (unsigned)(count - got), flags, NULL)) > 0)
        got += n;
    printf("recvmmsg: %d\n", got);
    for (int i = 0; i < got; i++)
        tell(i);
}

/* Alone, which is the first datagram of a socket, and behind one that fits. */
static void too_large(const struct target *to)
{
    static char large[1 << 16];
    int fd = udp_socket(to), n;

    for (unsigned count = 1; count <= 2; count++) {
        for (unsigned i = 0; i < count; i++) {
            pieces[i][0] = (struct iovec){ large, i + 1 == count ? sizeof large : 1 };
            messages[i] = (struct mmsghdr){ .msg_len = 77777,
                                            .msg_hdr = { .msg_name = (void *)&to->sa, .msg_namelen = to->len,
                                                         .msg_iov = pieces[i], .msg_iovlen = 1 } };
        }
        errno = 0;
        n = sendmmsg(fd, messages, count, 0);
        printf("too large: %d %s, %u\n", n, text_errno(errno), messages[0].msg_len);
    }
    close(fd);
}

static void plain_one(int fd, bool peer, const struct target *to)
{
    char byte = 0;

    if (!peer)
        sendto(fd, &byte, 1, 0, (const struct sockaddr *)&to->sa, to->len);
    else if (send(fd, &byte, 1, 0) != 1)
        net_die("send");
    if ((peer ? recv(fd, &byte, 1, 0) : recvfrom(fd, &byte, 1, 0, NULL, NULL)) != 1)
        net_die("receive");
}

/* argv: ADDRESS OTHER [FIRST].  Many messages in a call, to one, to two, and to a peer.  FIRST: one there and back to
 * each before those to two. */
static int batches(char **argv)
{
    struct target to[2] = { net_target(argv[0]), net_target(argv[1]) };
    struct timespec short_time = { 0, 1 };
    int fd = udp_socket(&to[0]), on = 1, n;

    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
    send_all(fd, to, 1, 0);
    receive_all(fd, MANY, 0);
    n = recvmmsg(fd, messages, 5, MSG_DONTWAIT, NULL);
    printf("empty: %d %s\n", n, text_errno(errno));
    net_connect(fd, &to[1]);
    send_all(fd, NULL, 0, 0);
    receive_all(fd, MANY, MSG_WAITFORONE);
    send_all(fd, NULL, 0, 0);
    printf("by time: %d\n", recvmmsg(fd, messages, 3, 0, &short_time));
    receive_all(fd, MANY - 1, MSG_TRUNC);
    close(fd);
    /* Each echo answers by itself: only the number is certain. */
    fd = udp_socket(&to[0]);
    for (int i = 0; argv[2] && i < 2; i++)
        plain_one(fd, false, &to[i]);
    send_all(fd, to, 2, 0);
    for (int i = 0; i < MANY; i++) {
        if (recv(fd, rooms[0], ROOM, 0) < 0)
            printf("missing: %s\n", text_errno(errno));
    }
    too_large(&to[0]);
    return 0;
}

/* To so many targets by turns. */
static int plain_messages(int fd, bool out, const struct target *to, unsigned targets, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pieces[i][0] = (struct iovec){ out ? udp_outgoing : rooms[i], out ? 20 : ROOM };
        names[i] = to[i % targets].sa;
        messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &names[i], .msg_namelen = to[i % targets].len,
                                                     .msg_iov = pieces[i], .msg_iovlen = 1 } };
    }
    return out ? sendmmsg(fd, messages, count, 0) : recvmmsg(fd, messages, count, 0, NULL);
}

/* argv: ADDRESS COUNT WAY [OTHER], WAY of mmsg, to and peer; OTHER for mmsg.  Calls that nobody else makes stand around
 * what is to be counted; what is before them pays for the association, and for the first look at the memory. */
static int counted(char **argv)
{
    struct target to[2] = { net_target(argv[0]) };
    int fd = udp_socket(&to[0]), count = atoi(argv[1]);
    bool peer = strcmp(argv[2], "peer") == 0, many = strcmp(argv[2], "mmsg") == 0;
    unsigned targets = argv[3] ? 2 : 1;

    if (argv[3])
        to[1] = net_target(argv[3]);
    if (peer)
        net_connect(fd, &to[0]);
    for (unsigned i = 0; i < targets; i++)
        plain_one(fd, peer, &to[i]);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            getsid(0);
        if (many && (plain_messages(fd, true, to, targets, (unsigned)count) != count ||
                     plain_messages(fd, false, to, targets, (unsigned)count) != count))
            net_die("many");
        for (int had = many ? count : 0; had < count; had++)
            plain_one(fd, peer, &to[0]);
    }
    getsid(0);
    return 0;
}

static void tell_name(const char *what, int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[TEXT_SIZE];

    memset(&sa, 0, sizeof sa);
    say(what, getsockname(fd, (struct sockaddr *)&sa, &len));
    printf(" port: %s", ((struct sockaddr_in *)&sa)->sin_port ? "some" : "none");
    ((struct sockaddr_in *)&sa)->sin_port = 0;
    printf(" %s\n", text_sockaddr(&sa, len, text));
}

/* argv: ADDRESS OWN ABSENT.  bind() to an address of this machine and to one that is none, any port. */
static int bound(char **argv)
{
    struct target to = net_target(argv[0]), own = net_target(argv[1]), absent = net_target(argv[2]);
    int fd = udp_socket(&to);

    say("absent", bind(fd, (struct sockaddr *)&absent.sa, absent.len));
    tell_name("before", fd);
    say("too short", bind(fd, (struct sockaddr *)&own.sa, 4));
    say("bind", bind(fd, (struct sockaddr *)&own.sa, own.len));
    tell_name("bound", fd);
    say("again", bind(fd, (struct sockaddr *)&own.sa, own.len));
    udp_exchange(fd, &to);
    tell_name("sent", fd);
    say("connect", net_connect(fd, &to));
    tell_name("connected", fd);
    udp_exchange(fd, NULL);
    close(fd);
    return 0;
}

/* argv: ADDRESS PORT.  A socket of IPv6 alone, bound before anything else. */
static int ipv6_only(char **argv)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(argv[1])) };
    struct target to = net_target(argv[0]);
    int fd = udp_socket(&to), on = 1;

    say("IPV6_V6ONLY", setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
    say("bind", bind(fd, (struct sockaddr *)&any, sizeof any));
    say("connect", net_connect(fd, &to));
    udp_exchange(fd, NULL);
    return 0;
}

/* argv: ADDRESS.  What a datagram to the peer may have. */
static int mtu(char **argv)
{
    struct target to = net_target(argv[0]);
    bool ipv6 = to.sa.ss_family == AF_INET6;
    int fd = udp_socket(&to), value = 0;
    socklen_t len = sizeof value;

    say("none", getsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU, &value, &len));
    say("connect", net_connect(fd, &to));
    say("mtu", getsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU, &value, &len));
    printf(" %d, %u\n", value, len);
    return 0;
}

/* argv: ADDRESS NAME.  Four datagrams there and back, some in a call, to an address that a rule makes direct by the
 * name, before and after the program asks for that. */
static int learned(char **argv)
{
    struct target to = net_target(argv[0]);
    struct addrinfo *list = NULL;
    int fd = udp_socket(&to);

    for (int round = 0; round < 2; round++) {
        if (round)
            say("getaddrinfo", getaddrinfo(argv[1], NULL, NULL, &list));
        udp_exchange(fd, &to);
        udp_exchange(fd, &to);
        for (int i = 0; i < 2; i++) {
            pieces[i][0] = (struct iovec){ udp_outgoing, 9 };
            messages[i].msg_hdr = (struct msghdr){ .msg_name = &to.sa, .msg_namelen = to.len, .msg_iov = pieces[i],
                                                   .msg_iovlen = 1 };
        }
        say("sendmmsg", sendmmsg(fd, messages, 2, 0));
        udp_receive(fd, UDP_RECVFROM, ROOM, 0, 1);
        udp_receive(fd, UDP_RECVFROM, ROOM, 0, 1);
    }
    freeaddrinfo(list);
    close(fd);
    return 0;
}

/* argv: NAME PORT.  Several datagrams into buffers of their size, once one has come from there. */
static int to_name(char **argv)
{
    struct target to = udp_resolve(argv[0], argv[1], AF_INET);
    int fd = udp_socket(&to), n;

    for (int i = 0; i < 4; i++) {
        sendto(fd, udp_outgoing, ROOM, 0, (const struct sockaddr *)&to.sa, to.len);
        if (i == 0)
            say("recv", recv(fd, rooms[0], ROOM, 0));
        pieces[i][0] = (struct iovec){ rooms[i], ROOM };
        messages[i].msg_hdr = (struct msghdr){ .msg_iov = pieces[i], .msg_iovlen = 1 };
    }
    memset(rooms, 0, sizeof rooms);
    n = (int)say("recvmmsg", recvmmsg(fd, messages, 3, 0, NULL));
    for (int i = 0; i < n; i++)
        printf(" %u flags %x, %s\n", messages[i].msg_len, messages[i].msg_hdr.msg_flags,
               memcmp(rooms[i], udp_outgoing, ROOM) == 0 ? "as sent" : "other bytes");
    close(fd);
    return 0;
}

/* Ways to name memory that is none, or that cannot be written; of the second of three messages. */
enum { GOOD, BAD_DATA, BAD_PIECES, BAD_NAME, BAD_CONTROL, PART_OF_DATA, BAD_WAYS, FIRST = 20 };

static void spoil(struct msghdr *m, int way, char *page)
{
    switch (way) {
    case BAD_DATA:
        m->msg_iov->iov_base = page;
        break;
    case BAD_PIECES:
        m->msg_iov = (struct iovec *)page;
        break;
    case BAD_NAME:
        m->msg_name = page;
        break;
    case BAD_CONTROL:
        m->msg_control = page;
        m->msg_controllen = sizeof controls[0];
        break;
    case PART_OF_DATA:
        m->msg_iov->iov_base = page - 4;
        break;
    default:
        break;
    }
}

/* A socket to which three datagrams come, and room for them. */
static int ask_three(const struct target *to, int count)
{
    int fd = udp_socket(to), on = 1;

    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
    udp_exchange(fd, to);
    for (size_t i = 0; i < 3; i++)
        sendto(fd, udp_outgoing, FIRST + i, 0, (const struct sockaddr *)&to->sa, to->len);
    for (int i = 0; i < count; i++) {
        pieces[i][0] = (struct iovec){ rooms[i], ROOM };
        messages[i] = (struct mmsghdr){ .msg_hdr = { .msg_name = &names[i], .msg_namelen = sizeof names[i],
                                                     .msg_iov = pieces[i], .msg_iovlen = 1 } };
    }
    return fd;
}

static void tell_left(int fd, int n)
{
    while (n != FIRST + 2 && ((n = (int)recv(fd, rooms[0], ROOM, 0)) >= 0 || errno == EFAULT))
        printf("left: %d %s\n", n, n < 0 ? text_errno(errno) : "");
    close(fd);
}

/* What is received into it, and what can be received behind that. */
static void receive_nowhere(const struct target *to, int way, char *page, bool batch)
{
    int fd = ask_three(to, 3), n = 0;

    spoil(&messages[1].msg_hdr, way, page);
    if (batch) {
        n = recvmmsg(fd, messages, 3, 0, NULL);
        printf("way %d: recvmmsg: %d %s\n", way, n, n < 0 ? text_errno(errno) : "");
        n = n == 3 ? (int)messages[2].msg_len : 0;
    } else {
        for (int i = 0; i < 3; i++) {
            n = (int)recvmsg(fd, &messages[i].msg_hdr, 0);
            printf("way %d: recvmsg: %d %s\n", way, n, n < 0 ? text_errno(errno) : "");
        }
    }
    tell_left(fd, n);
}

/* Room for more messages than come, the first of which takes four bytes: less than any of them, and more than what a
 * relay that does wrong sends before each. */
static int behind(char **argv)
{
    struct target to = net_target(argv[0]);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fd = ask_three(&to, 6);

    if (page == MAP_FAILED || mprotect(page + size, size, PROT_READ) != 0)
        net_die("mmap");
    spoil(&messages[0].msg_hdr, PART_OF_DATA, page + size);
    say("recvmmsg", recvmmsg(fd, messages, 6, 0, NULL));
    tell_left(fd, 0);
    return 0;
}

static int nowhere(char **argv)
{
    struct target to = net_target(argv[0]);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);

    for (int way = GOOD; way < BAD_WAYS; way++) {
        for (int i = 0; i < 4; i++) {
            /* Each time others, of which nobody knows anything. */
            char *page = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

            if (page == MAP_FAILED || mprotect(page + size, size, i < 2 ? PROT_NONE : PROT_READ) != 0)
                net_die("mmap");
            /* A vector of nothing can be read. */
            if (way != BAD_PIECES || i < 2)
                receive_nowhere(&to, way, page + size, i % 2);
        }
    }
    return 0;
}

/* The first of those that wait, each time; then what is left, with the error that a call has kept for the next. */
static void peek_and_take(int fd, int way, char *page, int flags)
{
    struct timeval patience = { 5, 0 };
    int n, error;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    for (int i = 0; i < 3; i++) {
        pieces[i][0] = (struct iovec){ rooms[i], i == 2 ? FIRST - 7 : ROOM };
        messages[i] = (struct mmsghdr){ .msg_len = 77777,
                                        .msg_hdr = { .msg_name = &names[i], .msg_namelen = sizeof names[i],
                                                     .msg_iov = pieces[i], .msg_iovlen = 1 } };
    }
    spoil(&messages[1].msg_hdr, way, page);
    n = recvmmsg(fd, messages, 3, flags, NULL);
    printf("way %d, flags %x: %d %s\n", way, (unsigned)flags, n, n < 0 ? text_errno(errno) : "");
    for (int i = 0; i < n; i++) {
        if (i != 1 || way == GOOD)
            tell(i);
        else
            printf(" %u\n", messages[1].msg_len);
    }
    error = net_error(fd);
    printf("kept: %s\n", text_errno(error));
    printf("and again: %s\n", text_errno(net_error(fd)));
}

/* argv: ADDRESS.  recvmmsg() that only looks, and what becomes of an error that comes with a later message. */
static int peeks(char **argv)
{
    static const int flags[] = { MSG_PEEK, MSG_PEEK | MSG_TRUNC, MSG_PEEK | MSG_DONTWAIT, MSG_PEEK | MSG_WAITFORONE,
                                 0 };
    struct target to = net_target(argv[0]);
    size_t size = (size_t)sysconf(_SC_PAGESIZE);
    char *page = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED)
        net_die("mmap");
    for (int way = GOOD; way < PART_OF_DATA; way++) {
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            int fd = udp_socket(&to);

            udp_exchange(fd, &to);
            for (size_t k = 0; k < 3; k++) {
                sendto(fd, udp_outgoing, FIRST + k, 0, (const struct sockaddr *)&to.sa, to.len);
                udp_receive(fd, UDP_RECVFROM, ROOM, MSG_PEEK, 1);
            }
            peek_and_take(fd, way, page, flags[i]);
            for (int k = 0; k < 3 && flags[i]; k++)
                udp_receive(fd, UDP_RECVFROM, ROOM, 0, 1);
            close(fd);
        }
    }
    return 0;
}

const struct command udp_batch_commands[] = {
    { "udp-batches", 2, batches, "ADDRESS OTHER [FIRST]: many datagrams in a call" },
    { "udp-counted", 3, counted, "ADDRESS COUNT WAY [OTHER]: datagrams whose system calls are counted" },
    { "udp-bound", 3, bound, "ADDRESS OWN ABSENT: bind() to an address and any port" },
    { "udp-ipv6-only", 2, ipv6_only, "ADDRESS PORT: IPV6_V6ONLY, and bound to PORT" },
    { "udp-mtu", 1, mtu, "ADDRESS: IP_MTU with and without a peer" },
    { "udp-learned", 2, learned, "ADDRESS NAME: datagrams before and after NAME is asked for" },
    { "udp-batch-name", 2, to_name, "NAME PORT: several datagrams in a call, from a name" },
    { "udp-behind", 1, behind, "ADDRESS: received into four bytes, all there is, in a call for several" },
    { "udp-peeks", 1, peeks, "ADDRESS: recvmmsg() with MSG_PEEK, and into memory that is none" },
    { "udp-nowhere", 1, nowhere, "ADDRESS: received into memory that is none" },
    { NULL, 0, NULL, NULL }
};
