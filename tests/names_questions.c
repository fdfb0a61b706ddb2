/* SPDX-License-Identifier: ISC */
/* names_questions.c - a program that speaks DNS itself: questions sent and answers received in every way there is */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names_diff.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BYTES(literal) literal, sizeof(literal) - 1
#define HEAD(additional) "\xca\xfe\x01\x00\0\1\0\0\0\0\0" additional
#define NAME "\4BoTh\4test\0"
#define OPT "\0\0\x29\x04\xd0\0\0\x80\0\0\0"

enum { ROOM = 600, WAIT_MS = 5000, DEAF_MS = 100 };

/* One socket and whom it asks. */
struct asker {
    int fd;
    struct sockaddr_storage to;
    socklen_t len;
};

static const char query_a[] = HEAD("\0") NAME "\0\1\0\1";
static const char query_aaaa[] = "\xbe\xef\x01\x00\0\1\0\0\0\0\0\0" NAME "\0\x1c\0\1";

static void print_source(const struct sockaddr_storage *sa, socklen_t len)
{
    const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)sa;
    char text[INET6_ADDRSTRLEN] = "?";

    if (len == 0) {
        fputs(" from nobody", stdout);
        return;
    }
    inet_ntop(sa->ss_family, sa->ss_family == AF_INET ? (const void *)&ipv4->sin_addr : &ipv6->sin6_addr, text,
              sizeof text);
    printf(" from %s port %d, %u bytes", text, ntohs(ipv4->sin_port), (unsigned)len);
}

static void print_packet(const unsigned char *in, ssize_t n)
{
    size_t at = 12;

    if (n < 12) {
        printf(" %zd errno %d\n", n, n < 0 ? errno : 0);
        return;
    }
    printf(" %zd bytes, id %02x%02x flags %02x rcode %d counts %d %d %d %d ", n, in[0], in[1], in[2] & 0x81, in[3] & 15,
           in[5], in[7], in[9], in[11]);
    for (; at < (size_t)n && in[at] != 0; at++)
        putchar(in[at] > ' ' && in[at] < 0x7f ? in[at] : '|');
    at += 5;
    if (in[7] == 1 && at + 12 < (size_t)n) {
        char text[64];
        int family = in[at + 11] == 4 ? AF_INET : AF_INET6;

        printf(" type %d ttl %d %s", in[at + 3], in[at + 9], names_address(family, in + at + 12, text));
    }
    putchar('\n');
}

static void receive(int fd, int flags)
{
    unsigned char in[ROOM];
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(fd, in, sizeof in, flags, (struct sockaddr *)&from, &len);

    if (n >= 0)
        print_source(&from, len);
    print_packet(in, n);
}

static void wait_for(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };
    int n = poll(&p, 1, WAIT_MS);

    /* Both come sooner or later; the socket can be written to all the while. */
    while (n > 0 && !(p.revents & ~POLLOUT)) {
        p.events = POLLIN;
        n = poll(&p, 1, WAIT_MS);
    }
    printf(" poll %d %#x;", n, (unsigned)(p.revents & ~POLLOUT));
}

static void by_address(struct asker *a)
{
    printf("%zd", sendto(a->fd, query_a, sizeof query_a - 1, 0, (struct sockaddr *)&a->to, a->len));
    receive(a->fd, 0);
}

static void by_peer(struct asker *a)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;

    printf("%d", connect(a->fd, (struct sockaddr *)&a->to, a->len));
    printf(" %d", getpeername(a->fd, (struct sockaddr *)&peer, &len));
    print_source(&peer, len);
    printf(" %zd", send(a->fd, query_a, sizeof query_a - 1, MSG_NOSIGNAL));
    receive(a->fd, 0);
    printf(" %zd", write(a->fd, query_aaaa, sizeof query_aaaa - 1));
    wait_for(a->fd);
    receive(a->fd, MSG_DONTWAIT);
    receive(a->fd, MSG_DONTWAIT);
}

static void in_pieces(struct asker *a)
{
    char control[128];
    unsigned char in[ROOM];
    struct iovec out[3] = { { (char *)query_a, 5 }, { NULL, 0 }, { (char *)query_a + 5, sizeof query_a - 6 } };
    struct iovec into[2] = { { in, 7 }, { in + 7, sizeof in - 7 } };
    struct msghdr m = { .msg_name = &a->to, .msg_namelen = a->len, .msg_iov = out, .msg_iovlen = 3 };
    struct sockaddr_storage from;
    ssize_t n;

    printf("%zd", sendmsg(a->fd, &m, 0));
    m = (struct msghdr){ .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = into, .msg_iovlen = 2,
                         .msg_control = control, .msg_controllen = sizeof control };
    n = recvmsg(a->fd, &m, 0);
    print_source(&from, m.msg_namelen);
    printf(" flags %#x", (unsigned)m.msg_flags);
    print_packet(in, n);
}

/* As libc and others ask for both families at once.  name: to each message, or the peer's alone. */
static void pair(struct asker *a, bool named)
{
    struct iovec piece[2] = { { (char *)query_a, sizeof query_a - 1 }, { (char *)query_aaaa, sizeof query_aaaa - 1 } };
    struct mmsghdr m[2] = { { .msg_hdr = { .msg_iov = &piece[0], .msg_iovlen = 1 } },
                            { .msg_hdr = { .msg_iov = &piece[1], .msg_iovlen = 1 } } };
    unsigned char in[2][ROOM];
    int n;

    for (int i = 0; i < 2 && named; i++) {
        m[i].msg_hdr.msg_name = &a->to;
        m[i].msg_hdr.msg_namelen = a->len;
    }
    n = sendmmsg(a->fd, m, 2, MSG_NOSIGNAL);
    printf("%d %u %u", n, m[0].msg_len, m[1].msg_len);
    for (int i = 0; i < 2; i++) {
        piece[i] = (struct iovec){ in[i], ROOM };
        m[i].msg_hdr.msg_name = NULL;
    }
    n = recvmmsg(a->fd, m, 2, 0, NULL);
    printf(" %d\n", n);
    for (int i = 0; i < n; i++)
        print_packet(in[i], m[i].msg_len);
}

static void pair_by_address(struct asker *a)
{
    pair(a, true);
}

static void pair_by_peer(struct asker *a)
{
    printf("%d ", connect(a->fd, (struct sockaddr *)&a->to, a->len));
    pair(a, false);
}

/* The set knows the socket before it has a peer. */
static void by_epoll(struct asker *a)
{
    struct epoll_event e = { .events = EPOLLIN | EPOLLET };
    int set = epoll_create1(0), n;

    fcntl(a->fd, F_SETFL, O_NONBLOCK);
    epoll_ctl(set, EPOLL_CTL_ADD, a->fd, &e);
    printf("%d", connect(a->fd, (struct sockaddr *)&a->to, a->len));
    receive(a->fd, 0);
    printf(" %zd", send(a->fd, query_a, sizeof query_a - 1, 0));
    n = epoll_wait(set, &e, 1, WAIT_MS);
    printf(" %d %#x", n, n > 0 ? (unsigned)e.events : 0);
    receive(a->fd, 0);
    receive(a->fd, 0);
    close(set);
}

static void bound(struct asker *a)
{
    struct sockaddr_in6 own = { .sin6_family = a->to.ss_family };

    printf("%d ", bind(a->fd, (struct sockaddr *)&own, a->len));
    by_address(a);
}

static void in_child(struct asker *a)
{
    int other, status = -1;
    pid_t child;

    printf("%zd", sendto(a->fd, query_a, sizeof query_a - 1, 0, (struct sockaddr *)&a->to, a->len));
    other = dup(a->fd);
    close(a->fd);
    a->fd = other;
    fflush(stdout);
    child = fork();
    if (child == 0) {
        receive(other, 0);
        printf("%zd", sendto(other, query_aaaa, sizeof query_aaaa - 1, 0, (struct sockaddr *)&a->to, a->len));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    receive(other, 0);
    printf(" status %d\n", status);
}

static void looked_at(struct asker *a)
{
    unsigned char in[ROOM];
    int waiting = -1;
    ssize_t n;

    printf("%zd", sendto(a->fd, query_a, sizeof query_a - 1, 0, (struct sockaddr *)&a->to, a->len));
    receive(a->fd, MSG_PEEK);
    printf(" %d", ioctl(a->fd, FIONREAD, &waiting));
    printf(" waiting %d", waiting);
    memset(in, 0xff, sizeof in);
    n = recv(a->fd, in, 12, MSG_TRUNC);
    printf(" %zd", n);
    print_packet(in, 12);
}

static void in_vain(struct asker *a)
{
    static const char large[65508];
    struct timeval t = { 0, DEAF_MS * 1000 };

    setsockopt(a->fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    printf("%zd", sendto(a->fd, "x", 1, 0, (struct sockaddr *)&a->to, a->len));
    receive(a->fd, 0);
    printf(" %zd", sendto(a->fd, "", 0, 0, (struct sockaddr *)&a->to, a->len));
    receive(a->fd, 0);
    printf(" %zd", sendto(a->fd, (void *)8, 40, 0, (struct sockaddr *)&a->to, a->len));
    printf(" errno %d", errno);
    printf(" %zd", sendto(a->fd, large, sizeof large, 0, (struct sockaddr *)&a->to, a->len));
    printf(" errno %d\n", errno);
}

static void over(struct asker *a)
{
    struct sockaddr nobody = { .sa_family = AF_UNSPEC };

    printf("%d", connect(a->fd, (struct sockaddr *)&a->to, a->len));
    printf(" %d", connect(a->fd, &nobody, sizeof nobody));
    printf(" %zd", send(a->fd, query_a, sizeof query_a - 1, 0));
    printf(" errno %d ", errno);
    by_address(a);
}

static void in_every_way(int family, const char *text)
{
    static void (*const way[])(struct asker *) = {
        by_address, by_peer, in_pieces, pair_by_address, pair_by_peer, by_epoll, bound, in_child, looked_at, in_vain,
        over
    };
    struct asker a = { .len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6) };
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&a.to;
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&a.to;

    a.to.ss_family = (sa_family_t)family;
    ipv4->sin_port = htons(53);
    inet_pton(family, text, family == AF_INET ? (void *)&ipv4->sin_addr : &ipv6->sin6_addr);
    for (size_t i = 0; i < COUNT(way); i++) {
        a.fd = socket(family, SOCK_DGRAM, 0);
        printf("%s, way %zu: ", text, i);
        way[i](&a);
        close(a.fd);
    }
}

/* What the resolver of the bare run is too simple for.  An answer of no length: there must be none. */
static const struct {
    const char *query;
    size_t len;
    const char *answer;
    size_t answer_len;
} on_purpose[] = {
    /* EDNS, with the DO bit; an option in it is not echoed */
    { BYTES(HEAD("\1") NAME "\0\x10\0\1" OPT), BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\1" NAME "\0\x10\0\1" OPT) },
    { BYTES(HEAD("\1") NAME "\0\x41\0\1" "\0\0\x29\x04\xd0\0\0\0\0\0\x4\0\x8\0\0"),
      BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\1" NAME "\0\x41\0\1" "\0\0\x29\x04\xd0\0\0\0\0\0\0") },
    { BYTES(HEAD("\1") NAME "\0\1\0\1" "\0\0\x29\x04\xd0\0\1\0\0\0\0"),     /* a version of EDNS that nobody knows */
      BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\1" NAME "\0\1\0\1" "\0\0\x29\x04\xd0\1\0\0\0\0\0") },
    /* no data: SRV, SVCB, HTTPS, and with nobody to ask any other */
    { BYTES(HEAD("\0") NAME "\0\x21\0\1"), BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\0" NAME "\0\x21\0\1") },
    { BYTES(HEAD("\0") NAME "\0\x40\0\1"), BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\0" NAME "\0\x40\0\1") },
    { BYTES(HEAD("\0") NAME "\0\x0f\0\1"), BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\0" NAME "\0\x0f\0\1") },
    { BYTES(HEAD("\0") "\0\0\2\0\1"), BYTES("\xca\xfe\x81\x80\0\1\0\0\0\0\0\0" "\0\0\2\0\1") },
    /* no such name; a name of this machine; its address */
    { BYTES(HEAD("\0") "\1a\7INValid\0\0\1\0\1"),
      BYTES("\xca\xfe\x81\x83\0\1\0\0\0\0\0\0" "\1a\7INValid\0\0\1\0\1") },
    { BYTES(HEAD("\0") "\2a/\0\0\1\0\1"), BYTES("\xca\xfe\x81\x83\0\1\0\0\0\0\0\0" "\2a/\0\0\1\0\1") },
    { BYTES(HEAD("\0") "\3a\0b\0\0\1\0\1"), BYTES("\xca\xfe\x81\x83\0\1\0\0\0\0\0\0" "\3a\0b\0\0\1\0\1") },
    { BYTES(HEAD("\0") "\12hosts4\4test\0\0\1\0\1"), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES(HEAD("\0") "\6hosts4\4test\0\0\1\0\1"),
      BYTES("\xca\xfe\x81\x80\0\1\0\1\0\0\0\0" "\6hosts4\4test\0\0\1\0\1" "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\4") },
    { BYTES(HEAD("\0") "\1" "4\1" "2\1" "0\3" "192\7in-addr\4arpa\0\0\x0c\0\1"),
      BYTES("\xca\xfe\x81\x80\0\1\0\1\0\0\0\0" "\1" "4\1" "2\1" "0\3" "192\7in-addr\4arpa\0\0\x0c\0\1"
            "\xc0\x0c\0\x0c\0\1\0\0\0\x3c\0\x0d\6hosts4\4test\0") },
    { BYTES(HEAD("\0") "\1" "9\1" "2\1" "0\3" "192\7in-addr\4arpa\0\0\x0c\0\1"),
      BYTES("\xca\xfe\x81\x83\0\1\0\0\0\0\0\0" "\1" "9\1" "2\1" "0\3" "192\7in-addr\4arpa\0\0\x0c\0\1") },
    /* another class, another kind of question */
    { BYTES(HEAD("\0") NAME "\0\1\0\3"), BYTES("\xca\xfe\x81\x85\0\1\0\0\0\0\0\0" NAME "\0\1\0\3") },
    { BYTES("\xca\xfe\x29\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1"), BYTES("\xca\xfe\xa9\x84\0\0\0\0\0\0\0\0") },
    /* malformed: a pointer in the question, one to itself, two questions, none, cut off at several places */
    { BYTES(HEAD("\0") "\4BoTh\xc0\x0c\0\1\0\1"), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES(HEAD("\0") "\xc0\x0c\0\1\0\1"), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES("\xca\xfe\x01\0\0\2\0\0\0\0\0\0" NAME "\0\1\0\1" NAME "\0\1\0\1"),
      BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES("\xca\xfe\x01\0\0\0\0\0\0\0\0\0"), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES(HEAD("\0")), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES(HEAD("\0") NAME "\0\1\0"), BYTES("\xca\xfe\x81\x81\0\0\0\0\0\0\0\0") },
    { BYTES(HEAD("\1") NAME "\0\1\0\1" "\0\0\x29\x04"),
      BYTES("\xca\xfe\x81\x81\0\1\0\0\0\0\0\0" NAME "\0\1\0\1") },
    /* no question at all */
    { BYTES("\xca\xfe\x01\0\0\1\0\0\0\0\0"), "", 0 },
    { BYTES("\xca\xfe\x81\0\0\1\0\0\0\0\0\0" NAME "\0\1\0\1"), "", 0 },
};

static void print_bytes(const char *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++)
        printf("%02x", (unsigned char)bytes[i]);
    puts(n < 0 ? "-" : n == 0 ? "none" : "");
}

static void rows_on_purpose(bool bare)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(53), .sin_addr = { htonl(0x7f000009) } };
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    char in[ROOM];

    connect(fd, (struct sockaddr *)&to, sizeof to);
    for (size_t i = 0; i < COUNT(on_purpose); i++) {
        ssize_t n = (ssize_t)on_purpose[i].answer_len;

        printf("question %zu: ", i);
        if (bare) {
            print_bytes(on_purpose[i].answer, n);
            continue;
        }
        send(fd, on_purpose[i].query, on_purpose[i].len, 0);
        /* What answers itself has done so when send() returns. */
        n = recv(fd, in, sizeof in, MSG_DONTWAIT);
        print_bytes(in, n < 0 && errno == EAGAIN ? 0 : n);
    }
    close(fd);
}

void names_questions(bool bare)
{
    in_every_way(AF_INET, "127.0.0.1");
    in_every_way(AF_INET6, "::1");
    in_every_way(AF_INET6, "::ffff:127.0.0.1");
    rows_on_purpose(bare);
}
