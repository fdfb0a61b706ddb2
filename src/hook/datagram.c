/* SPDX-License-Identifier: ISC */
/* datagram.c - where datagrams may go, for every call that names an address */
#include "datagram.h"

#include "../io/log.h"
#include "hook.h"
#include "stream.h"

int datagram_judge(enum kind kind, const struct sockaddr *sa, socklen_t len)
{
    char text[ADDR_TEXT_SIZE];
    struct route r;

    route_judge(&process.conf, &process.state, process_proxies(), sa, len, false, &r);
    switch (r.way) {
    case ROUTE_REFUSED:
        return stream_refused(&r);
    case ROUTE_PROXY:
        addr_format(&r.target, text, sizeof text);
        if (kind == KIND_DATAGRAM)
            log_once(LOG_UDP, "datagram to %s refused: UDP is not carried yet, only direct destinations", text);
        else
            log_once(LOG_KIND, "%s refused: SOCKS carries TCP and UDP, not this kind of socket", text);
        return -EACCES;
    default:
        return DATAGRAM_NOT_OURS;
    }
}
