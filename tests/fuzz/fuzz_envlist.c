/* SPDX-License-Identifier: ISC */
/* fuzz_envlist.c - any environment: what is joined has room, keeps the program's variables, and lacks nothing
 *
 * Input: lines; a byte that says whose (1: the one that is collected, 2: the one of a program that is started, 3: both)
 * and which name (the other bits; beyond the names there is none), and the text.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/envlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIABLES = 64 };

static const char *const names[] = {
    "LD_PRELOAD=", "LD_PRELOAD=/a.so:/b.so ", "SOCKSIFY_PROXY=", "SOCKSIFY_STATE=", "SOCKSIFY_CONF=", "SOCKSIFY_",
    "SOCKS5_SERVER=", "ALL_PROXY=socks5h://", "all_proxy=", "SOCKS5_USER=", "SOCKS5_PASSWORD=", "NO_PROXY=",
    "SOCKSIFY_DIRECT=", "SOCKSIFY_PASSWORD="
};

static const char *const others[] = { "/a.so", "/b.so" };

struct environment {
    char *vars[VARIABLES + 1];
    size_t count;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void add(struct environment *e, const char *name, const uint8_t *text, size_t len)
{
    char *var = malloc(strlen(name) + len + 1);

    must(var != NULL);
    strcpy(var, name);
    memcpy(var + strlen(name), text, len);
    var[strlen(name) + len] = '\0';
    if (e->count < VARIABLES)
        e->vars[e->count++] = var;
    else
        free(var);
}

static void split(const uint8_t *data, size_t size, struct environment *own, struct environment *programs)
{
    for (size_t at = 0; at < size; at++) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end ? (size_t)(end - data) - at : size - at;
        unsigned which = len > 0 ? data[at] >> 2 : 0;
        const char *name = which < sizeof names / sizeof names[0] ? names[which] : "";

        if (len > 0 && data[at] & 1)
            add(own, name, data + at + 1, len - 1);
        if (len > 0 && data[at] & 2)
            add(programs, name, data + at + 1, len - 1);
        at += len;
    }
}

static void drop(struct environment *e)
{
    while (e->count > 0)
        free(e->vars[--e->count]);
}

static bool is_preload(const char *var)
{
    return strncmp(var, "LD_PRELOAD=", 11) == 0;
}

static void check_list(const struct envlist *l)
{
    for (size_t i = 0; i < l->count; i++) {
        const char *equals = strchr(l->vars[i], '=');

        must(equals && !is_preload(l->vars[i]));
        for (size_t k = 0; k < i; k++)
            must(strncmp(l->vars[k], l->vars[i], (size_t)(equals + 1 - l->vars[i])) != 0);
    }
}

/* The program's variables are there in their order, LD_PRELOAD aside, and each of the list that they lack. */
static void check_joined(const struct envlist *l, const struct envlist_preload *preload, char *const *vars,
                         char **slots, size_t kept)
{
    static char *const nothing[] = { NULL };
    size_t n = 0, preloads = 0;

    vars = vars ? vars : nothing;
    for (size_t i = 0; i < kept; i++) {
        preloads += is_preload(slots[i]);
        if (is_preload(slots[i]))
            continue;
        while (vars[n] && is_preload(vars[n]))
            n++;
        must(slots[i] == vars[n++]);
    }
    while (vars[n] && is_preload(vars[n]))
        n++;
    must(vars[n] == NULL);
    if (preload->object) {
        must(preloads == 1);
        for (size_t i = 0; i < kept; i++)
            must(!is_preload(slots[i]) || strstr(slots[i], preload->object));
    }
    for (size_t i = kept; slots[i]; i++) {
        n = 0;
        while (n < l->count && l->vars[n] != slots[i])
            n++;
        must(n < l->count);
    }
}

static void join(const struct envlist *l, const struct envlist_preload *preload, char *const *vars)
{
    struct envlist_plan plan, again;
    char **slots, *text;
    size_t kept;
    int rc = envlist_plan(l, preload, vars, &plan);

    must(rc == 0 || rc == -E2BIG);
    if (rc < 0 || plan.slots == 0)
        return;
    slots = malloc(plan.slots * sizeof *slots);
    text = malloc(plan.text ? plan.text : 1);
    must(slots && text);
    kept = envlist_join(l, preload, vars, slots, text);
    must(kept < plan.slots && slots[plan.slots - 1] == NULL);
    check_joined(l, preload, vars, slots, kept);
    must(envlist_plan(l, preload, slots, &again) == 0 && again.slots == 0 && again.text == 0);
    free(text);
    free(slots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct envlist_found found = { NULL, NULL };
    struct envlist_preload preload = { "/a.so", others, 2 };
    struct environment own = { .count = 0 }, programs = { .count = 0 };
    struct envlist l;
    void *memory;

    if (size == 0)
        return 0;
    found.state = data[0] & 1 ? "/state" : NULL;
    found.conf = data[0] & 2 ? "/conf" : NULL;
    split(data + 1, size - 1, &own, &programs);
    own.vars[own.count] = programs.vars[programs.count] = NULL;
    memory = malloc(envlist_size(own.vars, &found) + 1);
    must(memory != NULL);
    envlist_collect(&l, own.vars, &found, memory);
    check_list(&l);
    join(&l, &preload, programs.vars);
    preload.object = NULL;
    preload.count = 0;
    join(&l, &preload, programs.vars);
    join(&l, &preload, NULL);
    free(memory);
    drop(&own);
    drop(&programs);
    return 0;
}
