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
