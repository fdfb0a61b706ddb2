/* SPDX-License-Identifier: ISC */
/* bench_relay.c - the other side of the UDP benchmark, as cheap as it can be: an echo, and a relay that is one as well
 *
 * bench_relay ADDRESS PORT ECHO: a SOCKS5 server there, for ASSOCIATE without credentials; the relay is at the same
 * place on UDP.  What comes to it goes back as it came: the header that names the destination then names the source, as
 * if an echo had answered at once.  At the address ECHO the same port is an echo for other clients.  `ready` is written
 * once all listen.  Ends with its standard input.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 64, BATCH = 64, SIZE = 2048, BUFFER = 4 << 20 };
enum { AT_INPUT, AT_LISTENER, AT_RELAY, AT_ECHO, AT_CLIENTS, ALL = AT_CLIENTS + CLIENTS };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int open_at(const char *address, uint16_t port, int type)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, type, 0), on = 1, size = BUFFER;

    inet_pton(AF_INET, address, &sa.sin_addr);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa) != 0 || (type == SOCK_STREAM && listen(fd, CLIENTS) != 0))
        die(address);
    return fd;
}

/* All that waits goes back. */
static void echo(int fd)
{
    static char data[BATCH][SIZE];
    static struct sockaddr_in from[BATCH];
    static struct iovec piece[BATCH];
    static struct mmsghdr m[BATCH];
    int n;

    for (int i = 0; i < BATCH; i++) {
        piece[i] = (struct iovec){ data[i], SIZE };
        m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &piece[i],
                                        .msg_iovlen = 1 };
    }
    n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++)
        piece[i].iov_len = m[i].msg_len;
    for (int sent = 0; sent < n;) {
        int more = sendmmsg(fd, m + sent, (unsigned)(n - sent), 0);

        sent += more > 0 ? more : 1;
    }
}

static bool read_exactly(int fd, uint8_t *data, size_t size)
{
    return recv(fd, data, size, MSG_WAITALL) == (ssize_t)size;
}

/* The answer to ASSOCIATE names the address and port of the listener.  Returns false for what is none. */
static bool greet(int fd)
{
    uint8_t in[256], out[10] = { 5, 0, 0, 1 };
    struct sockaddr_in own;
    socklen_t len = sizeof own;

    if (!read_exactly(fd, in, 2) || in[0] != 5 || !read_exactly(fd, in, in[1]) || send(fd, "\5", 2, 0) != 2)
        return false;
    if (!read_exactly(fd, in, 10) || in[1] != 3 || in[3] != 1 || getsockname(fd, (struct sockaddr *)&own, &len) != 0)
        return false;
    memcpy(out + 4, &own.sin_addr, 4);
    memcpy(out + 8, &own.sin_port, 2);
    return send(fd, out, sizeof out, 0) == sizeof out;
}

static void take(struct pollfd *set)
{
    int fd = accept(set[AT_LISTENER].fd, NULL, NULL);

    for (int i = AT_CLIENTS; i < ALL; i++) {
        if (set[i].fd < 0 && greet(fd)) {
            set[i].fd = fd;
            return;
        }
    }
    close(fd);
}

int main(int argc, char **argv)
{
    struct pollfd set[ALL];
    uint16_t port;

    if (argc != 4)
        return 2;
    port = (uint16_t)atoi(argv[2]);
    for (int i = 0; i < ALL; i++)
        set[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
    set[AT_INPUT].fd = STDIN_FILENO;
    set[AT_LISTENER].fd = open_at(argv[1], port, SOCK_STREAM);
    set[AT_RELAY].fd = open_at(argv[1], port, SOCK_DGRAM);
    set[AT_ECHO].fd = open_at(argv[3], port, SOCK_DGRAM);
    puts("ready");
    fflush(stdout);
    while (poll(set, ALL, -1) > 0 && !set[AT_INPUT].revents) {
        if (set[AT_RELAY].revents)
            echo(set[AT_RELAY].fd);
        if (set[AT_ECHO].revents)
            echo(set[AT_ECHO].fd);
        if (set[AT_LISTENER].revents)
            take(set);
        for (int i = AT_CLIENTS; i < ALL; i++) {
            char byte;

            if (set[i].revents && recv(set[i].fd, &byte, 1, MSG_DONTWAIT) <= 0) {
                close(set[i].fd);
                set[i].fd = -1;
            }
        }
    }
    return 0;
}
