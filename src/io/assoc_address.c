/* SPDX-License-Identifier: ISC */
/* assoc_address.c - addresses in the form of a program's socket */
#include <string.h>

#include "assoc.h"

bool assoc_address_set(struct assoc_address *out, int domain, const struct addr *a)
{
    struct sockaddr_storage sa;
    socklen_t len;

    if (addr_to_sockaddr(a, domain, &sa, &len) != 0)
        return false;
    memset(out, 0, sizeof *out);
    memcpy(&out->sa, &sa, len);
    out->len = len;
    return true;
}

bool assoc_address_equal(const struct assoc_address *a, const struct sockaddr *sa, uint32_t len)
{
    const char *p = (const char *)&a->sa, *q = (const char *)sa;

    if (a->len == 0 || a->len != len || memcmp(p, q, offsetof(struct sockaddr_in, sin_addr)) != 0)
        return false;
    if (a->len == sizeof(struct sockaddr_in))
        return memcmp(p + 4, q + 4, 4) == 0;
    return memcmp(&a->sa.sin6_addr, q + offsetof(struct sockaddr_in6, sin6_addr), 16) == 0;
}
