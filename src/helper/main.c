/* SPDX-License-Identifier: ISC */
/* main.c - socksify-helper: what the launcher asks of the library's own code before it starts a program */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/conf_load.h"
#include "../io/real.h"
#include "check.h"
#include "diagnose.h"
#include "show.h"

enum { EXIT_OWN = 125 };

/* One line on stderr in the launcher's name; returns the exit status of an error of our own. */
static int fail(const char *message)
{
    fprintf(stderr, "socksify: %s\n", message);
    return EXIT_OWN;
}

/* The options of the launcher that set a variable, by their letters. */
static const struct {
    char letter;
    const char *variable;
} options[] = {
    { 'x', "SOCKSIFY_PROXY" }, { 'u', "SOCKSIFY_USER" }, { 'd', "SOCKSIFY_DIRECT" }, { 'b', "SOCKSIFY_BLOCK" },
    { 't', "SOCKSIFY_TIMEOUT" },
};

/* A fault in what an option said is told of the option.  given: the letters of those that were given. */
static int fail_conf(const char *message, const char *given)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t len = strlen(options[i].variable);

        if (strchr(given, options[i].letter) && !strncmp(message, options[i].variable, len) && message[len] == ':') {
            fprintf(stderr, "socksify: -%c%s\n", options[i].letter, message + len);
            return EXIT_OWN;
        }
    }
    return fail(message);
}

static struct conf conf;

/* Read the configuration into conf; say what is wrong with it, if anything is. */
static int check_conf(char **arguments)
{
    if (!arguments[0])
        return fail("socksify-helper: no list of options");
    real_init();
    conf_load(&conf, getenv);
    if (conf.state == CONF_BROKEN)
        return fail_conf(conf.message, arguments[0]);
    if (conf.state == CONF_NONE)
        return fail("no proxy: give one with -x URL, in SOCKSIFY_PROXY or ALL_PROXY, or in socksify.conf");
    return 0;
}

static int diagnose(char **arguments)
{
    int status = check_conf(arguments);

    return status ? status : diagnose_proxies(&conf);
}

static int show(char **arguments)
{
    int status = check_conf(arguments);

    if (!status)
        show_conf(&conf);
    return status;
}

static int check(char **arguments)
{
    const char *object;

    return check_command(arguments, &object);
}

/* The launcher reads what to preload. */
static int check_launch(char **arguments)
{
    const char *object = NULL;
    int status = check_conf(arguments);

    if (!status)
        status = check_command(arguments + 1, &object);
    if (!status && object)
        puts(object);
    return status;
}

static const struct command {
    const char *name;
    int (*function)(char **arguments);    /* the words after the name, NULL-terminated; returns the exit status */
    const char *help;
} commands[] = {
    { "conf", check_conf, "conf GIVEN                       check the configuration; GIVEN: letters of options" },
    { "proxy", diagnose, "proxy GIVEN                      ask the proxy what it can do" },
    { "show", show, "show GIVEN                       write the configuration" },
    { "check", check, "check OBJECT COMMAND [ARGUMENT]  check that the command would use the proxy" },
    { "launch", check_launch, "launch GIVEN OBJECT COMMAND [ARGUMENT]\n"
                              "                                   both, and write which object to preload" },
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
