/* SPDX-License-Identifier: ISC */
/* names_diff.h - what the parts of names_diff share */
#ifndef SOCKSIFY_TESTS_NAMES_DIFF_H
#define SOCKSIFY_TESTS_NAMES_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* What the resolver of the bare run says, and the pools that the object takes its addresses from: both are printed as
 * <name4> and <name6>. */
#define NAMES_IPV4 "203.0.113.7"
#define NAMES_IPV6 "2001:db8::7"

/* Write an address as text, those of names in the form above, v4-mapped ones too.  bytes: as in the kernel's
 * structures.  out: at least 64 bytes.  Returns out. */
const char *names_address(int family, const void *bytes, char *out);

/* Print the outcome of every row of the getaddrinfo() table, one line each.  bare: for rows that differ on purpose
 * print what is expected of the object instead. */
void names_addrinfo(bool bare);

/* The same for all other resolver calls. */
void names_calls(bool bare);

/* Ask the resolvers on 127.0.0.1 and ::1 by sockets, in every way, and print what comes. */
void names_questions(bool bare);

/* Answer DNS questions on UDP 127.0.0.1 and ::1 and TCP 127.0.0.1, port 53, until killed: names below `test`, `single`,
 * and the way back.  Each packet or connection adds a line to the file of this path.  Prints "ready" when it
 * listens.  Returns 1 when it cannot. */
int names_resolver(const char *path);

#endif
