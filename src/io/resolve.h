/* SPDX-License-Identifier: ISC */
/* resolve.h - what a name or an address is told to be, without asking anybody
 *
 * The decision behind every resolver call.  Nothing here sends a packet or allocates; errno is kept.  Thread-safe, and
 * async-signal-safe but for the lock that a new name in the map takes for a moment (state.h).
 */
#ifndef SOCKSIFY_IO_RESOLVE_H
#define SOCKSIFY_IO_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/addr.h"
#include "../core/conf.h"
#include "hosts.h"
#include "state.h"

enum resolve_kind {
    RESOLVE_NUMERIC,    /* an address as text, "*", or text with a colon, which no name has: libc needs no resolver */
    RESOLVE_FIXED,      /* known on this machine: /etc/hosts, localhost, the machine's own name */
    RESOLVE_MAPPED,     /* goes to the proxy as a name; the addresses are the map's */
    RESOLVE_DIRECT,     /* a rule says direct: the real resolver may be asked */
    RESOLVE_UNKNOWN,    /* cannot be a name, or stands nowhere */
    RESOLVE_BLOCKED,    /* by a rule: to the program as unknown */
    RESOLVE_FAILED      /* no valid configuration, or no room in the map: try again later */
};

/* Families of the addresses that are wanted; RESOLVE_EITHER: whatever there is, of the map IPv4 alone, or IPv6 when the
 * proxy has an IPv6 address. */
enum { RESOLVE_IPV4 = 1, RESOLVE_IPV6 = 2, RESOLVE_EITHER = 4 };

struct resolve_answer {
    enum resolve_kind kind;
    const char *why;                /* a constant phrase for the log */
    struct hosts_line ipv4, ipv6;   /* the address of each family and its names, the canonical one first; ADDR_NONE
                                       where there is none.  NUMERIC: the form that the text had, a v4-mapped one as
                                       an IPv4 address in ipv6; none when only libc can read it */
};

/* True if names are answered here; false when the program's real resolver is to be left alone (SOCKSIFY_DNS=local).
 * c: in any state. */
bool resolve_wanted(const struct conf *c);

/* Decide about a host name.
 * c: in any state; s: opened when c is CONF_READY.  node: NUL-terminated, any bytes.  port: host order, for rules with
 * ports; 0 when not known.  families: bits as above, or 0; the map gives addresses of these only.
 * c->dns is not looked at.  out is always set. */
void resolve_name(const struct conf *c, struct state *s, const char *node, uint16_t port, unsigned families,
                  struct resolve_answer *out);

/* Find the name of an address: RESOLVE_MAPPED or RESOLVE_FIXED with the names in out->ipv4, whatever the family; else
 * RESOLVE_UNKNOWN.  The rest as above. */
void resolve_address(const struct conf *c, struct state *s, const struct addr *a, struct resolve_answer *out);

/* Is it a name of this machine's own: localhost, one below it, or what gethostname() says?  name: NUL-terminated.  A
 * system call.  Async-signal-safe. */
bool resolve_is_own(const char *name);

/* Read an IPv4 address in any of the forms of inet_aton(3): one to four parts, each decimal, octal behind 0, or
 * hexadecimal behind 0x.  text: NUL-terminated.  Returns 0 or -EINVAL (out untouched). */
int resolve_ipv4(const char *text, struct addr *out);

/* Cut the domain of this machine's own name off a host name that ends with it (NI_NOFQDN).  name: NUL-terminated. */
void resolve_cut_domain(char *name);

#endif
