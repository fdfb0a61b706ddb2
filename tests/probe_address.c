/* SPDX-License-Identifier: ISC */
/* probe_address.c - addresses of every length and wrong families, each flush against a page that cannot be read */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { PAGE = 4096, LENGTHS = 140, UNKNOWN_FAMILY = 200 };

static char *edge;    /* the first byte that cannot be read */

static void make_edge(void)
{
    edge = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (edge == MAP_FAILED || mprotect(edge + PAGE, PAGE, PROT_NONE) != 0)
        net_die("mmap");
    edge += PAGE;
}

/* One call with an address of len bytes; len may be more than there are. */
typedef long attempt(int fd, const struct sockaddr *sa, socklen_t len);

static long attempt_connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    return connect(fd, sa, len);
}

static long attempt_sendto(int fd, const struct sockaddr *sa, socklen_t len)
{
    return sendto(fd, "x", 1, MSG_NOSIGNAL, sa, len);
}

static long attempt_sendmsg(int fd, const struct sockaddr *sa, socklen_t len)
{
    struct iovec piece = { .iov_base = (char[]){ "x" }, .iov_len = 1 };
    struct msghdr m = { .msg_name = (void *)(uintptr_t)sa, .msg_namelen = len, .msg_iov = &piece, .msg_iovlen = 1 };

    return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static long attempt_fastopen(int fd, const struct sockaddr *sa, socklen_t len)
{
    return sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, sa, len);
}

static const struct way {
    const char *name;
    int type;
    attempt *attempt;
} ways[] = {
    { "stream connect", SOCK_STREAM, attempt_connect },
    { "stream fastopen", SOCK_STREAM, attempt_fastopen },
    { "stream sendto", SOCK_STREAM, attempt_sendto },
    { "datagram connect", SOCK_DGRAM, attempt_connect },
    { "datagram sendto", SOCK_DGRAM, attempt_sendto },
    { "datagram sendmsg", SOCK_DGRAM, attempt_sendmsg },
};

static void try_length(const struct way *w, int domain, const struct sockaddr_storage *sa, long len, char *out)
{
    size_t have = len >= 0 && len < (long)sizeof *sa ? (size_t)len : sizeof *sa;
    char *at = edge - have;
    int fd = socket(domain, w->type, 0), reset[2] = { 1, 0 };
    long result;

    memcpy(at, sa, have);
    result = w->attempt(fd, (const struct sockaddr *)at, (socklen_t)len);
    snprintf(out, TEXT_SIZE, "%s", result < 0 ? text_errno(errno) : "ok");
    setsockopt(fd, SOL_SOCKET, SO_LINGER, reset, sizeof reset);
    close(fd);
}

static void try_lengths(const struct way *w, int domain, const char *family, const struct sockaddr_storage *sa)
{
    static const long others[] = { 4096, 1L << 31, -1 };
    char last[TEXT_SIZE] = "", now[TEXT_SIZE];

    printf("%s, domain %d, %s:", w->name, domain, family);
    for (long len = 0; len < LENGTHS; len++) {
        try_length(w, domain, sa, len, now);
        if (strcmp(last, now) != 0)
            printf(" %ld %s", len, now);
        strcpy(last, now);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        try_length(w, domain, sa, others[i], now);
        printf(" %ld %s", others[i], now);
    }
    putchar('\n');
}

static void fill(struct sockaddr_storage *sa, const char *address)
{
    socklen_t len;

    text_address(address, sa, &len);
}

/* argv: stream|datagram PORT.  IPv4 and IPv6 addresses of this machine, and their bytes under other families. */
static int lengths(char **argv)
{
    int type = strcmp(argv[0], "stream") == 0 ? SOCK_STREAM : SOCK_DGRAM;
    char four[TEXT_SIZE], six[TEXT_SIZE], mapped[TEXT_SIZE];
    struct sockaddr_storage sa;

    make_edge();
    snprintf(four, sizeof four, "127.0.0.1:%s", argv[1]);
    snprintf(six, sizeof six, "[::1]:%s", argv[1]);
    snprintf(mapped, sizeof mapped, "[::ffff:127.0.0.1]:%s", argv[1]);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        if (ways[i].type != type)
            continue;
        fill(&sa, four);
        try_lengths(&ways[i], AF_INET, "ipv4", &sa);
        try_lengths(&ways[i], AF_INET6, "ipv4", &sa);
        sa.ss_family = AF_UNSPEC;
        try_lengths(&ways[i], AF_INET, "unspec", &sa);
        try_lengths(&ways[i], AF_INET6, "unspec", &sa);
        sa.ss_family = UNKNOWN_FAMILY;
        try_lengths(&ways[i], AF_INET, "unknown", &sa);
        fill(&sa, six);
        try_lengths(&ways[i], AF_INET6, "ipv6", &sa);
        try_lengths(&ways[i], AF_INET, "ipv6", &sa);
        fill(&sa, mapped);
        try_lengths(&ways[i], AF_INET6, "mapped", &sa);
    }
    return 0;
}

/* Local addresses without a final zero, at the end of what can be read. */
static int lengths_unix(char **argv)
{
    struct sockaddr_storage sa;
    struct sockaddr_un un = { .sun_family = AF_UNIX };

    (void)argv;
    make_edge();
    memset(un.sun_path, 'x', sizeof un.sun_path);
    memset(&sa, 0, sizeof sa);
    memcpy(&sa, &un, sizeof un);
    try_lengths(&ways[0], AF_UNIX, "unix", &sa);
    try_lengths(&ways[0], AF_INET, "unix", &sa);
    strcpy(un.sun_path, "/run/nscd/socke");
    memcpy(&sa, &un, sizeof un);
    try_lengths(&ways[0], AF_UNIX, "nearly a resolver's", &sa);
    return 0;
}

const struct command address_commands[] = {
    { "lengths", 2, lengths, "stream|datagram PORT" },
    { "lengths-unix", 0, lengths_unix, "" },
    { NULL, 0, NULL, NULL },
};
