/* SPDX-License-Identifier: ISC */
/* log.c - one line, one write() */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "../core/frame.h"
#include "../core/text.h"
#include "file.h"
#include "real.h"

#ifndef SYS_rt_sigtimedwait
#define SYS_rt_sigtimedwait SYS_rt_sigtimedwait_time64
#endif

enum { LINE_MAX_BYTES = 900, KERNEL_SET = _NSIG / 8 };

static struct {
    enum conf_level level;
    atomic_uint said;                 /* a bit for each topic */
    struct file_info standard;        /* standard error as it was; inode 0: it was not open */
    char path[CONF_PATH_SIZE];
} logger;

struct line {
    size_t used, room;                /* in bytes; room: for what is not the end of the line */
    char text[LINE_MAX_BYTES + 1];
};

/* Whole, or not at all: the end of a line cuts no character, and no escape, in two.  Behind what was left out nothing
 * comes. */
static void put_bytes(struct line *l, const char *bytes, size_t len)
{
    if (len > l->room - l->used) {
        l->room = l->used;
        return;
    }
    memcpy(l->text + l->used, bytes, len);
    l->used += len;
}

static void put_char(struct line *l, char c)
{
    put_bytes(l, &c, 1);
}

/* Other people's text (names from a program, or from a proxy) may not forge lines or move a terminal's cursor. */
static void put_text(struct line *l, const char *s)
{
    static const char hex[] = "0123456789abcdef";

    for (s = s ? s : "-"; *s;) {
        const char escape[] = { '\\', 'x', hex[(unsigned char)*s >> 4], hex[*s & 15] };
        size_t len = text_shown(s);

        put_bytes(l, len ? s : escape, len ? len : sizeof escape);
        s += len ? len : 1;
    }
}

static void put_number(struct line *l, unsigned value)
{
    char digits[12];
    size_t n = sizeof digits;

    digits[--n] = '\0';
    do
        digits[--n] = (char)('0' + value % 10);
    while (value /= 10);
    put_text(l, digits + n);
}

static void put_signed(struct line *l, int value)
{
    if (value < 0)
        put_char(l, '-');
    put_number(l, value < 0 ? 0u - (unsigned)value : (unsigned)value);
}

/* Make what stands behind `from` as wide as a column, its text to the right. */
OWN_FRAME static void put_blanks(struct line *l, size_t from, size_t width)
{
    size_t len = l->used - from;

    while (l->used < from + width && l->used < l->room)
        put_char(l, ' ');
    if (l->used - from > len) {
        memmove(l->text + l->used - len, l->text + from, len);
        memset(l->text + from, ' ', l->used - from - len);
    }
}

static void put_format(struct line *l, const char *format, va_list arguments)
{
    for (const char *p = format; *p; p++) {
        size_t from = l->used, width = 0;

        if (*p != '%') {
            put_char(l, *p);
            continue;
        }
        while (p[1] >= '0' && p[1] <= '9')
            width = width * 10 + (size_t)(*++p - '0');
        switch (*++p) {
        case 's':
            put_text(l, va_arg(arguments, const char *));
            break;
        case 'd':
            put_signed(l, va_arg(arguments, int));
            break;
        case 'u':
            put_number(l, va_arg(arguments, unsigned));
            break;
        default:
            put_char(l, *p);
        }
        if (width)
            put_blanks(l, from, width);
    }
}

static int target_open(void)
{
    struct file_info now;

    if (logger.path[0])
        return file_open(logger.path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0600);
    if (file_ask(STDERR_FILENO, &now) != 0 || now.device != logger.standard.device ||
        now.inode != logger.standard.inode)
        return -1;
    return STDERR_FILENO;
}

/* A full pipe or a stopped terminal must not stop the program, which may hold a lock here, nor may a reader that is
 * gone (SIGPIPE) or a file at its limit (SIGXFSZ) end it: the line is lost then. */
OWN_FRAME static bool would_hurt(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };
    struct timespec none = { 0, 0 };
    struct file_info info;

    if (real.syscall(SYS_ppoll, &p, 1L, &none, NULL, 0L) == 0 || p.revents & (POLLERR | POLLHUP))
        return true;
    return file_ask(fd, &info) == 0 && S_ISREG(info.mode) && !file_may_grow(info.size + LINE_MAX_BYTES);
}

/* Held, SIGTTOU stops nobody who writes to the terminal from behind; what else a write may send, for all would_hurt()
 * has said, is taken back.  Sets as the kernel has them: libc's are large. */
static void write_whole(int fd, const struct line *l)
{
    const unsigned long ends = 1ul << (SIGPIPE - 1) | 1ul << (SIGXFSZ - 1);
    unsigned long held[KERNEL_SET / sizeof(long)] = { ends | 1ul << (SIGTTOU - 1) }, kept[KERNEL_SET / sizeof(long)];
    long none[4] = { 0 };    /* a time, of whatever size */
    long failed = real.syscall(SYS_rt_sigprocmask, (long)SIG_BLOCK, held, kept, (long)KERNEL_SET);

    held[0] = ends;
    if (real.syscall(SYS_write, (long)fd, l->text, (long)l->used) < 0 && (errno == EPIPE || errno == EFBIG) && !failed)
        real.syscall(SYS_rt_sigtimedwait, held, NULL, none, (long)KERNEL_SET);
    if (!failed)
        real.syscall(SYS_rt_sigprocmask, (long)SIG_SETMASK, kept, NULL, (long)KERNEL_SET);
}

OWN_FRAME static void write_text(int fd, const char *format, va_list arguments)
{
    struct line l = { .room = LINE_MAX_BYTES - 1 };

    put_text(&l, "socksify[");
    put_number(&l, (unsigned)getpid());
    put_text(&l, "]: ");
    put_format(&l, format, arguments);
    l.text[l.used++] = '\n';
    write_whole(fd, &l);
}

static void write_line(const char *format, va_list arguments)
{
    int saved_errno = errno;
    int fd = target_open();

    if (fd >= 0 && !would_hurt(fd))
        write_text(fd, format, arguments);
    if (fd >= 0 && fd != STDERR_FILENO)
        real_close(fd);
    errno = saved_errno;
}

void log_init(enum conf_level level, const char *path)
{
    logger.level = level;
    strncpy(logger.path, path, sizeof logger.path - 1);
    file_ask(STDERR_FILENO, &logger.standard);
}

bool log_wants(enum conf_level level)
{
    return level <= logger.level;
}

bool log_terminal(void)
{
    int saved_errno = errno;
    int fd = target_open();
    struct winsize size;
    bool terminal = fd >= 0 && real.syscall(SYS_ioctl, (long)fd, (long)TIOCGWINSZ, &size) == 0;

    if (fd >= 0 && fd != STDERR_FILENO)
        real_close(fd);
    errno = saved_errno;
    return terminal;
}

void log_line(enum conf_level level, const char *format, ...)
{
    va_list arguments;

    if (!log_wants(level))
        return;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}

void log_once(enum log_topic topic, const char *format, ...)
{
    unsigned said = atomic_fetch_or_explicit(&logger.said, 1u << topic, memory_order_relaxed);
    va_list arguments;

    if (!log_wants(said & 1u << topic ? CONF_LOG_INFO : CONF_LOG_WARN))
        return;
    va_start(arguments, format);
    write_line(format, arguments);
    va_end(arguments);
}
