/* SPDX-License-Identifier: ISC */
/* launch.h - what exec and spawn have in common: judge the program, join the environment
 *
 * Everything here is async-signal-safe, allocates nothing, changes nothing but errno and the mark of what was last
 * told, and may be used in the child of a vfork, from any thread.
 */
#ifndef SOCKSIFY_HOOK_LAUNCH_H
#define SOCKSIFY_HOOK_LAUNCH_H

#include <stdbool.h>

#include "hook.h"

/* A program as execveat() names it. */
struct launch {
    int dir;                    /* AT_FDCWD, a directory, or the program itself when path is empty */
    const char *path;
    int flags;                  /* AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW */
    bool moves;                 /* it may be started in another directory: what is relative cannot be judged */
};

/* True when this process carries nothing to its children: the hooks then call libc's functions at once. */
static inline bool launch_idle(void)
{
    hook_enter();
    return process.conf.state == CONF_NONE;
}

/* May this program be started, and with which object?  argv, envp: as it will get them, either may be NULL; envp gives
 * the PATH of `env NAME`.
 * Returns 0, with the path for launch_measure() in *object (NULL: none); or -EACCES after a line that names program,
 * reason and remedy, at CONF_LOG_INFO when this process was last told the same of a program of that name. */
int launch_judge(const struct launch *l, char *const argv[], char *const envp[], const char **object);

/* The same for the program that libc's search would start: it passes over what the kernel says there is not, a script
 * without its interpreter among it.  l->path: the file as posix_spawnp() gets it. */
int launch_judge_search(const struct launch *l, char *const argv[], char *const envp[], const char **object);

/* Put MEMORY_NOWHERE in the place of what leads nowhere, so that the kernel says EFAULT in its turn and nobody else
 * looks.  path, argv, envp: as a program passed them.  Returns true when any of them was replaced: the call is to be
 * made, and nothing to be judged. */
bool launch_astray(const char **path, char *const **argv, char *const **envp);

/* How much is missing from this environment?
 * Returns 0 with the bytes that launch_join() needs, 0: nothing is missing; -E2BIG after a line (size untouched). */
int launch_measure(const char *object, char *const envp[], size_t *size);

/* The environment to start the program with.  object, envp, size: as measured.  memory: size bytes, on the caller's
 * stack; they are kept by the result.  envp itself when size is 0. */
char **launch_join(const char *object, char *const envp[], size_t size, void *memory);

/* The same in steps: what LD_PRELOAD must be. */
struct envlist_preload launch_preload(const char *object);

/* A joined environment that is larger than this goes into mapped memory: threads have stacks of 16 KiB. */
enum { LAUNCH_ON_STACK = 4096 };

/* Memory for a large one, or NULL.  Not for the child of a vfork that is about to exec: it would stay behind in the
 * parent. */
void *launch_map(size_t size);

/* Give it back.  Keeps errno. */
void launch_unmap(void *memory, size_t size);

#endif
