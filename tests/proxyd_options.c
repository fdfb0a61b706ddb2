/* SPDX-License-Identifier: ISC */
/* proxyd_options.c - the command line of the test proxy */
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxyd_options.h"

enum kind { FLAG, TEXT, NUMBER, LISTEN, PORT, HOST, ON, FROM, HELP };

struct option {
    const char *name;
    enum kind kind;
    size_t offset;              /* of the field in struct options, for the first three kinds */
    const char *value;
    const char *help;
};

#define FIELD(name) offsetof(struct options, name)

static const struct option options[] = {
    { "listen", LISTEN, 0, "ADDR", "address to listen on (127.0.0.1)" },
    { "port", PORT, 0, "N", "port, 0: any free one (0)" },
    { "host", HOST, 0, "NAME=ADDR", "a name this proxy can resolve; repeatable" },
    { "resolve", FLAG, FIELD(resolve), "", "ask the system for other names (blocks meanwhile)" },
    { "user", TEXT, FIELD(user), "NAME", "offer method 02 with this user" },
    { "password", TEXT, FIELD(password), "WORD", "and this password" },
    { "require-auth", FLAG, FIELD(require_auth), "", "refuse method 00" },
    { "auth-failed", NUMBER, FIELD(auth_failed), "N", "status for wrong credentials (1)" },
    { "log", TEXT, FIELD(log), "FILE", "append the event lines to FILE, not to standard output" },
    { "ids", FLAG, FIELD(ids), "", "end each event line in \" #N\", the connection's number" },
    { "control", TEXT, FIELD(control), "PATH", "unix-domain stream socket for the commands below" },
    { "lifetime", NUMBER, FIELD(lifetime), "SECONDS", "end after that, 0: never (600)" },
    { "no-accept", FLAG, FIELD(no_accept), "", "listen with a full backlog, never accept" },
    { "on", ON, 0, "HOST[:PORT] ACTION", "misbehave for this target only; repeatable" },
    { "from", FROM, 0, "HOST[:PORT] ACTION", "misbehave for this client only, from the first message on; repeatable" },
    { "fastopen", FLAG, FIELD(fastopen), "", "take data that comes with the SYN, where the kernel does" },
    { "help", HELP, 0, "", "this text" },
};

enum { OPTIONS = sizeof options / sizeof options[0] };

static const char help_head[] =
    "usage: proxyd [OPTION]...\n"
    "A SOCKS5 server for tests: prints `ready PORT`, then a line for each event.\n\n";

static const char help_script[] =
    "\nMisbehaviour, for all targets, or as ACTION of --on, there spelled NAME or NAME=VALUE:\n";

static const char help_tail[] =
    "\nSTAGE: method, auth, reply, reply2 (the second reply to BIND), all.  VALUE none: back to normal.\n"
    "BND: ADDR:PORT, ipv4:ADDR:PORT, ipv6:ADDR:PORT, name:NAME:PORT, any, other-family, name, real; PORT * is the\n"
    "true one.  HOST: as the client sends it, IPv6 in brackets, * for every one.  What depends on the target takes\n"
    "effect from stage reply on.  The order is: glue waits for the target, then delay, then hold.\n"
    "\nEvents: accept ADDR:PORT; opened (its SYN had data); greeting METHODS; method XX; auth USER ok|bad;\n"
    "request COMMAND ATYP HOST:PORT; held STAGE; reply REP; reply2 REP; early BYTES (sent before the final reply);\n"
    "silent STAGE; peer ADDR:PORT; udp out|in ADDR:PORT BYTES; udp drop REASON; bad WHAT; reset; close.\n"
    "\nControl commands, one a line, each answered by one line; `proxyd --tell PATH COMMAND` sends one:\n"
    "  count             the number of replies held now\n"
    "  wait N            the same, once at least N are held\n"
    "  open              the number of connections\n"
    "  release [N]       let all, or the oldest N, go on; the number that did\n"
    "  hold STAGE[:N]    as --hold; `hold none` holds no more (what is held stays so)\n"
    "  set ACTION        any misbehaviour for what comes next; `set plain` for none\n"
    "  quit              end\n";

static int print_help(void)
{
    fputs(help_head, stdout);
    for (size_t i = 0; i < OPTIONS; i++) {
        char form[64];
        snprintf(form, sizeof form, "%s %s", options[i].name, options[i].value);
        printf("  --%-24s %s\n", form, options[i].help);
    }
    fputs(help_script, stdout);
    script_help();
    fputs(help_tail, stdout);
    return 0;
}

static int read_number(const char *text, long low, long high, int *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < low || value > high)
        return -EINVAL;
    *out = (int)value;
    return 0;
}

static int add_host(struct options *o, const char *text)
{
    struct host host;
    size_t len = strcspn(text, "=");
    if (o->hosts == OPTIONS_HOSTS || text[len] != '=' || addr_from_name(text, len, &host.name) < 0)
        return -EINVAL;
    if (addr_from_text(text + len + 1, strlen(text + len + 1), &host.address) < 0)
        return -EINVAL;
    o->host[o->hosts++] = host;
    return 0;
}

/* rules: room for max of them, of which there are *count. */
static int add_rule(struct script_rule *rules, size_t max, size_t *count, const char *host, const char *action)
{
    struct script scratch;
    struct script_rule rule;
    script_init(&scratch);
    if (strncmp(action, "--", 2) == 0)
        action += 2;
    if (*count == max || script_rule_read(host, &rule) < 0 || script_set(&scratch, action) < 0)
        return -EINVAL;
    rule.action = action;
    rules[(*count)++] = rule;
    return 0;
}

static int set_listen(struct options *o, const char *text)
{
    struct addr a;
    if (addr_from_text(text, strlen(text), &a) < 0)
        return -EINVAL;
    a.port = o->listen.port;
    o->listen = a;
    return 0;
}

static int set_port(struct options *o, const char *text)
{
    int port;
    if (read_number(text, 0, 65535, &port) < 0)
        return -EINVAL;
    o->listen.port = (uint16_t)port;
    return 0;
}

/* value: what follows the name; second: the argument after it, for --on. */
static int set_option(struct options *o, const struct option *option, const char *value, const char *second)
{
    void *field = (char *)o + option->offset;
    switch (option->kind) {
    case FLAG:
        *(bool *)field = true;
        return 0;
    case TEXT:
        *(const char **)field = value;
        return 0;
    case NUMBER:
        return read_number(value, 0, INT_MAX, field);
    case LISTEN:
        return set_listen(o, value);
    case PORT:
        return set_port(o, value);
    case HOST:
        return add_host(o, value);
    case ON:
        return second == NULL ? -EINVAL : add_rule(o->rule, OPTIONS_RULES, &o->rules, value, second);
    case FROM:
        return second == NULL ? -EINVAL : add_rule(o->client, OPTIONS_CLIENTS, &o->clients, value, second);
    case HELP:
        break;
    }
    return -EINVAL;
}

static const struct option *find(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(options[i].name) == len && memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

/* `--hold reply` and `--hold=reply` mean the same; the table of actions knows only the second form. */
static int read_action(struct options *o, const char *name, const char *value, int *used)
{
    char action[1024];
    bool needed;
    size_t len = strcspn(name, "=");
    if (!script_knows(name, len, &needed))
        return -EINVAL;
    if (!needed || name[len] == '=')
        return script_set(&o->script, name);
    if (value == NULL || (size_t)snprintf(action, sizeof action, "%s=%s", name, value) >= sizeof action)
        return -EINVAL;
    *used = 2;
    return script_set(&o->script, action);
}

/* argv: at least one argument, NULL-terminated; *used: how many belong together. */
static int read_one(struct options *o, char **argv, int *used)
{
    if (strncmp(argv[0], "--", 2) != 0)
        return -EINVAL;
    const char *name = argv[0] + 2;
    size_t len = strcspn(name, "=");
    const struct option *option = find(name, len);
    *used = 1;
    if (option == NULL)
        return read_action(o, name, argv[1], used);
    if (option->kind == FLAG)
        return name[len] == '\0' ? set_option(o, option, NULL, NULL) : -EINVAL;
    bool takes_two = option->kind == ON || option->kind == FROM;
    if (name[len] == '=' && !takes_two)
        return set_option(o, option, name + len + 1, NULL);
    if (name[len] == '=' || argv[1] == NULL)
        return -EINVAL;
    *used = takes_two ? 3 : 2;
    return set_option(o, option, argv[1], argv[2]);
}

static int complain(const char *text)
{
    fprintf(stderr, "proxyd: bad argument: %s (--help tells more)\n", text);
    return 2;
}

int options_read(struct options *o, int argc, char **argv)
{
    memset(o, 0, sizeof *o);
    script_init(&o->script);
    o->lifetime = 600;
    o->auth_failed = 1;
    (void)addr_from_text("127.0.0.1", 9, &o->listen);
    for (int i = 1, used = 1; i < argc; i += used) {
        if (strcmp(argv[i], "--help") == 0)
            return print_help();
        if (read_one(o, argv + i, &used) < 0)
            return complain(argv[i]);
    }
    if (o->require_auth && o->user == NULL)
        return complain("--require-auth without --user");
    if (o->user != NULL && o->password == NULL)
        o->password = "";
    return -1;
}
