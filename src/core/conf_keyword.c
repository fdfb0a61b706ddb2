/* SPDX-License-Identifier: ISC */
/* conf_keyword.c - the table of the variables and how each is read */
#include "conf_keyword.h"

#include <errno.h>
#include <string.h>

#include "text.h"

enum { TIMEOUT_MAX_S = 86400 };

static int fail(struct conf_reader *r, const char *fault)
{
    r->fault = fault;
    return -EINVAL;
}

static int parse_url(struct conf_reader *r, const char *value)
{
    struct conf *c = r->c;
    int error = conf_parse_url(value, &c->proxy, c->user, c->password, &r->fault);

    if (error < 0)
        return error;
    if (c->user[0])
        r->filled[SLOT_USER] = r->variable;
    if (c->password[0])
        r->filled[SLOT_PASSWORD] = r->variable;
    return 0;
}

static int parse_server(struct conf_reader *r, const char *value)
{
    if (strstr(value, "://"))
        return parse_url(r, value);
    return conf_parse_server(value, strlen(value), &r->c->proxy, &r->fault);
}

static int parse_all_proxy(struct conf_reader *r, const char *value)
{
    return conf_has_scheme(value) ? parse_url(r, value) : -ENOENT;
}

static int parse_user(struct conf_reader *r, const char *value)
{
    size_t len = strlen(value);

    if (len >= sizeof r->c->user)
        return fail(r, "user is longer than 255 bytes");
    memcpy(r->c->user, value, len + 1);
    return 0;
}

static int parse_password(struct conf_reader *r, const char *value)
{
    size_t len = strlen(value);

    if (len >= sizeof r->c->password)
        return fail(r, "password is longer than 255 bytes");
    memcpy(r->c->password, value, len + 1);
    return 0;
}

static const char *file_fault(int error)
{
    switch (error) {
    case -ENOENT:
        return "the file does not exist";
    case -EACCES:
    case -EPERM:
        return "the file may not be read";
    default:
        return "the file cannot be read";
    }
}

static int parse_password_file(struct conf_reader *r, const char *value)
{
    int error = -EIO;
    const char *password = r->source->read_file(r->source->context, value, &error);

    if (!password)
        return fail(r, file_fault(error));
    if (password[0] == '\0')
        return fail(r, "the password in the file is empty");
    return parse_password(r, password);
}

static int parse_list(struct conf_reader *r, const char *value, enum rules_verdict verdict)
{
    const char *bad;
    size_t bad_len;
    int error = rules_add(&r->c->rules, value, verdict, &bad, &bad_len);

    if (error == 0)
        return 0;
    /* With an @ it may be a URL that landed in the wrong variable, password and all. */
    if (!memchr(bad, '@', bad_len)) {
        r->item = bad;
        r->item_len = bad_len;
    }
    return fail(r, error == -ENOSPC ? "no room for item" : "bad item");
}

static int parse_block(struct conf_reader *r, const char *value)
{
    return parse_list(r, value, RULES_BLOCK);
}

static int parse_direct(struct conf_reader *r, const char *value)
{
    if (rules_count(value) == 0)
        r->c->rules.loopback = false;
    return parse_list(r, value, RULES_DIRECT);
}

static int parse_no_proxy(struct conf_reader *r, const char *value)
{
    return rules_add_no_proxy(&r->c->rules, value) < 0 ? fail(r, "no room for its items") : 0;
}

static int parse_timeout(struct conf_reader *r, const char *value)
{
    static const char fault[] = "not a number of seconds above 0, at most 86400, with up to 3 decimals";
    const char *decimals = strchr(value, '.');
    size_t len = decimals ? (size_t)(decimals - value) : strlen(value), digits;
    uint32_t seconds, ms = 0;

    if (text_decimal(value, len, TIMEOUT_MAX_S, &seconds) < 0)
        return fail(r, fault);
    if (decimals) {
        digits = strlen(++decimals);
        if (digits > 3 || text_decimal(decimals, digits, 999, &ms) < 0)
            return fail(r, fault);
        for (; digits < 3; digits++)
            ms *= 10;
    }
    ms += seconds * 1000;
    if (ms == 0 || ms > TIMEOUT_MAX_S * 1000u)
        return fail(r, fault);
    r->c->reply_ms = ms;
    r->c->step_ms = ms < CONF_STEP_MS ? ms : CONF_STEP_MS;
    return 0;
}

static int parse_dns(struct conf_reader *r, const char *value)
{
    if (strcmp(value, "remote") == 0)
        r->c->dns = CONF_DNS_REMOTE;
    else if (strcmp(value, "local") == 0)
        r->c->dns = CONF_DNS_LOCAL;
    else
        return fail(r, "neither remote nor local");
    return 0;
}

static int parse_bypass(struct conf_reader *r, const char *value)
{
    if (strcmp(value, "refuse") == 0)
        r->c->bypass = CONF_BYPASS_REFUSE;
    else if (strcmp(value, "allow") == 0)
        r->c->bypass = CONF_BYPASS_ALLOW;
    else
        return fail(r, "neither refuse nor allow");
    return 0;
}

static int find_level(const char *text, size_t len)
{
    static const char *const levels[] = { "quiet", "warn", "info", "debug" };
    int i;

    for (i = 0; i < 4; i++) {
        if (len == 1 && text[0] == '0' + i)
            return i;
        if (len == strlen(levels[i]) && memcmp(text, levels[i], len) == 0)
            return i;
    }
    return -EINVAL;
}

static int parse_log(struct conf_reader *r, const char *value)
{
    size_t len = strcspn(value, ":"), path_len;
    int level = find_level(value, len);

    if (level < 0)
        return fail(r, "level is not quiet, warn, info, debug or 0 to 3");
    if (value[len] == ':') {
        value += len + 1;
        path_len = strlen(value);
        if (path_len == 0)
            return fail(r, "empty file name");
        if (path_len >= sizeof r->c->log_path)
            return fail(r, "file name is longer than 4095 bytes");
        memcpy(r->c->log_path, value, path_len + 1);
    }
    r->c->log_level = (enum conf_level)level;
    return 0;
}

/* Within a slot the order is that of precedence; the proxy stands before user and password because its URL may hold
 * both, the block list before the direct list because the first rule that matches decides, and the log before all
 * because it is where the faults go. */
const struct conf_keyword conf_keywords[CONF_KEYWORDS] = {
    { "SOCKSIFY_LOG", parse_log, SLOT_LOG, 0 },
    { "SOCKSIFY_PROXY", parse_url, SLOT_PROXY, KEY_OURS },
    { "SOCKS5_SERVER", parse_server, SLOT_PROXY, 0 },
    { "SOCKS_SERVER", parse_server, SLOT_PROXY, 0 },
    { "ALL_PROXY", parse_all_proxy, SLOT_PROXY, 0 },
    { "all_proxy", parse_all_proxy, SLOT_PROXY, 0 },
    { "SOCKSIFY_USER", parse_user, SLOT_USER, KEY_OURS },
    { "SOCKS5_USER", parse_user, SLOT_USER, 0 },
    { "SOCKSIFY_PASSWORD", parse_password, SLOT_PASSWORD, KEY_OURS },
    { "SOCKSIFY_PASSWORD_FILE", parse_password_file, SLOT_PASSWORD, KEY_OURS },
    { "SOCKS5_PASSWORD", parse_password, SLOT_PASSWORD, 0 },
    { "SOCKS5_PASSWD", parse_password, SLOT_PASSWORD, 0 },
    { "SOCKSIFY_BLOCK", parse_block, SLOT_BLOCK, KEY_OURS | KEY_LIST },
    { "SOCKSIFY_DIRECT", parse_direct, SLOT_DIRECT, KEY_OURS | KEY_LIST | KEY_EMPTY },
    { "NO_PROXY", parse_no_proxy, SLOT_DIRECT, KEY_LIST },
    { "no_proxy", parse_no_proxy, SLOT_DIRECT, KEY_LIST },
    { "SOCKSIFY_TIMEOUT", parse_timeout, SLOT_TIMEOUT, KEY_OURS },
    { "SOCKSIFY_DNS", parse_dns, SLOT_DNS, KEY_OURS },
    { "SOCKSIFY_BYPASS", parse_bypass, SLOT_BYPASS, KEY_OURS },
};
