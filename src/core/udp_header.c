/* SPDX-License-Identifier: ISC */
/* udp_header.c - the header of a relayed datagram (RFC 1928 section 7) */
#include "udp_header.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "addr.h"
#include "bytes.h"

enum { FRAG_AT = 2, ADDR_AT = 3 };      /* RSV is the two octets before FRAG */

size_t udp_header_put(const struct addr *destination, uint8_t *out)
{
    memset(out, 0, ADDR_AT);
    return ADDR_AT + addr_put(destination, out + ADDR_AT);
}

int udp_header_get(const uint8_t *in, size_t len, struct addr *source)
{
    int used;

    if (len < ADDR_AT)
        return -EAGAIN;
    if (bytes_get16(in) != 0)
        return -EPROTO;
    if (in[FRAG_AT] != 0)
        return -EOPNOTSUPP;
    used = addr_get(in + ADDR_AT, len - ADDR_AT, source);
    return used < 0 ? used : ADDR_AT + used;
}
