/* SPDX-License-Identifier: ISC */
/* probe_detour.c - packets that a device, a source route or a header takes elsewhere than their address says */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { TO_DEVICE = 25, TO_IFINDEX = 62, UNICAST_IF = 50, SEGMENTS = 12 };

static int set(int fd, int level, int option, const void *value, size_t len)
{
    return setsockopt(fd, level, option, value, (socklen_t)len);
}

static void try_send(const char *what, int fd, const struct target *t)
{
    say(what, sendto(fd, "leak", 4, 0, (const struct sockaddr *)&t->sa, t->len));
    close(fd);
}

static int message_with(int fd, const struct target *t, int type, const void *data, size_t len)
{
    struct iovec piece = { .iov_base = (char[]){ "leak" }, .iov_len = 4 };
    union {
        char bytes[64];
        struct cmsghdr align;
    } control = { .bytes = "" };
    struct msghdr m = { .msg_name = (void *)&t->sa, .msg_namelen = t->len, .msg_iov = &piece, .msg_iovlen = 1,
                        .msg_control = &control, .msg_controllen = CMSG_SPACE(len) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = IPPROTO_IP;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    return (int)sendmsg(fd, &m, 0);
}

static void try_messages(int fd, const struct target *t, int device)
{
    /* A strict route over one gateway, and the end. */
    unsigned char route[SEGMENTS] = { 0x89, 7, 4, 192, 0, 2, 1, 0 };
    struct in_pktinfo info = { .ipi_ifindex = device };

    say("packet information", message_with(fd, t, IP_PKTINFO, &info, sizeof info));
    info.ipi_ifindex = 1;
    say("packet information, loopback", message_with(fd, t, IP_PKTINFO, &info, sizeof info));
    say("route in a message", message_with(fd, t, IP_RETOPTS, route, 8));
    say("route as an option", set(fd, IPPROTO_IP, IP_OPTIONS, route, 8));
}

/* To the any-address a socket goes from and to what it is bound to, which is another host's here. */
static void try_transparent(void)
{
    struct target own = net_target("10.99.0.77:0"), any = net_target("0.0.0.0:80");
    int fd = net_socket(&own, SOCK_STREAM | SOCK_NONBLOCK), on = 1;

    say("transparent", set(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on));
    say(" bind", bind(fd, (struct sockaddr *)&own.sa, own.len));
    say(" connect", net_connect(fd, &any));
    close(fd);
}

/* argv: DEVICE.  Of its own the kernel tells the network who joins what. */
static int groups(char **argv)
{
    int device = (int)if_nametoindex(argv[0]);
    struct target t = net_target("127.0.0.1:0");
    int fd = net_socket(&t, SOCK_DGRAM), fd6 = socket(AF_INET6, SOCK_DGRAM, 0);
    struct ip_mreqn by_number = { .imr_multiaddr.s_addr = htonl(0xe0000001 + 250), .imr_ifindex = device };
    struct ip_mreq by_address = { .imr_multiaddr.s_addr = htonl(0xe0000001 + 249) };
    struct group_req any = { .gr_interface = (uint32_t)device };
    struct ipv6_mreq v6 = { .ipv6mr_multiaddr = { .s6_addr = { 0xff, 2, [15] = 0xfb } },
                            .ipv6mr_interface = (unsigned)device };

    memcpy(&any.gr_group, &t.sa, t.len);
    ((struct sockaddr_in *)&any.gr_group)->sin_addr.s_addr = htonl(0xe0000001 + 248);
    say("group by number", set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_number, sizeof by_number));
    say("group by address", set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_address, sizeof by_address));
    say("group of any family", set(fd, IPPROTO_IP, MCAST_JOIN_GROUP, &any, sizeof any));
    if (fd6 >= 0)
        say("IPv6 group", set(fd6, IPPROTO_IPV6, IPV6_JOIN_GROUP, &v6, sizeof v6));
    by_number.imr_ifindex = 1;
    say("group on loopback", set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_number, sizeof by_number));
    by_address.imr_interface.s_addr = htonl(INADDR_LOOPBACK);
    say("group on loopback by address", set(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &by_address, sizeof by_address));
    close(fd);
    close(fd6);
    return 0;
}

/* argv: DEVICE ADDRESS, one of this machine.  Nothing may go out by the device. */
static int detours(char **argv)
{
    struct target t = net_target(argv[1]);
    int device = (int)if_nametoindex(argv[0]), swapped = (int)htonl((uint32_t)device);
    int fd = net_socket(&t, SOCK_DGRAM);

    say("bound by name", set(fd, SOL_SOCKET, TO_DEVICE, argv[0], strlen(argv[0]) + 1));
    try_send(" sendto", fd, &t);
    fd = net_socket(&t, SOCK_DGRAM);
    say("bound by number", set(fd, SOL_SOCKET, TO_IFINDEX, &device, sizeof device));
    say(" connect", net_connect(fd, &t));
    try_send(" sendto", fd, &t);
    fd = net_socket(&t, SOCK_DGRAM);
    say("unicast device", set(fd, IPPROTO_IP, UNICAST_IF, &swapped, sizeof swapped));
    try_send(" sendto", fd, &t);
    fd = net_socket(&t, SOCK_STREAM | SOCK_NONBLOCK);
    say("TCP bound", set(fd, SOL_SOCKET, TO_DEVICE, argv[0], strlen(argv[0]) + 1));
    say(" connect", net_connect(fd, &t));
    close(fd);
    fd = net_socket(&t, SOCK_DGRAM);
    say("connected", net_connect(fd, &t));
    say(" then bound", set(fd, SOL_SOCKET, TO_DEVICE, argv[0], strlen(argv[0]) + 1));
    close(fd);
    fd = net_socket(&t, SOCK_DGRAM);
    try_messages(fd, &t, device);
    close(fd);
    fd = net_socket(&t, SOCK_DGRAM);
    say("bound to loopback", set(fd, SOL_SOCKET, TO_DEVICE, "lo", 3));
    try_send(" sendto", fd, &t);
    try_transparent();
    return 0;
}

/* argv: ADDRESS, FD...  Descriptors that came from outside. */
static int detours_inherited(char **argv)
{
    struct target t = net_target(argv[0]);

    for (char **number = argv + 1; *number; number++)
        try_send("sendto", atoi(*number), &t);
    return 0;
}

/* argv: DEVICE PROGRAM ARGUMENT...  Become a program that inherits a datagram socket with a device as descriptor 9, and
 * one with a source route as 8. */
static int detours_give(char **argv)
{
    unsigned char route[SEGMENTS] = { 0x89, 7, 4, 192, 0, 2, 1, 0 };
    int bound = socket(AF_INET, SOCK_DGRAM, 0), routed = socket(AF_INET, SOCK_DGRAM, 0);

    if (set(bound, SOL_SOCKET, TO_DEVICE, argv[0], strlen(argv[0]) + 1) != 0 ||
        set(routed, IPPROTO_IP, IP_OPTIONS, route, 8) != 0)
        net_die("setsockopt");
    dup2(bound, 9);
    dup2(routed, 8);
    execvp(argv[1], argv + 1);
    net_die("exec");
}

const struct command detour_commands[] = {
    { "groups", 1, groups, "DEVICE" },
    { "detours", 2, detours, "DEVICE ADDRESS" },
    { "detours-inherited", 2, detours_inherited, "ADDRESS FD..." },
    { "detours-give", 2, detours_give, "DEVICE PROGRAM ARGUMENT..." },
    { NULL, 0, NULL, NULL },
};
