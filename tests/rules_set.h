/* SPDX-License-Identifier: ISC */
/* rules_set.h - for the tests of the rules: one set, lists against a page that faults, targets from text */
#ifndef SOCKSIFY_TESTS_RULES_SET_H
#define SOCKSIFY_TESTS_RULES_SET_H

#include <check.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/rules.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

enum { ROOM = 1100, TEXT = 65536 };

static struct rule room[ROOM];
static char text[TEXT];
static struct rules set;

static inline void start(void)
{
    memset(room, 0xa5, sizeof room);
    memset(text, 0xa5, sizeof text);
    rules_init(&set, room, ROOM, text, sizeof text);
}

/* A copy whose NUL is the last byte before a page that faults; never freed, each case runs in its own process. */
static inline const char *flush(const char *s)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), len = strlen(s) + 1, size = (len + page - 1) / page * page;
    char *p = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert_ptr_ne(p, MAP_FAILED);
    ck_assert_int_eq(mprotect(p + size, page, PROT_NONE), 0);
    return memcpy(p + size - len, s, len);
}

static inline void add(const char *list, enum rules_verdict verdict)
{
    const char *bad = NULL;
    size_t bad_len = 0;

    ck_assert_msg(rules_add(&set, flush(list), verdict, &bad, &bad_len) == 0, "%s: refused", list);
    ck_assert_ptr_null(bad);
}

static inline struct addr target(const char *host, unsigned port)
{
    struct addr a;

    if (!host) {
        memset(&a, 0, sizeof a);
    } else if (addr_from_text(host, strlen(host), &a) != 0) {
        ck_assert_msg(addr_from_name(host, strlen(host), &a) == 0, "%s", host);
    }
    a.port = (uint16_t)port;
    return a;
}

#endif
