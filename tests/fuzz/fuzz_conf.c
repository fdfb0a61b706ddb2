/* SPDX-License-Identifier: ISC */
/* fuzz_conf.c - no environment breaks the reading, and no message shows a credential
 *
 * Input: lines, each one variable: its first byte chooses the name, the rest is the value.  The byte 1 in a value
 * stands for the user, the byte 2 for the password, so that both turn up in every place but the lists, whose bad
 * items are shown by design.  After a byte 3 or 4 all is a configuration file, in which they stand for nothing, since
 * its unknown keys are shown as well; with 4 everyone may read it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char user[] = "Us3rT0ken", password[] = "Pa5sT0ken", mark[] = "T0ken";

static const char *const names[] = {
    "SOCKSIFY_PROXY", "SOCKS5_SERVER", "SOCKS_SERVER", "ALL_PROXY", "all_proxy", "SOCKSIFY_USER", "SOCKS5_USER",
    "SOCKS_USERNAME", "SOCKSIFY_PASSWORD", "SOCKSIFY_PASSWORD_FILE", "SOCKS5_PASSWORD", "SOCKS5_PASSWD",
    "SOCKS_PASSWORD", "SOCKSIFY_LOG",
    "SOCKSIFY_TIMEOUT", "SOCKSIFY_DNS", "SOCKSIFY_RESOLVER", "SOCKSIFY_POOL4", "SOCKSIFY_POOL6", "SOCKSIFY_BYPASS",
    "SOCKSIFY_STATS", "SOCKSIFY_BIND", "SOCKSIFY_BIND_PORTS", "SOCKSIFY_BLOCK", "SOCKSIFY_DIRECT", "NO_PROXY",
    "no_proxy"
};

enum { NAMES = sizeof names / sizeof names[0], LISTS = 22 };       /* from there on items are quoted */

struct world {
    const uint8_t *data;
    size_t size;
    char *value;        /* the last one given out; freed at the next call */
};

static void demand(bool truth)
{
    if (!truth)
        abort();
}

/* Copy a value, with the credentials put in, into a block of exactly its size. */
static char *expand(const uint8_t *text, size_t len, bool secrets)
{
    char *out = malloc(len * sizeof user + 1), *fit;
    size_t i, used = 0;
    const char *token;

    demand(out);
    for (i = 0; i < len; i++) {
        token = text[i] == 1 ? user : text[i] == 2 ? password : NULL;
        if (!token || !secrets) {
            out[used++] = (char)text[i];
            continue;
        }
        memcpy(out + used, token, strlen(token));
        used += strlen(token);
    }
    out[used++] = '\0';
    fit = malloc(used);
    demand(fit);
    memcpy(fit, out, used);
    free(out);
    return fit;
}

static const char *look_up(void *context, const char *name)
{
    struct world *w = context;
    const uint8_t *line = w->data, *end = w->data + w->size, *stop;

    free(w->value);
    w->value = NULL;
    for (; line < end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(end - line));
        if (!stop)
            stop = end;
        if (line == stop || strcmp(names[line[0] % NAMES], name) != 0)
            continue;
        w->value = expand(line + 1, (size_t)(stop - line) - 1, line[0] % NAMES < LISTS);
        return w->value;
    }
    return NULL;
}

static const char *read_file(void *context, const char *path, int *error)
{
    struct world *w = context;
    char *contents;

    if (path[0] == '!') {
        *error = -ENOENT;
        return NULL;
    }
    contents = expand((const uint8_t *)path, strlen(path), true);
    free(w->value);
    w->value = contents;
    return contents;
}

static bool holds(const uint8_t *data, size_t size, const char *text)
{
    size_t i, len = strlen(text);

    for (i = 0; i + len <= size; i++)
        if (memcmp(data + i, text, len) == 0)
            return true;
    return false;
}

static void check_proxy(const struct conf *c, const struct conf_proxy *p)
{
    demand(memchr(p->name, 0, sizeof p->name));
    demand(memchr(p->user, 0, sizeof p->user) && memchr(p->password, 0, sizeof p->password));
    demand((p->user[0] == '\0') == (p->password[0] == '\0'));
    if (c->state == CONF_READY)
        demand(p->address.kind != ADDR_NONE && p->address.port != 0);
}

/* What stands behind the byte 3 or 4, cut off from the variables; NUL-terminated, to be freed; NULL without one. */
static char *take_file(struct world *w, bool *everyone)
{
    const uint8_t *mine = memchr(w->data, 3, w->size), *all = memchr(w->data, 4, w->size);
    const uint8_t *from = !mine || (all && all < mine) ? all : mine;
    char *text;

    if (!from)
        return NULL;
    *everyone = *from == 4;
    text = expand(from + 1, (size_t)(w->data + w->size - from) - 1, false);
    w->size = (size_t)(from - w->data);
    return text;
}

static void check(const struct conf *c)
{
    const char *p;

    demand(memchr(c->message, 0, sizeof c->message) && memchr(c->log_path, 0, sizeof c->log_path));
    demand(c->proxy_count >= 1 && c->proxy_count <= CONF_PROXIES);
    for (unsigned i = 0; i < c->proxy_count; i++)
        check_proxy(c, &c->proxies[i]);
    for (size_t i = 0; i < c->rules.count; i++)
        demand(c->rules.rule[i].proxy < c->proxy_count);
    demand((c->state == CONF_BROKEN) == (c->message[0] != '\0'));
    demand(!strstr(c->message, mark));
    for (p = c->message; *p; p++)
        demand(*p >= ' ' && *p <= '~');
    demand(c->reply_ms >= 1 && c->reply_ms <= 86400000 && c->step_ms >= 1 && c->step_ms <= 10000);
    demand(c->step_ms <= c->reply_ms && c->log_level <= CONF_LOG_DEBUG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { .data = data, .size = size };
    struct conf_source source = { .lookup = look_up, .read_file = read_file, .context = &w };
    static struct conf c;
    size_t need;
    void *memory;

    /* What the input itself spells out may come back as an item of a list. */
    if (holds(data, size, mark))
        return 0;
    source.text = size ? take_file(&w, &source.file_public) : NULL;
    source.file = source.text ? "/f" : NULL;
    need = conf_memory(&source);
    memory = need ? malloc(need) : NULL;
    memset(&c, 0, sizeof c);
    conf_read(&c, &source, memory, need);
    check(&c);
    free(memory);
    free(source.text);
    free(w.value);
    return 0;
}
