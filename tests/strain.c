/* SPDX-License-Identifier: ISC */
/* strain.c - what must hold of all hooks alike: cancellation, errno, stack, signal handlers, ways out of a call */
#include "strain.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int arguments;
    int (*run)(char **argv);
} commands[] = {
    { "cancel", 2, strain_cancel },   { "errno", 2, strain_errno }, { "stack", 2, strain_stack },
    { "handler", 2, strain_handler }, { "leave", 1, strain_leave },
    { "open", 0, strain_open },
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; argc >= 2 && i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].arguments)
            return commands[i].run(argv + 2);
    }
    fputs("usage: strain cancel|errno|stack|handler TCP-ADDRESS UDP-ADDRESS | leave NAME | open\n", stderr);
    return 2;
}
