/* SPDX-License-Identifier: ISC */
/* conf.c - the configuration: text in, an immutable value out */
#include "conf.h"

#include <errno.h>
#include <string.h>

#include "conf_file.h"
#include "conf_keyword.h"

enum { ITEM_SHOWN_MAX = 64, FILE_SHOWN_MAX = 200 };

static size_t add_text(char *buf, size_t used, const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len && used < CONF_MESSAGE_SIZE - 1; i++)
        buf[used++] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    buf[used] = '\0';
    return used;
}

static size_t add_string(char *buf, size_t used, const char *text)
{
    return add_text(buf, used, text, strlen(text));
}

static size_t add_number(char *buf, size_t used, unsigned value)
{
    char digits[12];
    size_t n = sizeof digits;

    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    return add_text(buf, used, digits + n, sizeof digits - n);
}

/* `FILE: ` or `FILE:LINE: `; of a long path the end. */
static size_t add_file(char *buf, const char *file, unsigned line)
{
    size_t len = strlen(file), used;

    used = add_string(buf, 0, len > FILE_SHOWN_MAX ? file + len - FILE_SHOWN_MAX : file);
    if (line) {
        used = add_string(buf, used, ":");
        used = add_number(buf, used, line);
    }
    return add_string(buf, used, ": ");
}

/* Write `VARIABLE: fault` or `FILE:LINE: KEY: fault`, with the item behind it; the first message stays. */
static void write_message(struct conf_reader *r, const struct conf_place *place)
{
    char *buf = r->c->message;
    size_t used = 0;

    if (buf[0])
        return;
    if (place->line)
        used = add_file(buf, r->source->file, place->line);
    if (place->name[0]) {
        used = add_string(buf, used, place->name);
        used = add_string(buf, used, ": ");
    }
    used = add_string(buf, used, r->fault);
    if (!r->item)
        return;
    used = add_string(buf, used, " \"");
    used = add_text(buf, used, r->item, r->item_len < ITEM_SHOWN_MAX ? r->item_len : ITEM_SHOWN_MAX);
    add_string(buf, used, "\"");
}

/* The value of a keyword's variable, NULL when it counts as unset. */
static const char *look_up(const struct conf_source *source, const struct conf_keyword *k)
{
    const char *value = k->variable ? source->lookup(source->context, k->variable) : NULL;

    return value && (value[0] || k->flags & KEY_EMPTY) ? value : NULL;
}

/* The name of r->here is a variable's or a key's. */
static void read_keyword(struct conf_reader *r, const struct conf_keyword *k, const char *value)
{
    bool credential = k->slot == SLOT_USER || k->slot == SLOT_PASSWORD;
    bool rule = r->here.line && k->flags & KEY_LIST;
    int error;

    if ((r->filled[k->slot].name && !rule) || (credential && r->foreign))
        return;
    r->item = NULL;
    error = k->parse(r, value);
    if (error == -ENOENT)
        return;
    /* Rules of the file are any number, in their order. */
    if (!rule)
        r->filled[k->slot] = r->here;
    if (error < 0)
        write_message(r, &r->here);
}

static void read_variables(struct conf_reader *r, unsigned convention)
{
    const char *value;
    size_t i;

    for (i = 0; i < CONF_KEYWORDS; i++) {
        if ((conf_keywords[i].flags & KEY_CONVENTION) != convention)
            continue;
        value = look_up(r->source, &conf_keywords[i]);
        if (!value)
            continue;
        if (conf_keywords[i].flags & KEY_OURS)
            r->ours = true;
        r->here = (struct conf_place) { .name = conf_keywords[i].variable };
        read_keyword(r, &conf_keywords[i], value);
    }
}

static size_t find_key(const struct conf_line *line)
{
    size_t i;

    for (i = 0; i < CONF_KEYWORDS; i++) {
        const struct conf_keyword *k = &conf_keywords[i];

        if (k->key && strcmp(k->key, line->key) == 0 && line->rules == ((k->flags & KEY_LIST) != 0))
            break;
    }
    return i;
}

/* Returns what is wrong with a line before its value is looked at, or NULL. */
static const char *check_line(struct conf_reader *r, const struct conf_line *line, size_t key)
{
    const struct conf_keyword *k = &conf_keywords[key];

    if (line->fault)
        return line->fault;
    if (key == CONF_KEYWORDS)
        return line->rules ? "is not block, direct or proxy" : "unknown key";
    if (k->flags & KEY_LIST)
        return rules_count(line->value) == 0 ? "no item" : NULL;
    if (r->seen & 1u << key)
        return "given twice";
    r->seen |= 1u << key;
    return NULL;
}

static void read_file(struct conf_reader *r)
{
    struct conf_cursor cursor = { .next = r->source->text };
    struct conf_line line;

    r->ours = true;
    if (r->source->file_error) {
        r->fault = conf_file_fault(r->source->file_error);
        add_string(r->c->message, add_file(r->c->message, r->source->file, 0), r->fault);
        return;
    }
    r->foreign = r->filled[SLOT_PROXY].name || r->filled[SLOT_USER].name;
    while (conf_file_next(&cursor, &line)) {
        size_t key = find_key(&line);

        r->here = (struct conf_place) { .name = line.fault ? "" : line.key, .line = line.number };
        r->item = NULL;
        r->fault = check_line(r, &line, key);
        if (r->fault)
            write_message(r, &r->here);
        else
            read_keyword(r, &conf_keywords[key], line.value);
    }
}

static void check_credentials(struct conf_reader *r)
{
    const struct conf_place *user = &r->filled[SLOT_USER], *password = &r->filled[SLOT_PASSWORD];

    r->item = NULL;
    if (user->name && !password->name) {
        r->fault = "a user without a password";
        write_message(r, user);
    } else if (password->name && !user->name) {
        r->fault = "a password without a user";
        write_message(r, password);
    }
}

/* No proxy anywhere.  A fault in the file may be why, and is then the better thing to say. */
static void settle_missing(struct conf_reader *r)
{
    static const char missing[] = "SOCKSIFY_PROXY is not set";
    struct conf *c = r->c;
    const char *file = r->source->file;

    c->state = r->ours ? CONF_BROKEN : CONF_NONE;
    if (file && c->message[0])
        return;
    c->message[0] = '\0';
    if (r->ours)
        add_string(c->message, file ? add_file(c->message, file, 0) : 0, file ? "no proxy in it" : missing);
}

static void settle(struct conf_reader *r)
{
    struct conf *c = r->c;

    if (r->filled[SLOT_PROXY].name) {
        check_credentials(r);
        c->state = c->message[0] ? CONF_BROKEN : CONF_READY;
    } else {
        settle_missing(r);
    }
    if (c->state == CONF_READY)
        return;
    memset(c->user, 0, sizeof c->user);
    memset(c->password, 0, sizeof c->password);
}

/* What all lists together need, an upper bound: in the file every word counts as an item. */
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
    if (source->file && !source->file_error) {
        *items += rules_count(source->text);
        *text += strlen(source->text) + 1;
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

    set_defaults(c, source, memory, size);
    read_variables(&r, 0);
    if (source->file)
        read_file(&r);
    r.foreign = r.filled[SLOT_PROXY].line > 0;
    read_variables(&r, KEY_CONVENTION);
    settle(&r);
}
