/* SPDX-License-Identifier: ISC */
/* main.c - socksify-helper: what the launcher asks of the library's own code before it starts a program */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/conf.h"
#include "check.h"

enum { EXIT_OWN = 125, PASSWORD_LINE = 1024 };

/* One line on stderr in the launcher's name; returns the exit status of an error of our own. */
static int fail(const char *message)
{
    fprintf(stderr, "socksify: %s\n", message);
    return EXIT_OWN;
}

static const char *lookup(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

/* context: PASSWORD_LINE bytes, which get the file's first line. */
static const char *read_file(void *context, const char *path, int *error)
{
    char *line = context;
    FILE *file = fopen(path, "re");

    if (!file) {
        *error = -errno;
        return NULL;
    }
    line[0] = '\0';
    if (!fgets(line, PASSWORD_LINE, file) && ferror(file))
        *error = -errno, line = NULL;
    fclose(file);
    if (line)
        line[strcspn(line, "\r\n")] = '\0';
    return line;
}

/* Say what is wrong with the configuration in the environment, if anything is. */
static int check_conf(char **arguments)
{
    static struct conf conf;
    static char line[PASSWORD_LINE];
    struct conf_source source = { .lookup = lookup, .read_file = read_file, .context = line };
    size_t size = conf_memory(&source);
    void *memory = malloc(size ? size : 1);

    (void)arguments;
    if (!memory)
        return fail("out of memory");
    conf_read(&conf, &source, memory, size);
    free(memory);
    if (conf.state == CONF_BROKEN)
        return fail(conf.message);
    if (conf.state == CONF_NONE || conf.proxy.kind == ADDR_NONE)
        return fail("no proxy: give one with -x URL, or in SOCKSIFY_PROXY or ALL_PROXY");
    return 0;
}

static int check_launch(char **arguments)
{
    int status = check_conf(arguments);

    return status ? status : check_command(arguments);
}

static const struct command {
    const char *name;
    int (*function)(char **arguments);    /* the words after the name, NULL-terminated; returns the exit status */
    const char *help;
} commands[] = {
    { "conf", check_conf, "conf                       check the configuration in the environment" },
    { "check", check_command, "check COMMAND [ARGUMENT]   check that the command would use the proxy" },
    { "launch", check_launch, "launch COMMAND [ARGUMENT]  both" },
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
