/* SPDX-License-Identifier: ISC */
/* text.c - small readers that rules and configuration share */
#include "text.h"

#include <errno.h>
#include <string.h>

int text_decimal(const char *text, size_t len, uint32_t max, uint32_t *value)
{
    uint64_t n = 0;
    size_t i;

    if (len == 0)
        return -EINVAL;
    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        n = n * 10 + (uint64_t)(text[i] - '0');
        if (n > max)
            return -EINVAL;
    }
    *value = (uint32_t)n;
    return 0;
}

int text_name(const char *text, size_t len, struct addr *out)
{
    struct addr a;
    const char *dot, *label;

    if (addr_from_name(text, len, &a) < 0)
        return -EINVAL;
    dot = strrchr(a.name, '.');
    label = dot ? dot + 1 : a.name;
    if (label[strspn(label, "0123456789")] == '\0')
        return -EINVAL;
    *out = a;
    return 0;
}

size_t text_shown(const char *text)
{
    /* The lowest character that needs so many bytes, and for two the lowest that is no control character. */
    static const uint32_t least[] = { 0x20, 0xa0, 0x800, 0x10000 };
    uint8_t first = (uint8_t)text[0];
    size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    uint32_t c = first < 0x80 ? first : first & (0x7fu >> len);

    if ((first >= 0x80 && first < 0xc0) || first > 0xf7)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | ((uint8_t)text[i] & 0x3f);
    }
    if (c < least[len - 1] || c == 0x7f || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    return len;
}
