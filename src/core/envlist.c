/* SPDX-License-Identifier: ISC */
/* envlist.c - the variables that must reach every program that is started from here */
#include "envlist.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "conf.h"

static const char preload_name[] = "LD_PRELOAD=";
static const char own[] = "SOCKSIFY_";
static const char state_name[] = "SOCKSIFY_STATE=";
static const char conf_name[] = "SOCKSIFY_CONF=";

enum { PRELOAD_LEN = sizeof preload_name - 1, OWN_LEN = sizeof own - 1 };

static char *const nothing[] = { NULL };

static char *const *array_of(char *const env[])
{
    return env ? env : nothing;
}

/* Length of the name with its '='; 0 for what is no variable. */
static size_t name_len(const char *var)
{
    const char *equals = strchr(var, '=');

    return equals ? (size_t)(equals - var) + 1 : 0;
}

/* The first variable with the name of var, of which len bytes are the name and its '='. */
static const char *find(char *const env[], const char *var, size_t len)
{
    for (char *const *e = array_of(env); *e; e++)
        if (strncmp(*e, var, len) == 0)
            return *e;
    return NULL;
}

const char *envlist_value(char *const env[], const char *name)
{
    size_t len = strlen(name);

    for (char *const *e = array_of(env); *e; e++)
        if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
            return *e + len + 1;
    return NULL;
}

/* conf_read() takes an empty variable for an unset one. */
static bool is_set(char *const env[], const char *name)
{
    const char *value = envlist_value(env, name);

    return value && *value;
}

static bool is_ours(char *const env[], const char *name)
{
    return is_set(env, name) && conf_has_scheme(envlist_value(env, name));
}

static const char *proxy_convention(char *const env[])
{
    if (is_set(env, "SOCKSIFY_PROXY"))
        return NULL;
    if (is_set(env, "SOCKS5_SERVER"))
        return "SOCKS5_SERVER";
    if (is_set(env, "SOCKS_SERVER"))
        return "SOCKS_SERVER";
    if (is_ours(env, "ALL_PROXY"))
        return "ALL_PROXY";
    return is_ours(env, "all_proxy") ? "all_proxy" : NULL;
}

static const char *user_convention(char *const env[])
{
    if (is_set(env, "SOCKSIFY_USER"))
        return NULL;
    if (is_set(env, "SOCKS5_USER"))
        return "SOCKS5_USER";
    return is_set(env, "SOCKS_USERNAME") ? "SOCKS_USERNAME" : NULL;
}

static const char *password_convention(char *const env[])
{
    if (is_set(env, "SOCKSIFY_PASSWORD") || is_set(env, "SOCKSIFY_PASSWORD_FILE"))
        return NULL;
    if (is_set(env, "SOCKS5_PASSWORD"))
        return "SOCKS5_PASSWORD";
    if (is_set(env, "SOCKS5_PASSWD"))
        return "SOCKS5_PASSWD";
    return is_set(env, "SOCKS_PASSWORD") ? "SOCKS_PASSWORD" : NULL;
}

static const char *direct_convention(char *const env[])
{
    if (envlist_value(env, "SOCKSIFY_DIRECT"))
        return NULL;
    if (is_set(env, "NO_PROXY"))
        return "NO_PROXY";
    return is_set(env, "no_proxy") ? "no_proxy" : NULL;
}

enum { CONVENTIONS = 4 };

/* A convention that did not configure us is the program's own business, to be removed as it likes. */
static void conventions(char *const env[], const char *used[CONVENTIONS])
{
    used[0] = proxy_convention(env);
    used[1] = user_convention(env);
    used[2] = password_convention(env);
    used[3] = direct_convention(env);
}

/* name: with its '='. */
static bool is_replaced(const char *var, const char *name, const char *value)
{
    return value && *value && strncmp(var, name, strlen(name)) == 0;
}

static bool is_carried(const char *var, size_t len, const char *const used[CONVENTIONS],
                       const struct envlist_found *found)
{
    if (strncmp(var, own, OWN_LEN) == 0)
        return len && !is_replaced(var, state_name, found->state) && !is_replaced(var, conf_name, found->conf);
    for (int i = 0; i < CONVENTIONS; i++)
        if (used[i] && len == strlen(used[i]) + 1 && strncmp(var, used[i], len - 1) == 0)
            return true;
    return false;
}

struct sink {
    char **vars;        /* NULL: count only */
    char *text;
    size_t count, bytes;
};

static char *put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}

static void keep(struct sink *s, const char *name, size_t len, const char *value)
{
    size_t size = strlen(value) + 1;

    if (s->vars) {
        char *text = s->text + s->bytes;

        s->vars[s->count] = text;
        put(put(text, name, len), value, size);
    }
    s->count++;
    s->bytes += len + size;
}

static void collect(struct sink *s, char *const env[], const struct envlist_found *found)
{
    const char *used[CONVENTIONS];

    conventions(env, used);
    for (char *const *e = array_of(env); *e; e++) {
        size_t len = name_len(*e);

        if (is_carried(*e, len, used, found) && find(env, *e, len) == *e)
            keep(s, *e, len, *e + len);
    }
    if (found->state && *found->state)
        keep(s, state_name, sizeof state_name - 1, found->state);
    if (found->conf && *found->conf)
        keep(s, conf_name, sizeof conf_name - 1, found->conf);
}

size_t envlist_size(char *const env[], const struct envlist_found *found)
{
    struct sink s = { .vars = NULL };

    collect(&s, env, found);
    return s.count * sizeof(char *) + s.bytes;
}

void envlist_collect(struct envlist *l, char *const env[], const struct envlist_found *found, void *memory)
{
    struct sink count = { .vars = NULL }, s = { .vars = memory };

    collect(&count, env, found);
    s.text = (char *)memory + count.count * sizeof(char *);
    collect(&s, env, found);
    l->vars = memory;
    l->count = s.count;
}

/* The loader splits at blanks and colons. */
static const char separators[] = ": ";

static bool is_path(const char *entry, size_t len, const char *path)
{
    return len == strlen(path) && memcmp(entry, path, len) == 0;
}

static bool lists(const char *list, const char *object)
{
    while (*list) {
        size_t len = strcspn(list, separators);

        if (is_path(list, len, object))
            return true;
        list += len;
        list += strspn(list, separators);
    }
    return false;
}

/* An object that does not fit the program: the loader would say so on standard error. */
static bool is_other(const struct envlist_preload *p, const char *entry, size_t len)
{
    if (is_path(entry, len, p->object))
        return false;
    for (size_t i = 0; i < p->count; i++)
        if (is_path(entry, len, p->others[i]))
            return true;
    return false;
}

static bool lists_other(const char *list, const struct envlist_preload *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->others[i], p->object) != 0 && lists(list, p->others[i]))
            return true;
    return false;
}

/* How LD_PRELOAD stands in an environment. */
struct standing {
    size_t variables, preloads;
    const char *value;          /* of the last one; NULL: there is none */
};

static struct standing survey(char *const envp[])
{
    struct standing s = { .value = NULL };

    for (char *const *e = array_of(envp); *e; e++, s.variables++) {
        if (strncmp(*e, preload_name, PRELOAD_LEN) != 0)
            continue;
        s.value = *e + PRELOAD_LEN;
        s.preloads++;
    }
    return s;
}

/* Is there exactly one LD_PRELOAD, with object in it and no other, or nothing to be put into one? */
static bool is_right(const struct standing *s, const struct envlist_preload *p)
{
    return !p->object || (s->preloads == 1 && lists(s->value, p->object) && !lists_other(s->value, p));
}

/* Append to a text, or only count where there is none.  Returns its new length. */
static size_t append(char *text, size_t len, const char *from, size_t count)
{
    if (text)
        memcpy(text + len, from, count);
    return len + count;
}

static size_t append_entry(char *text, size_t len, const char *entry, size_t count)
{
    if (len > PRELOAD_LEN)
        len = append(text, len, ":", 1);
    return append(text, len, entry, count);
}

/* The variable as it must be.  text: NULL to learn how many bytes it takes. */
static size_t write_preload(char *text, const struct standing *s, const struct envlist_preload *p)
{
    const char *list = s->value ? s->value : "";
    size_t len = append(text, 0, preload_name, PRELOAD_LEN);

    if (!lists(list, p->object))
        len = append_entry(text, len, p->object, strlen(p->object));
    while (*list) {
        size_t count = strcspn(list, separators);

        if (count && !is_other(p, list, count))
            len = append_entry(text, len, list, count);
        list += count;
        list += strspn(list, separators);
    }
    return append(text, len, "", 1);
}

int envlist_plan(const struct envlist *l, const struct envlist_preload *preload, char *const envp[],
                 struct envlist_plan *plan)
{
    struct standing s = survey(envp);
    struct envlist_plan p = { .text = is_right(&s, preload) ? 0 : write_preload(NULL, &s, preload) };
    size_t missing = 0;

    for (size_t i = 0; i < l->count; i++)
        missing += !find(envp, l->vars[i], name_len(l->vars[i]));
    if (missing || p.text) {
        if (s.variables > ENVLIST_MAX || p.text > ENVLIST_PRELOAD_MAX)
            return -E2BIG;
        p.slots = s.variables - (p.text ? s.preloads : 0) + (p.text ? 1 : 0) + missing + 1;
    }
    *plan = p;
    return 0;
}

size_t envlist_join(const struct envlist *l, const struct envlist_preload *preload, char *const envp[], char **slots,
                    char *text)
{
    struct standing s = survey(envp);
    bool right = is_right(&s, preload);
    size_t n = 0, kept;

    if (!right) {
        write_preload(text, &s, preload);
        slots[n++] = text;
    }
    for (char *const *e = array_of(envp); *e; e++)
        if (right || strncmp(*e, preload_name, PRELOAD_LEN) != 0)
            slots[n++] = *e;
    kept = n;
    for (size_t i = 0; i < l->count; i++)
        if (!find(envp, l->vars[i], name_len(l->vars[i])))
            slots[n++] = l->vars[i];
    slots[n] = NULL;
    return kept;
}
