/* SPDX-License-Identifier: ISC */
/* resolvers.c - the name servers of this system */
#include "resolvers.h"

#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "real.h"

enum { FILE_MAX = 8192, PORT_DOMAIN = 53 };

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

void resolvers_read(struct resolvers *r, const char *path)
{
    char text[FILE_MAX + 1];
    int fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0), count = 0;
    ssize_t n = fd < 0 ? -1 : real.read(fd, text, FILE_MAX);

    if (fd >= 0)
        real_close(fd);
    text[n < 0 ? 0 : n] = '\0';
    for (const char *line = text; line && count < RESOLVERS_MAX; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (read_line(line, &r->server[count]))
            count++;
    }
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
