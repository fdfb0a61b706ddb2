/* SPDX-License-Identifier: ISC */
/* hosts.c - looks into /etc/hosts */
#include "hosts.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "textfile.h"

enum end { END_FIELD, END_LINE, END_FILE };

/* ADDR_NAME_SIZE bytes: longer than any name. */
struct field {
    char text[ADDR_NAME_SIZE];
    size_t len;
};

/* By name, when there is one, else by address, into ipv4. */
struct search {
    const char *name;
    const struct addr *address;
    struct hosts_line *ipv4, *ipv6;
};

static bool is_blank(int c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* The next field, empty if the line has no more; returns what ended it. */
static enum end read_field(struct textfile *f, struct field *out)
{
    bool comment = false;
    int c;

    out->len = 0;
    while ((c = textfile_byte(f)) >= 0 && c != '\n') {
        comment = comment || c == '#' || c == '\0';
        if (!comment && is_blank(c) && out->len > 0)
            return END_FIELD;
        if (!comment && !is_blank(c) && out->len < sizeof out->text)
            out->text[out->len++] = (char)c;
    }
    return c < 0 ? END_FILE : END_LINE;
}

/* Where a line with this address would be kept; NULL when it is not wanted. */
static struct hosts_line *place_for(const struct search *s, const struct field *field, struct addr *address)
{
    struct hosts_line *line;

    if (memchr(field->text, '%', field->len) || addr_from_text(field->text, field->len, address) < 0)
        return NULL;
    if (!s->name)
        return addr_same_host(s->address, address) ? s->ipv4 : NULL;
    line = address->kind == ADDR_IPV4 ? s->ipv4 : s->ipv6;
    return line->address.kind == ADDR_NONE ? line : NULL;
}

static bool is_name(const struct field *field, const char *name)
{
    return strlen(name) == field->len && strncasecmp(field->text, name, field->len) == 0;
}

/* used: bytes of line->names so far. */
static size_t keep(struct hosts_line *line, size_t used, const struct field *name)
{
    if (name->len == 0 || name->len > ADDR_NAME_MAX || name->len >= HOSTS_NAMES_SIZE - used)
        return used;
    memcpy(line->names + used, name->text, name->len);
    line->names[used + name->len] = '\0';
    line->count++;
    return used + name->len + 1;
}

/* Names are kept as they are read, and the address only when the line turns out to be the one. */
static enum end read_line(struct textfile *f, const struct search *s)
{
    struct field field;
    enum end end = read_field(f, &field);
    struct hosts_line *line;
    struct addr address;
    bool found = !s->name;
    size_t used = 0;

    line = field.len > 0 ? place_for(s, &field, &address) : NULL;
    if (line)
        line->count = 0;
    while (end == END_FIELD) {
        end = read_field(f, &field);
        if (!line)
            continue;
        found = found || is_name(&field, s->name);
        used = keep(line, used, &field);
    }
    if (line && found && line->count > 0)
        line->address = address;
    return end;
}

static void search(const char *path, const struct search *s)
{
    struct textfile f;

    s->ipv4->address.kind = ADDR_NONE;
    s->ipv6->address.kind = ADDR_NONE;
    textfile_open(&f, path);
    while (read_line(&f, s) != END_FILE) {
        if (s->ipv4->address.kind != ADDR_NONE && (!s->name || s->ipv6->address.kind != ADDR_NONE))
            break;
    }
    textfile_close(&f);
}

size_t hosts_visit(const char *path, void (*visit)(void *context, const char *name, size_t len), void *context)
{
    struct textfile f;
    struct field field;
    enum end end = END_LINE;

    textfile_open(&f, path);
    while (end != END_FILE) {
        for (end = read_field(&f, &field); end == END_FIELD; ) {
            end = read_field(&f, &field);
            if (field.len > 0)
                visit(context, field.text, field.len);
        }
    }
    textfile_close(&f);
    return f.total;
}

void hosts_find_name(const char *path, const char *name, struct hosts_line *ipv4, struct hosts_line *ipv6)
{
    search(path, &(struct search){ .name = name, .ipv4 = ipv4, .ipv6 = ipv6 });
}

void hosts_find_address(const char *path, const struct addr *a, struct hosts_line *out)
{
    struct addr plain = *a;

    plain.scope = 0;
    search(path, &(struct search){ .address = &plain, .ipv4 = out, .ipv6 = out });
}

const char *hosts_name(const struct hosts_line *line, size_t i)
{
    const char *p = line->names;

    while (i-- > 0)
        p += strlen(p) + 1;
    return p;
}
