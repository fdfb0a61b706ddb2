/* SPDX-License-Identifier: ISC */
/* probe_udp.c - datagrams and their echoes, and what the calls tell of them */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

enum { THREADS = 16, ROUNDS = 50, LEVEL_UDP = 17 };

static void wait_for(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int waiting = -1;

    poll(&p, 1, UDP_PATIENCE_S * 1000);
    ioctl(fd, FIONREAD, &waiting);
    printf(" FIONREAD: %d\n", waiting);
}

static const size_t sizes[] = { 0, 1, 9, 10, 11, 12, 21, 22, 23, 300, 1472, 2000 };
static const int flag_sets[] = { 0, MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_PEEK | MSG_TRUNC, MSG_NOSIGNAL };
static const unsigned piece_counts[] = { 1, 2, 3, 63, 64, 65, 1022, 1023, 1024 };

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Every way to send with every way to receive, then sizes, short buffers, flags, vectors. */
static void try_matrix(int fd, const struct target *to)
{
    for (int s = 0; s < UDP_SENDS; s++) {
        for (int r = 0; r < UDP_RECEIVES; r++) {
            if (udp_send(fd, s, to, 40, 0, 3) > 0)
                udp_receive(fd, r, 100, 0, 4);
        }
    }
    for (size_t i = 0; i < COUNT(sizes); i++) {
        for (size_t room = 0; room <= 3000; room = room * 3 + 11) {
            udp_send(fd, UDP_SENDTO, to, sizes[i], 0, 1);
            wait_for(fd);
            udp_receive(fd, (int)(i % UDP_RECEIVES), room, 0, 2);
            if (i % UDP_RECEIVES == 1 || i % UDP_RECEIVES == 2)
                continue;
            for (size_t f = 0; f < COUNT(flag_sets); f++) {
                udp_send(fd, UDP_SENDMSG, to, sizes[i], MSG_NOSIGNAL, 1);
                wait_for(fd);
                udp_receive(fd, (int)((f + i) % UDP_RECEIVES), room, flag_sets[f], 3);
                if (flag_sets[f] & MSG_PEEK)
                    udp_receive(fd, UDP_RECVMSG, room, 0, 3);
            }
        }
    }
    for (size_t i = 0; i < COUNT(piece_counts); i++) {
        udp_send(fd, UDP_SENDMSG, to, 1200, 0, piece_counts[i]);
        wait_for(fd);
        udp_receive(fd, UDP_RECVMSG, 1500, 0, piece_counts[i]);
    }
    udp_receive(fd, UDP_RECV, 10, MSG_DONTWAIT, 1);
    udp_receive(fd, UDP_RECVMSG, 10, MSG_ERRQUEUE, 1);
    udp_receive(fd, UDP_RECVMSG, 10, MSG_OOB | MSG_DONTWAIT, 1);
}

/* argv: ADDRESS...  Bare and through a proxy the same. */
static int calls(char **argv)
{
    for (; *argv; argv++) {
        struct target t = net_target(*argv);
        int fd = udp_socket(&t);

        puts(*argv);
        try_matrix(fd, &t);
        close(fd);
        fd = udp_socket(&t);
        say("connect", net_connect(fd, &t));
        say_peer("peer", fd);
        try_matrix(fd, NULL);
        close(fd);
    }
    return 0;
}

static void say_own(const char *what, int fd)
{
    struct target own = { .len = sizeof own.sa };
    char text[TEXT_SIZE];

    if (getsockname(fd, (struct sockaddr *)&own.sa, &own.len) != 0) {
        say(what, -1);
        return;
    }
    /* The port changes from run to run; that there is one does not. */
    if (((struct sockaddr_in *)&own.sa)->sin_port)
        ((struct sockaddr_in *)&own.sa)->sin_port = htons(1);
    printf("%s: %s\n", what, text_sockaddr(&own.sa, own.len, text));
}

/* argv: ONE OTHER, of one family.  A peer, none, another; only the peer is heard. */
static int peers(char **argv)
{
    struct target one = net_target(argv[0]), other = net_target(argv[1]);
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    struct timeval soon = { 0, 300000 };
    int fd = udp_socket(&one);

    say_peer("peer", fd);
    say("send", send(fd, "x", 1, 0));
    say("write", write(fd, "x", 1));
    say("connect", net_connect(fd, &one));
    say_own("own", fd);
    udp_exchange(fd, NULL);
    say("to another", udp_send(fd, UDP_SENDTO, &other, 30, 0, 1));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
    say("connect", net_connect(fd, &other));
    say_peer("peer", fd);
    udp_exchange(fd, NULL);
    say("unspec", connect(fd, &none, sizeof none));
    say_peer("peer", fd);
    say("send", send(fd, "x", 1, 0));
    udp_exchange(fd, &one);
    udp_exchange(fd, &other);
    say("connect", net_connect(fd, &one));
    say("shutdown", shutdown(fd, SHUT_WR));
    signal(SIGPIPE, SIG_IGN);
    say("send", send(fd, "x", 1, 0));
    say("shutdown", shutdown(fd, SHUT_RD));
    udp_receive(fd, UDP_RECVFROM, 100, 0, 1);
    close(fd);
    return 0;
}

/* argv: ADDRESS...  All of them on one socket. */
static int many(char **argv)
{
    struct target first = net_target(argv[0]);
    int fd = udp_socket(&first);

    for (int round = 0; round < 2; round++) {
        for (char **a = argv; *a; a++) {
            struct target t = net_target(*a);

            udp_exchange(fd, &t);
        }
    }
    close(fd);
    return 0;
}

static void option(int fd, const char *what, int level, int name, int value)
{
    say(what, setsockopt(fd, level, name, &value, sizeof value));
}

/* argv: ADDRESS.  Control messages, by their types; options that must or must not be had. */
static int fields(char **argv)
{
    static struct parcel p;
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    option(fd, "SO_TIMESTAMP", SOL_SOCKET, SO_TIMESTAMP, 1);
    option(fd, "IP_PKTINFO", IPPROTO_IP, IP_PKTINFO, 1);
    option(fd, "IP_RECVTTL", IPPROTO_IP, IP_RECVTTL, 1);
    option(fd, "IP_RECVERR", IPPROTO_IP, IP_RECVERR, 1);
    say("sendto", sendto(fd, "word", 4, 0, (struct sockaddr *)&t.sa, t.len));
    p.size = 100;
    p.pieces = 1;
    udp_cut(&p, udp_incoming);
    p.m.msg_control = p.control;
    p.m.msg_controllen = sizeof p.control;
    say("recvmsg", recvmsg(fd, &p.m, 0));
    printf("control: %zu, flags %x\n", (size_t)p.m.msg_controllen, p.m.msg_flags);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&p.m); c; c = CMSG_NXTHDR(&p.m, c))
        printf(" level %d type %d\n", c->cmsg_level, c->cmsg_type);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  What would bypass a proxy. */
static int refused(char **argv)
{
    static struct parcel p;
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);
    static char large[65508];
    struct cmsghdr *c;

    option(fd, "UDP_SEGMENT", LEVEL_UDP, 103, 100);
    option(fd, "UDP_GRO", LEVEL_UDP, 104, 1);
    option(fd, "SO_ZEROCOPY", SOL_SOCKET, 60, 1);
    option(fd, "SO_PEEK_OFF", SOL_SOCKET, 42, 0);
    p.to = t;
    p.size = 100;
    p.pieces = 1;
    udp_cut(&p, udp_outgoing);
    p.m.msg_control = p.control;
    p.m.msg_controllen = CMSG_SPACE(sizeof(uint16_t));
    c = CMSG_FIRSTHDR(&p.m);
    c->cmsg_level = LEVEL_UDP;
    c->cmsg_type = 103;
    c->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    *(uint16_t *)CMSG_DATA(c) = 10;
    say("a segment's size", sendmsg(fd, &p.m, 0));
    p.m.msg_controllen = 0;
    say("the largest", sendto(fd, large, 65507, 0, (struct sockaddr *)&t.sa, t.len));
    say("10 less", sendto(fd, large, 65497, 0, (struct sockaddr *)&t.sa, t.len));
    say("one more", sendto(fd, large, 65498, 0, (struct sockaddr *)&t.sa, t.len));
    close(fd);
    return 0;
}

/* argv: ADDRESS.  Pieces under MSG_MORE, and under UDP_CORK, make one datagram. */
static int corked(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    for (int i = 0; i < 2; i++) {
        say("first", sendto(fd, udp_outgoing, 5, MSG_MORE, (struct sockaddr *)&t.sa, t.len));
        say("second", sendto(fd, udp_outgoing + 5, 6, MSG_MORE, (struct sockaddr *)&t.sa, t.len));
        say("last", sendto(fd, udp_outgoing + 11, 7, 0, (struct sockaddr *)&t.sa, t.len));
        udp_receive(fd, UDP_RECVMSG, 100, 0, 1);
    }
    option(fd, "UDP_CORK", LEVEL_UDP, 1, 1);
    say("first", sendto(fd, udp_outgoing, 5, 0, (struct sockaddr *)&t.sa, t.len));
    say("second", sendto(fd, udp_outgoing + 5, 6, 0, (struct sockaddr *)&t.sa, t.len));
    option(fd, "UDP_CORK", LEVEL_UDP, 1, 0);
    udp_receive(fd, UDP_RECVMSG, 100, 0, 1);
    udp_exchange(fd, &t);
    close(fd);
    return 0;
}

/* argv: ADDRESS.  Numbers made and closed, and forked children; at the end nothing is left open. */
static int numbers(char **argv)
{
    struct target t = net_target(argv[0]);
    int before = net_descriptors(), fd = udp_socket(&t), other, third, status;

    say("connect", net_connect(fd, &t));
    other = dup(fd);
    udp_exchange(other, NULL);
    close(fd);
    udp_exchange(other, NULL);
    fd = dup2(other, 200);
    third = fcntl(fd, F_DUPFD_CLOEXEC, 300);
    close(other);
    udp_exchange(third, NULL);
    fflush(stdout);
    if (fork() == 0) {
        say_peer("child's peer", fd);
        udp_exchange(fd, NULL);
        close(fd);
        udp_exchange(third, &t);
        _exit(0);
    }
    wait(&status);
    printf("child: %d\n", status);
    udp_exchange(fd, NULL);
    close(third);
    say("close_range", close_range(200, 200, 0));
    say("closed", send(fd, "x", 1, 0));
    fd = udp_socket(&t);
    say_peer("another socket", fd);
    udp_exchange(fd, &t);
    close(fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

struct shared {
    int fd;
    struct target t;
};

static void *chat(void *argument)
{
    const struct shared *s = argument;
    char buf[64];

    for (int i = 0; i < ROUNDS; i++) {
        struct target from = { .len = sizeof from.sa };

        if (sendto(s->fd, "chatter", 7, 0, (const struct sockaddr *)&s->t.sa, s->t.len) != 7 ||
            recvfrom(s->fd, buf, sizeof buf, 0, (struct sockaddr *)&from.sa, &from.len) != 7 ||
            memcmp(buf, "chatter", 7) != 0 || memcmp(&from.sa, &s->t.sa, s->t.len) != 0)
            return argument;
    }
    return NULL;
}

/* argv: ADDRESS.  Many threads on one new socket. */
static int threads(char **argv)
{
    pthread_t thread[THREADS];
    struct shared s = { .t = net_target(argv[0]) };
    int bad = 0;

    s.fd = udp_socket(&s.t);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, chat, &s);
    for (int i = 0; i < THREADS; i++) {
        void *failed;

        pthread_join(thread[i], &failed);
        bad += failed != NULL;
    }
    printf("%d of %d failed\n", bad, THREADS);
    return 0;
}

struct target udp_resolve(const char *name, const char *port, int family)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM }, *list;
    struct target t;

    if (getaddrinfo(name, port, &hints, &list) != 0)
        net_die("getaddrinfo");
    memcpy(&t.sa, list->ai_addr, list->ai_addrlen);
    t.len = list->ai_addrlen;
    freeaddrinfo(list);
    return t;
}

static void answered(int fd, const struct target *t)
{
    struct target from = { .len = sizeof from.sa };
    char buf[16];

    say("sendto", sendto(fd, "name", 4, 0, (const struct sockaddr *)&t->sa, t->len));
    say("recvfrom", recvfrom(fd, buf, sizeof buf, 0, (struct sockaddr *)&from.sa, &from.len));
    printf("source: %s\n", from.len == t->len && memcmp(&from.sa, &t->sa, t->len) == 0 ? "same" : "another");
}

/* argv: NAME PORT.  To a name, in both families: the source is the address that was used. */
static int by_name(char **argv)
{
    static const int families[] = { AF_INET, AF_INET6 };

    for (int i = 0; i < 2; i++) {
        struct target t = udp_resolve(argv[0], argv[1], families[i]);
        int fd = udp_socket(&t);
        char buf[16];

        for (int round = 0; round < 3; round++)
            answered(fd, &t);
        say("connect", net_connect(fd, &t));
        say("send", send(fd, "name", 4, 0));
        say("recv", recv(fd, buf, sizeof buf, 0));
        close(fd);
    }
    return 0;
}

/* argv: NAME PORT ADDRESS...  A name beside addresses of both families, on one socket. */
static int mixed(char **argv)
{
    struct target t = udp_resolve(argv[0], argv[1], AF_INET6);
    int fd = udp_socket(&t);

    for (int round = 0; round < 2; round++) {
        answered(fd, &t);
        for (char **a = argv + 2; *a; a++) {
            struct target other = net_target(*a);

            answered(fd, &other);
        }
    }
    close(fd);
    return 0;
}

/* argv: ADDRESS COUNT.  So many to and fro, for what happens meanwhile. */
static int repeat(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    for (int i = 0; i < atoi(argv[1]); i++)
        udp_exchange(fd, &t);
    close(fd);
    return 0;
}

/* argv: ADDRESS COUNT.  As udp-repeat; after each the socket is given time to find its control connection ended. */
static int again(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = udp_socket(&t);

    for (int i = 0; i < atoi(argv[1]); i++) {
        udp_exchange(fd, &t);
        poll(NULL, 0, 1200);
    }
    close(fd);
    return 0;
}

/* argv: CONTROL ADDRESS.  How long control connections live on after close(). */
static int lingering(char **argv)
{
    struct target t = net_target(argv[1]);
    char buf[16];

    for (int answered = 1; answered >= 0; answered--) {
        for (int i = 1; i <= 3; i++) {
            int fd = udp_socket(&t);

            say("sendto", sendto(fd, "x", 1, 0, (struct sockaddr *)&t.sa, t.len));
            if (answered)
                say("recv", recv(fd, buf, sizeof buf, 0));
            close(fd);
            say_open(answered ? "open, with an answer" : "open, without", argv[0], answered ? 0 : i < 2 ? i : 2);
        }
    }
    return 0;
}

const struct command udp_commands[] = {
    { "udp-calls", 1, calls, "ADDRESS..." },
    { "udp-peers", 2, peers, "ONE OTHER" },
    { "udp-many", 1, many, "ADDRESS..." },
    { "udp-fields", 1, fields, "ADDRESS" },
    { "udp-refused", 1, refused, "ADDRESS" },
    { "udp-corked", 1, corked, "ADDRESS" },
    { "udp-numbers", 1, numbers, "ADDRESS" },
    { "udp-threads", 1, threads, "ADDRESS" },
    { "udp-name", 2, by_name, "NAME PORT" },
    { "udp-mixed", 3, mixed, "NAME PORT ADDRESS..." },
    { "udp-repeat", 2, repeat, "ADDRESS COUNT" },
    { "udp-close", 2, lingering, "CONTROL ADDRESS" },
    { "udp-again", 2, again, "ADDRESS COUNT" },
    { NULL, 0, NULL, NULL },
};
