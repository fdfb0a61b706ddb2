/* SPDX-License-Identifier: ISC */
/* check.c - the launcher's question: would this command use the proxy? */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../core/text.h"
#include "../io/objects.h"
#include "../io/program_elf.h"

enum { EXIT_OWN = 125, EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127 };

static int say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An interpreter's name is whatever somebody wrote into a script, and the line may go to a terminal. */
static int say(int status, const char *format, ...)
{
    static char line[2 * CHECK_PATH_SIZE + PROGRAM_CULPRIT_SIZE];
    va_list arguments;
    size_t len;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputs("socksify: ", stderr);
    for (const char *p = line; *p; p += len ? len : 1) {
        len = text_shown(p);
        if (len)
            fwrite(p, 1, len, stderr);
        else
            fprintf(stderr, "\\x%02x", (unsigned char)*p);
    }
    fputc('\n', stderr);
    return status;
}

/* What else may help than to go without the proxy, as a part of a sentence with its end; empty: nothing. */
static const char *advice(enum program_reason reason)
{
    switch (reason) {
    case PROGRAM_GO:
        return "many in Go heed ALL_PROXY or HTTPS_PROXY by themselves; ";
    case PROGRAM_SETID:
        return "socksify works within sudo and its like (sudo socksify ...); ";
    case PROGRAM_FOREIGN:
        return "it needs an object of its kind, as configure --enable-32bit makes; ";
    case PROGRAM_STATIC:
    case PROGRAM_STATIC_PIE:
        return "one that is linked to libc.so can be carried; ";
    default:
        return "";
    }
}

static int refuse(const char *name, const struct program_finding *f)
{
    static const char remedy[] = "SOCKSIFY_BYPASS=allow runs it without the proxy";
    const char *phrase = program_phrase(f->reason), *other = advice(f->reason);

    if (f->culprit[0])
        return say(EXIT_CANNOT_RUN, "%s refused: %s, which it runs, %s; %s%s", name, f->culprit, phrase, other, remedy);
    return say(EXIT_CANNOT_RUN, "%s refused: it %s; %s%s", name, phrase, other, remedy);
}

static struct program_object objects[OBJECTS_MAX];

/* What lies where the launcher's object is.  The loader would start the program without one that it cannot load. */
static int find_objects(const char *path, size_t *count)
{
    static char text[(OBJECTS_MAX - 1) * (CHECK_PATH_SIZE + OBJECTS_NAME_SIZE)];

    if (strlen(path) >= CHECK_PATH_SIZE || access(path, R_OK) != 0)
        return say(EXIT_OWN, "cannot read %s", path);
    if (objects_look(path, &objects[0]) != 0)
        return say(EXIT_OWN, "no object that the loader takes, or on a file system mounted noexec: %s", path);
    *count = objects_complete(objects, text);
    return 0;
}

static void judge(const char *path, char *const argv[], size_t count, struct program_finding *out)
{
    const struct program_query query = {
        .dir = AT_FDCWD, .path = path, .argv = argv, .search = getenv("PATH"), .objects = { objects, count }
    };

    program_judge(&query, out);
}

/* Why a command that was found cannot be run. */
static int why_not(const char *name)
{
    struct stat st;

    return strchr(name, '/') && stat(name, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : EACCES;
}

int check_command(char **arguments, bool allow, struct check_result *out)
{
    static char path[CHECK_PATH_SIZE];
    struct program_finding finding;
    size_t count = 0;
    int r;

    *out = (struct check_result){ NULL, NULL, NULL };
    if (!arguments[0] || !arguments[1])
        return say(EXIT_OWN, "no command to check");
    r = find_objects(arguments[0], &count);
    if (r != 0)
        return r;
    r = program_find(arguments[1], getenv("PATH"), path, sizeof path);
    if (r == -EACCES)
        return say(EXIT_CANNOT_RUN, "cannot execute %s: %s", arguments[1],
                   strerror(why_not(arguments[1])));
    if (r != 0)
        return say(EXIT_NOT_FOUND, "%s: command not found", arguments[1]);
    out->path = path;
    judge(path, arguments + 1, count, &finding);
    /* A shell would say that the script is not found. */
    if (finding.reason == PROGRAM_UNKNOWN && finding.culprit[0] && access(finding.culprit, F_OK) != 0)
        return say(EXIT_NOT_FOUND, "%s: %s, which it runs, does not exist", path, finding.culprit);
    out->object = finding.object ? finding.object->path : NULL;
    if (!program_bypasses(finding.reason))
        return 0;
    out->phrase = program_phrase(finding.reason);
    return allow ? 0 : refuse(path, &finding);
}
