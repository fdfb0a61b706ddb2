/* SPDX-License-Identifier: ISC */
/* probe_kinds.c - sockets of every kind: made, connected and sent from, near and far */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

/* Numbers that some headers lack. */
enum {
    DOMAIN_RDS = 21, DOMAIN_CAN = 29, DOMAIN_TIPC = 30, DOMAIN_BLUETOOTH = 31, DOMAIN_ALG = 38, DOMAIN_VSOCK = 40,
    DOMAIN_QIPCRTR = 42, DOMAIN_SMC = 43, DOMAIN_XDP = 44, DOMAIN_UNKNOWN = 1000,
    PROTOCOL_SCTP = 132, PROTOCOL_UDPLITE = 136, PROTOCOL_DCCP = 33, PROTOCOL_MPTCP = 262, TYPE_DCCP = 6
};

/* SOCKS could reach the far address by CARRIED; the others are OTHER (direct only), REFUSED, NATIVE. */
enum fate { CARRIED, OTHER, REFUSED, NATIVE };

static const char *const fates[] = { "carried", "other", "refused", "native" };

static const struct kind {
    const char *name;
    enum fate fate;
    int domain, type, protocol;
} kinds[] = {
    { "tcp", CARRIED, AF_INET, SOCK_STREAM, 0 },
    { "tcp by number", CARRIED, AF_INET, SOCK_STREAM, IPPROTO_TCP },
    { "tcp6", CARRIED, AF_INET6, SOCK_STREAM, 0 },
    { "mptcp", CARRIED, AF_INET, SOCK_STREAM, PROTOCOL_MPTCP },
    { "raw icmp", OTHER, AF_INET, SOCK_RAW, IPPROTO_ICMP },
    { "raw udp", OTHER, AF_INET, SOCK_RAW, IPPROTO_UDP },
    { "raw icmp6", OTHER, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 },
    { "ping", OTHER, AF_INET, SOCK_DGRAM, IPPROTO_ICMP },
    { "ping6", OTHER, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 },
    { "udplite", OTHER, AF_INET, SOCK_DGRAM, PROTOCOL_UDPLITE },
    { "udplite6", OTHER, AF_INET6, SOCK_DGRAM, PROTOCOL_UDPLITE },
    { "sctp", OTHER, AF_INET, SOCK_STREAM, PROTOCOL_SCTP },
    { "sctp seqpacket", OTHER, AF_INET, SOCK_SEQPACKET, PROTOCOL_SCTP },
    { "sctp6", OTHER, AF_INET6, SOCK_STREAM, PROTOCOL_SCTP },
    { "dccp", OTHER, AF_INET, TYPE_DCCP, PROTOCOL_DCCP },
    { "raw raw", REFUSED, AF_INET, SOCK_RAW, IPPROTO_RAW },
    { "raw raw6", REFUSED, AF_INET6, SOCK_RAW, IPPROTO_RAW },
    { "packet", REFUSED, AF_PACKET, SOCK_RAW, 0 },
    { "packet dgram", REFUSED, AF_PACKET, SOCK_DGRAM, 0 },
    { "packet nonblock", REFUSED, AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0 },
    { "inet packet", REFUSED, AF_INET, SOCK_PACKET, 0 },
    { "xdp", REFUSED, DOMAIN_XDP, SOCK_RAW, 0 },
    { "smc", REFUSED, DOMAIN_SMC, SOCK_STREAM, 0 },
    { "tipc", REFUSED, DOMAIN_TIPC, SOCK_DGRAM, 0 },
    { "rds", REFUSED, DOMAIN_RDS, SOCK_SEQPACKET, 0 },
    { "qipcrtr", REFUSED, DOMAIN_QIPCRTR, SOCK_DGRAM, 0 },
    { "unix", NATIVE, AF_UNIX, SOCK_STREAM, 0 },
    { "netlink", NATIVE, AF_NETLINK, SOCK_RAW, 0 },
    { "alg", NATIVE, DOMAIN_ALG, SOCK_SEQPACKET, 0 },
    { "key", NATIVE, AF_KEY, SOCK_RAW, 2 },
    { "bluetooth", NATIVE, DOMAIN_BLUETOOTH, SOCK_STREAM, 3 },
    { "can", NATIVE, DOMAIN_CAN, SOCK_RAW, 1 },
    { "vsock", NATIVE, DOMAIN_VSOCK, SOCK_STREAM, 0 },
    { "no domain", NATIVE, DOMAIN_UNKNOWN, SOCK_STREAM, 0 },
    { "no type", NATIVE, AF_INET, 9, 0 },
    { "no protocol", NATIVE, AF_INET, SOCK_STREAM, IPPROTO_UDP },
};

static void line(const struct kind *k, const char *what, long result)
{
    printf("%s %s: %s: %s\n", fates[k->fate], k->name, what, result < 0 ? text_errno(errno) : "ok");
}

/* Far is what the configuration does not let go directly; it is this machine all the same, so nothing leaves it. */
static struct target address(const struct kind *k, bool far)
{
    /* The port of an address for a raw socket is taken for a protocol. */
    if (k->domain == AF_INET6)
        return net_target(k->type == SOCK_RAW ? "[::1]:0" : "[::1]:9");
    return net_target(far ? "127.0.0.9:9" : "127.0.0.1:9");
}

static int make(const struct kind *k)
{
    return socket(k->domain, k->type | SOCK_NONBLOCK, k->protocol);
}

static void try_send(const struct kind *k, const char *what, const struct target *t)
{
    char request[16] = { 8 };    /* an ICMP echo request; whatever it is to others */
    int fd = make(k);

    line(k, what, sendto(fd, request, sizeof request, MSG_NOSIGNAL, (const struct sockaddr *)&t->sa, t->len));
    close(fd);
}

static void try_connect(const struct kind *k, const char *what, const struct target *t)
{
    int fd = make(k);

    line(k, what, net_connect(fd, t));
    close(fd);
}

static void try_address(const struct kind *k, bool far)
{
    struct target t = address(k, far);

    try_connect(k, "connect", &t);
    if (k->type == SOCK_STREAM)
        return;
    try_send(k, "sendto", &t);
    /* Some kinds take AF_UNSPEC for their own family. */
    t.sa.ss_family = AF_UNSPEC;
    if (k->type == SOCK_RAW)
        try_send(k, "sendto AF_UNSPEC", &t);
}

/* argv: near|far, the addresses to try. */
static int each_kind(char **argv)
{
    bool far = strcmp(argv[0], "far") == 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        int fd = make(&kinds[i]);

        line(&kinds[i], "socket", fd);
        if (fd >= 0 && kinds[i].fate == OTHER)
            try_address(&kinds[i], far);
        if (fd >= 0)
            close(fd);
    }
    return 0;
}

/* A socket whose packets carry their own header goes where that says, so no address near by makes it harmless. */
static int own_header(char **argv)
{
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), one = 1;
    struct target near = net_target("127.0.0.1:9");
    unsigned char packet[28] = { 0x45, 0, 0, 28, 0, 0, 0, 0, 64, IPPROTO_UDP };
    int result;

    (void)argv;
    if (say("socket", fd < 0 ? -1 : 0) < 0)
        return 0;
    inet_pton(AF_INET, "127.0.0.1", packet + 12);
    inet_pton(AF_INET, "127.0.0.9", packet + 16);
    result = setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof one);
    if (result == 0)
        result = sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&near.sa, near.len) < 0 ? -1 : 0;
    say("IP_HDRINCL", result);
    close(fd);
    return 0;
}

/* AF_VSOCK as the kernel lays it out: family, zero, port, context id. */
static int vsock(char **argv)
{
    uint32_t sa[4] = { 0, 1, 2, 0 };
    uint16_t family = DOMAIN_VSOCK;
    int fd = socket(DOMAIN_VSOCK, SOCK_STREAM, 0);

    (void)argv;
    memcpy(sa, &family, sizeof family);
    if (say("socket", fd < 0 ? -1 : 0) == 0)
        say("connect", connect(fd, (struct sockaddr *)sa, sizeof sa));
    return 0;
}

/* argv: PATH...  Local sockets by their path, the length with and without the final zero. */
static int connect_unix(char **argv)
{
    for (; *argv; argv++) {
        struct sockaddr_un un = { .sun_family = AF_UNIX };
        size_t len = strlen(*argv);
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);

        strncpy(un.sun_path, *argv, sizeof un.sun_path - 1);
        say(*argv, connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)));
        say(*argv, connect(fd, (struct sockaddr *)&un, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1)));
        say(*argv, connect(fd, (struct sockaddr *)&un, sizeof un));
        close(fd);
    }
    return 0;
}

const struct command kinds_commands[] = {
    { "kinds", 1, each_kind, "near|far" },
    { "own-header", 0, own_header, "" },
    { "vsock", 0, vsock, "" },
    { "unix", 1, connect_unix, "PATH..." },
    { NULL, 0, NULL, NULL },
};
