/* SPDX-License-Identifier: ISC */
/* reply.c - the meaning of the REP octet (RFC 1928 section 6) */
#include "reply.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

static const struct {
    int error;
    const char *text;
} replies[] = {
    { 0, "succeeded" },
    { -ECONNREFUSED, "general socks server failure" },
    { -EACCES, "connection not allowed by ruleset" },
    { -ENETUNREACH, "network unreachable" },
    { -EHOSTUNREACH, "host unreachable" },
    { -ECONNREFUSED, "connection refused" },
    { -ETIMEDOUT, "ttl expired" },     /* what servers send when their own connect() timed out */
    { -EOPNOTSUPP, "command not supported" },
    { -EAFNOSUPPORT, "address type not supported" }
};

enum { REPLY_COUNT = sizeof(replies) / sizeof(replies[0]) };

int reply_errno(uint8_t rep)
{
    return rep < REPLY_COUNT ? replies[rep].error : -ECONNREFUSED;
}

const char *reply_text(uint8_t rep)
{
    return rep < REPLY_COUNT ? replies[rep].text : "unassigned reply code";
}
