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
