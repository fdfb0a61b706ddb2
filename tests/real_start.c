/* SPDX-License-Identifier: ISC */
/* real_start.c - a program that starts another one */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* start COMMAND ...: in a child, with nothing in its environment */
int main(int argc, char **argv)
{
    static char *const none[] = { NULL };
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        execve(argv[argc > 1], argv + 1, none);
        perror("execve");
        _exit(126);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
