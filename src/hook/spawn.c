/* SPDX-License-Identifier: ISC */
/* spawn.c - another process becomes another program
 *
 * libc's own posix_spawn(), system(), popen() and wordexp() do the work, with all their care for signals, cancellation
 * and streams; inside they call no hook.  The last three take their shell's environment from environ, so a program that
 * has removed our variables from it gets them put back there before, and keeps them: taking them away again could not
 * be done safely beside other threads that read it.
 *
 * A path that is relative to a directory which a file action will change to cannot be judged from here.  libc does not
 * tell what actions there are; once the program has made one of that kind, relative paths and actions together are
 * refused.
 */
#include <alloca.h>
#include <string.h>

#include "../io/log.h"
#include "guard.h"
#include "launch.h"

enum { NOT_RUN = 127 << 8 };    /* how system() tells that its shell could not be executed */

typedef int spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                  const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);

/* Would the file be looked for in a directory that is not known? */
static bool is_elsewhere(bool search, const struct launch *l)
{
    if (!l->moves || process.conf.bypass == CONF_BYPASS_ALLOW)
        return false;
    return search ? program_is_relative(l->path, envlist_value(environ, "PATH")) : l->path[0] != '/';
}

static int refuse_elsewhere(const char *name)
{
    log_line(CONF_LOG_WARN, "%s refused: it is relative to the directory that posix_spawn() would change to, where it"
             " cannot be judged; SOCKSIFY_BYPASS=allow runs it", name);
    return EACCES;
}

/* search: name is one to be searched for, and else a path. */
static int start(spawn *function, bool search, pid_t *pid, const char *name, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    const struct launch l = {
        .dir = AT_FDCWD, .path = name,
        .moves = actions && atomic_load_explicit(&process.moves, memory_order_relaxed)
    };
    int entry_errno = errno;
    void *memory = NULL;
    const char *object;
    size_t size = 0;
    int r;

    if (launch_astray(&name, &argv, &envp))
        return function(pid, name, actions, attributes, argv, envp);
    if (is_elsewhere(search, &l))
        return refuse_elsewhere(name);
    r = search ? launch_judge_search(&l, argv, envp, &object) : launch_judge(&l, argv, envp, &object);
    if (r == 0)
        r = launch_measure(object, envp, &size);
    if (r == 0 && size > LAUNCH_ON_STACK) {
        memory = launch_map(size);
        r = memory ? 0 : -ENOMEM;
    }
    errno = entry_errno;
    if (r != 0)
        return -r;
    if (size && !memory)
        memory = alloca(size);
    guard_drain_open(false);
    r = function(pid, name, actions, attributes, argv, launch_join(object, envp, size, memory));
    if (size > LAUNCH_ON_STACK)
        launch_unmap(memory, size);
    return r;
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    if (launch_idle())
        return real.posix_spawn(pid, path, actions, attributes, argv, envp);
    return start(real.posix_spawn, false, pid, path, actions, attributes, argv, envp);
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    if (launch_idle())
        return real.posix_spawnp(pid, file, actions, attributes, argv, envp);
    return start(real.posix_spawnp, true, pid, file, actions, attributes, argv, envp);
}

/* The same with a descriptor for the process in place of its number. */
int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    bool idle = launch_idle();

    if (!HOOK_HAVE(pidfd_spawn))
        return ENOSYS;
    return idle ? real.pidfd_spawn(pidfd, path, actions, attributes, argv, envp)
                : start(real.pidfd_spawn, false, pidfd, path, actions, attributes, argv, envp);
}

int pidfd_spawnp(int *pidfd, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    bool idle = launch_idle();

    if (!HOOK_HAVE(pidfd_spawnp))
        return ENOSYS;
    return idle ? real.pidfd_spawnp(pidfd, file, actions, attributes, argv, envp)
                : start(real.pidfd_spawnp, true, pidfd, file, actions, attributes, argv, envp);
}

static void note_move(void)
{
    hook_enter();
    atomic_store_explicit(&process.moves, true, memory_order_relaxed);
}

int posix_spawn_file_actions_addchdir(posix_spawn_file_actions_t *actions, const char *path)
{
    note_move();
    if (HOOK_HAVE(posix_spawn_file_actions_addchdir))
        return real.posix_spawn_file_actions_addchdir(actions, path);
    /* The same, by its older name. */
    if (HOOK_HAVE(posix_spawn_file_actions_addchdir_np))
        return real.posix_spawn_file_actions_addchdir_np(actions, path);
    return ENOSYS;
}

int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path)
{
    note_move();
    if (!HOOK_HAVE(posix_spawn_file_actions_addchdir_np))
        return ENOSYS;
    return real.posix_spawn_file_actions_addchdir_np(actions, path);
}

int posix_spawn_file_actions_addfchdir(posix_spawn_file_actions_t *actions, int fd)
{
    note_move();
    if (HOOK_HAVE(posix_spawn_file_actions_addfchdir))
        return real.posix_spawn_file_actions_addfchdir(actions, fd);
    /* The same, by its older name. */
    if (HOOK_HAVE(posix_spawn_file_actions_addfchdir_np))
        return real.posix_spawn_file_actions_addfchdir_np(actions, fd);
    return ENOSYS;
}

int posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *actions, int fd)
{
    note_move();
    if (!HOOK_HAVE(posix_spawn_file_actions_addfchdir_np))
        return ENOSYS;
    return real.posix_spawn_file_actions_addfchdir_np(actions, fd);
}

/* Our variables go into memory that the program may write to, like those that it had. */
static void own_strings(char **vars, char *text)
{
    for (; *vars; vars++) {
        size_t len = strlen(*vars) + 1;

        memcpy(text, *vars, len);
        *vars = text;
        text += len;
    }
}

static size_t list_size(const struct envlist *l)
{
    size_t size = 0;

    for (size_t i = 0; i < l->count; i++)
        size += strlen(l->vars[i]) + 1;
    return size;
}

static const char preload_name[] = "LD_PRELOAD=";

static bool is_preload(const char *variable)
{
    return !strncmp(variable, preload_name, strlen(preload_name));
}

/* Is it the object, and behind it just that list? */
static bool is_joined(const char *made, const char *object, const char *list)
{
    size_t len = strlen(object);

    made += strlen(preload_name);
    if (strncmp(made, object, len) != 0)
        return false;
    return made[len] ? *list && !strcmp(made + len + 1, list) : !*list;
}

/* Is this what was made last time, for the same environment?  A program may put its own array into environ again
 * before each call.  plan: for that one. */
static bool serves_again(const char *object, char **vars, const struct envlist_plan *plan)
{
    char **env = environ, *made;
    size_t size, count = 0;

    if (!vars || launch_measure(object, vars, &size) != 0 || size != 0)
        return false;
    while (vars[count])
        count++;
    if (count + 1 != plan->slots)
        return false;
    made = plan->text ? *vars++ : NULL;    /* LD_PRELOAD comes first where it was not right */
    if (made && !is_preload(made))
        return false;
    for (; env && *env; env++) {
        bool same = made && is_preload(*env) ? is_joined(made, object, *env + strlen(preload_name)) : *env == *vars++;

        if (!same)
            return false;
    }
    return true;
}

/* object: for the shell. */
static int restore_environ(const char *object)
{
    const struct envlist_preload preload = launch_preload(object);
    const struct envlist *list = &process.carry.list;
    char **vars = atomic_load(&process.restored);
    struct envlist_plan plan;
    size_t size, kept;
    int r = launch_measure(object, environ, &size);

    if (r != 0 || size == 0)
        return r;
    envlist_plan(list, &preload, environ, &plan);
    if (!serves_again(object, vars, &plan)) {
        vars = launch_map(size + list_size(list));
        if (!vars)
            return -ENOMEM;
        kept = envlist_join(list, &preload, environ, vars, (char *)(vars + plan.slots));
        own_strings(vars + kept, (char *)vars + size);
        atomic_store(&process.restored, vars);
    }
    environ = vars;
    return 0;
}

/* drain: the shell gets what is left open. */
static int prepare_shell(bool drain)
{
    static const struct launch shell = { .dir = AT_FDCWD, .path = "/bin/sh" };
    const char *object;
    int entry_errno = errno, r = launch_judge(&shell, NULL, environ, &object);

    if (r == 0)
        r = restore_environ(object);
    if (r == 0 && drain)
        guard_drain_open(false);
    errno = entry_errno;
    return r;
}

int system(const char *command)
{
    int r;

    if (launch_idle() || !command)
        return real.system(command);
    r = prepare_shell(true);
    if (r == 0)
        return real.system(command);
    if (r == -EACCES)
        return NOT_RUN;
    errno = -r;
    return -1;
}

FILE *popen(const char *command, const char *mode)
{
    int r = launch_idle() ? 0 : prepare_shell(true);

    if (r == 0)
        return real.popen(command, mode);
    errno = -r;
    return NULL;
}

/* Commands in the words are run by a shell; in musl it sees all words.  Without our variables there must be none. */
int wordexp(const char *words, wordexp_t *out, int flags)
{
    if (!launch_idle() && prepare_shell(!(flags & WRDE_NOCMD) && strpbrk(words, "$`")) != 0)
        flags |= WRDE_NOCMD;
    return real.wordexp(words, out, flags);
}
