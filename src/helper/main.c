/* SPDX-License-Identifier: ISC */
/* main.c - socksify-helper: what the launcher asks of the library's own code before it starts a program */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/conf_load.h"
#include "../io/real.h"
#include "check.h"
#include "diagnose.h"
#include "option.h"
#include "run.h"
#include "show.h"

enum { EXIT_OWN = 125 };

/* One line on stderr in the launcher's name; returns the exit status of an error of our own. */
static int fail(const char *message)
{
    fprintf(stderr, "socksify: %s\n", message);
    return EXIT_OWN;
}

/* A fault in what an option said is told of the option.  given: the letters of those that were given. */
static int fail_conf(const char *message, const char *given)
{
    size_t len = strcspn(message, ":");
    const char *option = option_of(message, len, given);

    if (!option)
        return fail(message);
    fprintf(stderr, "socksify: %s%s\n", option, message + len);
    return EXIT_OWN;
}

static struct conf conf;

/* Nobody has named a proxy, and that is all that is wrong. */
static bool lacks_proxy(void)
{
    return conf.state == CONF_NONE || (conf.state == CONF_BROKEN && !strcmp(conf.message, conf_without_proxy));
}

/* What belongs to socksify, and was given to the command: -x URL, in one word or two. */
static bool has_url(char **arguments)
{
    for (; *arguments; arguments++) {
        if (conf_has_scheme(*arguments) || (!strncmp(*arguments, "-x", 2) && conf_has_scheme(*arguments + 2)))
            return true;
    }
    return false;
}

/* Many a system sets ALL_PROXY to what is none of ours, and its user wonders why it does not count. */
/* arguments: behind the letters of the options, NULL-terminated. */
static int fail_without_proxy(char **arguments)
{
    const char *upper = getenv("ALL_PROXY"), *lower = getenv("all_proxy"), *name = NULL;

    if (has_url(arguments))
        return fail("no proxy: what stands behind the command is for that alone: socksify -x URL COMMAND ...");
    if (upper && upper[0])
        name = "ALL_PROXY";
    else if (lower && lower[0])
        name = "all_proxy";
    fprintf(stderr, "socksify: no proxy: %s%sgive one with -x URL, in SOCKSIFY_PROXY%s or in socksify.conf\n",
            name ? name : "", name ? " is not a socks5:// URL; " : "", name ? "" : " or ALL_PROXY,");
    return EXIT_OWN;
}

/* Read the configuration into conf; say what is wrong with it, if anything is. */
static int check_conf(char **arguments)
{
    if (!arguments[0])
        return fail("socksify-helper: no list of options");
    real_init();
    conf_load(&conf, getenv);
    if (lacks_proxy())
        return fail_without_proxy(arguments + 1);
    return conf.state == CONF_BROKEN ? fail_conf(conf.message, arguments[0]) : 0;
}

static int diagnose(char **arguments)
{
    int status = check_conf(arguments);

    return status ? status : diagnose_proxies(&conf);
}

static int show(char **arguments)
{
    int status = check_conf(arguments);

    /* Who lacks a proxy is helped by the file that was read, and by the rules. */
    if (!status || lacks_proxy())
        show_conf(&conf, arguments[0]);
    return status;
}

/* The file may allow what goes past the proxy; nothing else of the configuration matters here. */
static int check(char **arguments)
{
    struct check_result result;
    int status;

    real_init();
    conf_load(&conf, getenv);
    status = check_command(arguments, conf.bypass == CONF_BYPASS_ALLOW, &result);
    if (status)
        return status;
    if (result.phrase)
        printf("%s would run without the proxy: it %s, and bypass=allow lets it\n", arguments[1], result.phrase);
    else
        printf("%s would use the proxy\n", arguments[1]);
    return 0;
}

/* Whether it would run, before a password is asked for. */
static int ready(char **arguments)
{
    struct check_result result;
    int status = check_conf(arguments);

    return status ? status : check_command(arguments + 1, conf.bypass == CONF_BYPASS_ALLOW, &result);
}

static int run(char **arguments)
{
    int status = check_conf(arguments);

    return status ? status : run_command(arguments + 1, conf.bypass == CONF_BYPASS_ALLOW);
}

static const struct command {
    const char *name;
    int (*function)(char **arguments);    /* the words after the name, NULL-terminated; returns the exit status */
    const char *help;
} commands[] = {
    { "proxy", diagnose, "proxy GIVEN                      ask the proxy what it can do; GIVEN: letters of options" },
    { "show", show, "show GIVEN                       write the configuration" },
    { "check", check, "check OBJECT COMMAND [ARGUMENT]  check that the command would use the proxy" },
    { "ready", ready, "ready GIVEN OBJECT COMMAND [ARGUMENT]\n"
                      "                                   the same, and check the configuration" },
    { "run", run, "run GIVEN OBJECT COMMAND [ARGUMENT]\n"
                  "                                   the same, and become the command" },
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static int help(void)
{
    printf("socksify-helper " PACKAGE_VERSION ", used by the launcher socksify(1)\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %s\n", commands[i].help);
    return 0;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";

    if (!strcmp(name, "--help"))
        return help();
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return commands[i].function(argv + 2);
    return fail("socksify-helper: unknown command; try socksify-helper --help");
}
