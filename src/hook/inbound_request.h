/* SPDX-License-Identifier: ISC */
/* inbound_request.h - what a request for connections takes; between inbound.c and inbound_accept.c */
#ifndef SOCKSIFY_HOOK_INBOUND_REQUEST_H
#define SOCKSIFY_HOOK_INBOUND_REQUEST_H

#include "../io/binding.h"
#include "hook.h"

struct inbound_request {
    struct binding_request q;
    struct socks5_options options;
};

/* Fill it in for a socket.  r: in a frame that lives as long as it is used. */
static inline void inbound_request(int fd, struct inbound_request *r)
{
    const struct conf *c = &process.conf;

    r->options = (struct socks5_options){ .user = c->user[0] ? c->user : NULL, .password = c->password };
    /* The first reply needs nobody else: it is a step like the others. */
    r->q = (struct binding_request){ .fd = fd, .numbers = &process.fdtab, .options = &r->options,
                                     .limits = { .step_ms = c->step_ms, .reply_ms = c->step_ms } };
}

#endif
