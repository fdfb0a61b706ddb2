/* SPDX-License-Identifier: ISC */
/* conf_keyword.c - the table of variables and keys, and how each is read */
#include "conf_keyword.h"

#include <errno.h>
#include <string.h>

#include "conf_fault.h"
#include "text.h"

enum { TIMEOUT_MAX_S = 86400, PORT_DOMAIN = 53 };

static const char public_fault[] = "a password in a file that everyone may read: chmod 600 helps";
static const char relative_fault[] = "the path is not absolute";

const char conf_too_many[] = "more than 7 proxies with names";

int conf_proxy_index(struct conf *c, const char *name)
{
    unsigned i;

    for (i = 1; i < c->proxy_count; i++)
        if (strcmp(c->proxies[i].name, name) == 0)
            return (int)i;
    if (i == CONF_PROXIES)
        return -ENOSPC;
    memcpy(c->proxies[i].name, name, strlen(name) + 1);
    c->proxy_count++;
    return (int)i;
}

static int fail(struct conf_reader *r, const char *fault)
{
    r->fault = fault;
    return -EINVAL;
}

/* A file that everyone reads is no place for a password. */
static bool is_public(const struct conf_reader *r)
{
    return r->here.line && r->source->file_public;
}

static int parse_url(struct conf_reader *r, const char *value)
{
    char user[CONF_CREDENTIAL_SIZE], password[CONF_CREDENTIAL_SIZE];
    struct conf_proxy *p = r->into;
    int error = conf_parse_url(value, &p->address, user, password, &r->fault);

    if (error < 0)
        return error;
    if (password[0] && is_public(r))
        return fail(r, public_fault);
    if (r->filled[SLOT_USER].name || !user[0])
        return 0;
    r->filled[SLOT_USER] = r->here;
    memcpy(p->user, user, sizeof user);
    if (r->filled[SLOT_PASSWORD].name || !password[0])
        return 0;
    r->filled[SLOT_PASSWORD] = r->here;
    memcpy(p->password, password, sizeof password);
    return 0;
}

static int parse_server(struct conf_reader *r, const char *value)
{
    if (strstr(value, "://"))
        return parse_url(r, value);
    return conf_parse_server(value, strlen(value), &r->into->address, &r->fault);
}

static int parse_all_proxy(struct conf_reader *r, const char *value)
{
    return conf_has_scheme(value) ? parse_url(r, value) : -ENOENT;
}

static int parse_user(struct conf_reader *r, const char *value)
{
    size_t len = strlen(value);

    if (len >= sizeof r->into->user)
        return fail(r, "user is longer than 255 bytes");
    memcpy(r->into->user, value, len + 1);
    return 0;
}

static int set_password(struct conf_reader *r, const char *value)
{
    size_t len = strlen(value);

    if (len >= sizeof r->into->password)
        return fail(r, "password is longer than 255 bytes");
    memcpy(r->into->password, value, len + 1);
    return 0;
}

static int parse_password(struct conf_reader *r, const char *value)
{
    return is_public(r) ? fail(r, public_fault) : set_password(r, value);
}

const char *conf_file_fault(int error)
{
    switch (error) {
    case -ENOENT:
        return "the file does not exist";
    case -EACCES:
        return "the file may not be read";
    case -EPERM:
        return "everyone may read the file: chmod 600 helps";
    case -EINVAL:
        return relative_fault;
    case -ESPIPE:
        return "a pipe is read once only, and each program reads it";
    case -EFBIG:
        return "the file is larger than 1 MiB";
    case -EILSEQ:
        return "the file holds a NUL byte";
    default:
        return "the file cannot be read";
    }
}

static int parse_password_file(struct conf_reader *r, const char *value)
{
    int error = -EIO;
    const char *password;

    if (r->here.line && value[0] != '/')
        return fail(r, relative_fault);
    password = r->source->read_file(r->source->context, value, &error);
    if (!password)
        return fail(r, conf_file_fault(error));
    if (password[0] == '\0')
        return fail(r, "the password in the file is empty");
    return set_password(r, password);
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
    if (bad[0] == '!' && verdict != RULES_DIRECT)
        return fail(r, "an exception in a list of what is not direct:");
    return fail(r, conf_item_fault(error));
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

static int parse_proxied(struct conf_reader *r, const char *value)
{
    return parse_list(r, value, RULES_PROXY);
}

static int parse_via(struct conf_reader *r, const char *value)
{
    size_t before = r->c->rules.count;
    int index, error;

    if (!r->via)
        return fail(r, "no name of a proxy behind it");
    index = conf_proxy_index(r->c, r->via);
    if (index < 0)
        return fail(r, conf_too_many);
    if (!r->via_line[index])
        r->via_line[index] = r->here.line;
    error = parse_list(r, value, RULES_PROXY);
    rules_send(&r->c->rules, before, (unsigned)index);
    return error;
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

/* A bare IPv6 address is taken as well: it needs no brackets where no port follows. */
static int parse_resolver(struct conf_reader *r, const char *value)
{
    size_t len = strlen(value);
    struct addr a;
    bool bare = addr_from_text(value, len, &a) == 0;

    if (!bare && conf_parse_server(value, len, &a, &r->fault) < 0)
        return -EINVAL;
    if (a.kind == ADDR_NAME)
        return fail(r, "not an address");
    if (bare || value[len - 1] == ']')
        a.port = PORT_DOMAIN;
    r->c->resolver = a;
    return 0;
}

static int parse_pool4(struct conf_reader *r, const char *value)
{
    return pools_parse_ipv4(&r->c->pools, value, &r->fault);
}

static int parse_pool6(struct conf_reader *r, const char *value)
{
    return pools_parse_ipv6(&r->c->pools, value, &r->fault);
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

static int parse_stats(struct conf_reader *r, const char *value)
{
    r->c->stats = strcmp(value, "on") == 0;
    return r->c->stats || strcmp(value, "off") == 0 ? 0 : fail(r, "neither on nor off");
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
        if (r->here.line && value[0] != '/')
            return fail(r, relative_fault);
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
    { "SOCKSIFY_LOG", "log", parse_log, SLOT_LOG, 0 },
    { "SOCKSIFY_PROXY", "proxy", parse_url, SLOT_PROXY, KEY_OURS },
    { "SOCKS5_SERVER", NULL, parse_server, SLOT_PROXY, KEY_CONVENTION },
    { "SOCKS_SERVER", NULL, parse_server, SLOT_PROXY, KEY_CONVENTION },
    { "ALL_PROXY", NULL, parse_all_proxy, SLOT_PROXY, KEY_CONVENTION },
    { "all_proxy", NULL, parse_all_proxy, SLOT_PROXY, KEY_CONVENTION },
    { "SOCKSIFY_USER", "user", parse_user, SLOT_USER, KEY_OURS },
    { "SOCKS5_USER", NULL, parse_user, SLOT_USER, KEY_CONVENTION },
    { "SOCKS_USERNAME", NULL, parse_user, SLOT_USER, KEY_CONVENTION },
    { "SOCKSIFY_PASSWORD", "password", parse_password, SLOT_PASSWORD, KEY_OURS },
    { "SOCKSIFY_PASSWORD_FILE", "password-file", parse_password_file, SLOT_PASSWORD, KEY_OURS },
    { "SOCKS5_PASSWORD", NULL, parse_password, SLOT_PASSWORD, KEY_CONVENTION },
    { "SOCKS5_PASSWD", NULL, parse_password, SLOT_PASSWORD, KEY_CONVENTION },
    { "SOCKS_PASSWORD", NULL, parse_password, SLOT_PASSWORD, KEY_CONVENTION },
    { "SOCKSIFY_BLOCK", "block", parse_block, SLOT_BLOCK, KEY_OURS | KEY_LIST },
    { "SOCKSIFY_DIRECT", "direct", parse_direct, SLOT_DIRECT, KEY_OURS | KEY_LIST | KEY_EMPTY },
    { NULL, "proxy", parse_proxied, SLOT_RULE, KEY_LIST },
    { NULL, "via", parse_via, SLOT_RULE, KEY_LIST },
    { "NO_PROXY", NULL, parse_no_proxy, SLOT_DIRECT, KEY_CONVENTION | KEY_LIST },
    { "no_proxy", NULL, parse_no_proxy, SLOT_DIRECT, KEY_CONVENTION | KEY_LIST },
    { "SOCKSIFY_TIMEOUT", "timeout", parse_timeout, SLOT_TIMEOUT, KEY_OURS },
    { "SOCKSIFY_DNS", "dns", parse_dns, SLOT_DNS, KEY_OURS },
    { "SOCKSIFY_RESOLVER", "resolver", parse_resolver, SLOT_RESOLVER, KEY_OURS },
    { "SOCKSIFY_POOL4", "pool4", parse_pool4, SLOT_POOL4, KEY_OURS },
    { "SOCKSIFY_POOL6", "pool6", parse_pool6, SLOT_POOL6, KEY_OURS },
    { "SOCKSIFY_BYPASS", "bypass", parse_bypass, SLOT_BYPASS, KEY_OURS },
    { "SOCKSIFY_STATS", "stats", parse_stats, SLOT_STATS, 0 },
    { "SOCKSIFY_BIND", "bind", conf_parse_bind, SLOT_BIND, KEY_OURS },
    { "SOCKSIFY_BIND_PORTS", "bind-ports", conf_parse_bind_ports, SLOT_BIND_PORTS, KEY_OURS },
    { "SOCKSIFY_PIPELINE", "pipeline", conf_parse_pipeline, SLOT_PIPELINE, KEY_OURS },
};
