/* SPDX-License-Identifier: ISC */
/* run.c - the helper becomes the command
 *
 * Not the shell: one that is bash runs what has no `#!` in its own process, which the object is not in; it takes a
 * name that begins with `-` for an option, and searches a PATH of its own where there is none.
 */
#include "run.h"

#include <alloca.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static const char separators[] = " \t\n\v\f\r:";

static int fail(int status, const char *text, const char *name)
{
    fprintf(stderr, "socksify: %s%s\n", text, name);
    return status;
}

static int preload(const char *object)
{
    const char *others = getenv("LD_PRELOAD");
    size_t len = strlen(object);
    char *value;

    if (object[strcspn(object, separators)])
        return fail(EXIT_OWN, "the path of the object holds a blank or a colon, which LD_PRELOAD cannot carry: ",
                    object);
    if (!others || !others[0])
        return setenv("LD_PRELOAD", object, 1) == 0 ? 0 : fail(EXIT_OWN, "out of memory", "");
    /* The loader separates them by these two alone. */
    if (!strncmp(others, object, len) && (!others[len] || others[len] == ':' || others[len] == ' '))
        return 0;
    value = malloc(len + 1 + strlen(others) + 1);
    if (!value || sprintf(value, "%s:%s", object, others) < 0 || setenv("LD_PRELOAD", value, 1) != 0)
        return fail(EXIT_OWN, "out of memory", "");
    free(value);
    return 0;
}

/* What has no format that the kernel knows is the shell's, as POSIX has it for execvp(). */
static int by_shell(char **arguments, bool allow, const char *script)
{
    size_t count = 0;
    char **words;

    while (arguments[count])
        count++;
    words = alloca((count + 2) * sizeof *words);
    words[0] = arguments[0];
    words[1] = (char *)"/bin/sh";
    words[2] = (char *)script;
    memcpy(words + 3, arguments + 2, (count - 1) * sizeof *words);
    return run_command(words, allow);
}

int run_command(char **arguments, bool allow)
{
    struct check_result result;
    char script[CHECK_PATH_SIZE];
    int status = check_command(arguments, allow, &result);

    if (!status)
        status = preload(result.object ? result.object : arguments[0]);
    if (status)
        return status;
    execv(result.path, arguments + 1);
    if (errno == ENOEXEC && strcmp(arguments[1], "/bin/sh") != 0)
        return by_shell(arguments, allow, strcpy(script, result.path));
    status = errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
    fprintf(stderr, "socksify: cannot execute %s: %s\n", result.path, strerror(errno));
    return status;
}
