/* SPDX-License-Identifier: ISC */
/* bench_rules.c - what a decision takes where a thousand rules are to be looked at
 *
 * bench_rules KIND MS: KIND is names (`.h123.intra.example.org`, asked for a name that differs from all of them in its
 * last letters), networks (`10.1.2.0/24:1-65535`) or mixed.  No rule matches, so that each decision looks at all.
 * Prints "DECISIONS-PER-SECOND CPU-NANOSECONDS-PER-DECISION 0".
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/rules.h"

enum { RULES = 1000, ITEM_MAX = 40, BATCH = 100 };

static struct rule room[RULES];
static char text[RULES * ITEM_MAX], list[RULES * ITEM_MAX];
static struct rules set;

static void make(const char *kind)
{
    size_t used = 0, len;
    const char *bad;

    for (unsigned i = 0; i < RULES; i++) {
        bool name = !strcmp(kind, "names") || (!strcmp(kind, "mixed") && i % 2);

        if (name)
            used += (size_t)snprintf(list + used, sizeof list - used, ".h%03u.intra.example.org,", i);
        else
            used += (size_t)snprintf(list + used, sizeof list - used, "10.%u.%u.0/24:1-65535,", i / 256, i % 256);
    }
    rules_init(&set, room, RULES, text, sizeof text);
    if (rules_add(&set, list, RULES_BLOCK, &bad, &len) != 0 || set.count != RULES)
        exit(1);
}

static int64_t now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    static const char name[] = "www.h999.intra.example.orh";
    struct addr target = { .kind = ADDR_IPV4, .ip = { 10, 200, 1, 1 }, .port = 443 };
    int64_t wall, cpu, end;
    uint64_t count = 0;

    if (argc != 3)
        return 2;
    make(argv[1]);
    if (strcmp(argv[1], "networks") != 0 && addr_from_name(name, sizeof name - 1, &target) != 0)
        return 1;
    target.port = 443;
    wall = now_ns(CLOCK_MONOTONIC);
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    end = wall + strtoll(argv[2], NULL, 10) * 1000000;
    do {
        for (int i = 0; i < BATCH; i++)
            if (rules_judge(&set, &target, NULL) != RULES_PROXY)
                return 1;
        count += BATCH;
    } while (now_ns(CLOCK_MONOTONIC) < end);
    cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now_ns(CLOCK_MONOTONIC) - wall;
    printf("%.0f %.0f 0\n", (double)count * 1e9 / (double)wall, (double)cpu / (double)count);
    return 0;
}
