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
#include "probe_sysfaults.h"
#include "probe_text.h"


enum {
    RUNS_MAX = 16384, AT_ONCE = 64, PATIENCE_S = 60, SLOW_MS = 9000, LINGER_MS = 1100, ANSWER_MS = 5000, DIED = 2,
    SHOWN_MAX = 40, ROWS_MAX = 64,
};

/* What no kind of probe_faults.h is, from 1. */
enum own { HIGH = 1, REFUSING, FIRST, CARRIED, REFUSED, GO, QUESTION };

/* Where the proxy takes its time for all that it answers. */
#define LATE "127.0.0.2:0"

static const struct {
    const char *name;
    enum faults_kind kind;
    enum faults_way way;
    enum own own;                   /* 0: the kind */
} scenes[] = {
    { "connect", FAULTS_CONNECT, FAULTS_BLOCKING, 0 },
    { "connect, poll", FAULTS_CONNECT, FAULTS_POLL, 0 },
    { "connect, select", FAULTS_CONNECT, FAULTS_SELECT, 0 },
    { "connect, epoll", FAULTS_CONNECT, FAULTS_EPOLL, 0 },
    { "connect, edge", FAULTS_CONNECT, FAULTS_EDGE, 0 },
    { "datagram", FAULTS_ASSOCIATE, FAULTS_BLOCKING, 0 },
    { "datagram, poll", FAULTS_ASSOCIATE, FAULTS_POLL, 0 },
    { "datagram, select", FAULTS_ASSOCIATE, FAULTS_SELECT, 0 },
    { "datagram, epoll", FAULTS_ASSOCIATE, FAULTS_EPOLL, 0 },
    { "datagram, edge", FAULTS_ASSOCIATE, FAULTS_EDGE, 0 },
    { "listen", FAULTS_LISTEN, FAULTS_BLOCKING, 0 },
    { "listen, poll", FAULTS_LISTEN, FAULTS_POLL, 0 },
    { "listen, epoll", FAULTS_LISTEN, FAULTS_EPOLL, 0 },
    { "names", FAULTS_NAMES, FAULTS_BLOCKING, 0 },
    { "a program carries it", FAULTS_NAMES, FAULTS_BLOCKING, CARRIED },
    { "select, a high number", FAULTS_CONNECT, FAULTS_SELECT, HIGH },
    { "a port that refuses", FAULTS_CONNECT, FAULTS_BLOCKING, REFUSING },
    { "a port that refuses, poll", FAULTS_CONNECT, FAULTS_POLL, REFUSING },
    { "the first datagram of all", FAULTS_ASSOCIATE, FAULTS_POLL, FIRST },
    { "a program is refused", FAULTS_NAMES, FAULTS_BLOCKING, REFUSED },
    { "Go's is refused", FAULTS_NAMES, FAULTS_BLOCKING, GO },
    { "question", FAULTS_ASSOCIATE, FAULTS_BLOCKING, QUESTION },
    { "question, poll", FAULTS_ASSOCIATE, FAULTS_POLL, QUESTION },
    { "question, epoll", FAULTS_ASSOCIATE, FAULTS_EPOLL, QUESTION },
};

enum { SCENES = sizeof scenes / sizeof scenes[0] };

struct sysfaults_library faulty;

/* Where all leads; what is not a kind's has its own. */
static struct {
    struct faults_world kinds;
    struct target server, refusing; /* of names; nobody is there */
    char *program, *go, *self;      /* two that go past the object; the probe */
} world;

/* How often a scene makes each call of the table, as it was counted. */
static int *plan;

struct run {
    pid_t pid;
    int scene, row, nth, way, error;     /* error: that was made, 0: none */
    char call[24], text[FAULTS_TEXT];
};

static struct run *runs, *mine;     /* mine: of this process */
static int count;

void sysfaults_find(void)
{
    *(void **)&faulty.arm = dlsym(RTLD_DEFAULT, "faulty_arm");
    *(void **)&faulty.pause = dlsym(RTLD_DEFAULT, "faulty_pause");
    *(void **)&faulty.count = dlsym(RTLD_DEFAULT, "faulty_count");
    *(void **)&faulty.ways = dlsym(RTLD_DEFAULT, "faulty_ways");
    *(void **)&faulty.hit = dlsym(RTLD_DEFAULT, "faulty_hit");
    *(void **)&faulty.row = dlsym(RTLD_DEFAULT, "faulty_row");
    *(void **)&faulty.kernel = dlsym(RTLD_DEFAULT, "faulty_kernel");
    *(void **)&faulty.calls = dlsym(RTLD_DEFAULT, "faulty_calls");
    if (!faulty.arm || !faulty.pause || !faulty.count || !faulty.calls || !faulty.ways || !faulty.hit || !faulty.row ||
        !faulty.kernel)
        net_die("no faulty.so");
}

const char *sysfaults_error(int error)
{
    return error == SYSFAULTS_SHORT ? "short" : text_errno(error);
}

bool sysfaults_is_transient(int error)
{
    return error == EINTR || error == EAGAIN || error == SYSFAULTS_SHORT;
}

/* Once what a scene does.  late: the proxy takes its time.  Returns 0 or a positive errno. */
static int act(int scene, const struct target *late, char *said)
{
    struct faults_case c = { .kind = scenes[scene].kind, .way = scenes[scene].way,
                             .patience_ms = ANSWER_MS, .mark = faulty.pause };
    struct target slow = net_target(LATE);

    switch (scenes[scene].own) {
    case HIGH:
        return sysfaults_high(&world.kinds.stream);
    case REFUSING:
        return sysfaults_refusing(&world.refusing, c.way, said);
    case FIRST:
        return faults_try(&world.kinds, &c, &slow, said);
    case QUESTION:
        return sysfaults_question(&world.server, c.way, ANSWER_MS);
    case CARRIED:
        return sysfaults_carried(world.self, said);
    case REFUSED:
        return sysfaults_refused(world.program, said);
    case GO:
        return sysfaults_refused(world.go, said);
    }
    return faults_try(&world.kinds, &c, late, said);
}

/* An association whose last datagram was not answered may stay for a second, until another one ends after that. */
static int left_since(int scene, int before)
{
    char said[FAULTS_TEXT] = "";

    if (scenes[scene].own == FIRST)
        act(scene, NULL, said);
    if (scenes[scene].kind == FAULTS_ASSOCIATE && net_descriptors() != before) {
        poll(NULL, 0, LINGER_MS);
        act(scene, NULL, said);
    }
    return net_descriptors() - before;
}

/* A datagram that the kernel does not take from the queue, or an answer that it does not take back, is lost. */
static bool is_lost(const struct run *r, int error)
{
    return scenes[r->scene].kind == FAULTS_ASSOCIATE && strcmp(r->call, "sendmsg") == 0 && error == EAGAIN;
}

/* said: with ! before it what must never be. */
static void judge(struct run *r, int error, const char *said, long took, int left)
{
    bool lost = scenes[r->scene].own == QUESTION && r->error == EAGAIN && is_lost(r, error);

    if (said[0] == '!' || (sysfaults_is_transient(r->error) && !lost && (error || said[0])))
        snprintf(r->text, FAULTS_TEXT, "%s %.200s", text_errno(error), said);
    else if (took > SLOW_MS && !is_lost(r, error))
        snprintf(r->text, FAULTS_TEXT, "over after %ld ms only: %s %.200s", took, text_errno(error), said);
    else if (left)
        snprintf(r->text, FAULTS_TEXT, "%d descriptors left: %s %.200s", left, text_errno(error), said);
}

/* Also of one that ends in the middle. */
static void note_hit(void)
{
    int made;
    const char *call = faulty.hit(&made);

    mine->error = made;
    snprintf(mine->call, sizeof mine->call, "%s", call ? call : "");
}

static void run(struct run *r)
{
    char said[FAULTS_TEXT] = "";
    struct target late = net_target(LATE);
    int before, error, again;
    long began, took;

    mine = r;
    atexit(note_hit);
    /* The library keeps one epoll set of its own from the first association on that nobody waited for. */
    if (scenes[r->scene].kind == FAULTS_ASSOCIATE && scenes[r->scene].own != FIRST)
        act(r->scene, &late, said);
    said[0] = '\0';
    before = net_descriptors() + (scenes[r->scene].own == FIRST);
    began = net_clock();
    faulty.arm(r->row, r->nth, r->way);
    error = act(r->scene, NULL, said);
    faulty.count();
    note_hit();
    took = net_clock() - began;
    judge(r, error, said, took, left_since(r->scene, before));
    said[0] = '\0';
    again = act(r->scene, NULL, said);
    /* A proxy that ends the connection instead of the reply has no UDP, which is remembered. */
    if ((again || said[0]) && !r->text[0] && !(again == EACCES && error == EACCES))
        snprintf(r->text, FAULTS_TEXT, "then, without fault: %s %.200s", text_errno(again), said);
    else if (net_descriptors() != before && !r->text[0])
        snprintf(r->text, FAULTS_TEXT, "then %d descriptors left", net_descriptors() - before);
}

static void tell(const struct run *r)
{
    static int told;

    int error;
    const char *name = faulty.row(r->row, r->way, &error);

    if (r->text[0] && told++ < SHOWN_MAX)
        printf("%s: %s, the %d. time, %s: %s\n", scenes[r->scene].name, name, r->nth, sysfaults_error(error),
               r->text);
}

/* The one call of the probe's own that it does not go on without: it says so by DIED. */
static bool is_excused(const struct run *r, int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) == DIED && strcmp(r->call, "socket") == 0 &&
           (r->error == EMFILE || r->error == ENFILE || r->error == ENOBUFS);
}

static void end_one(void)
{
    int status;
    pid_t pid = wait(&status);

    for (int i = 0; i < count; i++) {
        struct run *r = &runs[i];

        if (r->pid != pid)
            continue;
        r->pid = 0;
        if (status != 0 && !is_excused(r, status))
            snprintf(r->text, FAULTS_TEXT, "ended by itself, status %d", status);
        tell(r);
    }
}

static void start(int scene, int row, int nth, int way)
{
    struct run *r = &runs[count];
    pid_t pid;

    if (count == RUNS_MAX)
        net_die("too many calls");
    *r = (struct run){ .scene = scene, .row = row, .nth = nth, .way = way };
    fflush(stdout);
    pid = fork();
    if (pid < 0)
        net_die("fork");
    if (pid == 0) {
        alarm(PATIENCE_S);
        run(r);
        _exit(0);
    }
    /* By the parent alone: what the child had would be 0. */
    r->pid = pid;
    count++;
}

/* Once for what is made at the first time and stays, and once to count; of what is there the first time alone. */
static void make_plan(int scene)
{
    char said[FAULTS_TEXT] = "";

    for (int i = scenes[scene].own == FIRST; i < 2; i++) {
        faulty.arm(-1, 0, 0);
        errno = act(scene, NULL, said);
        if (errno || said[0]) {
            fprintf(stderr, "%s: %s\n", scenes[scene].name, said);
            net_die("no good without fault either");
        }
        faulty.count();
    }
    for (int row = 0, error; row < ROWS_MAX && faulty.row(row, 0, &error); row++)
        plan[row] = faulty.calls(row);
}

/* In a process of its own: what it makes must not be there already in those that follow. */
static void make_plan_apart(int scene)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        make_plan(scene);
        _exit(0);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        net_die("fork");
}

static void all_ways_of(int scene, int row, int nth, int *running)
{
    int error;

    for (int way = 0; faulty.row(row, way, &error) && error; way++) {
        if (*running == AT_ONCE)
            end_one();
        else
            ++*running;
        start(scene, row, nth, way);
    }
}

static void all_calls_of(int scene, int *running)
{
    if (scenes[scene].own == FIRST)
        make_plan_apart(scene);
    else
        make_plan(scene);
    for (int row = 0, error; faulty.row(row, 0, &error); row++) {
        for (int nth = 1; nth <= plan[row]; nth++)
            all_ways_of(scene, row, nth, running);
    }
}

/* A line for each row of the table: NAME ERROR HITS. */
static void write_hits(const char *path)
{
    FILE *f = fopen(path, "a");
    const char *name;
    int error;

    if (!f)
        net_die(path);
    for (int row = 0; (name = faulty.row(row, 0, &error)); row++) {
        for (int way = 0; faulty.row(row, way, &error) && error; way++) {
            int hits = 0;

            for (int i = 0; i < count; i++)
                hits += runs[i].error == error && strcmp(runs[i].call, name) == 0;
            fprintf(f, "%s %s %d\n", name, sysfaults_error(error), hits);
        }
    }
    fclose(f);
}

static int report(void)
{
    int wrong = 0, made = 0, transient = 0;

    for (int i = 0; i < count; i++) {
        const struct run *r = &runs[i];

        made += r->call[0] != '\0';
        transient += r->call[0] && sysfaults_is_transient(r->error);
        wrong += r->text[0] != '\0';
    }
    fprintf(stderr, "%d faults made, %d of them transient\n", made, transient);
    printf("%d wrong\n", wrong);
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

static void *shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        net_die("mmap");
    return p;
}

/* questions: the scenes that have one, or all others.  Those of what is there the first time alone come first. */
static int all_scenes(bool questions, const char *hits)
{
    int running = 0;

    sysfaults_find();
    runs = shared(sizeof *runs * RUNS_MAX);
    plan = shared(sizeof *plan * ROWS_MAX);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 2 * SCENES; i++) {
        int scene = i % SCENES;

        if ((scenes[scene].own == QUESTION) == questions && (scenes[scene].own == FIRST) == (i < SCENES))
            all_calls_of(scene, &running);
    }
    for (; running > 0; running--)
        end_one();
    write_hits(hits);
    return report();
}

/* argv: NAME STREAM DATAGRAM BACK REFUSING PROGRAM GO SELF HITS. */
static int sysfaults(char **argv)
{
    struct target back = resolve(argv[0], argv[3], SOCK_STREAM);
    char text[TEXT_SIZE];

    world.kinds = (struct faults_world){ resolve(argv[0], argv[1], SOCK_STREAM),
                                         resolve(argv[0], argv[2], SOCK_DGRAM),
                                         text_sockaddr(&back.sa, back.len, text) };
    world.refusing = resolve(argv[0], argv[4], SOCK_STREAM);
    world.program = argv[5];
    world.go = argv[6];
    world.self = argv[7];
    return all_scenes(false, argv[8]);
}

/* argv: NAME HITS.  The proxy has no UDP. */
static int sysfaults_questions(char **argv)
{
    world.server = resolve(argv[0], "53", SOCK_DGRAM);
    return all_scenes(true, argv[1]);
}

const struct command sysfaults_commands[] = {
    { "sysfaults", 9, sysfaults, "NAME STREAM DATAGRAM BACK REFUSING PROGRAM GO SELF HITS, with faulty.so" },
    { "sysfaults-questions", 2, sysfaults_questions, "NAME HITS, with faulty.so" },
    { "sysfaults-carried", 0, sysfaults_is_carried, "" },
    { "sysfaults-start", 7, sysfaults_start, "PRELOAD SELF STREAM DATAGRAM PROXY HITS MODE" },
    { "sysfaults-started", 4, sysfaults_started, "STREAM DATAGRAM PROXY HITS, with faulty.so" },
    { NULL, 0, NULL, NULL },
};
