/* SPDX-License-Identifier: ISC */
/* fdinfo.c - what /proc/self tells of this process' descriptors
 *
 * Of an epoll set there is one line for each registration:
 * "tfd:        5 events: 4000001c data:                5  pos:0 ino:9 sdev:8".
 */
#include "fdinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

#include "../core/text.h"
#include "file.h"
#include "real.h"

enum { TAKE = 1024, LIST_SIZE = 1024 };

static void make_path(char *path, int fd)
{
    char digits[12];
    size_t n = sizeof digits;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + fd % 10);
    while ((fd /= 10) > 0);
    strcpy(path, "/proc/self/fdinfo/");
    strcat(path, digits + n);
}

/* Read a number after blanks; returns the character after it. */
static const char *number(const char *p, unsigned base, uint64_t *value)
{
    *value = 0;
    while (*p == ' ' || *p == '\t')
        p++;
    for (;; p++) {
        unsigned digit = *p >= '0' && *p <= '9' ? (unsigned)(*p - '0')
                         : *p >= 'a' && *p <= 'f' ? (unsigned)(*p - 'a') + 10 : 99;

        if (digit >= base)
            return p;
        *value = *value * base + digit;
    }
}

/* A registration that is looked for, and what is found of it. */
struct search {
    int fd;
    uint64_t inode;
    bool found;
    uint32_t events;
    uint64_t data;
};

/* A field of a line, in hexadecimal.  Returns false when it is not there. */
static bool field(const char *line, const char *name, uint64_t *value)
{
    const char *at = strstr(line, name);

    if (at)
        number(at + strlen(name), 16, value);
    return at;
}

/* The number alone does not tell: a file that another process keeps open stays registered by a number that has another
 * file here.  Kernels before 4.13 show no inode. */
static void look_at(const char *line, struct search *s)
{
    uint64_t fd, events, data, inode;

    if (strncmp(line, "tfd:", 4) != 0)
        return;
    number(line + 4, 10, &fd);
    if (fd != (uint64_t)s->fd || (field(line, "ino:", &inode) && inode != s->inode) ||
        !field(line, "events:", &events) || !field(line, "data:", &data))
        return;
    s->found = true;
    s->events = (uint32_t)events;
    s->data = data;
}

/* Looks at the whole lines of text, and returns how many bytes of it they are. */
static size_t scan(char *text, struct search *s)
{
    char *line = text, *end;

    for (; !s->found && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        *end = '\0';
        look_at(line, s);
    }
    return (size_t)(line - text);
}

int fdinfo_epoll(int epfd, int fd, uint32_t *events, uint64_t *data)
{
    char path[40], text[TAKE + 1];
    struct search s = { .fd = fd };
    struct file_info info;
    size_t kept = 0;
    int file, error = file_ask(fd, &info);
    long n;

    if (error)
        return error;
    s.inode = info.inode;
    make_path(path, epfd);
    file = file_open(path, O_RDONLY, 0);
    if (file < 0)
        return file;
    while (!s.found && (n = real.syscall(SYS_read, (long)file, text + kept, (long)(TAKE - kept))) > 0) {
        size_t used;

        kept += (size_t)n;
        text[kept] = '\0';
        used = scan(text, &s);
        if (used == 0 && kept == TAKE)
            break;
        memmove(text, text + used, kept - used);
        kept -= used;
    }
    real_close(file);
    if (!s.found)
        return -ENOENT;
    *events = s.events;
    *data = s.data;
    return 0;
}

int fdinfo_list(int *out, size_t room)
{
    union {
        struct file_entry first;
        char bytes[LIST_SIZE];
    } list;
    int directory = file_open("/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
    size_t count = 0;
    long n = -1;

    if (directory < 0)
        return directory;
    while (count < room &&
           (n = real.syscall(SYS_getdents64, (long)directory, &list, (long)sizeof list)) > 0) {
        const struct file_entry *e;

        for (long at = 0; at < n && count < room; at += e->len) {
            uint32_t fd;

            e = (const struct file_entry *)(const void *)(list.bytes + at);
            if (text_decimal(e->name, strlen(e->name), INT32_MAX, &fd) == 0 && fd != (uint32_t)directory)
                out[count++] = (int)fd;
        }
    }
    real_close(directory);
    return n < 0 ? -EIO : (int)count;
}
