/* SPDX-License-Identifier: ISC */
/* hosts.c - looks into /etc/hosts */
#include "hosts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "real.h"

enum {
    LINE = 4096,
    PIECE = 4096,
    BYTES_MAX = 64 << 20        /* a file without an end must not hang the program */
};

static const char blanks[] = " \t\r\v\f";

/* Called for each line with an address.  names: what follows it.  Returns true to stop. */
typedef bool visit(void *context, const struct addr *address, const char *names);

static size_t next_field(const char **p, const char **field)
{
    size_t len;

    *field = *p + strspn(*p, blanks);
    len = strcspn(*field, blanks);
    *p = *field + len;
    return len;
}

static bool visit_line(char *line, visit *each, void *context)
{
    const char *p = line, *field;
    struct addr address;
    size_t len;

    line[strcspn(line, "#")] = '\0';
    len = next_field(&p, &field);
    if (len == 0 || memchr(field, '%', len) || addr_from_text(field, len, &address) < 0)
        return false;
    return each(context, &address, p);
}

static ssize_t read_piece(int fd, char *piece)
{
    ssize_t n;

    do
        n = real.read(fd, piece, PIECE);
    while (n < 0 && errno == EINTR);
    return n;
}

static void visit_lines(int fd, visit *each, void *context)
{
    char piece[PIECE], line[LINE];
    size_t len = 0, total = 0;
    ssize_t n;

    while ((n = read_piece(fd, piece)) > 0 && total < BYTES_MAX) {
        total += (size_t)n;
        for (ssize_t i = 0; i < n; i++) {
            if (piece[i] != '\n') {
                if (len < LINE - 1)
                    line[len++] = piece[i];
                continue;
            }
            line[len] = '\0';
            len = 0;
            if (visit_line(line, each, context))
                return;
        }
    }
    line[len] = '\0';
    visit_line(line, each, context);
}

/* A file that turned into a pipe must not stop the program either. */
static void visit_file(const char *path, visit *each, void *context)
{
    int saved_errno = errno;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd >= 0) {
        visit_lines(fd, each, context);
        real.close(fd);
    }
    errno = saved_errno;
}

static void keep(struct hosts_line *out, const struct addr *address, const char *names)
{
    const char *field;
    size_t used = 0, len;

    out->address = *address;
    out->count = 0;
    while ((len = next_field(&names, &field)) > 0) {
        if (len > ADDR_NAME_MAX || len >= HOSTS_NAMES_SIZE - used)
            continue;
        memcpy(out->names + used, field, len);
        used += len;
        out->names[used++] = '\0';
        out->count++;
    }
    if (out->count == 0)
        out->address.kind = ADDR_NONE;
}

struct search {
    const char *name;
    const struct addr *address;
    struct hosts_line *ipv4, *ipv6;
};

static bool bears(const char *names, const char *name)
{
    size_t name_len = strlen(name), len;
    const char *field;

    while ((len = next_field(&names, &field)) > 0) {
        if (len == name_len && strncasecmp(field, name, len) == 0)
            return true;
    }
    return false;
}

static bool match_name(void *context, const struct addr *address, const char *names)
{
    struct search *s = context;
    struct hosts_line *line = address->kind == ADDR_IPV4 ? s->ipv4 : s->ipv6;

    if (line->address.kind == ADDR_NONE && bears(names, s->name))
        keep(line, address, names);
    return s->ipv4->address.kind != ADDR_NONE && s->ipv6->address.kind != ADDR_NONE;
}

static bool match_address(void *context, const struct addr *address, const char *names)
{
    struct search *s = context;

    if (addr_same_host(s->address, address))
        keep(s->ipv4, address, names);
    return s->ipv4->address.kind != ADDR_NONE;
}

static void clear(struct hosts_line *line)
{
    line->address.kind = ADDR_NONE;
    line->count = 0;
}

void hosts_find_name(const char *path, const char *name, struct hosts_line *ipv4, struct hosts_line *ipv6)
{
    struct search s = { .name = name, .ipv4 = ipv4, .ipv6 = ipv6 };

    clear(ipv4);
    clear(ipv6);
    visit_file(path, match_name, &s);
}

void hosts_find_address(const char *path, const struct addr *a, struct hosts_line *out)
{
    struct addr plain = *a;
    struct search s = { .address = &plain, .ipv4 = out };

    plain.scope = 0;
    clear(out);
    visit_file(path, match_address, &s);
}

const char *hosts_name(const struct hosts_line *line, size_t i)
{
    const char *p = line->names;

    while (i-- > 0)
        p += strlen(p) + 1;
    return p;
}
