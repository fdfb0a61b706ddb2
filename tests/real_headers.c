/* SPDX-License-Identifier: ISC */
/* real_headers.c - message headers as a stack may leave them: what lies between musl's members is not zero
 *
 *     real_headers ADDRESS PORT     something echoes datagrams there
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REST = 0xa5 };

static union {
    struct cmsghdr header;
    unsigned char room[CMSG_SPACE(sizeof(int))];
} control;

static struct msghdr dirty(struct iovec *piece)
{
    struct msghdr m;

    memset(&m, REST, sizeof m);
    m.msg_name = m.msg_control = NULL;
    m.msg_namelen = m.msg_controllen = m.msg_flags = 0;
    m.msg_iov = piece;
    m.msg_iovlen = 1;
    return m;
}

static void say(const char *what, long n)
{
    printf("%s: %ld%s%s\n", what, n, n < 0 ? " " : "", n < 0 ? strerror(errno) : "");
}

static void pass(int fd)
{
    struct iovec piece = { (char[]){ "x" }, 1 };
    struct msghdr m = dirty(&piece);
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        exit(1);
    memset(&control, REST, sizeof control);
    m.msg_control = &control;
    m.msg_controllen = sizeof control;
    control.header.cmsg_len = CMSG_LEN(sizeof fd);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    say("a descriptor sent", sendmsg(pair[0], &m, 0));
    say("and received", recvmsg(pair[1], &m, 0));
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct iovec piece = { "hello", 5 };
    struct msghdr m = dirty(&piece);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);

    if (argc < 3 || inet_aton(argv[1], &to.sin_addr) == 0)
        return 2;
    to.sin_port = htons((unsigned short)atoi(argv[2]));
    m.msg_name = &to;
    m.msg_namelen = sizeof to;
    alarm(15);
    say("a datagram sent", sendmsg(fd, &m, 0));
    piece.iov_base = (char[8]){ "" };
    m = dirty(&piece);
    say("and received", recvmsg(fd, &m, 0));
    pass(fd);
    return 0;
}
