/* SPDX-License-Identifier: ISC */
/* probe_facts.c - numbers that are used again: nothing known of the old socket may stick to the new one */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

/* libc's own functions, which a program reaches past every preloaded object. */
static struct {
    int (*close)(int fd);
    int (*socket)(int domain, int type, int protocol);
    int (*dup2)(int from, int to);
} own;

static bool find_own(void)
{
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

    if (!libc)
        return false;
    *(void **)&own.close = dlsym(libc, "close");
    *(void **)&own.socket = dlsym(libc, "socket");
    *(void **)&own.dup2 = dlsym(libc, "dup2");
    return own.close && own.socket && own.dup2;
}

static void end_close(int fd)
{
    close(fd);
}

static void end_number(int fd)
{
    syscall(SYS_close, fd);
}

static void end_range(int fd)
{
    close_range((unsigned)fd, (unsigned)fd, 0);
}

static void end_fclose(int fd)
{
    FILE *f = fdopen(fd, "r+");

    if (f)
        fclose(f);
}

static void end_freopen(int fd)
{
    FILE *f = fdopen(fd, "r+");

    if (f)
        f = freopen("/dev/null", "r", f);
    if (f)
        fclose(f);
}

static void end_dup2(int fd)
{
    int null = open("/dev/null", O_RDONLY);

    dup2(null, fd);
    own.close(fd);
    close(null);
}

static void end_own_dup2(int fd)
{
    int null = open("/dev/null", O_RDONLY);

    own.dup2(null, fd);
    own.close(fd);
    close(null);
}

static void end_own(int fd)
{
    own.close(fd);
}

static const struct {
    const char *name;
    void (*end)(int fd);
} ends[] = {
    { "close", end_close },   { "SYS_close", end_number },   { "close_range", end_range },
    { "fclose", end_fclose }, { "freopen", end_freopen },    { "dup2", end_dup2 },
    { "own dup2", end_own_dup2 }, { "own close", end_own },
};

static int make_hooked(int domain, int type)
{
    return socket(domain, type, 0);
}

static int make_own(int domain, int type)
{
    return own.socket(domain, type, 0);
}

static const struct {
    const char *name;
    int (*make)(int domain, int type);
} makes[] = {
    { "socket", make_hooked },
    { "own socket", make_own },
};

enum { ENDS = sizeof ends / sizeof ends[0], MAKES = sizeof makes / sizeof makes[0] };

/* Make a socket, end it, make another at the same number.  old, type: SOCK_STREAM or SOCK_DGRAM; -1: a tunnel first. */
static int renewed(int end, int make, int old, int type, const struct target *t)
{
    int first = socket(AF_INET, old == -1 ? SOCK_STREAM : old, 0), second;

    if (old == -1)
        net_connect(first, t);
    ends[end].end(first);
    second = makes[make].make(AF_INET, type);
    if (second != first)
        printf("another number\n");
    return second;
}

static void say_case(int end, int make, const char *what)
{
    printf("%s, %s, %s: ", ends[end].name, makes[make].name, what);
}

/* A datagram must be judged as one, whatever the number was before. */
static void try_datagram(int end, int make, int old, const char *what, const struct target *near,
                         const struct target *far)
{
    int fd = renewed(end, make, old, SOCK_DGRAM, near);
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    struct sockaddr_storage sa = far->sa;
    struct msghdr m = { .msg_name = &sa, .msg_namelen = far->len, .msg_iov = &piece, .msg_iovlen = 1 };
    ssize_t sent = sendto(fd, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&far->sa, far->len);
    const char *first = sent < 0 ? text_errno(errno) : "sent";

    say_case(end, make, what);
    sent = sendmsg(fd, &m, MSG_DONTWAIT);
    printf("%s, ", first);
    puts(sent < 0 ? text_errno(errno) : "sent");
    close(fd);
}

/* And a stream as one, without a peer of old. */
static void try_stream(int end, int make, int old, const char *what, const struct target *near)
{
    int fd = renewed(end, make, old, SOCK_STREAM, near);
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[2] = "";
    int peer = getpeername(fd, (struct sockaddr *)&sa, &len) == 0 ? 0 : errno;
    ssize_t sent = sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&near->sa, near->len);

    say_case(end, make, what);
    printf("%s, sent %d, %s\n", text_errno(peer), (int)sent, text_errno(net_receive(fd, text, 1)));
    close(fd);
}

/* argv: NEAR FAR.  NEAR: a TCP target that may be reached; FAR: where no datagram may go. */
static int reuse(char **argv)
{
    struct target near = net_target(argv[0]), far = net_target(argv[1]);
    int before = net_descriptors();

    if (!find_own())
        return 77;
    for (int end = 0; end < ENDS; end++) {
        for (int make = 0; make < MAKES; make++) {
            try_datagram(end, make, SOCK_STREAM, "stream to datagram", &near, &far);
            try_datagram(end, make, SOCK_DGRAM, "datagram to datagram", &near, &far);
            try_datagram(end, make, -1, "tunnel to datagram", &near, &far);
            try_stream(end, make, SOCK_DGRAM, "datagram to stream", &near);
            try_stream(end, make, -1, "tunnel to stream", &near);
        }
    }
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: TARGET PROXY.  A socket that was a tunnel and is connected to the proxy itself has the proxy as its peer. */
static int stale_peer(char **argv)
{
    struct target t = net_target(argv[0]), proxy = net_target(argv[1]);
    struct sockaddr none = { .sa_family = AF_UNSPEC };
    int fd = net_socket(&t, SOCK_STREAM);

    say("connect", net_connect(fd, &t));
    say_peer("peer", fd);
    say("unspec", connect(fd, &none, sizeof none));
    say("connect", net_connect(fd, &proxy));
    say_peer("peer", fd);
    close(fd);
    return 0;
}

const struct command facts_commands[] = {
    { "reuse", 2, reuse, "NEAR FAR" },
    { "stale-peer", 2, stale_peer, "TARGET PROXY" },
    { NULL, 0, NULL, NULL },
};
