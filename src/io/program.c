/* SPDX-License-Identifier: ISC */
/* program.c - will a program that is about to be started carry our object? */
#include "program.h"

#include <asm/statfs.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../core/script.h"
#include "program_elf.h"
#include "real.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

enum {
    STEPS = 8,                      /* the kernel follows five interpreters, env adds one program */
    MASK = STATX_TYPE | STATX_MODE | STATX_UID | STATX_GID,
    MAY_RUN = 0111,
    FILESYSTEM_NOSUID = 2           /* ST_NOSUID */
};

/* The file that is looked at now; path points into the query or into the finding's culprit. */
struct subject {
    int dir;
    const char *path;
    bool nofollow;
    char env_word[SCRIPT_WORD_SIZE];       /* what `env`, or a loader, will start; empty: nothing */
};

struct identity {
    uint32_t mode, uid, gid;
};

/* openat() that goes on after a signal. */
static int open_at(int dir, const char *path, long flags)
{
    long fd;

    do
        fd = real.syscall(SYS_openat, (long)dir, path, flags);
    while (fd < 0 && errno == EINTR);
    return (int)fd;
}

static bool ask(const struct subject *s, struct identity *out)
{
    long flags = s->path[0] ? (s->nofollow ? AT_SYMLINK_NOFOLLOW : 0) : AT_EMPTY_PATH;
    struct statx x;
    long failed;

    do
        failed = real.syscall(SYS_statx, (long)s->dir, s->path, flags, (long)MASK, &x);
    while (failed && errno == EINTR);
    if (failed)
        return false;
    out->mode = x.stx_mode;
    out->uid = x.stx_uid;
    out->gid = x.stx_gid;
    return true;
}

/* The descriptor may be one that cannot be read (O_PATH): it is opened anew where there is a /proc. */
static int open_descriptor(int fd)
{
    char path[32] = "/proc/self/fd/", digits[12];
    size_t n = sizeof digits;
    unsigned value = (unsigned)fd;
    int opened;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    strcat(path, digits + n);
    opened = open_at(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (opened < 0)
        opened = (int)real.syscall(SYS_fcntl, (long)fd, (long)F_DUPFD_CLOEXEC, 0L);
    return opened;
}

static int open_subject(const struct subject *s)
{
    long flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | (s->nofollow ? O_NOFOLLOW : 0);

    if (!s->path[0])
        return open_descriptor(s->dir);
    return open_at(s->dir, s->path, flags);
}

/* Would the kernel run it for us, although we cannot read it?  It goes by the effective ids. */
static bool may_run(const struct subject *s)
{
    return !s->path[0] || program_ids_differ() || real.syscall(SYS_faccessat, (long)s->dir, s->path, (long)X_OK) == 0;
}

/* A file that was not to be looked at may be there all the same: a filter of system calls, or an old kernel, has no
 * statx().  error: of that call. */
static bool is_unseen(const struct subject *s, int error)
{
    bool absent = error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG || error == EFAULT ||
                  error == EBADF;

    return !absent && may_run(s);
}

static bool on_nosuid(int fd)
{
    struct statfs fs;

    return real.syscall(SYS_fstatfs, (long)fd, &fs) == 0 && ((unsigned long)fs.f_flags & FILESYSTEM_NOSUID);
}

static bool no_new_privileges(void)
{
    return real.syscall(SYS_prctl, (long)PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1;
}

/* The loader ignores LD_PRELOAD in a program whose real and effective ids differ, which may also be the doing of the
 * process that starts it, or that has capabilities of its file.  The latter counts under no_new_privs as well, where
 * the capabilities themselves are not given (measured, Linux 6.18); nothing of the file counts on a nosuid mount. */
static enum program_reason privileges(int fd, const struct identity *file)
{
    uint32_t uid = geteuid(), gid = getegid();
    bool nosuid = on_nosuid(fd);

    if (!nosuid && !no_new_privileges()) {
        if (file->mode & S_ISUID)
            uid = file->uid;
        if ((file->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
            gid = file->gid;
    }
    if (uid != getuid() || gid != getgid())
        return PROGRAM_SETID;
    if (!nosuid && getuid() != 0 &&
        real.syscall(SYS_fgetxattr, (long)fd, "security.capability", NULL, 0L) > 0)
        return PROGRAM_CAPABILITIES;
    return PROGRAM_CARRIED;
}

static const struct program_object *fitting(const struct program_objects *objects, const struct elf_target *target,
                                            unsigned libc)
{
    for (size_t i = 0; i < objects->count; i++) {
        const struct program_object *o = &objects->table[i];

        if (elf_same_target(&o->target, target) && (o->libcs & libc))
            return o;
    }
    return NULL;
}

static enum program_reason by_shape(const struct elf_header *h, const struct program_shape *shape)
{
    if (shape->failed)
        return PROGRAM_UNREADABLE;
    if (shape->go)
        return PROGRAM_GO;
    if (!shape->interpreter)
        return h->position_independent ? PROGRAM_STATIC_PIE : PROGRAM_STATIC;
    return shape->needs ? PROGRAM_CARRIED : PROGRAM_NO_LIBRARY;
}

static void judge_elf(int fd, const struct identity *file, const struct elf_header *h, const struct subject *s,
                      const struct program_query *q, struct program_finding *out)
{
    const struct elf_target own = program_own_target();
    struct program_shape shape = { .libc = ELF_GLIBC | ELF_MUSL };

    if (h->target.order == own.order) {
        program_shape(fd, h, &shape);
        out->reason = by_shape(h, &shape);
        if (out->reason == PROGRAM_STATIC_PIE && elf_is_loader(s->path)) {
            out->reason = PROGRAM_CARRIED;
            shape.libc = elf_libc(s->path, strlen(s->path));
        }
        if (out->reason != PROGRAM_CARRIED)
            return;
    }
    out->object = fitting(&q->objects, &h->target, shape.libc);
    out->reason = out->object ? privileges(fd, file) : PROGRAM_FOREIGN;
    /* The kernel will say that it is not there, and a search goes on to the next of the name. */
    if (out->reason == PROGRAM_CARRIED && shape.lost)
        out->reason = PROGRAM_UNKNOWN;
}

/* Go on with another file: true if its name could be kept. */
static bool move_on(struct subject *s, const char *path, struct program_finding *out)
{
    if (strlen(path) >= sizeof out->culprit)
        return false;
    strcpy(out->culprit, path);
    s->dir = AT_FDCWD;
    s->path = out->culprit;
    s->nofollow = false;
    return true;
}

/* A script does not gain by set-user-ID bits, its interpreter is what counts. */
static bool follow_script(struct subject *s, char *line, struct program_finding *out)
{
    const char *interpreter, *argument;

    if (!script_line(line, &interpreter, &argument))
        return false;
    s->env_word[0] = '\0';
    if (argument && script_is_env(interpreter))
        script_env_word(argument, s->env_word);
    if (argument && elf_is_loader(interpreter))
        script_loader_argument(argument, s->env_word);
    return move_on(s, interpreter, out);
}

/* What a program that carries us starts in its turn, as far as can be told from here: it will come by our hooks again,
 * but a refusal there would be told by env, or after the launcher is gone. */
static bool follow_argument(struct subject *s, const struct program_query *q, struct program_finding *out)
{
    const char *loaded = s->path == q->path && q->argv && elf_is_loader(s->path) ? script_loader_word(q->argv) : NULL;
    char found[PROGRAM_CULPRIT_SIZE];

    if (loaded && strchr(loaded, '/'))
        return move_on(s, loaded, out);
    if (!s->env_word[0] || program_find(s->env_word, q->search, found, sizeof found) != 0)
        return false;
    s->env_word[0] = '\0';
    return move_on(s, found, out);
}

/* Judge the subject; true if the chain goes on with another. */
static bool judge_file(int fd, const struct identity *file, struct subject *s, const struct program_query *q,
                       struct program_finding *out)
{
    char head[SCRIPT_LINE_SIZE + 1] = "";
    long n = program_read(fd, 0, head, SCRIPT_LINE_SIZE);
    struct elf_header h;

    out->reason = n < 0 ? PROGRAM_UNREADABLE : PROGRAM_UNKNOWN;
    if (n < 0)
        return false;
    if (elf_header((const uint8_t *)head, (size_t)n, &h) != 0)
        return follow_script(s, head, out);
    judge_elf(fd, file, &h, s, q, out);
    return out->reason == PROGRAM_CARRIED && follow_argument(s, q, out);
}

static bool judge_subject(struct subject *s, const struct program_query *q, struct program_finding *out)
{
    struct identity file;
    bool more;
    int fd;

    out->reason = PROGRAM_UNKNOWN;
    out->object = NULL;
    if (!ask(s, &file)) {
        out->reason = is_unseen(s, errno) ? PROGRAM_UNREADABLE : PROGRAM_UNKNOWN;
        return false;
    }
    if ((file.mode & S_IFMT) != S_IFREG || !(file.mode & MAY_RUN))
        return false;
    fd = open_subject(s);
    if (fd < 0) {
        if (may_run(s))
            out->reason = PROGRAM_UNREADABLE;
        return false;
    }
    more = judge_file(fd, &file, s, q, out);
    real.syscall(SYS_close, (long)fd);
    return more;
}

void program_judge(const struct program_query *q, struct program_finding *out)
{
    struct subject s = { .dir = q->dir, .path = q->path, .nofollow = q->nofollow };
    const struct program_object *object = NULL;

    out->culprit[0] = '\0';
    out->reason = PROGRAM_UNKNOWN;
    out->object = NULL;
    if (!q->path)
        return;
    for (int i = 0; i < STEPS && judge_subject(&s, q, out); i++)
        if (!object)
            object = out->object;    /* of what the kernel itself starts */
    /* What a carried program starts in its turn may be unknown; it is carried all the same, and by its own object. */
    if (object && out->reason == PROGRAM_UNKNOWN)
        out->reason = PROGRAM_CARRIED;
    if (!object)
        object = out->object;
    out->object = out->reason == PROGRAM_CARRIED ? object : NULL;
}
