/* SPDX-License-Identifier: ISC */
/* probe_datagram.c - UDP to where it may go, and to where it may not */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000 };

static char word[] = "word";

struct parcel {
    struct iovec piece;
    struct mmsghdr m;
};

static void pack(struct parcel *p, struct target *t)
{
    p->piece = (struct iovec){ .iov_base = word, .iov_len = 4 };
    memset(&p->m, 0, sizeof p->m);
    p->m.msg_hdr.msg_name = &t->sa;
    p->m.msg_hdr.msg_namelen = t->len;
    p->m.msg_hdr.msg_iov = &p->piece;
    p->m.msg_hdr.msg_iovlen = 1;
}

static int datagram_socket(const struct target *t)
{
    int fd = net_socket(t, SOCK_DGRAM), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one);
    return fd;
}

static void try_all_calls(int fd, struct target *t)
{
    const struct sockaddr *sa = (const struct sockaddr *)&t->sa;
    struct parcel p;

    pack(&p, t);
    say(" sendto", sendto(fd, word, 4, 0, sa, t->len));
    say(" sendmsg", sendmsg(fd, &p.m.msg_hdr, 0));
    say(" sendmmsg", sendmmsg(fd, &p.m, 1, 0));
    say(" empty sendto", sendto(fd, NULL, 0, 0, sa, t->len));
    say(" SYS_sendto", syscall(SYS_sendto, fd, word, 4L, 0L, sa, (long)t->len));
    say(" SYS_sendmsg", syscall(SYS_sendmsg, fd, &p.m.msg_hdr, 0L));
    say(" SYS_sendmmsg", syscall(SYS_sendmmsg, fd, &p.m, 1L, 0L));
    say(" connect", net_connect(fd, t));
    say(" SYS_connect", syscall(SYS_connect, fd, sa, (long)t->len));
    say_peer(" peer", fd);
    say(" send", send(fd, word, 4, MSG_DONTWAIT));
}

/* argv: ADDRESS...  Every call that names an address. */
static int every_call(char **argv)
{
    for (; *argv; argv++) {
        struct target t = net_target(*argv);
        int fd = datagram_socket(&t);

        puts(*argv);
        try_all_calls(fd, &t);
        close(fd);
    }
    return 0;
}

/* argv: ADDRESS...  IPv4 addresses under other guises. */
static int disguised(char **argv)
{
    for (; *argv; argv++) {
        struct target t = net_target(*argv), six = net_target("[::1]:1"), as_unspec = t;
        int fd = datagram_socket(&t);

        puts(*argv);
        as_unspec.sa.ss_family = AF_UNSPEC;
        say(" AF_UNSPEC sendto", sendto(fd, word, 4, 0, (struct sockaddr *)&as_unspec.sa, as_unspec.len));
        say(" a long one", sendto(fd, word, 4, 0, (struct sockaddr *)&as_unspec.sa, sizeof as_unspec.sa));
        close(fd);
        fd = datagram_socket(&six);
        say(" an AF_INET6 socket", sendto(fd, word, 4, 0, (struct sockaddr *)&t.sa, t.len));
        say(" its connect", net_connect(fd, &t));
        close(fd);
    }
    return 0;
}

static void say_answer(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char text[16] = "";
    ssize_t n = poll(&p, 1, PATIENCE_MS) == 1 ? recv(fd, text, sizeof text - 1, 0) : 0;

    printf(" answer: %d %s\n", (int)n, text);
}

/* argv: ADDRESS...  What is direct works in every way. */
static int direct(char **argv)
{
    for (; *argv; argv++) {
        struct target t = net_target(*argv);
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        struct parcel p;
        int fd = datagram_socket(&t);

        pack(&p, &t);
        say("sendto", sendto(fd, word, 4, 0, (struct sockaddr *)&t.sa, t.len));
        say_answer(fd);
        say("sendmsg", sendmsg(fd, &p.m.msg_hdr, 0));
        say_answer(fd);
        say("sendmmsg", sendmmsg(fd, &p.m, 1, 0));
        say_answer(fd);
        say("connect", net_connect(fd, &t));
        say_peer("peer", fd);
        say("send", send(fd, word, 4, 0));
        say_answer(fd);
        say("unspec", connect(fd, &none, sizeof none));
        say_peer("peer", fd);
        close(fd);
    }
    return 0;
}

/* argv: DIRECT FAR.  Of several messages those before the refused one go out. */
static int mixed(char **argv)
{
    struct target near = net_target(argv[0]), far = net_target(argv[1]);
    int fd = datagram_socket(&near);
    struct parcel p[4];
    struct mmsghdr m[4];

    for (int i = 0; i < 4; i++) {
        pack(&p[i], i == 2 ? &far : &near);
        m[i] = p[i].m;
    }
    say("four, the third refused", sendmmsg(fd, m, 4, 0));
    say_answer(fd);
    say_answer(fd);
    printf("lengths: %u %u %u\n", m[0].msg_len, m[1].msg_len, m[2].msg_len);
    say("the rest", sendmmsg(fd, m + 2, 2, 0));
    say("the last", sendmmsg(fd, m + 3, 1, 0));
    say_answer(fd);
    say("none", sendmmsg(fd, m, 0, 0));
    close(fd);
    return 0;
}

const struct command datagram_commands[] = {
    { "datagram", 1, every_call, "ADDRESS..." },
    { "datagram-disguised", 1, disguised, "IPV4..." },
    { "datagram-direct", 1, direct, "ADDRESS..." },
    { "datagram-mixed", 2, mixed, "DIRECT FAR" },
    { NULL, 0, NULL, NULL },
};
