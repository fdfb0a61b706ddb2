/* SPDX-License-Identifier: ISC */
/* probe_odd_data.c - reads, writes and options with odd arguments, on sockets of every sort and on files */
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_odd.h"
#include "probe_text.h"

static char room[64];

/* The compiler would have something to say of these numbers. */
static volatile int negative = -1, most = INT_MAX;

static void reads(int fd)
{
    struct iovec huge[2] = { { room, SIZE_MAX / 2 }, { room, SIZE_MAX / 2 } };
    struct iovec piece[2] = { { room, 8 }, { room + 8, 8 } };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    TRY(read(fd, room, 0));
    TRY(read(fd, room, sizeof room));
    TRY(readv(fd, piece, 2));
    TRY(readv(fd, piece, 0));
    TRY(readv(fd, piece, negative));
    TRY(readv(fd, piece, most));
    TRY(readv(fd, huge, 2));
    TRY(recv(fd, room, sizeof room, MSG_DONTWAIT));
    TRY(recv(fd, room, 0, MSG_DONTWAIT | MSG_PEEK));
    TRY(recv(fd, room, sizeof room, MSG_DONTWAIT | MSG_OOB));
    TRY(recv(fd, room, sizeof room, MSG_DONTWAIT | MSG_ERRQUEUE));
    TRY(recvfrom(fd, room, sizeof room, MSG_DONTWAIT, NULL, NULL));
    TRY(recvfrom(fd, room, sizeof room, MSG_DONTWAIT, NULL, &len));
    TRY(recvfrom(fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&sa, &len));
    len = (socklen_t)-1;
    TRY(recvfrom(fd, room, sizeof room, MSG_DONTWAIT, (struct sockaddr *)&sa, &len));
}

static void writes(int fd)
{
    /* Nothing is mapped there: of what is mapped the kernel would send as much as fits its buffers at the moment. */
    void *nowhere = (void *)4096;
    struct iovec piece[2] = { { room, 1 }, { room, 0 } };
    struct iovec huge[2] = { { nowhere, SIZE_MAX / 2 }, { nowhere, SIZE_MAX / 2 } };

    TRY(write(fd, room, 0));
    TRY(write(fd, room, 1));
    TRY(writev(fd, piece, 2));
    TRY(writev(fd, piece, 0));
    TRY(writev(fd, piece, negative));
    TRY(writev(fd, piece, most));
    TRY(writev(fd, huge, 2));
    TRY(send(fd, room, 0, MSG_DONTWAIT | MSG_NOSIGNAL));
    TRY(send(fd, room, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
    TRY(send(fd, room, 1, MSG_DONTWAIT | MSG_NOSIGNAL | MSG_OOB));
    TRY(send(fd, room, 1, 0x10000000 | MSG_NOSIGNAL));
}

static void copies(int fd)
{
    FILE *file = tmpfile();
    int from = fileno(file), pair[2];
    off_t at = 0, before = -1;
    off64_t wide = 0;

    fputs("text", file);
    fflush(file);
    if (pipe2(pair, O_NONBLOCK) != 0)
        net_die("pipe");
    TRY(sendfile(fd, from, &at, 0));
    TRY(sendfile(fd, from, &before, 1));
    TRY(sendfile(fd, -1, NULL, 1));
    TRY(sendfile(-1, from, NULL, 1));
    TRY(sendfile(fd, pair[0], NULL, 1));
    TRY(sendfile64(fd, from, NULL, 0));
    TRY(splice(fd, NULL, pair[1], NULL, 1, SPLICE_F_NONBLOCK));
    TRY(splice(pair[0], NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
    TRY(splice(fd, NULL, fd, NULL, 1, SPLICE_F_NONBLOCK));
    TRY(splice(fd, &wide, pair[1], NULL, 1, SPLICE_F_NONBLOCK));
    TRY(splice(-1, NULL, pair[1], NULL, 1, SPLICE_F_NONBLOCK));
    TRY(splice(fd, NULL, pair[1], NULL, 1, 0xff00));
    TRY(splice(fd, NULL, pair[1], NULL, 0, SPLICE_F_NONBLOCK));
    fclose(file);
    close(pair[0]);
    close(pair[1]);
}

static void options(int fd)
{
    struct sockaddr_storage sa;
    int value = 0;
    socklen_t len = sizeof value;

    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
    TRY((long)value);
    len = 2;
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
    TRY((long)len);
    len = 0;
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
    len = (socklen_t)-1;
    TRY(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
    len = sizeof value;
    TRY(getsockopt(fd, SOL_SOCKET, -1, &value, &len));
    TRY(getsockopt(fd, -1, SO_ERROR, &value, &len));
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, 0));
    TRY(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, (socklen_t)-1));
    TRY(setsockopt(fd, SOL_SOCKET, SO_TYPE, &value, sizeof value));
    TRY(setsockopt(fd, -1, 1, &value, sizeof value));
    TRY(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, 1));
    len = (socklen_t)-1;
    TRY(getsockname(fd, (struct sockaddr *)&sa, &len));
    len = 0;
    TRY(getsockname(fd, (struct sockaddr *)&sa, &len));
    TRY((long)len);
    TRY(ioctl(fd, FIONREAD, &value));
    TRY(ioctl(fd, 0));
    TRY(ioctl(fd, 0xdeadbeef, &value));
    TRY(ioctl(fd, FIONBIO, &value));
    TRY(shutdown(fd, 77));
    TRY(shutdown(fd, -1));
    TRY(shutdown(fd, SHUT_RDWR));
}

static void each(const char *what, int fd)
{
    printf("== %s\n", what);
    reads(fd);
    copies(fd);
    /* What is echoed comes when it likes. */
    writes(fd);
    options(fd);
    if (fd >= 0)
        close(fd);
}

/* argv: ADDRESS, of an echo. */
int odd_data(char **argv)
{
    struct target t = net_target(argv[0]);
    int connected = net_socket(&t, SOCK_STREAM);

    if (net_connect(connected, &t) != 0)
        net_die("connect");
    fcntl(connected, F_SETFL, O_NONBLOCK);
    each("no descriptor", -1);
    each("no such descriptor", 900);
    each("datagram", net_socket(&t, SOCK_DGRAM | SOCK_NONBLOCK));
    each("connected", connected);
    each("local", socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    each("file", open("/dev/null", O_RDWR));
    return 0;
}
