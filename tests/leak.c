/* SPDX-License-Identifier: ISC */
/* leak.c - counts the packets that leave a network namespace for anywhere but the proxy
 *
 * leak [ADDRESS PORT|LOW-HIGH]...: TCP to such a port, UDP to such a range of ports is allowed.  On the loopback device
 * only what goes to port 53 is a leak, for that is how names leak to a local resolver.  ARP, neighbour discovery and
 * multicast reports are the kernel's own and not counted.  `ready` is written once packets are seen; then each line of
 * standard input is answered by "LEAKED ALLOWED", both since the start, and each leak has been named on standard error
 * by then.  Ends at the end of standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALLOWED_MAX = 8, HEAD_SIZE = 256, QUEUE_SIZE = 64 << 20, PORT_DOMAIN = 53 };

struct place {
    int family, protocol;
    unsigned char address[16];
    unsigned port, last;        /* last: of a range that begins with port */
};

struct counts {
    unsigned long leaked, allowed;
};

static struct place allowed[ALLOWED_MAX];
static int alloweds;

static unsigned get16(const unsigned char *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

/* The port stays 0 where there is none: in a later fragment, or behind a header cut short. */
static void read_port(struct place *p, const unsigned char *head, size_t size, size_t at)
{
    if ((p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP) && at + 4 <= size)
        p->port = get16(head + at + 2);
}

static bool read_ipv4(struct place *p, const unsigned char *head, size_t size)
{
    if (size < sizeof(struct iphdr))
        return false;
    p->family = AF_INET;
    memcpy(p->address, head + 16, 4);
    p->protocol = head[9];
    if (!(get16(head + 6) & IP_OFFMASK))
        read_port(p, head, size, (head[0] & 15u) * 4);
    return true;
}

static bool read_ipv6(struct place *p, const unsigned char *head, size_t size)
{
    size_t at = sizeof(struct ip6_hdr);
    int next;

    if (size < at)
        return false;
    p->family = AF_INET6;
    memcpy(p->address, head + 24, 16);
    next = head[6];
    while ((next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS) && at + 8 <= size) {
        next = head[at];
        at += (head[at + 1] + 1u) * 8;
    }
    p->protocol = next;
    read_port(p, head, size, at);
    if (next == IPPROTO_ICMPV6 && at < size)
        p->port = head[at];
    return true;
}

/* Multicast listener reports and neighbour discovery; for ICMPv6 the type stands in the port. */
static bool is_kernels_own(const struct place *p)
{
    unsigned type = p->port;

    return p->protocol == IPPROTO_ICMPV6 && ((type >= 130 && type <= 137) || type == 143);
}

static bool is_allowed(const struct place *p)
{
    size_t len = p->family == AF_INET ? 4 : 16;

    for (int i = 0; i < alloweds; i++) {
        if (allowed[i].family == p->family && allowed[i].protocol == p->protocol && allowed[i].port <= p->port &&
            p->port <= allowed[i].last && memcmp(allowed[i].address, p->address, len) == 0)
            return true;
    }
    return false;
}

static void name_leak(const struct place *p, const char *device)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(p->family, p->address, text, sizeof text);
    fprintf(stderr, "leak: protocol %d to %s port %u on %s\n", p->protocol, text, p->port, device);
}

static void count(struct counts *c, const unsigned char *head, size_t size, const struct sockaddr_ll *from)
{
    struct place p = { .protocol = -1 };
    char device[IF_NAMESIZE] = "?";
    int type = ntohs(from->sll_protocol);
    bool known;

    if (from->sll_pkttype != PACKET_OUTGOING || type == ETHERTYPE_ARP)
        return;
    if_indextoname((unsigned)from->sll_ifindex, device);
    known = type == ETHERTYPE_IP ? read_ipv4(&p, head, size) : type == ETHERTYPE_IPV6 && read_ipv6(&p, head, size);
    if (!known) {
        fprintf(stderr, "leak: a packet of type %04x on %s\n", (unsigned)type, device);
        c->leaked++;
        return;
    }
    if (is_kernels_own(&p))
        return;
    if (is_allowed(&p)) {
        c->allowed++;
        return;
    }
    if (strcmp(device, "lo") == 0 && p.port != PORT_DOMAIN)
        return;
    name_leak(&p, device);
    c->leaked++;
}

static void drain(int fd, struct counts *c)
{
    unsigned char head[HEAD_SIZE];
    struct sockaddr_ll from;

    for (;;) {
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(fd, head, sizeof head, MSG_DONTWAIT, (struct sockaddr *)&from, &len);

        if (n < 0 && errno == EAGAIN)
            return;
        /* A device that went down says so once. */
        if (n < 0 && errno == ENETDOWN)
            continue;
        if (n < 0) {
            perror("leak: recvfrom");
            exit(1);
        }
        count(c, head, (size_t)n, &from);
    }
}

static void refuse_drops(int fd)
{
    struct tpacket_stats stats;
    socklen_t len = sizeof stats;

    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) != 0 || stats.tp_drops != 0) {
        fprintf(stderr, "leak: packets were lost uncounted\n");
        exit(1);
    }
}

/* Answers what standard input asks.  False at its end. */
static bool answer(int fd, struct counts *c)
{
    char asked[64];
    ssize_t n = read(STDIN_FILENO, asked, sizeof asked);

    if (n <= 0)
        return false;
    drain(fd, c);
    refuse_drops(fd);
    for (ssize_t i = 0; i < n; i++) {
        if (asked[i] == '\n')
            printf("%lu %lu\n", c->leaked, c->allowed);
    }
    fflush(stdout);
    return true;
}

static bool allow(const char *address, const char *port)
{
    struct place *p = &allowed[alloweds];
    char *end;

    if (alloweds == ALLOWED_MAX)
        return false;
    p->family = strchr(address, ':') ? AF_INET6 : AF_INET;
    p->port = p->last = (unsigned)strtoul(port, &end, 10);
    p->protocol = *end == '-' ? IPPROTO_UDP : IPPROTO_TCP;
    if (*end == '-')
        p->last = (unsigned)strtoul(end + 1, &end, 10);
    alloweds++;
    return inet_pton(p->family, address, p->address) == 1 && p->port != 0 && *end == '\0';
}

static int open_packets(void)
{
    int size = QUEUE_SIZE, fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
        return -1;
    return fd;
}

int main(int argc, char **argv)
{
    struct counts c = { 0, 0 };
    struct pollfd wait[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

    for (int i = 1; i + 1 < argc; i += 2) {
        if (!allow(argv[i], argv[i + 1])) {
            fprintf(stderr, "usage: leak [ADDRESS PORT|LOW-HIGH]...\n");
            return 2;
        }
    }
    wait[1].fd = open_packets();
    if (wait[1].fd < 0) {
        perror("leak");
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (poll(wait, 2, -1) > 0 || errno == EINTR) {
        drain(wait[1].fd, &c);
        if (wait[0].revents && !answer(wait[1].fd, &c))
            return 0;
    }
    perror("leak: poll");
    return 1;
}
