/* SPDX-License-Identifier: ISC */
/* dns_reverse.c - the addresses that names in in-addr.arpa and ip6.arpa ask about */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "dns.h"
#include "text.h"

static int hex_value(char c)
{
    c = text_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Labels stand in the opposite order of the address's bytes. */
static int reverse_ipv4(const char *name, size_t len, struct addr *out)
{
    struct addr a = { .kind = ADDR_IPV4 };

    for (int i = 3; i >= 0; i--) {
        const char *dot = memchr(name, '.', len);
        size_t n = i > 0 && dot ? (size_t)(dot - name) : len;
        uint32_t value;

        if (n > 3 || text_decimal(name, n, 255, &value) < 0 || (i > 0 && !dot))
            return -EINVAL;
        a.ip[i] = (uint8_t)value;
        name += n + (i > 0);
        len -= n + (i > 0);
    }
    *out = a;
    return 0;
}

static int reverse_ipv6(const char *name, size_t len, struct addr *out)
{
    uint8_t wire[1 + 16 + 2] = { ADDR_IPV6 };

    if (len != 63)
        return -EINVAL;
    for (size_t i = 0; i < 32; i++) {
        int value = hex_value(name[2 * i]);

        if (value < 0 || (i < 31 && name[2 * i + 1] != '.'))
            return -EINVAL;
        wire[1 + 15 - i / 2] |= (uint8_t)(i % 2 == 0 ? value : value << 4);
    }
    addr_get(wire, sizeof wire, out);       /* also makes IPv4 of the v4-mapped form */
    return 0;
}

static bool has_suffix(const char *name, size_t len, const char *suffix, size_t suffix_len)
{
    if (len <= suffix_len)
        return false;
    for (size_t i = 0; i < suffix_len; i++) {
        if (text_lower(name[len - suffix_len + i]) != suffix[i])
            return false;
    }
    return true;
}

int dns_reverse(const char *name, struct addr *out)
{
    static const char ipv4[] = ".in-addr.arpa", ipv6[] = ".ip6.arpa";
    size_t len = strlen(name);

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (has_suffix(name, len, ipv4, sizeof ipv4 - 1))
        return reverse_ipv4(name, len - (sizeof ipv4 - 1), out);
    if (has_suffix(name, len, ipv6, sizeof ipv6 - 1))
        return reverse_ipv6(name, len - (sizeof ipv6 - 1), out);
    return -EINVAL;
}
