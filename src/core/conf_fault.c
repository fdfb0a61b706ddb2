/* SPDX-License-Identifier: ISC */
/* conf_fault.c - the one line about a fault in the configuration */
#include "conf_fault.h"

#include <errno.h>
#include <string.h>

enum { ITEM_SHOWN_MAX = 64, FILE_SHOWN_MAX = 200, TELL_SIZE = 40 };

static size_t add_text(char *buf, size_t used, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len && used < CONF_MESSAGE_SIZE - 1; i++)
        buf[used++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    buf[used] = '\0';
    return used;
}

static size_t add_string(char *buf, size_t used, const char *text)
{
    return add_text(buf, used, text, strlen(text));
}

static size_t add_number(char *buf, size_t used, unsigned value)
{
    char digits[12];
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    return add_text(buf, used, digits + n, sizeof digits - n);
}

/* `FILE` or `FILE:LINE`; of a long path the end. */
static size_t add_file(char *buf, size_t used, const char *file, unsigned line)
{
    size_t len = strlen(file);

    used = add_string(buf, used, len > FILE_SHOWN_MAX ? file + len - FILE_SHOWN_MAX : file);
    if (!line)
        return used;
    used = add_string(buf, used, ":");
    return add_number(buf, used, line);
}

/* The launcher makes variables of its options, and most people know those alone. */
static const char *option_of_list(const char *variable)
{
    if (strcmp(variable, "SOCKSIFY_BLOCK") == 0)
        return "-b or ";
    return strcmp(variable, "SOCKSIFY_DIRECT") == 0 ? "-d or " : "";
}

void conf_tell_rule(const struct conf_reader *r, const struct conf_place *place, char *buf)
{
    if (place->line) {
        add_file(buf, add_string(buf, 0, "rule at "), r->source->file, place->line);
        return;
    }
    add_string(buf, add_string(buf, add_string(buf, 0, "rule of "), option_of_list(place->name)), place->name);
}

size_t conf_tell_size(const char *file, const char *text)
{
    size_t lines = 1;

    for (; text && *text; text++)
        lines += *text == '\n';
    return lines * (TELL_SIZE + (file ? strnlen(file, FILE_SHOWN_MAX) : 0));
}

const char *conf_item_fault(int error)
{
    switch (error) {
    case -ENOSPC:
        return "no room for item";
    case -ERANGE:
        return "the port is none, and no range of them, in item";
    case -EDOM:
        return "the prefix length does not fit the address in item";
    default:
        return "neither address, network, name nor * in item";
    }
}

void conf_fault(struct conf_reader *r, const struct conf_place *place)
{
    char *buf = r->c->message;
    size_t used = 0;

    if (buf[0])
        return;
    if (place->line)
        used = add_string(buf, add_file(buf, 0, r->source->file, place->line), ": ");
    if (place->name[0]) {
        used = add_string(buf, used, place->name);
        used = add_string(buf, used, ": ");
    }
    used = add_string(buf, used, r->fault);
    if (!r->item)
        return;
    used = add_string(buf, used, " \"");
    used = add_text(buf, used, r->item, r->item_len < ITEM_SHOWN_MAX ? r->item_len : ITEM_SHOWN_MAX);
    add_string(buf, used, "\"");
}

void conf_fault_whole(struct conf_reader *r, const char *file)
{
    char *buf = r->c->message;

    if (!buf[0])
        add_string(buf, file ? add_string(buf, add_file(buf, 0, file, 0), ": ") : 0, r->fault);
}
