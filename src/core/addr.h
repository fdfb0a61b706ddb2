/* SPDX-License-Identifier: ISC */
/* addr.h - where a connection or a datagram goes: IPv4, IPv6 or a name, and a port
 *
 * A struct addr is a plain value: copy it, keep it, no owner.  Ports are in host order.  No function here sleeps,
 * allocates or touches errno; all are async-signal-safe and need no lock.
 */
#ifndef SOCKSIFY_CORE_ADDR_H
#define SOCKSIFY_CORE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    ADDR_NAME_MAX = 253,                    /* longest host name in text (RFC 1035 section 2.3.4) */
    ADDR_NAME_SIZE = 256,                   /* room for any SOCKS name (255 bytes) and its NUL */
    ADDR_TEXT_SIZE = ADDR_NAME_SIZE + 8,    /* room for addr_format(): brackets, colon, port, NUL */
    ADDR_WIRE_MAX = 1 + 1 + 255 + 2         /* longest ATYP, address and port (RFC 1928 section 5) */
};

/* The values are the ATYP octets of RFC 1928 section 5; ADDR_NONE is none of them. */
enum addr_kind { ADDR_NONE = 0, ADDR_IPV4 = 1, ADDR_NAME = 3, ADDR_IPV6 = 4 };

struct addr {
    enum addr_kind kind;
    uint16_t port;                  /* host order */
    uint32_t scope;                 /* IPv6 scope id, else 0; not carried by SOCKS */
    union {
        uint8_t ip[16];             /* network order; IPv4 uses the first four bytes */
        char name[ADDR_NAME_SIZE];  /* NUL-terminated */
    };
};

/* Read a socket address.  A v4-mapped IPv6 address (::ffff:a.b.c.d) becomes ADDR_IPV4.
 * sa: may be misaligned, not NULL; len: bytes that may be read at sa.
 * Returns 0; -EAFNOSUPPORT for a family other than AF_INET and AF_INET6; -EINVAL when len is too short for the
 * family (sockaddr_in: 16; sockaddr_in6: 24, without scope id, as the kernel takes it).  out is untouched on error. */
int addr_from_sockaddr(const struct sockaddr *sa, socklen_t len, struct addr *out);

/* Write a socket address of the given family.  family: AF_INET, AF_INET6 (IPv4 becomes v4-mapped) or AF_UNSPEC (the
 * address's own).  sa gets the whole structure, zero-filled, *len its size.
 * Returns 0; -EAFNOSUPPORT for a name, ADDR_NONE, or IPv6 asked as AF_INET (outputs untouched). */
int addr_to_sockaddr(const struct addr *a, int family, struct sockaddr_storage *sa, socklen_t *len);

/* Read a numeric address: dotted quad of exactly four parts, or IPv6 without brackets, optionally with %scope as a
 * number.  text: len bytes, no NUL needed.  The port becomes 0; v4-mapped IPv6 becomes ADDR_IPV4.
 * Returns 0 or -EINVAL (out untouched). */
int addr_from_text(const char *text, size_t len, struct addr *out);

/* Read a host name: labels of 1 to 63 letters, digits, '-' and '_', at most ADDR_NAME_MAX in all; one trailing dot
 * is dropped, upper case kept.  text: len bytes, no NUL needed.  The port becomes 0.
 * Returns 0; -EINVAL for anything else, and for `invalid` and `*.invalid` (RFC 6761) (out untouched). */
int addr_from_name(const char *text, size_t len, struct addr *out);

/* Write "host:port" for a person: "example.org:443", "192.0.2.1:80", "[2001:db8::1]:80"; bytes of a name outside
 * printable ASCII become '?'.  ADDR_NONE gives "-".  size: capacity of buf, at least 1; the text is cut to fit and
 * NUL-terminated.  Returns the text's length as written. */
size_t addr_format(const struct addr *a, char *buf, size_t size);

/* As addr_format(), without the port and brackets. */
size_t addr_format_host(const struct addr *a, char *buf, size_t size);

/* Write ATYP, address and port as RFC 1928 sections 4 and 7 lay them out.  ADDR_NONE is written as IPv4 0.0.0.0.
 * out: at least ADDR_WIRE_MAX bytes.  Returns the number of bytes written. */
size_t addr_put(const struct addr *a, uint8_t *out);

/* Read ATYP, address and port.  in: len bytes.
 * Returns the number of bytes consumed; -EAGAIN when in ends too early; -EPROTO for an unknown ATYP (out untouched
 * on error).  A zero-length name gives ADDR_NAME with an empty name; v4-mapped IPv6 becomes ADDR_IPV4; a NUL byte
 * within a name is -EPROTO. */
int addr_get(const uint8_t *in, size_t len, struct addr *out);

/* True if both are the same host and port; names are compared without regard to ASCII case; scopes are compared. */
bool addr_equal(const struct addr *a, const struct addr *b);

/* As addr_equal(), without the port. */
bool addr_same_host(const struct addr *a, const struct addr *b);

/* True for 127.0.0.0/8 and ::1, and, since the kernel connects them to itself, 0.0.0.0 and ::.  Names: false. */
bool addr_is_loopback(const struct addr *a);

/* True for 0.0.0.0 and ::. */
bool addr_is_any(const struct addr *a);

/* True for what SOCKS cannot carry to one host: multicast (224/4, ff00::/8), 255.255.255.255, link-local
 * (169.254/16, fe80::/10).  Names: false. */
bool addr_is_local_scope(const struct addr *a);

/* True for addresses that mean nothing outside their own network: RFC 1918, 100.64/10 (RFC 6598), fc00::/7, and
 * link-local.  Loopback and names: false. */
bool addr_is_private(const struct addr *a);

/* True for an address that every network reaches alike: not loopback, private or local scope.  Names: false. */
bool addr_is_public(const struct addr *a);

#endif
