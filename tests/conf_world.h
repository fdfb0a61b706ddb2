/* SPDX-License-Identifier: ISC */
/* conf_world.h - for the tests of the configuration: values against a page that faults, an environment as text */
#ifndef SOCKSIFY_TESTS_CONF_WORLD_H
#define SOCKSIFY_TESTS_CONF_WORLD_H

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/conf.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A255 A50 A50 A50 A50 A50 "aaaaa"

#define P "SOCKSIFY_PROXY=socks5://192.0.2.1\n"

enum { AREA = 65536 };

static char *area;      /* the page after it faults */

static inline void map_area(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    area = mmap(NULL, AREA + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(area, MAP_FAILED);
    ck_assert_int_eq(mprotect(area + AREA, page, PROT_NONE), 0);
}

static inline void unmap_area(void)
{
    munmap(area, AREA + (size_t)sysconf(_SC_PAGESIZE));
}

/* A copy whose NUL is the last byte before the page that faults; the copy before it is destroyed. */
static inline const char *flush(const char *s, size_t len)
{
    ck_assert_uint_lt(len, AREA);
    memset(area, '#', AREA);
    area[AREA - 1] = '\0';
    return memcpy(area + AREA - len - 1, s, len);
}

/* An environment is lines of NAME=VALUE. */
struct world {
    const char *lines;
};

static inline const char *look_up(void *context, const char *name)
{
    const struct world *w = context;
    const char *line = w->lines;
    size_t len, name_len = strlen(name);

    for (; *line; line += len + (line[len] == '\n')) {
        len = strcspn(line, "\n");
        if (len > name_len && memcmp(line, name, name_len) == 0 && line[name_len] == '=')
            return flush(line + name_len + 1, len - name_len - 1);
    }
    return NULL;
}

static const struct {
    const char *path, *password;
    int error;
} files[] = {
    { "/pw", "frofile", 0 },
    { "/empty", "", 0 },
    { "/long", A255 "a", 0 },
    { "/none", NULL, -ENOENT },
    { "/denied", NULL, -EACCES },
    { "/public", NULL, -EPERM },
    { "/broken", NULL, -EIO },
};

static inline const char *read_file(void *context, const char *path, int *error)
{
    int i;

    (void)context;
    for (i = 0; i < COUNT(files); i++) {
        if (strcmp(path, files[i].path) != 0)
            continue;
        if (!files[i].password)
            *error = files[i].error;
        return files[i].password ? flush(files[i].password, strlen(files[i].password)) : NULL;
    }
    ck_abort_msg("unexpected file %s", path);
}

static struct conf conf;

static inline void read_source(const struct conf_source *source)
{
    size_t size = conf_memory(source);
    void *memory = size ? malloc(size) : NULL;      /* exact: a sanitizer sees a byte too many */
    static void *last;

    free(last);
    last = memory;
    memset(&conf, 0, sizeof conf);
    conf_read(&conf, source, memory, size);
}

static inline void read_world(const char *lines)
{
    struct world w = { .lines = lines };
    struct conf_source source = { .lookup = look_up, .read_file = read_file, .context = &w };

    read_source(&source);
}

#endif
