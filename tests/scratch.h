/* SPDX-License-Identifier: ISC */
/* scratch.h - a directory of a test's own, with files made to order
 *
 * For one test program at a time: included by its only source.
 */
#ifndef SOCKSIFY_TESTS_SCRATCH_H
#define SOCKSIFY_TESTS_SCRATCH_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 256 };

static char directory[] = "/tmp/socksify-check-XXXXXX";

/* Make it, for everyone to look into. */
static inline void scratch_make(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chmod(directory, 0755), 0);
}

/* Remove it with all that is in it. */
static inline void scratch_remove(void)
{
    char command[PATH_SIZE];

    snprintf(command, sizeof command, "rm -rf %s", directory);
    ck_assert_int_eq(system(command), 0);
    strcpy(directory + strlen(directory) - 6, "XXXXXX");
}

/* The path of a file there; good until the fourth call after this one. */
static inline const char *in_directory(const char *name)
{
    static char paths[4][PATH_SIZE];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, PATH_SIZE, "%s/%s", directory, name);
    return path;
}

/* Write a file there.  bytes: len of them; mode: as chmod() takes it.  Returns its path, as in_directory(). */
static inline const char *write_file(const char *name, const void *bytes, size_t len, unsigned mode)
{
    const char *path = in_directory(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    ck_assert_int_eq(fchmod(fd, mode), 0);
    ck_assert_int_eq(close(fd), 0);
    return path;
}

#endif
