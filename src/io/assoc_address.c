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
