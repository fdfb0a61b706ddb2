/* SPDX-License-Identifier: ISC */
/* program_search.c - the files that a command's name may mean, and what is said of a program */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file.h"
#include "program.h"
#include "real.h"

/* In glibc alone. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

const char *program_search(const char *path)
{
    if (path)
        return path;
    return gnu_get_libc_version ? "/bin:/usr/bin" : "/usr/local/bin:/bin:/usr/bin";
}

bool program_is_relative(const char *name, const char *search)
{
    if (strchr(name, '/'))
        return name[0] != '/';
    for (const char *p = program_search(search); ; p++) {
        if (*p != '/')
            return true;
        p += strcspn(p, ":");
        if (!*p)
            return false;
    }
}

bool program_bypasses(enum program_reason reason)
{
    return reason > PROGRAM_UNKNOWN;
}

const char *program_phrase(enum program_reason reason)
{
    static const char *const phrases[] = {
        [PROGRAM_CARRIED] = "uses the proxy",
        [PROGRAM_UNKNOWN] = "is no program that could be judged",
        [PROGRAM_STATIC] = "is statically linked",
        [PROGRAM_STATIC_PIE] = "is statically linked (static-pie)",
        [PROGRAM_GO] = "is a Go program, which calls the kernel without libc",
        [PROGRAM_NO_LIBRARY] = "links no shared library, so it calls the kernel without libc",
        [PROGRAM_FOREIGN] = "is built for another architecture or libc than the preloaded object",
        [PROGRAM_SETID] = "would run with another effective user or group, where the loader ignores LD_PRELOAD",
        [PROGRAM_CAPABILITIES] = "has file capabilities, where the loader ignores LD_PRELOAD",
        [PROGRAM_UNREADABLE] = "cannot be read, so it cannot be judged"
    };

    return phrases[reason];
}

size_t program_room(const char *name, const char *search)
{
    size_t longest = 0, name_len = strnlen(name, PATH_MAX);

    for (const char *p = program_search(search); *p && longest < PATH_MAX; p += *p == ':') {
        size_t len = strcspn(p, ":");

        longest = len > longest ? len : longest;
        p += len;
    }
    return longest + name_len + 2 < PATH_MAX ? longest + name_len + 2 : PATH_MAX;
}

bool program_candidate(const char **rest, const char *name, char *buf, size_t size)
{
    size_t name_size = strlen(name) + 1;

    while (*rest) {
        const char *element = *rest, *colon = strchr(element, ':');
        size_t len = colon ? (size_t)(colon - element) : strlen(element);

        *rest = colon ? colon + 1 : NULL;
        if (len + 1 + name_size > size)
            continue;
        memcpy(buf, element, len);
        if (len)
            buf[len++] = '/';    /* an empty element is the working directory */
        memcpy(buf + len, name, name_size);
        return true;
    }
    return false;
}

bool program_ids_differ(void)
{
    return geteuid() != getuid() || getegid() != getgid();
}

int program_try(const char *path)
{
    struct file_info info;

    if (file_ask_path(path, true, &info) != 0)
        return -errno;
    if ((info.mode & S_IFMT) != S_IFREG || !(info.mode & 0111))
        return -EACCES;
    /* Where the ids differ the judge refuses what could be run. */
    if (!program_ids_differ() && real.syscall(SYS_faccessat, (long)AT_FDCWD, path, (long)X_OK) != 0)
        return -EACCES;
    return 0;
}

int program_find(const char *name, const char *search, char *buf, size_t size)
{
    const char *rest = program_search(search);
    int result = -ENOENT;

    if (strlen(name) >= size)
        return -ENAMETOOLONG;
    if (strchr(name, '/')) {
        strcpy(buf, name);
        result = program_try(buf);
        return result == -EACCES || result == 0 ? result : -ENOENT;
    }
    while (*name && program_candidate(&rest, name, buf, size)) {
        int tried = program_try(buf);

        if (tried == 0)
            return 0;
        if (tried == -EACCES)
            result = -EACCES;
    }
    return result;
}
