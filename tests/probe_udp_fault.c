/* SPDX-License-Identifier: ISC */
/* probe_udp_fault.c - datagrams through a relay that does not do as it should */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

enum { BATCH = 4, SHORT_MS = 200, LONG_MS = 800 };

static void set_patience(int fd, int ms)
{
    struct timeval t = { ms / 1000, ms % 1000 * 1000 };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

/* Datagrams of one byte, and their echoes by one call that waits for all of them. */
static void exchange_batch(int fd)
{
    static char byte[BATCH][8];
    struct iovec piece[BATCH];
    struct mmsghdr m[BATCH];
    int n;

    memset(m, 0, sizeof m);
    for (int i = 0; i < BATCH; i++) {
        say("send", send(fd, &"abcd"[i], 1, 0));
        piece[i] = (struct iovec){ byte[i], sizeof byte[i] };
        m[i].msg_hdr.msg_iov = &piece[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    n = recvmmsg(fd, m, BATCH, 0, NULL);
    say("recvmmsg", n);
    for (int i = 0; i < n; i++)
        printf(" %u: %.*s\n", m[i].msg_len, (int)sizeof byte[i], byte[i]);
}

/* argv: ADDRESS COUNT.  Without and with a peer: only echoes are heard, whatever lies between them in the queue. */
static int heard(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    for (int i = 0; i < atoi(argv[1]); i++)
        udp_exchange(fd, &t);
    close(fd);
    fd = udp_socket(&t);
    say("connect", net_connect(fd, &t));
    for (int i = 0; i < atoi(argv[1]); i++) {
        udp_exchange(fd, NULL);
        udp_send(fd, UDP_SENDTO, NULL, 30, 0, 1);
        udp_receive(fd, UDP_RECV, 100, MSG_PEEK, 1);
        udp_receive(fd, UDP_RECVMSG, 100, 0, 2);
    }
    exchange_batch(fd);
    close(fd);
    return 0;
}

/* argv: ADDRESS COUNT.  With a peer: nobody else is heard. */
static int peer_only(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    say("connect", net_connect(fd, &t));
    for (int i = 0; i < atoi(argv[1]); i++)
        udp_exchange(fd, NULL);
    close(fd);
    return 0;
}

static void say_received(const char *what, int fd, int flags)
{
    char buf[16];

    say(what, recv(fd, buf, sizeof buf, flags));
}

/* argv: ADDRESS.  Nothing to hear: whoever waits for it waits as long as he would, and no longer. */
static int silence(char **argv)
{
    struct target t = net_target(argv[0]), from = { .len = sizeof from.sa };
    int fd = udp_socket(&t);
    char buf[16];

    set_patience(fd, SHORT_MS);
    for (int i = 0; i < 3; i++)
        say("sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&t.sa, t.len));
    for (int i = 0; i < 2; i++)
        say("recvfrom", recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from.sa, &from.len));
    say_received("MSG_PEEK", fd, MSG_PEEK);
    say_received("MSG_DONTWAIT", fd, MSG_DONTWAIT);
    say("connect", net_connect(fd, &t));
    say("send", send(fd, "x", 1, 0));
    say_received("recv", fd, 0);
    close(fd);
    return 0;
}

/* argv: ADDRESS COUNT.  One datagram out; then whatever comes, so many of them, with the name of its sender. */
static int sources(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);
    char text[TEXT_SIZE], buf[16];

    say("sendto", sendto(fd, "good", 4, 0, (struct sockaddr *)&t.sa, t.len));
    for (int i = 0; i < atoi(argv[1]); i++) {
        struct target from = { .len = sizeof from.sa };
        ssize_t n = recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from.sa, &from.len);

        say("recvfrom", n);
        if (n >= 0)
            printf(" %.*s from %s\n", (int)n, buf, text_sockaddr(&from.sa, from.len, text));
    }
    close(fd);
    return 0;
}

/* argv: ADDRESS.  A call for more than comes waits as long as SO_RCVTIMEO says, and not so long again. */
static int timed(char **argv)
{
    static char byte[2 * BATCH][8];
    struct target t = net_target(argv[0]);
    struct iovec piece[2 * BATCH];
    struct mmsghdr m[2 * BATCH];
    int fd = udp_socket(&t);
    long began;

    memset(m, 0, sizeof m);
    for (int i = 0; i < 2 * BATCH; i++) {
        piece[i] = (struct iovec){ byte[i], sizeof byte[i] };
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &piece[i], .msg_iovlen = 1 };
    }
    udp_exchange(fd, &t);
    set_patience(fd, LONG_MS);
    for (int i = 0; i < BATCH - 1; i++)
        say("sendto", sendto(fd, &"abcd"[i], 1, 0, (struct sockaddr *)&t.sa, t.len));
    began = net_clock();
    say("recvmmsg", recvmmsg(fd, m, 2 * BATCH, 0, NULL));
    puts(net_clock() - began < 2 * LONG_MS ? "in time" : "late");
    close(fd);
    return 0;
}

static void nothing(int signal)
{
    (void)signal;
}

/* argv: ADDRESS.  A signal ends a call for several datagrams, also where one that came before it was dropped. */
static int interrupted(char **argv)
{
    static char byte[BATCH][8];
    const struct sigaction handler = { .sa_handler = nothing };
    const struct itimerval soon = { .it_value = { 0, SHORT_MS * 1000 } };
    struct target t = net_target(argv[0]);
    struct iovec piece[BATCH];
    struct mmsghdr m[BATCH];
    int fd = net_socket(&t, SOCK_DGRAM);

    memset(m, 0, sizeof m);
    for (int i = 0; i < BATCH; i++) {
        piece[i] = (struct iovec){ byte[i], sizeof byte[i] };
        m[i].msg_hdr = (struct msghdr){ .msg_iov = &piece[i], .msg_iovlen = 1 };
    }
    sigaction(SIGALRM, &handler, NULL);
    say("sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&t.sa, t.len));
    setitimer(ITIMER_REAL, &soon, NULL);
    say("recvmmsg", recvmmsg(fd, m, BATCH, 0, NULL));
    say("and then", recv(fd, byte[0], sizeof byte[0], MSG_DONTWAIT));
    close(fd);
    return 0;
}

/* argv: ONE OTHER.  ONE first; then OTHER as the peer, from which alone an answer is heard. */
static int turns(char **argv)
{
    struct target one = net_target(argv[0]), other = net_target(argv[1]), from = { .len = sizeof from.sa };
    int fd = udp_socket(&one);
    char buf[16];

    say("sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&one.sa, one.len));
    say("recvfrom", recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from.sa, &from.len));
    say("connect", net_connect(fd, &other));
    set_patience(fd, SHORT_MS);
    say("send", send(fd, "x", 1, 0));
    say_received("recv", fd, 0);
    close(fd);
    return 0;
}

/* Take an error out of the queue: its kind, the payload that it is about, and whose address stands with it. */
static void say_queued(int fd, const struct target *t)
{
    union {
        struct cmsghdr header;
        char room[512];
    } control;
    struct target about = { .len = 0 };
    char buf[64];
    struct iovec piece = { buf, sizeof buf };
    struct msghdr m = { .msg_name = &about.sa, .msg_namelen = sizeof about.sa, .msg_iov = &piece, .msg_iovlen = 1,
                        .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t n = say("MSG_ERRQUEUE", recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT));

    if (n < 0)
        return;
    printf(" header %d, payload %.3s, flags %x, about %s\n", n > 3, n >= 3 ? buf + n - 3 : "", m.msg_flags,
           memcmp(&about.sa, &t->sa, sizeof(struct sockaddr_in)) == 0 ? "the target" : "another");
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
        struct sock_extended_err e;

        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
            continue;
        memcpy(&e, CMSG_DATA(c), sizeof e);
        printf(" %s, origin %u, type %u, code %u\n", text_errno((int)e.ee_errno), e.ee_origin, e.ee_type, e.ee_code);
    }
}

/* argv: ADDRESS.  Datagrams that nobody is there for, first without a wish to know, then with it, then to a peer. */
static int unreachable(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t), on = 1;
    struct pollfd p = { .fd = fd };

    for (int i = 0; i < 2; i++)
        say("sendto", sendto(fd, "abc", 3, 0, (struct sockaddr *)&t.sa, t.len));
    say("recv", recv(fd, &on, sizeof on, MSG_DONTWAIT));
    on = 1;
    say("IP_RECVERR", setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on));
    say("sendto", sendto(fd, "def", 3, 0, (struct sockaddr *)&t.sa, t.len));
    say("poll", poll(&p, 1, UDP_PATIENCE_S * 1000));
    printf(" events %x\n", (unsigned)p.revents);
    say("recv", recv(fd, &on, sizeof on, MSG_DONTWAIT));
    say_queued(fd, &t);
    say("recv", recv(fd, &on, sizeof on, MSG_DONTWAIT));
    say("connect", net_connect(fd, &t));
    say("send", send(fd, "ghi", 3, 0));
    say("poll", poll(&p, 1, UDP_PATIENCE_S * 1000));
    say("send", send(fd, "jkl", 3, 0));
    say_queued(fd, &t);
    close(fd);
    return 0;
}

const struct command udp_fault_commands[] = {
    { "fault-heard", 2, heard, "ADDRESS COUNT" },
    { "fault-interrupted", 1, interrupted, "ADDRESS" },
    { "fault-peer", 2, peer_only, "ADDRESS COUNT" },
    { "fault-silence", 1, silence, "ADDRESS" },
    { "fault-sources", 2, sources, "ADDRESS COUNT" },
    { "fault-timed", 1, timed, "ADDRESS" },
    { "fault-turns", 2, turns, "ONE OTHER" },
    { "fault-unreachable", 1, unreachable, "ADDRESS" },
    { NULL, 0, NULL, NULL },
};
