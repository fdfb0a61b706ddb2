/* SPDX-License-Identifier: ISC */
/* exec_probe.c - starts a program in each way that libc offers, with an environment that lacks everything
 *
 *     exec_probe show                        what this process was given, one line
 *     exec_probe again COUNT                 call system() so often, each time with an environment of its own again;
 *                                            does that cost memory each time?
 *     exec_probe [MODE] HOW PROGRAM [ARG]    start PROGRAM with ARG; print the error if it did not start
 *
 * HOW: a function, execve execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp system
 * popen.  MODE: full (4,096 other variables), over (one more), big (one larger than the kernel takes), long (the PATH
 * has an element that is too long), then vfork or thread (a thread with a small stack forks).
 * Run bare and preloaded, it must print the same errors.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* musl has none, the object has. */
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags) __attribute__((weak));

/* glibc's smallest stack on most machines; musl's 2 KiB do not hold a signal's frame everywhere. */
enum { FULL = 4096, NO_SUCH_HOW = 90, SMALL_STACK = 16384 };

static char search[2 * PATH_MAX + 32] = "PATH=";
static char *few[] = { (char *)"MARK=1", search, NULL };
static char *many[FULL + 2];
static char **scrubbed = few;

static bool is_loaded(void)
{
    char line[4096];
    FILE *maps = fopen("/proc/self/maps", "r");
    bool found = false;

    while (maps && fgets(line, sizeof line, maps))
        found = found || strstr(line, "libsocksify.so");
    if (maps)
        fclose(maps);
    return found;
}

static int show(void)
{
    const char *preload = getenv("LD_PRELOAD"), *proxy = getenv("SOCKSIFY_PROXY");
    const char *mark = getenv("MARK"), *state = getenv("SOCKSIFY_STATE");

    printf("object %s preload %s proxy %s state %s mark %s\n", is_loaded() ? "yes" : "no", preload ? preload : "-",
           proxy ? proxy : "-", state ? "yes" : "no", mark ? mark : "-");
    return 0;
}

/* The calls that do not return but by failing. */
static void become(const char *how, const char *path, char *const argv[])
{
    if (!strcmp(how, "execve"))
        execve(path, argv, scrubbed);
    else if (!strcmp(how, "execvpe"))
        execvpe(path, argv, scrubbed);
    else if (!strcmp(how, "execle"))
        execle(path, argv[0], argv[1], (char *)NULL, scrubbed);
    else if (!strcmp(how, "fexecve"))
        fexecve(open(path, O_RDONLY | O_CLOEXEC), argv, scrubbed);
    else if (!strcmp(how, "execveat") && execveat)
        execveat(AT_FDCWD, path, argv, scrubbed, 0);
    environ = scrubbed;
    if (!strcmp(how, "execv"))
        execv(path, argv);
    else if (!strcmp(how, "execvp"))
        execvp(path, argv);
    else if (!strcmp(how, "execl"))
        execl(path, argv[0], argv[1], (char *)NULL);
    else if (!strcmp(how, "execlp"))
        execlp(path, argv[0], argv[1], (char *)NULL);
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int spawned(const char *how, const char *path, char *const argv[])
{
    pid_t pid;
    int status;
    int error = !strcmp(how, "posix_spawn") ? posix_spawn(&pid, path, NULL, NULL, argv, scrubbed)
                                            : posix_spawnp(&pid, path, NULL, NULL, argv, scrubbed);

    if (error) {
        printf("%s\n", strerror(error));
        return 1;
    }
    return waitpid(pid, &status, 0) == pid ? exit_status(status) : 1;
}

static int by_shell(const char *how, const char *path, const char *argument)
{
    char command[8192], line[8192];
    FILE *stream;
    int status;

    snprintf(command, sizeof command, "'%s' '%s'", path, argument);
    environ = scrubbed;
    if (!strcmp(how, "system")) {
        status = system(command);
        return status == -1 ? 1 : exit_status(status);
    }
    stream = popen(command, "r");
    if (!stream) {
        printf("%s\n", strerror(errno));
        return 1;
    }
    while (fgets(line, sizeof line, stream))
        fputs(line, stdout);
    return exit_status(pclose(stream));
}

static int start(const char *how, char **words)
{
    char *argv[] = { words[0], words[1], NULL };

    fflush(stdout);
    if (!strncmp(how, "posix", 5))
        return spawned(how, words[0], argv);
    if (!strcmp(how, "system") || !strcmp(how, "popen"))
        return by_shell(how, words[0], words[1] ? words[1] : "");
    errno = 0;
    become(how, words[0], argv);
    if (errno == 0)
        return NO_SUCH_HOW;
    printf("%s\n", strerror(errno));
    return 1;
}

/* The child says nothing by itself: its buffers are its parent's. */
static int start_in_child(bool by_vfork, char **words)
{
    char *argv[] = { words[1], words[2], NULL };
    volatile int error = 0;
    int status;
    pid_t pid = by_vfork ? vfork() : fork();

    if (pid == 0) {
        become(words[0], words[1], argv);
        error = errno;
        _exit(error);
    }
    if (waitpid(pid, &status, 0) != pid)
        return 1;
    if (exit_status(status))
        printf("%s\n", strerror(by_vfork ? error : exit_status(status)));
    return exit_status(status) != 0;
}

static void *thread(void *words)
{
    return start_in_child(false, words) ? words : NULL;
}

static int start_in_thread(char **words)
{
    void *result = words;
    pthread_attr_t attributes;
    pthread_t id;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, SMALL_STACK);
    if (pthread_create(&id, &attributes, thread, words) == 0)
        pthread_join(id, &result);
    pthread_attr_destroy(&attributes);
    return result != NULL;
}

static long pages_mapped(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long pages = -1;

    if (!f || fscanf(f, "%ld", &pages) != 1)
        pages = -1;
    if (f)
        fclose(f);
    return pages;
}

/* LD_PRELOAD is as it was given, what belongs to it is not there. */
static int again(int count)
{
    char preload[PATH_MAX + 32] = "LD_PRELOAD=";
    char *mine[] = { few[0], preload, search, NULL };
    long before = 0;

    strncat(preload, getenv("LD_PRELOAD") ? getenv("LD_PRELOAD") : "", PATH_MAX);
    for (int i = 0; i < count; i++) {
        if (i == 1)
            before = pages_mapped();
        environ = mine;
        if (system(":") != 0)
            return 1;
    }
    printf("%s\n", pages_mapped() - before < count / 2 ? "the same" : "more each time");
    return 0;
}

static void crowd(int count)
{
    many[0] = search;
    for (int i = 1; i < count; i++)
        many[i] = few[0];
    scrubbed = many;
}

static void enlarge(void)
{
    static char variable[200000] = "BIG=";
    static char *big[] = { variable, NULL };

    memset(variable + 4, 'x', sizeof variable - 5);
    scrubbed = big;
}

static void lengthen_path(void)
{
    static char path[2 * PATH_MAX];

    memset(path, 'x', PATH_MAX + 10);
    path[0] = '/';
    strcat(path, ":");
    strncat(path, getenv("PATH"), PATH_MAX - 100);
    setenv("PATH", path, 1);
}

/* Only the PATH, if there is one, is in the environment that is passed, for the calls that search. */
static void keep_path(void)
{
    if (getenv("PATH"))
        strncat(search, getenv("PATH"), sizeof search - sizeof "PATH=");
    else
        few[1] = NULL;
}

int main(int argc, char **argv)
{
    if (argc >= 2 && !strcmp(argv[1], "show"))
        return show();
    if (argc < 3)
        return 2;
    if (!strcmp(argv[1], "again")) {
        keep_path();
        return again(atoi(argv[2]));
    }
    if (!strcmp(argv[1], "full"))
        crowd(FULL), argv++;
    else if (!strcmp(argv[1], "over"))
        crowd(FULL + 1), argv++;
    else if (!strcmp(argv[1], "big"))
        enlarge(), argv++;
    else if (!strcmp(argv[1], "long"))
        lengthen_path(), argv++;
    keep_path();
    if (!strcmp(argv[1], "vfork"))
        return start_in_child(true, argv + 2);
    if (!strcmp(argv[1], "thread"))
        return start_in_thread(argv + 2);
    return start(argv[1], argv + 2);
}
