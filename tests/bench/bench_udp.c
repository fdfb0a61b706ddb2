/* SPDX-License-Identifier: ISC */
/* bench_udp.c - datagrams and their echoes, as many as go in a time, and what they cost this process
 *
 * bench_udp CALLS SIZE MS TARGET PORT [PROXY PORT]: for MS milliseconds, or +N times, WINDOW datagrams go out, then as
 * many are taken back.  CALLS is send (on a connected socket), sendto or sendmmsg, each with its way to receive.  With
 * a proxy this is the hand-written client: an unconnected socket, which puts the header before each datagram itself and
 * looks at that of each answer, by the fewest system calls and without a copy.
 * Prints "DATAGRAMS-PER-SECOND CPU-NANOSECONDS-PER-DATAGRAM LOST", a datagram being one that went there and back.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { WINDOW = 16, LARGEST = 1400, HEADER = 10, LOST_MAX = 1000 };

struct bench {
    int fd, control;
    size_t size;
    struct sockaddr_in to;              /* the target, or the relay */
    bool by_hand;
    uint8_t header[HEADER];             /* by hand: of each datagram */
    long lost;
};

/* What one way to send and receive looks like.  Both return how many went, at least 1, or -1. */
struct calls {
    const char *name;
    bool connected;
    int (*send)(struct bench *b, int count);
    int (*receive)(struct bench *b, int count);
};

static char payload[LARGEST], room[WINDOW][LARGEST];
static uint8_t head[WINDOW][HEADER];

static void die(const char *what)
{
    fprintf(stderr, "bench_udp: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool is_from(const struct bench *b, const struct sockaddr_in *from)
{
    return from->sin_addr.s_addr == b->to.sin_addr.s_addr && from->sin_port == b->to.sin_port;
}

static int send_one(struct bench *b, int count)
{
    (void)count;
    return send(b->fd, payload, b->size, 0) == (ssize_t)b->size ? 1 : -1;
}

static int receive_one(struct bench *b, int count)
{
    (void)count;
    return recv(b->fd, room[0], sizeof room[0], 0) == (ssize_t)b->size ? 1 : -1;
}

static int sendto_one(struct bench *b, int count)
{
    (void)count;
    return sendto(b->fd, payload, b->size, 0, (struct sockaddr *)&b->to, sizeof b->to) == (ssize_t)b->size ? 1 : -1;
}

static int recvfrom_one(struct bench *b, int count)
{
    struct sockaddr_in from;
    socklen_t len = sizeof from;

    (void)count;
    return recvfrom(b->fd, room[0], sizeof room[0], 0, (struct sockaddr *)&from, &len) == (ssize_t)b->size &&
                   is_from(b, &from) ? 1 : -1;
}

/* One message for each datagram; by hand with the header before it. */
static struct mmsghdr *messages(struct bench *b, char *data, size_t step, uint8_t *header, size_t header_step)
{
    static struct mmsghdr m[WINDOW];
    static struct iovec piece[WINDOW][2];
    static struct sockaddr_in name[WINDOW];

    for (int i = 0; i < WINDOW; i++) {
        piece[i][0] = (struct iovec){ header + (size_t)i * header_step, HEADER };
        piece[i][1] = (struct iovec){ data + (size_t)i * step, step ? step : b->size };
        name[i] = b->to;
        m[i].msg_hdr = (struct msghdr){ .msg_name = &name[i], .msg_namelen = sizeof name[i],
                                        .msg_iov = piece[i] + !b->by_hand, .msg_iovlen = 1u + b->by_hand };
    }
    return m;
}

static bool is_answer(const struct bench *b, const struct msghdr *m, size_t len, const uint8_t *header)
{
    return is_from(b, m->msg_name) && len == b->size + (b->by_hand ? HEADER : 0) &&
           (!b->by_hand || memcmp(header, b->header, HEADER) == 0);
}

static int sendmsg_one(struct bench *b, int count)
{
    struct iovec piece[2] = { { b->header, HEADER }, { payload, b->size } };
    struct msghdr m = { .msg_name = &b->to, .msg_namelen = sizeof b->to, .msg_iov = piece, .msg_iovlen = 2 };

    (void)count;
    return sendmsg(b->fd, &m, 0) == (ssize_t)(HEADER + b->size) ? 1 : -1;
}

static int recvmsg_one(struct bench *b, int count)
{
    struct sockaddr_in from;
    struct iovec piece[2] = { { head[0], HEADER }, { room[0], sizeof room[0] } };
    struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = piece, .msg_iovlen = 2 };
    ssize_t n = recvmsg(b->fd, &m, 0);

    (void)count;
    return n > 0 && is_answer(b, &m, (size_t)n, head[0]) ? 1 : -1;
}

static int send_many(struct bench *b, int count)
{
    return sendmmsg(b->fd, messages(b, payload, 0, b->header, 0), (unsigned)count, 0);
}

static int receive_many(struct bench *b, int count)
{
    struct mmsghdr *m = messages(b, room[0], sizeof room[0], head[0], HEADER);
    int n = recvmmsg(b->fd, m, (unsigned)count, MSG_WAITFORONE, NULL);

    for (int i = 0; i < n; i++) {
        if (!is_answer(b, &m[i].msg_hdr, m[i].msg_len, head[i]))
            return -1;
    }
    return n;
}

static const struct calls plain[] = {
    { "send", true, send_one, receive_one },
    { "sendto", false, sendto_one, recvfrom_one },
    { "sendmmsg", false, send_many, receive_many },
};

/* By hand there is no peer: send() on a connected socket costs what sendto() does. */
static const struct calls by_hand[] = {
    { "send", false, sendmsg_one, recvmsg_one },
    { "sendto", false, sendmsg_one, recvmsg_one },
    { "sendmmsg", false, send_many, receive_many },
};

static struct sockaddr_in address_of(char **argv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1])) };

    if (inet_pton(AF_INET, argv[0], &sa.sin_addr) != 1)
        die(argv[0]);
    return sa;
}

/* The control connection, kept until the end; the relay takes the target's place. */
static void associate(struct bench *b, const struct sockaddr_in *proxy)
{
    uint8_t in[10];

    b->control = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(b->control, (const struct sockaddr *)proxy, sizeof *proxy) != 0 ||
        send(b->control, "\5\1", 3, 0) != 3 || recv(b->control, in, 2, MSG_WAITALL) != 2 ||
        send(b->control, "\5\3\0\1\0\0\0\0\0", 10, 0) != 10 ||
        recv(b->control, in, 10, MSG_WAITALL) != 10 || in[1] != 0 || in[3] != 1)
        die("ASSOCIATE");
    b->by_hand = true;
    b->header[3] = 1;
    memcpy(b->header + 4, &b->to.sin_addr, 4);
    memcpy(b->header + 8, &b->to.sin_port, 2);
    memcpy(&b->to.sin_addr, in + 4, 4);
    memcpy(&b->to.sin_port, in + 8, 2);
}

/* There and back, for all of a window.  A datagram that does not come in time is lost. */
static void exchange(struct bench *b, const struct calls *c)
{
    for (int sent = 0; sent < WINDOW;) {
        int n = c->send(b, WINDOW - sent);

        if (n < 0)
            die(c->name);
        sent += n;
    }
    for (int had = 0; had < WINDOW;) {
        int n = c->receive(b, WINDOW - had);

        if (n < 0 && errno != EAGAIN)
            die("receive");
        if (n < 0 && (b->lost += WINDOW - had) > LOST_MAX)
            die("too many are lost");
        if (n < 0)
            return;
        had += n;
    }
}

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
    struct rusage r;

    getrusage(RUSAGE_SELF, &r);
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) / 1e6;
}

/* windows: how many; 0: as many as go in length seconds. */
static void run(struct bench *b, const struct calls *c, double length, long windows)
{
    double began, cpu, end;
    long count = 0;

    exchange(b, c);     /* makes the association */
    b->lost = 0;
    began = end = seconds();
    cpu = cpu_seconds();
    for (; windows ? count < windows * WINDOW : end - began < length; count += WINDOW) {
        exchange(b, c);
        end = seconds();
    }
    count -= b->lost;
    printf("%.0f %.1f %ld\n", (double)count / (end - began), (cpu_seconds() - cpu) / (double)count * 1e9, b->lost);
}

int main(int argc, char **argv)
{
    struct timeval patience = { 1, 0 };
    struct bench b = { .fd = socket(AF_INET, SOCK_DGRAM, 0) };
    const struct calls *c = argc == 8 ? by_hand : plain;
    int calls = 0;

    if (argc != 6 && argc != 8)
        return 2;
    while (calls < 3 && strcmp(c[calls].name, argv[1]) != 0)
        calls++;
    b.size = (size_t)atoi(argv[2]);
    if (calls == 3 || b.size > LARGEST)
        return 2;
    b.to = address_of(argv + 4);
    if (argc == 8) {
        struct sockaddr_in proxy = address_of(argv + 6);

        associate(&b, &proxy);
    }
    setsockopt(b.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (c[calls].connected && connect(b.fd, (struct sockaddr *)&b.to, sizeof b.to) != 0)
        die("connect");
    run(&b, &c[calls], atoi(argv[3]) / 1e3, argv[3][0] == '+' ? atol(argv[3]) : 0);
    return 0;
}
