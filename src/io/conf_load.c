/* SPDX-License-Identifier: ISC */
/* conf_load.c - the configuration of this process, from its environment and files */
#include "conf_load.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "file.h"
#include "real.h"

enum { FILE_MAX = 1 << 20, OTHERS_READ = 04 };

struct world {
    char *(*lookup)(const char *name);
    char password[CONF_CREDENTIAL_SIZE + 1];
};

static const char *look_up(void *context, const char *name)
{
    const struct world *w = context;

    return w->lookup(name);
}

/* O_NONBLOCK: a pipe that nobody writes to must not stop the program's start.  Returns a descriptor; -ESPIPE for a
 * pipe; other -errno. */
static int open_file(const char *path)
{
    int fd = file_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    struct file_info info;

    if (fd < 0 || file_ask(fd, &info) != 0 || !S_ISFIFO(info.mode))
        return fd;
    real_close(fd);
    return -ESPIPE;
}

static bool is_public(int fd)
{
    struct file_info info;

    return file_ask(fd, &info) == 0 && S_ISREG(info.mode) && info.mode & OTHERS_READ;
}

/* Reads until the end, or size bytes are there.  Returns their number or -errno. */
static ssize_t read_all(int fd, char *to, size_t size)
{
    size_t used = 0;
    ssize_t n;

    while (used < size && (n = real.read(fd, to + used, size - used)) != 0) {
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0)
            used += (size_t)n;
    }
    return (ssize_t)used;
}

/* The password file: its first line. */
static const char *read_password(void *context, const char *path, int *error)
{
    struct world *w = context;
    int fd = open_file(path);
    ssize_t n = fd;

    if (fd >= 0) {
        n = is_public(fd) ? -EPERM : read_all(fd, w->password, sizeof w->password - 1);
        real_close(fd);
    }
    if (n < 0) {
        *error = (int)n;
        return NULL;
    }
    w->password[n] = '\0';
    w->password[strcspn(w->password, "\r\n")] = '\0';
    return w->password;
}

static void *map(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

/* Read the text of an open file into memory of its own, FILE_MAX + 1 bytes. */
static int read_text(int fd, struct conf_source *source)
{
    char *text = map(FILE_MAX + 1);
    ssize_t n = text ? read_all(fd, text, FILE_MAX + 1) : -ENOMEM;

    if (n > FILE_MAX)
        n = -EFBIG;
    else if (n > 0 && memchr(text, 0, (size_t)n))
        n = -EILSEQ;
    if (n < 0 && text) {
        munmap(text, FILE_MAX + 1);
        text = NULL;
    }
    source->text = text;
    source->file_public = is_public(fd);
    return n < 0 ? (int)n : 0;
}

/* Put two pieces together.  Returns false when there is no room, or the first is no absolute path. */
static bool join(char path[CONF_PATH_SIZE], const char *directory, const char *name)
{
    if (!directory || directory[0] != '/' || strlen(directory) + strlen(name) >= CONF_PATH_SIZE)
        return false;
    strcpy(path, directory);
    strcat(path, name);
    return true;
}

bool conf_usual_place(char path[CONF_PATH_SIZE], int number, char *(*lookup)(const char *name))
{
    const char *directory = lookup("XDG_CONFIG_HOME");

    path[0] = '\0';
    if (number == 0 && directory && directory[0])
        join(path, directory, "/socksify/socksify.conf");
    else if (number == 0)
        join(path, lookup("HOME"), "/.config/socksify/socksify.conf");
    else if (number == 1)
        join(path, SYSCONFDIR, "/socksify.conf");
    return number < 2;
}

/* Nobody's configuration lies at a usual place: nothing does, or what another user keeps to himself (HOME may be his).
 * That it could not be looked at now is another thing: it may hold rules. */
static bool is_absent(int error)
{
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case ELOOP:
    case ENAMETOOLONG:
    case ESPIPE:
        return true;
    default:
        return false;
    }
}

/* Open the file; its name goes to path, empty when there is none.  Returns a descriptor or -errno. */
static int find_file(char path[CONF_PATH_SIZE], char *(*lookup)(const char *name))
{
    const char *named = lookup("SOCKSIFY_CONF");
    int fd = -ENOENT;

    if (named && named[0]) {
        strncpy(path, named, CONF_PATH_SIZE - 1);
        /* The program may change its directory before it starts another. */
        if (named[0] != '/')
            return -EINVAL;
        return strlen(named) < CONF_PATH_SIZE ? open_file(named) : -ENAMETOOLONG;
    }
    for (int i = 0; is_absent(fd) && conf_usual_place(path, i, lookup); i++)
        if (path[0])
            fd = open_file(path);
    if (is_absent(fd))
        path[0] = '\0';
    return fd;
}

static void load_file(struct conf_source *source, char path[CONF_PATH_SIZE], char *(*lookup)(const char *name))
{
    int fd = find_file(path, lookup);

    if (!path[0])
        return;
    source->file = path;
    source->file_error = fd < 0 ? fd : read_text(fd, source);
    if (fd >= 0)
        real_close(fd);
}

void conf_load(struct conf *c, char *(*lookup)(const char *name))
{
    struct world w = { .lookup = lookup };
    struct conf_source source = { .lookup = look_up, .read_file = read_password, .context = &w };
    char path[CONF_PATH_SIZE] = "";
    void *memory;
    size_t size;

    load_file(&source, path, lookup);
    size = conf_memory(&source);
    memory = size ? map(size) : NULL;
    /* Without memory conf_read() finds no room for the rules, and says so. */
    conf_read(c, &source, memory, memory ? size : 0);
    strcpy(c->file, path);
    if (source.text)
        munmap(source.text, FILE_MAX + 1);
    /* A password need not lie about on the stack; the barrier keeps the compiler from dropping the store. */
    memset(&w, 0, sizeof w);
    __asm__ volatile("" : : "r"(&w) : "memory");
}
