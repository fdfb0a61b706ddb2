/* SPDX-License-Identifier: ISC */
/* launch.c - what exec and spawn have in common: judge the program, join the environment */
#include "launch.h"

#include <alloca.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../io/log.h"
#include "../io/memory.h"
#include "../io/objects.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

/* A shell looks in each directory of PATH by itself, and the next file of the name may be the same one by another path.
 * The mark is of one process, since the child of a vfork writes into its parent's memory. */
static enum conf_level level_of(const char *name, enum program_reason reason)
{
    const char *slash = strrchr(name, '/');
    unsigned mark = (unsigned)getpid() * 31 + (unsigned)reason;

    for (name = slash ? slash + 1 : name; *name; name++)
        mark = (mark ^ (unsigned char)*name) * 16777619;
    return atomic_exchange_explicit(&process.refusal, mark, memory_order_relaxed) == mark ? CONF_LOG_INFO
                                                                                          : CONF_LOG_WARN;
}

static void tell(const struct launch *l, const struct program_finding *finding)
{
    static const char remedy[] = "SOCKSIFY_BYPASS=allow runs it without the proxy";
    const char *name = l->path[0] ? l->path : "program in an open file";
    const char *phrase = program_phrase(finding->reason);
    enum conf_level level = level_of(name, finding->reason);

    if (finding->culprit[0])
        log_line(level, "%s refused: %s, which it runs, %s; %s", name, finding->culprit, phrase, remedy);
    else
        log_line(level, "%s refused: it %s; %s", name, phrase, remedy);
}

/* The loader starts a program without an object it cannot load: after chroot(), setuid(), when the file was removed or
 * another took its place, or where nothing may be run. */
static bool can_be_preloaded(const struct program_object *object)
{
    struct program_object now;

    return object && object->path && objects_look(object->path, &now) == 0 &&
           elf_same_target(&now.target, &object->target);
}

static void judge(const struct launch *l, char *const argv[], char *const envp[], struct program_finding *out)
{
    struct program_query query = {
        .dir = l->dir, .path = l->path, .argv = argv,
        .nofollow = l->flags & AT_SYMLINK_NOFOLLOW,
        .search = envlist_value(envp, "PATH"),
        .objects = { process.carry.objects, process.carry.object_count }
    };

    program_judge(&query, out);
}

/* As launch_judge(), with the finding. */
static int look(const struct launch *l, char *const argv[], char *const envp[], const char **object,
                struct program_finding *finding)
{
    *object = process.carry.objects[0].path;
    finding->reason = PROGRAM_UNKNOWN;
    if (!l->path || (!l->path[0] && !(l->flags & AT_EMPTY_PATH)))
        return 0;    /* EFAULT or ENOENT, which the kernel will say */
    if (process.conf.bypass == CONF_BYPASS_ALLOW && process.carry.object_count == 1)
        return 0;    /* nothing to be found out */
    judge(l, argv, envp, finding);
    if (finding->object && finding->object->path)
        *object = finding->object->path;
    if (process.conf.bypass == CONF_BYPASS_ALLOW)
        return 0;
    if (l->moves && finding->culprit[0] && finding->culprit[0] != '/') {
        log_line(CONF_LOG_WARN, "%s refused: %s, which it runs, is relative to a directory that is not known;"
                 " SOCKSIFY_BYPASS=allow runs it", l->path, finding->culprit);
        return -EACCES;
    }
    if (finding->reason == PROGRAM_CARRIED && !can_be_preloaded(finding->object)) {
        log_line(CONF_LOG_WARN, "%s refused: the object that carries it to the proxy cannot be loaded from here any"
                 " more; SOCKSIFY_BYPASS=allow runs it without the proxy",
                 l->path[0] ? l->path : "program in an open file");
        return -EACCES;
    }
    if (!program_bypasses(finding->reason))
        return 0;
    tell(l, finding);
    return -EACCES;
}

int launch_judge(const struct launch *l, char *const argv[], char *const envp[], const char **object)
{
    struct program_finding finding;

    return look(l, argv, envp, object, &finding);
}

int launch_judge_search(const struct launch *l, char *const argv[], char *const envp[], const char **object)
{
    const char *file = l->path;
    const char *rest = program_search(envlist_value(environ, "PATH"));
    size_t size = program_room(file, rest);
    struct launch candidate = *l;
    struct program_finding finding;
    char *path;
    int r;

    *object = process.carry.objects[0].path;
    if (strchr(file, '/'))
        return launch_judge(l, argv, envp, object);
    if (!*file || strlen(file) >= size)
        return 0;    /* ENOENT or ENAMETOOLONG, which libc will say */
    path = alloca(size);
    candidate.path = path;
    while (program_candidate(&rest, file, path, size)) {
        if (program_try(path) != 0)
            continue;
        r = look(&candidate, argv, envp, object, &finding);
        if (r != 0 || finding.reason != PROGRAM_UNKNOWN)
            return r;
    }
    return 0;
}

static bool is_text(const char *s)
{
    enum { GRAIN = 4096 };    /* no page is smaller */

    for (;;) {
        size_t room = GRAIN - (uintptr_t)s % GRAIN;

        if (!memory_readable(s, room))
            return false;
        if (memchr(s, 0, room))
            return true;
        s += room;
    }
}

/* A list of texts that ends with NULL; NULL itself is none, and the kernel's to judge. */
static bool is_list(char *const list[])
{
    if (!list)
        return true;
    for (;; list++) {
        if (!memory_readable(list, sizeof *list))
            return false;
        if (!*list)
            return true;
        if (!is_text(*list))
            return false;
    }
}

bool launch_astray(const char **path, char *const **argv, char *const **envp)
{
    bool is_path = is_text(*path), is_argv = is_list(*argv), is_envp = is_list(*envp);

    if (!is_path)
        *path = MEMORY_NOWHERE;
    if (!is_argv)
        *argv = MEMORY_NOWHERE;
    if (!is_envp)
        *envp = MEMORY_NOWHERE;
    return !(is_path && is_argv && is_envp);
}

struct envlist_preload launch_preload(const char *object)
{
    return (struct envlist_preload){ object, process.carry.paths, process.carry.path_count };
}

int launch_measure(const char *object, char *const envp[], size_t *size)
{
    const struct envlist_preload preload = launch_preload(object);
    struct envlist_plan plan;
    int r = envlist_plan(&process.carry.list, &preload, envp, &plan);

    if (r != 0) {
        log_line(CONF_LOG_WARN, "exec refused: variables of ours are missing, and there are too many others to add them"
                 " (%d at most, %d bytes of LD_PRELOAD)", ENVLIST_MAX, ENVLIST_PRELOAD_MAX);
        return r;
    }
    *size = plan.slots * sizeof(char *) + plan.text;
    return 0;
}

char **launch_join(const char *object, char *const envp[], size_t size, void *memory)
{
    const struct envlist_preload preload = launch_preload(object);
    const struct envlist *list = &process.carry.list;
    struct envlist_plan plan;

    if (size == 0 || envlist_plan(list, &preload, envp, &plan) != 0)
        return (char **)envp;
    envlist_join(list, &preload, envp, memory, (char *)memory + plan.slots * sizeof(char *));
    return memory;
}

void *launch_map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void launch_unmap(void *memory, size_t size)
{
    int saved_errno = errno;

    munmap(memory, size);
    errno = saved_errno;
}
