/* SPDX-License-Identifier: ISC */
/* message.c - the headers of messages, in the form that glibc and the kernel have */
#include "message.h"

#include <stdint.h>

/* In glibc alone. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

void message_trim(struct msghdr *m)
{
    if (gnu_get_libc_version)
        return;
    m->msg_iovlen = (uint32_t)m->msg_iovlen;
    m->msg_controllen = (uint32_t)m->msg_controllen;
}

struct cmsghdr *message_control(const struct msghdr *m, const struct cmsghdr *last, size_t *len)
{
    size_t size = m->msg_control ? m->msg_controllen : 0, at = 0, own;
    char *begin = m->msg_control;
    struct cmsghdr *c;

    if (last)
        at = (size_t)((const char *)last - begin) + CMSG_ALIGN(*len);
    if (at > size || size - at < sizeof *c)
        return NULL;
    c = (struct cmsghdr *)(void *)(begin + at);
    own = gnu_get_libc_version ? c->cmsg_len : (uint32_t)c->cmsg_len;
    if (own < sizeof *c || own > size - at)
        return NULL;
    *len = own;
    return c;
}
