/* SPDX-License-Identifier: ISC */
/* datagram_adopt.c - datagram sockets that another process has made ours to use, with their peers and relays */
#include "../core/frame.h"
#include "../io/fdinfo.h"
#include "datagram.h"

enum { INHERITED = 256 };    /* descriptors that are looked at when a program starts */

OWN_FRAME static void adopt_peer(int fd, struct assoc *a, int domain, const struct addr *shown)
{
    struct sockaddr_storage sa;
    struct datagram_to to;
    socklen_t len;

    if (addr_to_sockaddr(shown, domain, &sa, &len) == 0 &&
        datagram_judge(fd, KIND_DATAGRAM, (struct sockaddr *)&sa, len, &to) == DATAGRAM_PROXIED)
        assoc_peer(&process.assoc, a, &to.target, &to.shown, to.proxy);
}

OWN_FRAME static void adopt(int fd)
{
    uint64_t cookie = real_cookie(fd);
    bool has_peer, has_relay;
    struct addr peer, relay;
    struct assoc_facts f;
    struct assoc *a;
    int domain;

    has_peer = cookie && state_peer_get(&process.state, cookie, &peer);
    has_relay = cookie && state_relay_get(&process.state, cookie, &relay);
    if ((!has_peer && !has_relay) || kind_ask(fd, &domain) != KIND_DATAGRAM || datagram_attach(fd, &a) != 0)
        return;
    if (has_relay)
        assoc_adopt(&process.assoc, a, &relay);
    if (has_peer && assoc_facts(a, false, &f) && !f.peer.len)
        adopt_peer(fd, a, domain, &peer);
}

void datagram_adopt(int fd)
{
    int saved_errno = errno;

    if (process.conf.state == CONF_READY && state_has_datagrams(&process.state) && !process_is_guest())
        adopt(fd);
    errno = saved_errno;
}

OWN_FRAME static bool has_peer(int fd)
{
    struct assoc *a = datagram_of(fd);
    struct assoc_facts f;

    return a && assoc_facts(a, false, &f) && f.peer.len;
}

bool datagram_found(int fd)
{
    if ((fdtab_get(&process.fdtab, fd) & FDTAB_KIND) != KIND_DATAGRAM)
        return false;
    datagram_adopt(fd);
    return has_peer(fd);
}

bool datagram_has_header(int fd)
{
    if (hook_idle(GATE_DATAGRAM) || (fdtab_get(&process.fdtab, fd) & FDTAB_KIND) != KIND_DATAGRAM)
        return false;
    if (!datagram_handle(fd))
        datagram_adopt(fd);
    return datagram_handle(fd) != 0;
}

ssize_t datagram_sent(int fd, const struct msghdr *m, int flags, int entry_errno, ssize_t result)
{
    if (!datagram_lacks_peer(result) || !datagram_found(fd))
        return result;
    return hook_return(entry_errno, datagram_send(fd, m, flags, NULL, &result) ? result : -EDESTADDRREQ);
}

void datagram_adopt_inherited(void)
{
    int open[INHERITED], count;

    if (!state_had_datagrams(&process.state))
        return;
    count = fdinfo_list(open, INHERITED);
    /* Without /proc every number might be one. */
    for (int i = 0; i < (count < 0 ? INHERITED : count); i++)
        adopt(count < 0 ? i : open[i]);
}
