/* SPDX-License-Identifier: ISC */
/* inbound_request.h - what a request for connections takes; between inbound.c and inbound_accept.c */
#ifndef SOCKSIFY_HOOK_INBOUND_REQUEST_H
#define SOCKSIFY_HOOK_INBOUND_REQUEST_H

#include "../io/binding.h"
#include "hook.h"

/* Fill it in for a socket. */
static inline void inbound_request(int fd, struct binding_request *q)
{
    const struct conf *c = &process.conf;

    /* The first reply needs nobody else: it is a step like the others. */
    *q = (struct binding_request){ .fd = fd, .numbers = &process.fdtab, .proxies = c->proxies,
                                   .pipeline = c->pipeline,
                                   .limits = { .step_ms = c->step_ms, .reply_ms = c->step_ms } };
}

#endif
