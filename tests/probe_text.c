/* SPDX-License-Identifier: ISC */
/* probe_text.c - the words in which the probe tells what happened */
#include "probe_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe_net.h"

#define NAME(value) { value, #value }

static const struct {
    int value;
    const char *name;
} names[] = {
    { 0, "ok" },
    NAME(EPERM), NAME(ENOENT), NAME(EINTR), NAME(EIO), NAME(ENXIO), NAME(E2BIG), NAME(EBADF), NAME(ECHILD),
    NAME(EAGAIN), NAME(ENOMEM), NAME(ENOLCK), NAME(EACCES), NAME(EFAULT), NAME(EBUSY), NAME(EEXIST), NAME(ENODEV),
    NAME(ENOTDIR),
    NAME(EISDIR), NAME(EINVAL), NAME(ENFILE), NAME(EMFILE), NAME(ENOTTY), NAME(EFBIG), NAME(ENOSPC), NAME(ESPIPE),
    NAME(EROFS), NAME(EPIPE), NAME(EDOM), NAME(ERANGE), NAME(EDEADLK), NAME(ENOSYS), NAME(ENOTSOCK),
    NAME(EDESTADDRREQ), NAME(EMSGSIZE), NAME(EPROTOTYPE), NAME(ENOPROTOOPT), NAME(EPROTONOSUPPORT),
    NAME(ESOCKTNOSUPPORT), NAME(EOPNOTSUPP), NAME(EPFNOSUPPORT), NAME(EAFNOSUPPORT), NAME(EADDRINUSE),
    NAME(EADDRNOTAVAIL), NAME(ENETDOWN), NAME(ENETUNREACH), NAME(ENETRESET), NAME(ECONNABORTED), NAME(ECONNRESET),
    NAME(ENOBUFS), NAME(EISCONN), NAME(ENOTCONN), NAME(ETIMEDOUT), NAME(ECONNREFUSED), NAME(EHOSTUNREACH),
    NAME(EALREADY), NAME(EINPROGRESS), NAME(ECANCELED), NAME(EPROTO), NAME(ESRCH), NAME(ENAMETOOLONG),
};

static const struct {
    unsigned bit;
    const char *name;
} events[] = {
    { POLLIN, " IN" }, { POLLOUT, " OUT" }, { POLLERR, " ERR" }, { POLLHUP, " HUP" }, { POLLNVAL, " NVAL" },
    { POLLRDHUP, " RDHUP" },
};

const char *text_errno(int error)
{
    static _Thread_local char other[24];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].value == error)
            return names[i].name;
    }
    snprintf(other, sizeof other, "errno %d", error);
    return other;
}

static int read_port(const char *text, in_port_t *port)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end != '\0' || value < 0 || value > 65535)
        return -1;
    *port = htons((uint16_t)value);
    return 0;
}

static int read_ipv6(const char *text, struct sockaddr_in6 *sa)
{
    char host[TEXT_SIZE];
    size_t len = strcspn(text, "]");

    if (len >= sizeof host || strncmp(text + len, "]:", 2) != 0)
        return -1;
    memcpy(host, text, len);
    host[len] = '\0';
    sa->sin6_family = AF_INET6;
    return inet_pton(AF_INET6, host, &sa->sin6_addr) == 1 ? read_port(text + len + 2, &sa->sin6_port) : -1;
}

static int read_ipv4(const char *text, struct sockaddr_in *sa)
{
    char host[TEXT_SIZE];
    size_t len = strcspn(text, ":");

    if (len >= sizeof host || text[len] != ':')
        return -1;
    memcpy(host, text, len);
    host[len] = '\0';
    sa->sin_family = AF_INET;
    return inet_pton(AF_INET, host, &sa->sin_addr) == 1 ? read_port(text + len + 1, &sa->sin_port) : -1;
}

void text_address(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
    int bad;

    memset(sa, 0, sizeof *sa);
    *len = text[0] == '[' ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    bad = text[0] == '[' ? read_ipv6(text + 1, (struct sockaddr_in6 *)sa) : read_ipv4(text, (struct sockaddr_in *)sa);
    if (!bad)
        return;
    fprintf(stderr, "probe: no address: %s\n", text);
    exit(2);
}

const char *text_sockaddr(const void *sa, socklen_t len, char *out)
{
    const struct sockaddr_in *in = sa;
    const struct sockaddr_in6 *in6 = sa;
    char host[INET6_ADDRSTRLEN];

    if (len == sizeof *in && in->sin_family == AF_INET) {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(out, TEXT_SIZE, "%s:%u", host, ntohs(in->sin_port));
    } else if (len == sizeof *in6 && in6->sin6_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(out, TEXT_SIZE, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        snprintf(out, TEXT_SIZE, "%u bytes, family %u", len, len >= sizeof in->sin_family ? in->sin_family : 0u);
    }
    return out;
}

long say(const char *what, long result)
{
    int error = errno;

    if (result == -1)
        printf("%s: -1 %s\n", what, text_errno(error));
    else
        printf("%s: %ld\n", what, result);
    return result;
}

void say_error(const char *what, int error)
{
    printf("%s: %s\n", what, text_errno(error));
}

void say_events(const char *what, unsigned bits)
{
    printf("%s:", what);
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
        if (bits & events[i].bit)
            fputs(events[i].name, stdout);
    }
    putchar('\n');
}

/* SO_PEERNAME: whether it says the same as getpeername(). */
static bool is_peer_name(int fd, const struct sockaddr_storage *sa, socklen_t len)
{
    struct sockaddr_storage named, room;
    socklen_t named_len = len, long_len = sizeof room;

    return getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &named, &named_len) == 0 && named_len == len &&
           memcmp(&named, sa, len) == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &room, &long_len) == -1 &&
           errno == EINVAL;
}

void say_peer(const char *what, int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char text[TEXT_SIZE];

    memset(&sa, 0, sizeof sa);
    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0)
        say(what, -1);
    else
        printf("%s: %s%s\n", what, text_sockaddr(&sa, len, text),
               is_peer_name(fd, &sa, len) ? "" : ", SO_PEERNAME another");
}

void say_open(const char *what, const char *control, int expected)
{
    int open = -1;

    for (int i = 0; i < 200 && open != expected; i++) {
        if (open >= 0)
            poll(NULL, 0, 10);
        open = net_tell(control, "open");
    }
    say(what, open);
}
