/* SPDX-License-Identifier: ISC */
/* envlist.h - the variables that must reach every program that is started from here
 *
 * A list is collected once, into memory that nobody changes after, and then joined to each environment that a program
 * is started with.  Pure functions: no state, no allocation, async-signal-safe; memory comes from the caller.
 * An environment is an array of "NAME=value", ended by NULL; NULL instead of an array is an empty one.
 */
#ifndef SOCKSIFY_CORE_ENVLIST_H
#define SOCKSIFY_CORE_ENVLIST_H

#include <stddef.h>

enum {
    ENVLIST_MAX = 4096,         /* variables of an environment that must be copied */
    ENVLIST_PRELOAD_MAX = 8192  /* bytes of LD_PRELOAD's value after ours was put into it */
};

struct envlist {
    char **vars;                /* "NAME=value", count of them; no two have one name, none is LD_PRELOAD */
    size_t count;
};

/* What LD_PRELOAD must hold.  Paths without blank or colon. */
struct envlist_preload {
    const char *object;         /* NULL: LD_PRELOAD is left as it is */
    const char *const *others;  /* count of them: objects for other kinds of programs, which are taken out; object
                                 * itself may be among them */
    size_t count;
};

/* What envlist_join() needs. */
struct envlist_plan {
    size_t slots;               /* pointers of the joined environment with its NULL; 0: nothing is missing */
    size_t text;                /* bytes for LD_PRELOAD; 0: it is right as it is, or there is none */
};

/* What start-up has found, and other programs must not find otherwise; NULL or empty: nothing. */
struct envlist_found {
    const char *state;          /* value for SOCKSIFY_STATE */
    const char *conf;           /* value for SOCKSIFY_CONF */
};

/* Bytes of memory that envlist_collect() needs for the same arguments. */
size_t envlist_size(char *const env[], const struct envlist_found *found);

/* Copy what configured us: every SOCKSIFY_* of env, and of the conventions (SOCKS5_SERVER, SOCKS_SERVER, ALL_PROXY,
 * all_proxy; SOCKS5_USER, SOCKS_USERNAME; SOCKS5_PASSWORD, SOCKS5_PASSWD, SOCKS_PASSWORD; NO_PROXY, no_proxy) those
 * that conf_read() would use.  Of several variables with one name the first is taken, which is the one getenv() gives.
 * found: its values replace those of env.
 * memory: envlist_size() bytes, aligned for a pointer; kept by l. */
void envlist_collect(struct envlist *l, char *const env[], const struct envlist_found *found, void *memory);

/* What would have to be changed in envp?
 * Returns 0, or -E2BIG when envp, which lacks something, has more than ENVLIST_MAX variables, or its LD_PRELOAD would
 * grow beyond ENVLIST_PRELOAD_MAX (plan untouched). */
int envlist_plan(const struct envlist *l, const struct envlist_preload *preload, char *const envp[],
                 struct envlist_plan *plan);

/* The joined environment: the variables of envp in their order, then those of l that envp lacks.  A variable that envp
 * has stays as it is, except LD_PRELOAD: one of it, the last of envp's (which the loader goes by), with object before
 * its other entries if it was not among them.
 * l, preload, envp: as planned.  slots: plan->slots of them; text: plan->text bytes, kept by slots.
 * Returns the number of variables before those taken from l. */
size_t envlist_join(const struct envlist *l, const struct envlist_preload *preload, char *const envp[], char **slots,
                    char *text);

/* The value of the first variable of this name, or NULL.  name: NUL-terminated, without '='. */
const char *envlist_value(char *const env[], const char *name);

#endif
