/* SPDX-License-Identifier: ISC */
/* conf.c - the configuration: text in, an immutable value out */
#include "conf.h"

#include <errno.h>
#include <string.h>

#include "conf_fault.h"
#include "conf_file.h"
#include "conf_keyword.h"

const char conf_without_proxy[] = "SOCKSIFY_PROXY is not set";

static const char given_twice[] = "given twice";

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
    size_t rules = r->c->rules.count;
    char why[CONF_MESSAGE_SIZE];
    int error;

    if ((r->filled[k->slot].name && !rule) || (credential && r->foreign && r->filled == r->first))
        return;
    r->item = NULL;
    error = k->parse(r, value);
    if (error == -ENOENT)
        return;
    if (!r->here.line)
        r->c->counted |= 1u << (k - conf_keywords);
    if (k->flags & KEY_LIST) {
        conf_tell_rule(r, &r->here, why);
        rules_explain(&r->c->rules, rules, why);
    }
    /* Rules of the file are any number, in their order. */
    if (!rule)
        r->filled[k->slot] = r->here;
    if (error < 0)
        conf_fault(r, &r->here);
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

static bool belongs(const struct conf_keyword *k, enum conf_section section)
{
    if (k->flags & KEY_LIST)
        return section == SECTION_RULES;
    return section == SECTION_MAIN || (section == SECTION_PROXY &&
                                       (k->slot == SLOT_PROXY || k->slot == SLOT_USER || k->slot == SLOT_PASSWORD));
}

static size_t find_key(const struct conf_line *line)
{
    size_t i;

    for (i = 0; i < CONF_KEYWORDS; i++) {
        const struct conf_keyword *k = &conf_keywords[i];

        if (k->key && strcmp(k->key, line->key) == 0 && belongs(k, line->section))
            break;
    }
    return i;
}

/* A rule, in whatever section it stands. */
static bool is_rule(const char *key)
{
    for (size_t i = 0; i < CONF_KEYWORDS; i++) {
        const struct conf_keyword *k = &conf_keywords[i];

        if (k->key && k->flags & KEY_LIST && strcmp(k->key, key) == 0)
            return true;
    }
    return strncmp(key, "via ", 4) == 0;
}

/* Returns what is wrong with a line before its value is looked at, or NULL. */
static const char *check_line(struct conf_reader *r, const struct conf_line *line, size_t key)
{
    static const char *const unknown[] = {
        [SECTION_MAIN] = "unknown key", [SECTION_PROXY] = "is not proxy, user, password or password-file",
        [SECTION_RULES] = "is not block, direct, proxy or via",
    };
    uint32_t *seen = line->section == SECTION_PROXY ? &r->named_seen : &r->seen;

    if (key == CONF_KEYWORDS)
        return is_rule(line->key) ? "unknown key here: rules stand below a line [rules]" : unknown[line->section];
    if (conf_keywords[key].flags & KEY_LIST)
        return rules_count(line->value) == 0 ? "no item" : NULL;
    if (*seen & 1u << key)
        return given_twice;
    *seen |= 1u << key;
    return NULL;
}

static void complain(struct conf_reader *r, const struct conf_place *place, const char *fault)
{
    r->item = NULL;
    r->fault = fault;
    conf_fault(r, place);
}

static void check_credentials(struct conf_reader *r)
{
    const struct conf_place *user = &r->filled[SLOT_USER], *password = &r->filled[SLOT_PASSWORD];

    /* Dante's client asks for the password then; who has it set need not mean this proxy. */
    if (user->name && !password->name && !strcmp(user->name, "SOCKS_USERNAME"))
        r->into->user[0] = '\0';
    else if (user->name && !password->name)
        complain(r, user, user->line ? "a user without a password: set password-file"
                                     : "a user without a password: set SOCKSIFY_PASSWORD, or give the user with -u");
    else if (password->name && !user->name)
        complain(r, password, "a password without a user");
}

/* The keys that follow are for the first proxy again; those of the last [proxy NAME], if there was one, are all. */
static void end_proxy(struct conf_reader *r)
{
    if (r->heading.name) {
        if (r->filled[SLOT_PROXY].name)
            check_credentials(r);
        else
            complain(r, &r->heading, "no proxy in it");
    }
    r->heading.name = NULL;
    r->filled = r->first;
    r->into = &r->c->proxies[0];
}

static void begin_proxy(struct conf_reader *r, const struct conf_line *line)
{
    int index = conf_proxy_index(r->c, line->name);

    r->heading = (struct conf_place) { .name = "[proxy]", .line = line->number };
    memset(r->named, 0, sizeof r->named);
    r->named_seen = 0;
    r->filled = r->named;
    r->into = &r->c->proxies[index < 0 ? CONF_PROXIES - 1 : index];
    if (index < 0 || r->into->address.kind != ADDR_NONE)
        complain(r, &r->heading, index < 0 ? conf_too_many : given_twice);
}

/* Every name behind `via` is that of a proxy. */
static void check_via(struct conf_reader *r)
{
    for (unsigned i = 1; i < r->c->proxy_count; i++) {
        const struct conf_proxy *p = &r->c->proxies[i];
        struct conf_place place = { .name = "via", .line = r->via_line[i] };

        if (p->address.kind != ADDR_NONE)
            continue;
        r->fault = "there is no proxy of the name";
        r->item = p->name;
        r->item_len = strlen(p->name);
        conf_fault(r, &place);
    }
}

static void read_line(struct conf_reader *r, const struct conf_line *line)
{
    size_t key;

    r->here = (struct conf_place) { .name = line->fault ? "" : line->key, .line = line->number };
    if (line->fault) {
        complain(r, &r->here, line->fault);
        return;
    }
    if (line->section != SECTION_PROXY || !line->key)
        end_proxy(r);
    if (!line->key) {
        begin_proxy(r, line);
        return;
    }
    r->via = line->name;
    key = find_key(line);
    r->fault = check_line(r, line, key);
    if (r->fault)
        complain(r, &r->here, r->fault);
    else
        read_keyword(r, &conf_keywords[key], line->value);
}

static void read_file(struct conf_reader *r)
{
    struct conf_cursor cursor = { .next = r->source->text };
    struct conf_line line;

    r->ours = true;
    if (r->source->file_error) {
        r->fault = conf_file_fault(r->source->file_error);
        conf_fault_whole(r, r->source->file);
        return;
    }
    r->foreign = r->filled[SLOT_PROXY].name || r->filled[SLOT_USER].name;
    while (conf_file_next(&cursor, &line))
        read_line(r, &line);
    end_proxy(r);
    check_via(r);
}

/* No proxy anywhere.  A fault in the file may be why, and is then the better thing to say. */
static void settle_missing(struct conf_reader *r)
{
    struct conf *c = r->c;
    const char *file = r->source->file;

    c->state = r->ours ? CONF_BROKEN : CONF_NONE;
    if (file && c->message[0])
        return;
    c->message[0] = '\0';
    r->fault = file ? "no proxy in it" : conf_without_proxy;
    if (r->ours)
        conf_fault_whole(r, file);
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
    for (unsigned i = 0; i < CONF_PROXIES; i++) {
        memset(c->proxies[i].user, 0, sizeof c->proxies[i].user);
        memset(c->proxies[i].password, 0, sizeof c->proxies[i].password);
    }
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
        *text += strlen(value) + 1 + conf_tell_size(NULL, NULL);
    }
    if (source->file && !source->file_error) {
        *items += rules_count(source->text);
        *text += strlen(source->text) + 1 + conf_tell_size(source->file, source->text);
    }
}

static void set_defaults(struct conf *c, const struct conf_source *source, void *memory, size_t size)
{
    size_t items, text, bytes;

    c->proxy_count = 1;
    c->step_ms = CONF_STEP_MS;
    c->reply_ms = CONF_REPLY_MS;
    c->log_level = CONF_LOG_WARN;
    c->bind_ports = 1;
    c->bind_port[0].low = c->bind_port[0].high = CONF_PORT_FTP;
    pools_default(&c->pools);
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
    struct conf_reader r = { .c = c, .source = source, .into = &c->proxies[0] };

    r.filled = r.first;
    set_defaults(c, source, memory, size);
    read_variables(&r, 0);
    if (source->file)
        read_file(&r);
    r.foreign = r.filled[SLOT_PROXY].line > 0;
    read_variables(&r, KEY_CONVENTION);
    settle(&r);
}
