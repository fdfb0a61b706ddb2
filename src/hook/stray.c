/* SPDX-License-Identifier: ISC */
/* stray.c - packets that would go elsewhere than their address says are refused */
#include "stray.h"

#include "../io/detour.h"
#include "../io/kind.h"
#include "../io/log.h"

static int refuse_route(void)
{
    log_once(LOG_KIND, "IP_HDRINCL or a source route refused: the destination of such packets cannot be seen");
    return -EACCES;
}

static int refuse_device(void)
{
    log_once(LOG_KIND,
             "a socket with a network device, or IP_TRANSPARENT, refused: packets to this machine could leave it");
    return -EACCES;
}

int stray_unknown(int fd)
{
    if (HOOK_LIKELY(fdtab_get(&process.fdtab, fd) & FDTAB_KIND))
        return 0;
    if (detour_has_route(fd))
        return refuse_route();
    if (detour_has_device(fd, false))
        process_gate(GATE_DEVICE);
    return 0;
}

int stray_socket(int fd, const struct addr *to, bool stream)
{
    int error = stray_unknown(fd);

    if (error)
        return error;
    if (HOOK_LIKELY(hook_idle(GATE_DEVICE)) || !addr_is_loopback(to))
        return 0;
    return detour_has_device(fd, stream) ? refuse_device() : 0;
}

/* The peer that the kernel has, on this machine.  The proxy may be one. */
static bool peer_is_near(int fd)
{
    int saved_errno = errno;
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    struct addr peer;
    bool near = real.getpeername(fd, (struct sockaddr *)&sa, &len) == 0 &&
                addr_from_sockaddr((struct sockaddr *)&sa, len, &peer) == 0 && addr_is_loopback(&peer);

    errno = saved_errno;
    return near;
}

/* True if a detour of one of these bits is one on this socket. */
static bool concerns(int fd, unsigned found)
{
    int saved_errno = errno, kind = kind_ask(fd, NULL);

    errno = saved_errno;
    return kind == KIND_OTHER || (found & DETOUR_ROUTE && (kind == KIND_STREAM || kind == KIND_DATAGRAM));
}

int stray_message(int fd, const struct msghdr *m, const struct addr *to)
{
    unsigned found = detour_control(m);

    if (HOOK_LIKELY(found == DETOUR_NONE))
        return 0;
    if (found & DETOUR_ROUTE && concerns(fd, found))
        return refuse_route();
    return found & DETOUR_DEVICE && (to ? addr_is_loopback(to) : peer_is_near(fd)) ? refuse_device() : 0;
}

static int refuse_group(const struct addr *group)
{
    char text[ADDR_TEXT_SIZE];
    const char *why;

    if (process.conf.state == CONF_READY && rules_judge(&process.conf.rules, group, &why) == RULES_DIRECT)
        return 0;
    addr_format(group, text, sizeof text);
    log_once(LOG_KIND, "joining the multicast group of %s refused: the network would be told", text);
    return -EACCES;
}

int stray_option(int fd, int level, int option, const void *value, socklen_t len)
{
    enum detour found = detour_option(level, option, value, len);
    struct addr group;

    if (detour_joins(level, option, value, len, &group))
        return refuse_group(&group);

    if (HOOK_LIKELY(found == DETOUR_NONE))
        return 0;
    if (found != DETOUR_DEVICE)
        return concerns(fd, found) ? refuse_route() : 0;
    if (peer_is_near(fd))
        return refuse_device();
    process_gate(GATE_DEVICE);
    return 0;
}
