/* SPDX-License-Identifier: ISC */
/* conf.c - the configuration: text in, an immutable value out */
#include "conf.h"

#include <errno.h>
#include <string.h>

#include "conf_keyword.h"

enum { ITEM_SHOWN_MAX = 64 };

static size_t add_text(char *buf, size_t used, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len && used < CONF_MESSAGE_SIZE - 1; i++)
        buf[used++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    buf[used] = '\0';
    return used;
}

/* Write `VARIABLE: fault` or `VARIABLE: fault "item"`; the first message stays. */
static void write_message(struct conf_reader *r, const char *variable)
{
    char *buf = r->c->message;
    size_t used;

    if (buf[0])
        return;
    used = add_text(buf, 0, variable, strlen(variable));
    used = add_text(buf, used, ": ", 2);
    used = add_text(buf, used, r->fault, strlen(r->fault));
    if (!r->item)
        return;
    used = add_text(buf, used, " \"", 2);
    used = add_text(buf, used, r->item, r->item_len < ITEM_SHOWN_MAX ? r->item_len : ITEM_SHOWN_MAX);
    add_text(buf, used, "\"", 1);
}

/* The value of a keyword's variable, NULL when it counts as unset. */
static const char *look_up(const struct conf_source *source, const struct conf_keyword *k)
{
    const char *value = source->lookup(source->context, k->variable);

    return value && (value[0] || k->flags & KEY_EMPTY) ? value : NULL;
}

static void read_keyword(struct conf_reader *r, const struct conf_keyword *k, const char *value)
{
    int error;

    if (r->filled[k->slot])
        return;
    r->variable = k->variable;
    r->item = NULL;
    error = k->parse(r, value);
    if (error == -ENOENT)
        return;
    r->filled[k->slot] = k->variable;
    if (error < 0)
        write_message(r, k->variable);
}

static void check_credentials(struct conf_reader *r)
{
    const char *user = r->filled[SLOT_USER], *password = r->filled[SLOT_PASSWORD];

    r->item = NULL;
    if (user && !password) {
        r->fault = "a user without a password";
        write_message(r, user);
    } else if (password && !user) {
        r->fault = "a password without a user";
        write_message(r, password);
    }
}

static void settle(struct conf_reader *r, bool ours)
{
    static const char missing[] = "SOCKSIFY_PROXY is not set";
    struct conf *c = r->c;

    if (r->filled[SLOT_PROXY]) {
        check_credentials(r);
        c->state = c->message[0] ? CONF_BROKEN : CONF_READY;
    } else if (ours) {
        memcpy(c->message, missing, sizeof missing);
        c->state = CONF_BROKEN;
    } else {
        c->message[0] = '\0';
        c->state = CONF_NONE;
    }
    if (c->state == CONF_READY)
        return;
    memset(c->user, 0, sizeof c->user);
    memset(c->password, 0, sizeof c->password);
}

/* What all lists together need, an upper bound. */
static void measure(const struct conf_source *source, size_t *items, size_t *text)
{
    const char *value;
    size_t i;

    *items = *text = 0;
    for (i = 0; i < CONF_KEYWORDS; i++) {
        if (!(conf_keywords[i].flags & KEY_LIST))
            continue;
        value = look_up(source, &conf_keywords[i]);
        if (!value)
            continue;
        *items += rules_count(value);
        *text += strlen(value) + 1;
    }
}

static void set_defaults(struct conf *c, const struct conf_source *source, void *memory, size_t size)
{
    size_t items, text, bytes;

    memset(c, 0, sizeof *c);
    c->step_ms = CONF_STEP_MS;
    c->reply_ms = CONF_REPLY_MS;
    c->log_level = CONF_LOG_WARN;
    measure(source, &items, &text);
    bytes = items * sizeof(struct rule);
    if (items == 0 || size < bytes)
        rules_init(&c->rules, NULL, 0, NULL, 0);
    else
        rules_init(&c->rules, memory, items, (char *)memory + bytes, size - bytes);
}

size_t conf_memory(const struct conf_source *source)
{
    size_t items, text;

    measure(source, &items, &text);
    return items ? items * sizeof(struct rule) + text : 0;
}

void conf_read(struct conf *c, const struct conf_source *source, void *memory, size_t size)
{
    struct conf_reader r = { .c = c, .source = source };
    const char *value;
    bool ours = false;
    size_t i;

    set_defaults(c, source, memory, size);
    for (i = 0; i < CONF_KEYWORDS; i++) {
        value = look_up(source, &conf_keywords[i]);
        if (!value)
            continue;
        if (conf_keywords[i].flags & KEY_OURS)
            ours = true;
        read_keyword(&r, &conf_keywords[i], value);
    }
    settle(&r, ours);
}
