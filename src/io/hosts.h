/* SPDX-License-Identifier: ISC */
/* hosts.h - looks into /etc/hosts, as hosts(5) lays it out
 *
 * libc's own reader would ask DNS for what it does not find.  The file is read anew each time, in pieces on the stack
 * (hosts_known.h tells when it need not be); nothing is allocated and no descriptor stays open.  A line may have any
 * length.
 * No function here changes errno, takes a lock or is a cancellation point; all are async-signal-safe.
 */
#ifndef SOCKSIFY_IO_HOSTS_H
#define SOCKSIFY_IO_HOSTS_H

#include <stddef.h>

#include "../core/addr.h"

#define HOSTS_PATH "/etc/hosts"

enum { HOSTS_NAMES_SIZE = 1024 };

struct hosts_line {
    struct addr address;                /* port 0; ADDR_NONE: no such line */
    size_t count;                       /* names, at least 1 */
    char names[HOSTS_NAMES_SIZE];       /* each with its NUL, the canonical one first; none longer than ADDR_NAME_MAX,
                                           and those beyond the room left out */
};

/* Find the first line of each family that bears a name, upper and lower case alike.
 * path: HOSTS_PATH but in tests.  name: NUL-terminated, not empty.  Both outputs are always set; a file that cannot be
 * read is an empty one. */
void hosts_find_name(const char *path, const char *name, struct hosts_line *ipv4, struct hosts_line *ipv6);

/* Find the first line of an address.  path: as above.  a: its port and scope do not count.  out is always set. */
void hosts_find_address(const char *path, const struct addr *a, struct hosts_line *out);

/* Go through all names, also of lines whose address nobody could read.
 * path: as above.  visit: is called with context for each; name: len bytes, no NUL.  Returns the bytes that were
 * read, 0 of a file that cannot be read. */
size_t hosts_visit(const char *path, void (*visit)(void *context, const char *name, size_t len), void *context);

/* The i-th name of a line; 0: the canonical one.  i: less than line->count.  Owned by line. */
const char *hosts_name(const struct hosts_line *line, size_t i);

#endif
