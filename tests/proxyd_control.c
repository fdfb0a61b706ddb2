/* SPDX-License-Identifier: ISC */
/* proxyd_control.c - the test's hand on the proxy: lines over a unix-domain socket */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "proxyd_control.h"
#include "proxyd_table.h"

enum { LINE_SIZE = 1024 };

struct client {
    int fd;                     /* -1: free */
    size_t used;
    size_t waits_for;           /* held replies, 0: none */
    char line[LINE_SIZE];
};

static struct client clients[CONTROL_CLIENTS];
static int listener = -1;
static const char *listener_path;

static void answer(struct client *c, const char *text)
{
    char line[128];
    int len = snprintf(line, sizeof line, "%s\n", text);
    if (send(c->fd, line, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        c->waits_for = 0;
}

static void answer_number(struct client *c, size_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", number);
    answer(c, text);
}

/* The argument of a command: a number above 0, or otherwise when there is none; 0 for anything else. */
static size_t read_count(const char *text, size_t otherwise)
{
    char *end;
    if (*text == '\0')
        return otherwise;
    long value = strtol(text, &end, 10);
    return *end == '\0' && value > 0 ? (size_t)value : 0;
}

static void release(struct client *c, const char *text)
{
    size_t n = read_count(text, SIZE_MAX);
    if (n == 0)
        answer(c, "error: bad number");
    else
        answer_number(c, table_release(n));
}

static void wait_for(struct client *c, const char *text)
{
    c->waits_for = read_count(text, 0);
    if (c->waits_for == 0)
        answer(c, "error: bad number");
}

static void set_action(struct client *c, struct options *o, const char *prefix, const char *text)
{
    char action[LINE_SIZE + 8];
    snprintf(action, sizeof action, "%s%s", prefix, text);
    answer(c, script_set(&o->script, action) < 0 ? "error: bad action" : "ok");
}

/* Returns false for `quit`. */
static bool obey(struct client *c, struct options *o, char *line)
{
    size_t len = strcspn(line, " ");
    const char *argument = line[len] != '\0' ? line + len + 1 : "";
    line[len] = '\0';
    if (strcmp(line, "count") == 0)
        answer_number(c, table_held());
    else if (strcmp(line, "open") == 0)
        answer_number(c, table_open());
    else if (strcmp(line, "wait") == 0)
        wait_for(c, argument);
    else if (strcmp(line, "release") == 0)
        release(c, argument);
    else if (strcmp(line, "hold") == 0)
        set_action(c, o, "hold=", argument);
    else if (strcmp(line, "set") == 0)
        set_action(c, o, "", argument);
    else
        answer(c, strcmp(line, "quit") == 0 ? "ok" : "error: unknown command");
    return strcmp(line, "quit") != 0;
}

static void drop(struct client *c)
{
    close(c->fd);
    c->fd = -1;
}

static bool read_lines(struct client *c, struct options *o)
{
    ssize_t n = recv(c->fd, c->line + c->used, sizeof c->line - c->used, MSG_DONTWAIT);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            drop(c);
        return true;
    }
    c->used += (size_t)n;
    char *end;
    while ((end = memchr(c->line, '\n', c->used)) != NULL) {
        *end = '\0';
        if (!obey(c, o, c->line))
            return false;
        c->used -= (size_t)(end + 1 - c->line);
        memmove(c->line, end + 1, c->used);
    }
    if (c->used == sizeof c->line)
        drop(c);
    return true;
}

static void take_client(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        if (clients[i].fd < 0) {
            clients[i].fd = fd;
            clients[i].used = clients[i].waits_for = 0;
            return;
        }
    close(fd);
}

static int fill_address(const char *path, struct sockaddr_un *sa)
{
    memset(sa, 0, sizeof *sa);
    sa->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof sa->sun_path)
        return -ENAMETOOLONG;
    memcpy(sa->sun_path, path, strlen(path) + 1);
    return 0;
}

int control_open(const char *path)
{
    struct sockaddr_un sa;
    struct stat before;
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        clients[i].fd = -1;
    if (path == NULL)
        return 0;
    if (fill_address(path, &sa) < 0)
        return -ENAMETOOLONG;
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -errno;
    if (stat(path, &before) == 0 && S_ISSOCK(before.st_mode))
        (void)unlink(path);
    if (bind(listener, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(listener, CONTROL_CLIENTS) < 0)
        return -errno;
    listener_path = path;
    return 0;
}

void control_poll(struct pollfd *set)
{
    set[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        set[1 + i] = (struct pollfd){ .fd = clients[i].fd, .events = POLLIN };
}

bool control_step(const struct pollfd *set, struct options *o)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++)
        if (set[1 + i].fd >= 0 && set[1 + i].revents != 0 && !read_lines(&clients[i], o))
            return false;
    if (set[0].revents != 0)
        take_client();
    return true;
}

void control_answer_waiting(void)
{
    for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
        struct client *c = &clients[i];
        if (c->fd < 0 || c->waits_for == 0 || table_held() < c->waits_for)
            continue;
        c->waits_for = 0;
        answer_number(c, table_held());
    }
}

void control_end(void)
{
    if (listener_path != NULL)
        (void)unlink(listener_path);
}

int control_tell(const char *path, char **word, int count)
{
    struct sockaddr_un sa;
    char text[LINE_SIZE];
    size_t used = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || fill_address(path, &sa) < 0 || connect(fd, (struct sockaddr *)&sa, sizeof sa) < 0) {
        perror("proxyd: tell");
        return 1;
    }
    for (int i = 0; i < count && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", word[i], i + 1 < count ? " " : "\n");
    if (used >= sizeof text || send(fd, text, used, MSG_NOSIGNAL) < 0)
        return 1;
    ssize_t len = recv(fd, text, sizeof text - 1, 0);
    if (len <= 0)
        return 1;
    text[len] = '\0';
    fputs(text, stdout);
    close(fd);
    return strncmp(text, "error", 5) == 0;
}
