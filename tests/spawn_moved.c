/* SPDX-License-Identifier: ISC */
/* spawn_moved.c - posix_spawn() in another directory: spawn_moved CALL DIRECTORY PROGRAM
 *
 * CALL: the function that adds the change of directory, without posix_spawn_file_actions_, or - for none; a p before it
 * has posix_spawnp() start the program.  What it says is an errno, or what the program ended with.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

/* Of POSIX 2024; no libc of Debian 12 has them. */
typedef int by_path(posix_spawn_file_actions_t *actions, const char *path);
typedef int by_number(posix_spawn_file_actions_t *actions, int fd);

static int move(const char *call, posix_spawn_file_actions_t *actions, const char *directory)
{
    if (strcmp(call, "addchdir_np") == 0)
        return posix_spawn_file_actions_addchdir_np(actions, directory);
    if (strcmp(call, "addfchdir_np") == 0)
        return posix_spawn_file_actions_addfchdir_np(actions, open(directory, O_RDONLY));
    if (strcmp(call, "addchdir") == 0)
        return ((by_path *)dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addchdir"))(actions, directory);
    if (strcmp(call, "addfchdir") == 0)
        return ((by_number *)dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addfchdir"))(actions,
                                                                                        open(directory, O_RDONLY));
    return 0;
}

int main(int argc, char **argv)
{
    const char *call = argc == 4 ? argv[1] : "";
    posix_spawn_file_actions_t actions;
    int search = *call == 'p', error, status = 0;
    char *words[] = { argv[3], (char[]){ "show" }, NULL };
    pid_t pid;

    posix_spawn_file_actions_init(&actions);
    error = move(call + search, &actions, argv[2]);
    if (!error)
        error = (search ? posix_spawnp : posix_spawn)(&pid, argv[3], &actions, NULL, words, environ);
    if (!error)
        waitpid(pid, &status, 0);
    if (error)
        printf("error: %s\n", strerror(error));
    return error ? 1 : WEXITSTATUS(status);
}
