/* SPDX-License-Identifier: ISC */
/* calls.c - calls by which a program may get to libc behind our object; compiled by preload_calls.sh
 *
 * calls MODE [LIBRARY]: each line is "what: outcome"; to connect is refused by rule (EACCES) where it is ours, and by
 * the kernel (ECONNREFUSED) where it is libc's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 8
#endif

typedef int connector(int fd, const struct sockaddr *sa, socklen_t len);

static void say(const char *what, int error)
{
    printf("%s: %s\n", what, error == 0 ? "ok" : error == EACCES ? "EACCES" : strerror(error));
}

static void dial(const char *what, connector *function)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f000002) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    say(what, function(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno);
}

static void dial_symbol(const char *what, void *symbol)
{
    connector *function;
    const char *error = dlerror();

    memcpy(&function, &symbol, sizeof function);
    if (error)
        printf("%s: %s\n", what, error);
    else
        dial(what, function);
}

static void use_plug(void *library)
{
    int (*plug)(void);
    void *symbol = library ? dlsym(library, "plug_connect") : NULL;

    memcpy(&plug, &symbol, sizeof plug);
    if (symbol)
        say("plug-in", plug());
    else
        printf("plug-in: %s\n", dlerror());
}

/* The plug-in is found by this program's own search path. */
static int plug_mode(char **argv)
{
    use_plug(dlopen(argv[2], RTLD_NOW | RTLD_DEEPBIND));
    return 0;
}

/* ... or by that of the library that loads it. */
static int loader_mode(char **argv)
{
    void *(*load)(const char *, int);
    void *library = dlopen(argv[2], RTLD_NOW), *symbol = library ? dlsym(library, "load") : NULL;

    memcpy(&load, &symbol, sizeof load);
    if (!symbol)
        return 1;
    use_plug(load("plug.so", RTLD_NOW | RTLD_DEEPBIND));
    return 0;
}

static int symbol_mode(char **argv)
{
    void *libc = dlopen(argv[2], RTLD_LAZY), *self = dlopen(NULL, RTLD_LAZY);

    if (!libc || !self)
        return 1;
    dial("connect", connect);
    dial_symbol("of libc", dlsym(libc, "connect"));
    dial_symbol("of the program", dlsym(self, "connect"));
    dial_symbol("default", dlsym(RTLD_DEFAULT, "connect"));
    dial_symbol("next", dlsym(RTLD_NEXT, "connect"));
    printf("not there: %s\n", dlsym(libc, "no_such_function") ? "found" : dlerror() ? "error" : "no error");
    printf("not ours: %s\n", dlsym(libc, "strlen") == dlsym(RTLD_NEXT, "strlen") ? "libc's" : "another");
    return 0;
}

#ifdef __GLIBC__
connector __connect;

static int glibc_mode(char **argv)
{
    void *libc = dlopen(argv[2], RTLD_LAZY);

    dial("__connect", __connect);
    dial_symbol("__connect of libc", dlsym(libc, "__connect"));
    dial_symbol("connect by version", dlvsym(libc, "connect", argv[3]));
    return 0;
}

static int namespace_mode(char **argv)
{
    use_plug(dlmopen(LM_ID_BASE, argv[2], RTLD_NOW));
    use_plug(dlmopen(LM_ID_NEWLM, argv[2], RTLD_NOW));
    return 0;
}
#endif

static int connect_mode(char **argv)
{
    (void)argv;
    dial("connect", connect);
    return 0;
}

static const struct mode {
    const char *name;
    int (*run)(char **argv);
} modes[] = {
    { "plug", plug_mode },
    { "loader", loader_mode },
    { "symbol", symbol_mode },
    { "connect", connect_mode },
#ifdef __GLIBC__
    { "glibc", glibc_mode },
    { "namespace", namespace_mode },
#endif
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, argv[1]) == 0)
            return modes[i].run(argv);
    }
    return 2;
}
