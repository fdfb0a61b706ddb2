/* SPDX-License-Identifier: ISC */
/* detour.c - what takes a packet elsewhere than its address says */
#include "detour.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "memory.h"
#include "message.h"
#include "real.h"

/* Numbers that some headers lack, or keep where they cannot be included. */
enum {
    OPTION_TO_DEVICE = 25, OPTION_TO_IFINDEX = 62,         /* SO_BINDTODEVICE, SO_BINDTOIFINDEX */
    OPTION_UNICAST_IF = 50, OPTION_V6_UNICAST_IF = 76,     /* IP_UNICAST_IF, IPV6_UNICAST_IF */
    OPTION_V6_HDRINCL = 36, OPTION_V6_PKTOPTIONS = 6,      /* IPV6_HDRINCL, IPV6_2292PKTOPTIONS */
    MESSAGE_V6_RTHDR = 5,                                  /* IPV6_2292RTHDR */
    LEVEL_SCTP = 132, SCTP_CONNECTX_OLD = 107, SCTP_CONNECTX = 110,
    SCTP_DSTADDRV4 = 7, SCTP_DSTADDRV6 = 8,
    OPTION_TRANSPARENT = 19, OPTION_V6_TRANSPARENT = 75,   /* IP_TRANSPARENT, IPV6_TRANSPARENT */
    NAME_SIZE = 16,                                        /* IFNAMSIZ */
    LOOPBACK = 1                                           /* the device's number, in every network namespace */
};

static enum detour of_device(uint32_t index)
{
    return index == 0 || index == LOOPBACK ? DETOUR_NONE : DETOUR_DEVICE;
}

static enum detour of_name(const void *value, socklen_t len)
{
    char name[NAME_SIZE] = "";

    if (!memory_take(name, value, len < sizeof name ? len : sizeof name - 1))
        return DETOUR_NONE;
    return name[0] == '\0' || strcmp(name, "lo") == 0 ? DETOUR_NONE : DETOUR_DEVICE;
}

/* A number at some place of the value; swapped: in network byte order. */
static enum detour of_number(const void *value, socklen_t len, size_t at, bool swapped)
{
    uint32_t index;

    if (len < at + sizeof index || !memory_take(&index, (const char *)value + at, sizeof index))
        return DETOUR_NONE;
    return of_device(swapped ? ntohl(index) : index);
}

/* The kernel takes a byte for IPv4's. */
static enum detour of_flag(const void *value, socklen_t len)
{
    uint32_t flag = 0;

    return memory_take(&flag, value, len < sizeof flag ? len : sizeof flag) && flag ? DETOUR_DEVICE : DETOUR_NONE;
}

static enum detour of_ip(int option, const void *value, socklen_t len)
{
    switch (option) {
    case OPTION_UNICAST_IF:
        return of_number(value, len, 0, true);
    case OPTION_TRANSPARENT:
        return of_flag(value, len);
    case IP_OPTIONS:
        /* A length of 0 takes options away. */
        return len > 0 ? DETOUR_ROUTE : DETOUR_NONE;
    case IP_HDRINCL:
        return DETOUR_OTHER;
    default:
        return DETOUR_NONE;
    }
}

static enum detour of_ipv6(int option, const void *value, socklen_t len)
{
    switch (option) {
    case OPTION_V6_UNICAST_IF:
        return of_number(value, len, 0, true);
    case IPV6_PKTINFO:
        return len > 0 ? of_number(value, len, offsetof(struct in6_pktinfo, ipi6_ifindex), false) : DETOUR_NONE;
    case IPV6_RTHDR:
    case OPTION_V6_PKTOPTIONS:
        return len > 0 ? DETOUR_ROUTE : DETOUR_NONE;
    case OPTION_V6_TRANSPARENT:
        return of_flag(value, len);
    case OPTION_V6_HDRINCL:
        return DETOUR_OTHER;
    default:
        return DETOUR_NONE;
    }
}

enum detour detour_option(int level, int option, const void *value, socklen_t len)
{
    switch (level) {
    case SOL_SOCKET:
        if (option == OPTION_TO_DEVICE)
            return of_name(value, len);
        return option == OPTION_TO_IFINDEX ? of_number(value, len, 0, false) : DETOUR_NONE;
    case IPPROTO_IP:
        return of_ip(option, value, len);
    case IPPROTO_IPV6:
        return of_ipv6(option, value, len);
    case LEVEL_SCTP:
        return option == SCTP_CONNECTX || option == SCTP_CONNECTX_OLD ? DETOUR_OTHER : DETOUR_NONE;
    default:
        return DETOUR_NONE;
    }
}

/* IP_ADD_MEMBERSHIP and its like: group, then the device by its address; in the longest form then by number. */
static bool joins_ipv4(const void *value, socklen_t len, struct addr *group)
{
    uint32_t words[3] = { 0, 0, 0 };

    if (!memory_take(words, value, len < sizeof words ? len : sizeof words))
        return false;
    memcpy(group->ip, words, 4);
    group->kind = ADDR_IPV4;
    if (len >= sizeof words && words[2] != 0)
        return words[2] != LOOPBACK;
    return ntohl(words[1]) >> 24 != IN_LOOPBACKNET;
}

/* MCAST_JOIN_GROUP and its like: the device's number, then the group as a socket address. */
static bool joins_any(const void *value, socklen_t len, struct addr *group)
{
    struct group_req request;

    if (len < sizeof request || !memory_take(&request, value, sizeof request) || request.gr_interface == LOOPBACK)
        return false;
    return addr_from_sockaddr((struct sockaddr *)&request.gr_group, sizeof request.gr_group, group) == 0;
}

static bool joins_ipv6(const void *value, socklen_t len, struct addr *group)
{
    struct ipv6_mreq request;

    if (len < sizeof request || !memory_take(&request, value, sizeof request))
        return false;
    memcpy(group->ip, &request.ipv6mr_multiaddr, 16);
    group->kind = ADDR_IPV6;
    return request.ipv6mr_interface != LOOPBACK;
}

bool detour_joins(int level, int option, const void *value, socklen_t len, struct addr *group)
{
    memset(group, 0, sizeof *group);
    if (level != IPPROTO_IP && level != IPPROTO_IPV6)
        return false;
    if (option == MCAST_JOIN_GROUP || option == MCAST_JOIN_SOURCE_GROUP)
        return joins_any(value, len, group);
    if (level == IPPROTO_IPV6)
        return option == IPV6_JOIN_GROUP && joins_ipv6(value, len, group);
    /* Of the source's form the third word is the source. */
    if (option == IP_ADD_SOURCE_MEMBERSHIP)
        return len >= sizeof(struct ip_mreq_source) && joins_ipv4(value, sizeof(struct ip_mreq), group);
    return option == IP_ADD_MEMBERSHIP && len >= sizeof(struct ip_mreq) && joins_ipv4(value, len, group);
}

static bool is_route(const struct cmsghdr *c)
{
    switch (c->cmsg_level) {
    case IPPROTO_IP:
        return c->cmsg_type == IP_RETOPTS;
    case IPPROTO_IPV6:
        return c->cmsg_type == IPV6_RTHDR || c->cmsg_type == MESSAGE_V6_RTHDR;
    case LEVEL_SCTP:
        return c->cmsg_type == SCTP_DSTADDRV4 || c->cmsg_type == SCTP_DSTADDRV6;
    default:
        return false;
    }
}

static enum detour of_message(const struct cmsghdr *c, size_t len)
{
    size_t size = len > CMSG_LEN(0) ? len - CMSG_LEN(0) : 0;
    struct in6_pktinfo six;
    struct in_pktinfo four;

    if (is_route(c))
        return DETOUR_ROUTE;
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO && size >= sizeof four) {
        memcpy(&four, CMSG_DATA(c), sizeof four);
        return of_device((uint32_t)four.ipi_ifindex);
    }
    if (c->cmsg_level == IPPROTO_IPV6 && (c->cmsg_type == IPV6_PKTINFO || c->cmsg_type == IPV6_2292PKTINFO) &&
        size >= sizeof six) {
        memcpy(&six, CMSG_DATA(c), sizeof six);
        return of_device(six.ipi6_ifindex);
    }
    return DETOUR_NONE;
}

unsigned detour_control(const struct msghdr *m)
{
    unsigned found = DETOUR_NONE;
    struct cmsghdr *c = NULL;
    size_t len = 0;

    while ((c = message_control(m, c, &len)))
        found |= of_message(c, len);
    return found;
}

/* 0 where the kernel does not know the option, or the socket has none. */
static uint32_t number(int fd, int level, int option)
{
    uint32_t value = 0;
    socklen_t len = sizeof value;

    return real.getsockopt(fd, level, option, &value, &len) == 0 ? value : 0;
}

/* By number, or by name before Linux 5.1. */
static bool is_bound(int fd)
{
    char name[NAME_SIZE] = "";
    uint32_t index = 0;
    socklen_t len = sizeof index, name_len = sizeof name;

    if (real.getsockopt(fd, SOL_SOCKET, OPTION_TO_IFINDEX, &index, &len) == 0)
        return of_device(index);
    return real.getsockopt(fd, SOL_SOCKET, OPTION_TO_DEVICE, name, &name_len) == 0 && of_name(name, name_len);
}

bool detour_has_device(int fd, bool stream)
{
    int saved_errno = errno;
    bool has = is_bound(fd) || number(fd, IPPROTO_IP, OPTION_TRANSPARENT) ||
               number(fd, IPPROTO_IPV6, OPTION_V6_TRANSPARENT);

    if (!has && !stream)
        has = of_device(ntohl(number(fd, IPPROTO_IP, OPTION_UNICAST_IF))) ||
              of_device(ntohl(number(fd, IPPROTO_IPV6, OPTION_V6_UNICAST_IF)));

    errno = saved_errno;
    return has;
}

/* True if the socket has an option of any length. */
static bool has_bytes(int fd, int level, int option)
{
    unsigned char value[256];
    socklen_t len = sizeof value;

    return real.getsockopt(fd, level, option, value, &len) == 0 && len > 0;
}

bool detour_has_route(int fd)
{
    int saved_errno = errno;
    bool has = has_bytes(fd, IPPROTO_IP, IP_OPTIONS) || has_bytes(fd, IPPROTO_IPV6, IPV6_RTHDR) ||
               number(fd, IPPROTO_IP, IP_HDRINCL) || number(fd, IPPROTO_IPV6, OPTION_V6_HDRINCL);

    errno = saved_errno;
    return has;
}
