/* SPDX-License-Identifier: ISC */
/* probe_sysfaults.c - every call that the object makes fails once, in each way it may fail (faulty.c)
 *
 * What may be tried again (EINTR, EAGAIN, a short count) must make no difference.  After any other error the program
 * gets one too, or none; it neither waits for ever nor loses a descriptor, and does all of it once more without fault.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe.h"
#include "probe_faults.h"
#include "probe_text.h"


enum {
    RUNS_MAX = 16384, AT_ONCE = 64, PATIENCE_S = 60, SLOW_MS = 9000, LINGER_MS = 1100, ANSWER_MS = 5000, SHORT = -1,
    DIED = 2, SHOWN_MAX = 40,
};

/* Where the proxy takes its time for all that it answers. */
#define LATE "127.0.0.2:0"

static const struct {
    const char *name;
    enum faults_kind kind;
    enum faults_way way;
} scenes[] = {
    { "connect", FAULTS_CONNECT, FAULTS_BLOCKING },     { "connect, poll", FAULTS_CONNECT, FAULTS_POLL },
    { "connect, select", FAULTS_CONNECT, FAULTS_SELECT }, { "connect, epoll", FAULTS_CONNECT, FAULTS_EPOLL },
    { "connect, edge", FAULTS_CONNECT, FAULTS_EDGE },   { "datagram", FAULTS_ASSOCIATE, FAULTS_BLOCKING },
    { "datagram, poll", FAULTS_ASSOCIATE, FAULTS_POLL }, { "datagram, select", FAULTS_ASSOCIATE, FAULTS_SELECT },
    { "datagram, epoll", FAULTS_ASSOCIATE, FAULTS_EPOLL }, { "datagram, edge", FAULTS_ASSOCIATE, FAULTS_EDGE },
    { "listen", FAULTS_LISTEN, FAULTS_BLOCKING },       { "listen, poll", FAULTS_LISTEN, FAULTS_POLL },
    { "listen, epoll", FAULTS_LISTEN, FAULTS_EPOLL },   { "names", FAULTS_NAMES, FAULTS_BLOCKING },
};

enum { SCENES = sizeof scenes / sizeof scenes[0] };

/* Of the library that makes the faults. */
static struct {
    void (*arm)(int nth, int way);
    void (*pause)(int on);
    int (*count)(void);
    int (*ways)(int nth);
    const char *(*hit)(int *error);
} faulty;

struct run {
    pid_t pid;
    int scene, nth, way, error;     /* error: that was made, 0: none */
    char call[24], text[FAULTS_TEXT];
};

static struct run *runs;
static int count;

static void find_library(void)
{
    *(void **)&faulty.arm = dlsym(RTLD_DEFAULT, "faulty_arm");
    *(void **)&faulty.pause = dlsym(RTLD_DEFAULT, "faulty_pause");
    *(void **)&faulty.count = dlsym(RTLD_DEFAULT, "faulty_count");
    *(void **)&faulty.ways = dlsym(RTLD_DEFAULT, "faulty_ways");
    *(void **)&faulty.hit = dlsym(RTLD_DEFAULT, "faulty_hit");
    if (!faulty.arm || !faulty.pause || !faulty.count || !faulty.ways || !faulty.hit)
        net_die("no faulty.so");
}

static bool is_transient(int error)
{
    return error == EINTR || error == EAGAIN || error == SHORT;
}

/* An association whose last datagram was not answered may stay for a second, until another one ends after that. */
static int left_since(const struct faults_world *w, const struct faults_case *c, int before)
{
    char said[FAULTS_TEXT] = "";

    if (c->kind == FAULTS_ASSOCIATE && net_descriptors() != before) {
        poll(NULL, 0, LINGER_MS);
        faults_try(w, c, NULL, said);
    }
    return net_descriptors() - before;
}

/* A datagram that the kernel does not take from the queue is lost. */
static bool is_lost(const struct run *r, int error)
{
    return scenes[r->scene].kind == FAULTS_ASSOCIATE && strcmp(r->call, "sendmsg") == 0 && error == EAGAIN;
}

static void judge(struct run *r, int error, const char *said, long took, int left)
{
    if (is_transient(r->error) && (error || said[0]))
        snprintf(r->text, FAULTS_TEXT, "%s %.200s", text_errno(error), said);
    else if (took > SLOW_MS && !is_lost(r, error))
        snprintf(r->text, FAULTS_TEXT, "over after %ld ms only: %s %.200s", took, text_errno(error), said);
    else if (left)
        snprintf(r->text, FAULTS_TEXT, "%d descriptors left: %s %.200s", left, text_errno(error), said);
}

static void run(const struct faults_world *w, struct run *r)
{
    struct faults_case c = { .kind = scenes[r->scene].kind, .way = scenes[r->scene].way,
                             .patience_ms = ANSWER_MS, .mark = faulty.pause };
    char said[FAULTS_TEXT] = "";
    struct target late = net_target(LATE);
    int before, error, again, made;
    const char *call;
    long began, took;

    /* The library keeps one epoll set of its own from the first association on that nobody waited for. */
    if (c.kind == FAULTS_ASSOCIATE)
        faults_try(w, &c, &late, said);
    before = net_descriptors();
    began = net_clock();
    faulty.arm(r->nth, r->way);
    error = faults_try(w, &c, NULL, said);
    faulty.count();
    call = faulty.hit(&made);
    r->error = made;
    snprintf(r->call, sizeof r->call, "%s", call ? call : "");
    took = net_clock() - began;
    judge(r, error, said, took, left_since(w, &c, before));
    said[0] = '\0';
    again = faults_try(w, &c, NULL, said);
    /* A proxy that ends the connection instead of the reply has no UDP, which is remembered. */
    if ((again || said[0]) && !r->text[0] && !(again == EACCES && error == EACCES))
        snprintf(r->text, FAULTS_TEXT, "then, without fault: %s %.200s", text_errno(again), said);
    else if (net_descriptors() != before && !r->text[0])
        snprintf(r->text, FAULTS_TEXT, "then %d descriptors left", net_descriptors() - before);
}

static void tell(const struct run *r)
{
    static int told;

    if (r->text[0] && told++ < SHOWN_MAX)
        printf("%s: call %d, %s, %s: %s\n", scenes[r->scene].name, r->nth, r->call,
               r->error == SHORT ? "short" : text_errno(r->error), r->text);
}

/* A program that ends by itself since a call of its own has failed does no harm: it says so by DIED. */
static void end_one(void)
{
    int status;
    pid_t pid = wait(&status);

    for (int i = 0; i < count; i++) {
        struct run *r = &runs[i];

        if (r->pid != pid)
            continue;
        r->pid = 0;
        if (status != 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != DIED))
            snprintf(r->text, FAULTS_TEXT, "ended by itself, status %d", status);
        tell(r);
    }
}

static void start(const struct faults_world *w, int scene, int nth, int way)
{
    struct run *r = &runs[count];

    if (count == RUNS_MAX)
        net_die("too many calls");
    *r = (struct run){ .scene = scene, .nth = nth, .way = way };
    fflush(stdout);
    r->pid = fork();
    if (r->pid < 0)
        net_die("fork");
    if (r->pid == 0) {
        alarm(PATIENCE_S);
        run(w, r);
        _exit(0);
    }
    count++;
}

/* Once for what is made at the first time and stays, and once to count. */
static void all_calls_of(const struct faults_world *w, int scene)
{
    struct faults_case c = { .kind = scenes[scene].kind, .way = scenes[scene].way,
                             .patience_ms = ANSWER_MS, .mark = faulty.pause };
    char said[FAULTS_TEXT] = "";
    static int running;
    int calls = 0;

    for (int i = 0; i < 2; i++) {
        faulty.arm(0, 0);
        errno = faults_try(w, &c, NULL, said);
        if (errno || said[0])
            net_die("no good without fault either");
        calls = faulty.count();
    }
    for (int nth = 1; nth <= calls; nth++) {
        for (int way = 0; way < faulty.ways(nth); way++) {
            if (running == AT_ONCE)
                end_one();
            else
                running++;
            start(w, scene, nth, way);
        }
    }
    if (scene == SCENES - 1) {
        for (; running > 0; running--)
            end_one();
    }
}

static int report(void)
{
    int wrong = 0, made = 0, transient = 0;

    for (int i = 0; i < count; i++) {
        const struct run *r = &runs[i];

        made += r->call[0] != '\0';
        transient += r->call[0] && is_transient(r->error);
        wrong += r->text[0] != '\0';
    }
    fprintf(stderr, "%d faults made, %d of them transient\n", made, transient);
    printf("%s, %d wrong\n", made > 500 && transient > 100 ? "many" : "few", wrong);
    return wrong != 0;
}

/* The address that stands for a name goes nowhere but through the proxy. */
static struct target resolve(const char *name, const char *port, int type)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = type }, *list;
    struct target t;

    if (getaddrinfo(name, port, &hints, &list) != 0)
        net_die("getaddrinfo");
    t.len = list->ai_addrlen;
    memcpy(&t.sa, list->ai_addr, list->ai_addrlen);
    freeaddrinfo(list);
    return t;
}

/* argv: NAME STREAM DATAGRAM BACK. */
static int sysfaults(char **argv)
{
    struct target back = resolve(argv[0], argv[3], SOCK_STREAM);
    char text[TEXT_SIZE];
    struct faults_world w = { resolve(argv[0], argv[1], SOCK_STREAM), resolve(argv[0], argv[2], SOCK_DGRAM),
                              text_sockaddr(&back.sa, back.len, text) };

    find_library();
    runs = mmap(NULL, sizeof *runs * RUNS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runs == MAP_FAILED)
        net_die("mmap");
    signal(SIGPIPE, SIG_IGN);
    for (int scene = 0; scene < SCENES; scene++)
        all_calls_of(&w, scene);
    return report();
}

const struct command sysfaults_commands[] = {
    { "sysfaults", 4, sysfaults, "NAME STREAM DATAGRAM BACK, with faulty.so" },
    { NULL, 0, NULL, NULL },
};
