/* SPDX-License-Identifier: ISC */
/* state_path.c - which directory the state lives in */
#include "state_path.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "state_facts.h"

static bool is_fit(const char *path, uint32_t uid)
{
    struct file_info st;

    return file_ask_path(path, false, &st) == 0 && S_ISDIR(st.mode) && st.uid == uid && (st.mode & 077) == 0;
}

static bool make(const char *path, uint32_t uid)
{
    if (is_fit(path, uid))
        return true;
    if (mkdir(path, 0700) == 0)
        chmod(path, 0700);      /* the umask may have taken more than it should */
    return is_fit(path, uid);   /* also when another process has just made it */
}

static void path_of_user(char *path, const char *before, uint32_t uid)
{
    path[0] = '\0';
    state_path_append(path, STATE_PATH_SIZE, before);
    state_path_number(path, STATE_PATH_SIZE, uid);
}

/* XDG_RUNTIME_DIR is not asked: the environment may be another user's. */
int state_path_choose(char *path, const char *given, uint32_t uid)
{
    size_t len = given ? strnlen(given, STATE_PATH_SIZE) : 0;

    while (len > 1 && given[len - 1] == '/')    /* behind a slash a symbolic link would be followed */
        len--;
    if (len > 0) {
        if (given[0] != '/' || len >= STATE_PATH_SIZE)
            return -EINVAL;
        memcpy(path, given, len);
        path[len] = '\0';
        return make(path, uid) ? 0 : -EACCES;
    }
    path_of_user(path, "/run/user/", uid);
    if (is_fit(path, uid))
        return 0;
    path_of_user(path, "/tmp/socksify-", uid);
    return make(path, uid) ? 0 : -EACCES;
}

void state_path_append(char *to, size_t size, const char *text)
{
    strncat(to, text, size - strlen(to) - 1);
}

void state_path_number(char *to, size_t size, uint64_t value)
{
    char digits[21];
    size_t n = sizeof digits;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    state_path_append(to, size, digits + n);
}

void state_path_file(char *path, size_t size, const char *directory, uint64_t netns, uint32_t pools)
{
    state_path_append(path, size, directory);
    state_path_append(path, size, "/socksify-");
    state_path_number(path, size, netns);
    if (pools) {
        state_path_append(path, size, "-");
        state_path_number(path, size, pools);
    }
    state_path_append(path, size, ".state");
}
