/* SPDX-License-Identifier: ISC */
/* exec.c - the process becomes another program
 *
 * The environment is joined on the stack, which holds as much as is needed and no more; a large one in mapped memory,
 * except in the child of a vfork, which would leave that behind in its parent.  None of these is a cancellation point,
 * and none may become one.
 */
#include <alloca.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>

#include "guard.h"
#include "launch.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

typedef int call(const struct launch *l, char *const argv[], char *const envp[]);

/* In glibc alone, whose execvp() and kin give a file that the kernel does not know to the shell, as POSIX has it.
 * musl's do not. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

static int call_execve(const struct launch *l, char *const argv[], char *const envp[])
{
    return real.execve(l->path, argv, envp);
}

static int call_fexecve(const struct launch *l, char *const argv[], char *const envp[])
{
    return real.fexecve(l->dir, argv, envp);
}

static int call_execveat(const struct launch *l, char *const argv[], char *const envp[])
{
    if (HOOK_HAVE(execveat))
        return real.execveat(l->dir, l->path, argv, envp, l->flags);
    return (int)real.syscall(SYS_execveat, (long)l->dir, l->path, argv, envp, (long)l->flags);
}

/* Both leave errno.  A success does not return. */
enum outcome { OUTCOME_FAILED, OUTCOME_REFUSED };

static enum outcome become(call *function, const struct launch *l, const char *object, char *const argv[],
                           char *const envp[])
{
    void *memory = NULL;
    bool map = false;
    size_t size = 0;
    int r = launch_measure(object, envp, &size);

    if (r == 0 && size > LAUNCH_ON_STACK && !process_is_guest()) {
        map = true;
        memory = launch_map(size);
        r = memory ? 0 : -ENOMEM;
    }
    if (r != 0) {
        errno = -r;
        return OUTCOME_REFUSED;
    }
    if (size && !map)
        memory = alloca(size);
    /* Handshakes are this image's: the next one would find a socket in the middle of one. */
    guard_drain_for_exec();
    function(l, argv, launch_join(object, envp, size, memory));
    guard_stay();
    if (map)
        launch_unmap(memory, size);
    return OUTCOME_FAILED;
}

static enum outcome judged(call *function, const struct launch *l, char *const argv[], char *const envp[])
{
    struct launch own = *l;
    const char *object;
    int r;

    if (launch_idle() || launch_astray(&own.path, &argv, &envp)) {
        function(&own, argv, envp);
        return OUTCOME_FAILED;
    }
    r = launch_judge(l, argv, envp, &object);
    if (r == 0)
        return become(function, l, object, argv, envp);
    errno = -r;
    return OUTCOME_REFUSED;
}

static enum outcome run(const char *path, char *const argv[], char *const envp[])
{
    const struct launch l = { .dir = AT_FDCWD, .path = path };

    return judged(call_execve, &l, argv, envp);
}

static size_t count_of(char *const argv[])
{
    size_t n = 0;

    while (argv && argv[n])
        n++;
    return n;
}

static enum outcome run_by_shell(const char *path, char *const argv[], char *const envp[])
{
    size_t count = count_of(argv);
    char **shell_argv = alloca((count + 3) * sizeof *shell_argv);

    shell_argv[0] = (char *)"/bin/sh";
    shell_argv[1] = (char *)path;
    shell_argv[2] = NULL;
    if (count > 1)
        memcpy(shell_argv + 2, argv + 1, count * sizeof *argv);
    return run("/bin/sh", shell_argv, envp);
}

static enum outcome run_or_shell(const char *path, char *const argv[], char *const envp[])
{
    enum outcome outcome = run(path, argv, envp);

    if (outcome == OUTCOME_FAILED && errno == ENOEXEC && gnu_get_libc_version)
        return run_by_shell(path, argv, envp);
    return outcome;
}

/* Is it worth while to look in the next directory?  glibc goes on after more errors than musl. */
static bool is_elsewhere(int error)
{
    switch (error) {
    case EACCES:
    case ENOENT:
    case ENOTDIR:
        return true;
    case ESTALE:
    case ENODEV:
    case ETIMEDOUT:
        return gnu_get_libc_version != NULL;
    default:
        return false;
    }
}

/* The first candidate that we refuse ends the search: the next might be quite another program. */
static void try_each(const char *file, const char *rest, char *const argv[], char *const envp[])
{
    size_t size = program_room(file, rest);
    char *path = alloca(size);
    bool denied = false;

    while (program_candidate(&rest, file, path, size)) {
        if (run_or_shell(path, argv, envp) == OUTCOME_REFUSED || !is_elsewhere(errno))
            return;
        denied = denied || errno == EACCES;
    }
    if (denied)
        errno = EACCES;
}

static int search(const char *file, char *const argv[], char *const envp[])
{
    const char *path = program_search(envlist_value(environ, "PATH"));

    hook_enter();
    errno = ENOENT;
    if (strchr(file, '/'))
        run_or_shell(file, argv, envp);
    else if (strlen(file) > NAME_MAX)
        errno = ENAMETOOLONG;
    else if (*file)
        try_each(file, path, argv, envp);
    return -1;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    run(path, argv, envp);
    return -1;
}

int execv(const char *path, char *const argv[])
{
    run(path, argv, environ);
    return -1;
}

int execvp(const char *file, char *const argv[])
{
    return search(file, argv, environ);
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return search(file, argv, envp);
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
    const struct launch l = { .dir = fd, .path = "", .flags = AT_EMPTY_PATH };

    hook_enter();
    if (!envp && gnu_get_libc_version)    /* EINVAL, which an environment of ours in its place would hide */
        return real.fexecve(fd, argv, envp);
    judged(call_fexecve, &l, argv, envp);
    return -1;
}

int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags)
{
    const struct launch l = { .dir = dir, .path = path, .flags = flags };

    hook_enter();
    if (flags & AT_EXECVE_CHECK)    /* a question: nothing is started, and the answer may be 0 */
        return call_execveat(&l, argv, envp);
    judged(call_execveat, &l, argv, envp);
    return -1;
}

/* Arguments from first to the NULL that ends them. */
static size_t count_list(const char *first, va_list list)
{
    size_t n = 0;

    for (; first; first = va_arg(list, const char *))
        n++;
    return n;
}

static void copy_list(char **argv, const char *first, va_list *list)
{
    for (; first; first = va_arg(*list, const char *))
        *argv++ = (char *)first;
    *argv = NULL;
}

int execl(const char *path, const char *first, ...)
{
    va_list list;
    char **argv;

    va_start(list, first);
    argv = alloca((count_list(first, list) + 1) * sizeof *argv);
    va_end(list);
    va_start(list, first);
    copy_list(argv, first, &list);
    va_end(list);
    run(path, argv, environ);
    return -1;
}

int execlp(const char *file, const char *first, ...)
{
    va_list list;
    char **argv;

    va_start(list, first);
    argv = alloca((count_list(first, list) + 1) * sizeof *argv);
    va_end(list);
    va_start(list, first);
    copy_list(argv, first, &list);
    va_end(list);
    return search(file, argv, environ);
}

int execle(const char *path, const char *first, ...)
{
    char *const *envp;
    va_list list;
    char **argv;

    va_start(list, first);
    argv = alloca((count_list(first, list) + 1) * sizeof *argv);
    va_end(list);
    va_start(list, first);
    copy_list(argv, first, &list);
    envp = va_arg(list, char *const *);
    va_end(list);
    run(path, argv, envp);
    return -1;
}
