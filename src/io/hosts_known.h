/* SPDX-License-Identifier: ISC */
/* hosts_known.h - which names /etc/hosts does not have, as long as it stays the file that it was
 *
 * Most names are not in it, and to read it for each of them is most of what such a name costs.  What is kept is a
 * sieve: two bits of a name's hash for each name in the file, so that a name with a bit missing is not there, and any
 * other is looked for in the file itself.  It counts while the kernel says that the path has the same file, unchanged;
 * that is asked each time, without opening it.
 *
 * No descriptor, allocation or lock; errno is kept, nothing here is a cancellation point.  Async-signal-safe, for any
 * number of threads, and in the child of a fork: who finds another at work, or what one left behind, reads the file.
 */
#ifndef SOCKSIFY_IO_HOSTS_KNOWN_H
#define SOCKSIFY_IO_HOSTS_KNOWN_H

#include <stdatomic.h>
#include <stdint.h>

#include "hosts.h"

enum { HOSTS_KNOWN_STAMP = 14, HOSTS_KNOWN_WORDS = 256 };

struct hosts_known {                                  /* zero-filled: nothing is known */
    atomic_uint version;                              /* 0: nothing yet; odd while it is written */
    _Atomic uint32_t stamp[HOSTS_KNOWN_STAMP];        /* of the file: which it is, its size, and when it was changed */
    _Atomic uint32_t bit[HOSTS_KNOWN_WORDS];
};

/* As hosts_find_name().  k: of this process; what is found out of the file is kept in it. */
void hosts_known_find(struct hosts_known *k, const char *path, const char *name, struct hosts_line *ipv4,
                      struct hosts_line *ipv6);

#endif
