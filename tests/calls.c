/* SPDX-License-Identifier: ISC */
/* calls.c - calls by which a program may get to libc behind our object; compiled by preload_calls.sh
 *
 * calls MODE [LIBRARY]: each line is "what: outcome"; to connect is refused by rule (EACCES) where it is ours, and by
 * the kernel (ECONNREFUSED) where it is libc's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wordexp.h>

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 8
#endif

enum { CLOSE_RANGE = 436, EPOLL_PWAIT2 = 441 };

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

/* The shell of a program that has emptied its environment. */
static int words_mode(char **argv)
{
    wordexp_t words;
    int error;

    (void)argv;
    clearenv();
    error = wordexp("a $(echo \"${SOCKSIFY_PROXY-bare}\")", &words, 0);
    printf("wordexp: %s\n", error ? "error" : words.we_wordv[1]);
    return 0;
}

/* argv[2]: a library with functions of those names that are its own. */
static int ring_mode(char **argv)
{
    static const char *const names[] = { "io_uring_setup", "io_uring_queue_init_params" };
    void *library = dlopen(argv[2], RTLD_NOW);
    char parameters[120] = "";

    for (size_t i = 0; library && i < sizeof names / sizeof names[0]; i++) {
        void *symbol = dlsym(library, names[i]);
        int (*function)(unsigned, void *, void *);

        memcpy(&function, &symbol, sizeof function);
        printf("%s: %d\n", names[i], symbol ? function(1, parameters, parameters) : 0);
    }
    return library == NULL;
}

/* By number there is what this libc may not have. */
static int numbers_mode(char **argv)
{
    struct epoll_event event;
    int set = epoll_create1(0), fd = dup(set);
    long none[2] = { 0, 0 };

    (void)argv;
    say("epoll_pwait2", syscall(EPOLL_PWAIT2, set, &event, 1, none, NULL, 8L) == 0 ? 0 : errno);
    say("close_range", syscall(CLOSE_RANGE, fd, fd, 0) == 0 ? 0 : errno);
    say("closed", fcntl(fd, F_GETFD) == 0 ? 0 : errno);
    say("none", syscall(CLOSE_RANGE, 3, 2, 0) == 0 ? 0 : errno);
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

#ifdef __GLIBC__
static void say_net(const char *what, const struct netent *net)
{
    if (net)
        printf("%s: %s %x %s\n", what, net->n_name, net->n_net, net->n_aliases[0] ? net->n_aliases[0] : "-");
    else
        printf("%s: %s\n", what, hstrerror(h_errno));
}

static void say_net_again(const char *what, int error, const struct netent *net, int h_error)
{
    printf("%s: %d %s\n", what, error, net ? net->n_name : hstrerror(h_error));
}

static int network_mode(char **argv)
{
    struct netent net, *found;
    char room[1024];
    int h_error = 0, error;

    (void)argv;
    printf("gethostid: %lx\n", gethostid());
    say_net("getnetbyname", getnetbyname("calls-net"));
    say_net("getnetbyname, alias", getnetbyname("CALLS-ALIAS"));
    say_net("getnetbyname, unknown", getnetbyname("calls-unknown"));
    say_net("getnetbyaddr", getnetbyaddr(0x0a050000, AF_INET));
    say_net("getnetbyaddr, unknown", getnetbyaddr(0x0a060000, AF_INET));
    error = getnetbyname_r("calls-net", &net, room, sizeof room, &found, &h_error);
    say_net_again("getnetbyname_r", error, found, h_error);
    error = getnetbyname_r("calls-net", &net, room, 1, &found, &h_error);
    say_net_again("getnetbyname_r, no room", error, found, h_error);
    error = getnetbyaddr_r(0x0a060000, AF_INET, &net, room, sizeof room, &found, &h_error);
    say_net_again("getnetbyaddr_r, unknown", error, found, h_error);
    return 0;
}

static void say_refused(const char *what, int result)
{
    printf("%s: %d %s\n", what, result, errno == EACCES ? "EACCES" : strerror(errno));
    errno = 0;
}

/* argv[2]: the version of glibc's oldest functions, under which alone it still has Sun RPC. */
static int old_mode(char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f000002) };
    void *(*create)(struct sockaddr_in *, unsigned long, unsigned long, int *, unsigned, unsigned);
    void *symbol = dlvsym(RTLD_DEFAULT, "clnttcp_create", argv[2]);
    char name[] = "127.0.0.2", *host = name;
    int fd = -1;

    say_refused("rcmd", rcmd(&host, htons(1), "me", "you", "true", NULL));
    say_refused("rexec", rexec_af(&host, htons(1), "me", "you", "true", NULL, AF_INET));
    say_refused("ruserok", ruserok("far.example", 0, "me", "you"));
    say_refused("iruserok", iruserok(to.sin_addr.s_addr, 0, "me", "you"));
    memcpy(&create, &symbol, sizeof create);
    say_refused("clnttcp_create", symbol ? create(&to, 100000, 2, &fd, 0, 0) != NULL : -2);
    return 0;
}

/* All of them, by nothing but their names.  argv[2] as above. */
static int refused_mode(char **argv)
{
    static const char *const names[] = {
        "rcmd", "rcmd_af", "rexec", "rexec_af", "ruserok", "ruserok_af", "iruserok", "iruserok_af", "clnt_create",
        "clnttcp_create", "clntudp_create", "clntudp_bufcreate", "callrpc", "clnt_broadcast", "pmap_getport",
        "pmap_getmaps", "pmap_rmtcall", "getrpcport", "rtime",
    };
    long (*call)(long, long, long, long, long, long, long, long, long, long, long);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        void *symbol = dlvsym(RTLD_DEFAULT, names[i], argv[2]);

        memcpy(&call, &symbol, sizeof call);
        errno = 0;
        if (symbol)
            call(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        if (errno != EACCES)
            printf("%s: %s\n", names[i], symbol ? strerror(errno) : "not there");
    }
    puts("all refused");
    return 0;
}

/* A library that is loaded behind libc has a function of that name. */
static int rpc_mode(char **argv)
{
    void *(*create)(const char *, unsigned long, unsigned long, const char *);
    void *library = dlopen(argv[2], RTLD_NOW | RTLD_GLOBAL), *symbol = dlsym(RTLD_DEFAULT, "clnt_create");

    memcpy(&create, &symbol, sizeof create);
    if (library && symbol)
        create("far.example", 1, 2, "tcp");
    return 0;
}

/* In glibc since 2.39. */
static int pidfd_mode(char **argv)
{
    int (*spawn)(int *, const char *, const void *, const void *, char *const[], char *const[]), pidfd, error;
    void *symbol = dlsym(RTLD_DEFAULT, "pidfd_spawnp"), *libc = dlopen(argv[2], RTLD_LAZY);
    char *words[] = { (char *)"sh", (char *)"-c", (char *)"echo ${SOCKSIFY_PROXY-bare}", NULL }, *none[] = { NULL };

    memcpy(&spawn, &symbol, sizeof spawn);
    error = symbol ? spawn(&pidfd, "sh", NULL, NULL, words, none) : -1;
    if (dlsym(libc, "pidfd_spawnp"))
        printf("%d\n", wait(NULL) < 0 ? -1 : error);
    else
        printf("socks5://127.0.0.1:1\n%d\n", error == ENOSYS ? 0 : error);
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
    { "words", words_mode },
    { "numbers", numbers_mode },
    { "ring", ring_mode },
#ifdef __GLIBC__
    { "glibc", glibc_mode },
    { "namespace", namespace_mode },
    { "network", network_mode },
    { "old", old_mode },
    { "refused", refused_mode },
    { "pidfd", pidfd_mode },
    { "rpc", rpc_mode },
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
