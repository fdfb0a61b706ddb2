/* SPDX-License-Identifier: ISC */
/* resolvers.c - the name servers of this system */
#include "resolvers.h"

#include <string.h>

#include "textfile.h"

enum { LINE_MAX_USED = 256, PORT_DOMAIN = 53 };

/* The address of a line `nameserver ADDRESS`. */
static bool read_line(const char *line, struct addr *out)
{
    static const char word[] = "nameserver";
    size_t skip = sizeof word - 1;

    if (strncmp(line, word, skip) != 0 || (line[skip] != ' ' && line[skip] != '\t'))
        return false;
    skip += strspn(line + skip, " \t");
    if (addr_from_text(line + skip, strcspn(line + skip, " \t\r\n%#;"), out) != 0)
        return false;
    out->scope = 0;
    return true;
}

/* What fits of the next line, NUL-terminated.  Returns false at the end of the file. */
static bool next_line(struct textfile *f, char line[LINE_MAX_USED])
{
    size_t len = 0;
    int c;

    while ((c = textfile_byte(f)) >= 0 && c != '\n') {
        if (len < LINE_MAX_USED - 1)
            line[len++] = (char)c;
    }
    line[len] = '\0';
    return c >= 0 || len > 0;
}

void resolvers_read(struct resolvers *r, const char *path)
{
    char line[LINE_MAX_USED];
    struct textfile f;
    int count = 0;

    textfile_open(&f, path);
    while (count < RESOLVERS_MAX && next_line(&f, line)) {
        if (read_line(line, &r->server[count]))
            count++;
    }
    textfile_close(&f);
    if (count < RESOLVERS_MAX)
        r->server[count].kind = ADDR_NONE;
}

bool resolvers_has(const struct resolvers *r, const struct addr *a)
{
    if (a->port != PORT_DOMAIN)
        return false;
    for (int i = 0; i < RESOLVERS_MAX && r->server[i].kind != ADDR_NONE; i++) {
        struct addr server = r->server[i];

        server.scope = a->scope;
        if (addr_same_host(&server, a))
            return true;
    }
    return addr_is_loopback(a);
}
