/* SPDX-License-Identifier: ISC */
/* text.h - small readers that rules and configuration share
 *
 * Pure functions: no state, no allocation, async-signal-safe.  Text is given by length and needs no NUL,
 * where nothing else is said.
 */
#ifndef SOCKSIFY_CORE_TEXT_H
#define SOCKSIFY_CORE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/* Read a decimal number: one or more digits and nothing else, leading zeros allowed.
 * max: largest value taken, below UINT32_MAX.  Returns 0 or -EINVAL (value untouched). */
int text_decimal(const char *text, size_t len, uint32_t max, uint32_t *value);

/* Read a host name that a person wrote into a configuration: as addr_from_name(), but a name whose last label is a
 * number is refused, since it is a mistyped IPv4 address (no top-level domain is numeric: RFC 3696 section 2).
 * Returns 0 or -EINVAL (out untouched). */
int text_name(const char *text, size_t len, struct addr *out);

/* How many bytes of a text may be shown on a terminal as they are: those of the character that it begins with, or 0
 * when that one is a control character (C0, DEL or C1) or no valid UTF-8 (RFC 3629): its first byte is to be escaped.
 * text: NUL-terminated, not empty; nothing behind the NUL is read.  Returns 0 to 4. */
size_t text_shown(const char *text);

/* An ASCII capital as its small letter, any other character as it is, whatever the locale. */
static inline char text_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

#endif
