/* SPDX-License-Identifier: ISC */
/* proxyd_log.c - the event lines of the test proxy: one write for each */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "proxyd_log.h"

enum { LINE_SIZE = 2048 };

static int log_fd = STDOUT_FILENO;
static bool log_ids;

int log_open(const char *path, bool ids)
{
    log_ids = ids;
    if (path == NULL)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    log_fd = fd;
    return 0;
}

void log_event(unsigned id, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line - 16, format, arguments);
    va_end(arguments);
    if (len < 0)
        return;
    if ((size_t)len >= sizeof line - 16)
        len = (int)sizeof line - 17;
    if (log_ids && id != 0)
        len += snprintf(line + len, 14, " #%u", id);
    line[len++] = '\n';

    struct pollfd out = { .fd = log_fd, .events = POLLOUT };
    if (poll(&out, 1, 0) == 1 && (out.revents & POLLOUT) != 0 && write(log_fd, line, (size_t)len) < 0)
        return;
}
