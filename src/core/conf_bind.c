/* SPDX-License-Identifier: ISC */
/* conf_bind.c - the keywords whose value is on, off or auto, and the ports that belong to one of them */
#include <errno.h>
#include <string.h>

#include "conf_keyword.h"
#include "text.h"

static int fail(struct conf_reader *r, const char *fault)
{
    r->fault = fault;
    return -EINVAL;
}

/* The place of a value in a list of three, or -EINVAL. */
static int one_of(struct conf_reader *r, const char *value, const char *const words[3])
{
    for (int i = 0; i < 3; i++)
        if (strcmp(value, words[i]) == 0)
            return i;
    return fail(r, "none of auto, on and off");
}

int conf_parse_bind(struct conf_reader *r, const char *value)
{
    static const char *const words[] = { [CONF_BIND_AUTO] = "auto", [CONF_BIND_ON] = "on", [CONF_BIND_OFF] = "off" };
    int which = one_of(r, value, words);

    if (which < 0)
        return which;
    r->c->bind = (enum conf_bind)which;
    return 0;
}

int conf_parse_pipeline(struct conf_reader *r, const char *value)
{
    static const char *const words[] = { [CONF_PIPELINE_OFF] = "off", [CONF_PIPELINE_ON] = "on",
                                         [CONF_PIPELINE_AUTO] = "auto" };
    int which = one_of(r, value, words);

    if (which < 0)
        return which;
    r->c->pipeline = (enum conf_pipeline)which;
    return 0;
}

/* A port, or two with a hyphen between them. */
static int parse_range(const char *text, size_t len, uint32_t *low, uint32_t *high)
{
    const char *hyphen = memchr(text, '-', len);
    size_t first = hyphen ? (size_t)(hyphen - text) : len;

    if (text_decimal(text, first, UINT16_MAX, low) < 0)
        return -EINVAL;
    *high = *low;
    if (hyphen && text_decimal(hyphen + 1, len - first - 1, UINT16_MAX, high) < 0)
        return -EINVAL;
    return *low > 0 && *low <= *high ? 0 : -EINVAL;
}

int conf_parse_bind_ports(struct conf_reader *r, const char *value)
{
    static const char separators[] = ", \t";
    struct conf *c = r->c;
    size_t len;

    c->bind_ports = 0;
    for (value += strspn(value, separators); *value; value += len + strspn(value + len, separators)) {
        uint32_t low, high;

        len = strcspn(value, separators);
        r->item = memchr(value, '@', len) ? NULL : value;
        r->item_len = len;
        if (parse_range(value, len, &low, &high) < 0)
            return fail(r, "no port from 1 to 65535 and no range of them");
        if (c->bind_ports == CONF_BIND_PORTS)
            return fail(r, "more than 16 ports and ranges");
        c->bind_port[c->bind_ports].low = (uint16_t)low;
        c->bind_port[c->bind_ports++].high = (uint16_t)high;
    }
    return 0;
}
