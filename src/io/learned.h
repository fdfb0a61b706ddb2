/* SPDX-License-Identifier: ISC */
/* learned.h - real addresses that names were resolved to, those of /etc/hosts and those that a rule makes direct
 *
 * Rules on names must hold for the connection too, and that one has only the address.  The table belongs to one process
 * and, as a copy, to its forked children.  Of two names with one address the later counts, and any entry may be
 * overwritten by a later one: what is lost goes by the rules for the address.  Readers and writers take no lock; all
 * functions are async-signal-safe and fork-safe.
 */
#ifndef SOCKSIFY_IO_LEARNED_H
#define SOCKSIFY_IO_LEARNED_H

#include <netdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/addr.h"

enum { LEARNED_SIZE = 512 };

struct learned_entry {
    atomic_uint version;           /* odd while it is written */
    uint8_t kind;                  /* enum addr_kind; 0: empty */
    uint8_t ip[16];
    char name[ADDR_NAME_SIZE];
};

struct learned {                   /* zero-filled: empty */
    atomic_bool used;
    struct learned_entry entry[LEARNED_SIZE];
};

/* Remember that name was resolved to this address.  name: NUL-terminated, at most ADDR_NAME_MAX bytes, else ignored;
 * address: IPv4 or IPv6, else ignored. */
void learned_add(struct learned *l, const char *name, const struct addr *address);

/* learned_add() for every address of a list.  list: as getaddrinfo() made it; may be NULL. */
void learned_add_list(struct learned *l, const char *name, const struct addrinfo *list);

/* learned_add() for every address of a host entry.  host: may be NULL. */
void learned_add_host(struct learned *l, const char *name, const struct hostent *host);

/* learned_add() for every address of a DNS answer.  message: len bytes, or the beginning of it. */
void learned_add_message(struct learned *l, const uint8_t *message, size_t len);

/* The name that an address was learned for, with the address' port.  Returns false when there is none (out
 * untouched). */
bool learned_find(const struct learned *l, const struct addr *address, struct addr *out);

#endif
