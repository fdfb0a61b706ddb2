/* SPDX-License-Identifier: ISC */
/* addr_at.h - an address for a table of a test */
#ifndef SOCKSIFY_TESTS_ADDR_AT_H
#define SOCKSIFY_TESTS_ADDR_AT_H

#include <check.h>
#include <string.h>

#include "../src/core/addr.h"

/* text: an address, or else a name; port: host order. */
static inline struct addr at(const char *text, uint16_t port)
{
    struct addr a;

    if (addr_from_text(text, strlen(text), &a) != 0)
        ck_assert_int_eq(addr_from_name(text, strlen(text), &a), 0);
    a.port = port;
    return a;
}

#endif
