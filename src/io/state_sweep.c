/* SPDX-License-Identifier: ISC */
/* state_sweep.c - state files that nobody uses any more */
#include "state_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "real.h"
#include "state_path.h"

/* Programs of 32 bits have the call with wide offsets by another number. */
#ifndef SYS_fcntl64
#define SYS_fcntl64 SYS_fcntl
#endif

enum {
    NOTE_S = 300,               /* a use is noted that often at most */
    LIST_SIZE = 2048,
    NAME_SIZE = 96,
    FILE_FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
};

/* The kernel's struct flock64: libc's own may be narrower. */
struct range {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
};

static int lock_byte(int fd, int type)
{
    struct range r = { .type = (int16_t)type, .whence = SEEK_SET, .len = 1 };

    return real.syscall(SYS_fcntl64, (long)fd, (long)F_OFD_SETLK, &r) == 0 ? 0 : -errno;
}

int state_use(int fd)
{
    int error = lock_byte(fd, F_RDLCK);

    return error == -EAGAIN || error == -EACCES ? -EAGAIN : 0;
}

static int64_t age_of(const struct file_info *st)
{
    struct timespec now = { 0, 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec - st->modified_s;
}

void state_note_use(int fd, const struct file_info *st)
{
    /* That the time could not be set is no matter: the lock is there. */
    if (age_of(st) > NOTE_S)
        real.syscall(SYS_utimensat, (long)fd, NULL, NULL, 0L);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && strcmp(name + len - end_len, end) == 0;
}

/* Also what a process has left that died as it made one. */
static bool is_state(const char *name)
{
    return strncmp(name, "socksify-", 9) == 0 && (ends_with(name, ".state") || ends_with(name, ".state.new"));
}

static void delete_unused(const char *path, uint32_t uid)
{
    int fd = file_open(path, FILE_FLAGS, 0);
    struct file_info st;

    if (fd < 0)
        return;
    if (file_ask(fd, &st) == 0 && S_ISREG(st.mode) && st.uid == uid && age_of(&st) > STATE_UNUSED_S &&
        lock_byte(fd, F_WRLCK) == 0)
        unlink(path);
    real_close(fd);
}

void state_sweep(const char *directory, int directory_fd, const char *keep, uint32_t uid)
{
    char path[STATE_PATH_SIZE + NAME_SIZE];
    union {
        struct file_entry first;
        char bytes[LIST_SIZE];
    } list;
    long n;

    while ((n = real.syscall(SYS_getdents64, (long)directory_fd, &list, (long)sizeof list)) > 0) {
        const struct file_entry *e;

        for (long at = 0; at < n; at += e->len) {
            e = (const struct file_entry *)(const void *)(list.bytes + at);
            if (!is_state(e->name) || strlen(e->name) > NAME_SIZE - 2)
                continue;
            path[0] = '\0';
            state_path_append(path, sizeof path, directory);
            state_path_append(path, sizeof path, "/");
            state_path_append(path, sizeof path, e->name);
            if (strcmp(path, keep) != 0)
                delete_unused(path, uid);
        }
    }
}
