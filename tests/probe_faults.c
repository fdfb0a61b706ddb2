/* SPDX-License-Identifier: ISC */
/* probe_faults.c - the matrix of faults: a list of cases, each in a process of its own, many at once
 *
 * A line is KIND WAY SOURCE SKIP LEAST-MS ERRNO AFTER NAME.  The proxy knows a case by its source, an address of
 * loopback, and misbehaves for that one alone.  SOURCE -: it goes where no proxy can be dialled.
 */
#include "probe_faults.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"

enum { CASES_MAX = 8192, PATIENCE_S = 60, ERRNO_MAX = 140, SHOWN_MAX = 40 };

static const char *const kinds[] = { "connect", "associate", "listen", "accept", "names", NULL };
static const char *const ways[] = { "blocking", "poll", "epoll", "select", "edge", NULL };

struct run {
    pid_t pid;                      /* of the case, 0: ended */
    long took;                      /* milliseconds */
    char text[FAULTS_TEXT];
};

static int find(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    fprintf(stderr, "no such word: %s\n", word);
    exit(2);
}

static int read_errno(const char *word)
{
    for (int error = 0; error < ERRNO_MAX; error++) {
        if (strcmp(text_errno(error), word) == 0)
            return error;
    }
    fprintf(stderr, "no such error: %s\n", word);
    exit(2);
}

static bool read_case(struct faults_case *c, const struct target *nowhere)
{
    char kind[16], way[16], source[24], address[32], error[24], after[24];

    if (scanf("%15s %15s %23s %zu %ld %23s %23s %159[^\n]", kind, way, source, &c->skip, &c->least_ms, error, after,
              c->name) != 8)
        return false;
    c->kind = (enum faults_kind)find(kinds, kind);
    c->way = (enum faults_way)find(ways, way);
    c->astray = strcmp(source, "-") == 0 ? nowhere : NULL;
    snprintf(address, sizeof address, "%s:0", c->astray ? "0.0.0.0" : source);
    c->source = net_target(address);
    c->error = read_errno(error);
    c->after = read_errno(after);
    return true;
}

static void start(const struct faults_world *w, const struct faults_case *c, struct run *r)
{
    pid_t pid = fork();

    if (pid < 0)
        net_die("fork");
    if (pid == 0) {
        alarm(PATIENCE_S);
        r->took = faults_run(w, c, r->text);
        _exit(0);
    }
    r->pid = pid;
}

static void end_one(struct run *runs, int count)
{
    int status;
    pid_t pid = wait(&status);

    for (int i = 0; i < count; i++) {
        if (runs[i].pid == pid && status != 0)
            snprintf(runs[i].text, FAULTS_TEXT, "ended by itself, status %d", status);
        if (runs[i].pid == pid)
            runs[i].pid = 0;
    }
}

/* How much of the slack was used: of what ends by a deadline, and of what needs none. */
static void say_late(const struct faults_case *list, const struct run *runs, int count)
{
    long late = 0, slow = 0;

    for (int i = 0; i < count; i++) {
        long *most = list[i].least_ms ? &late : &slow;

        if (runs[i].took - list[i].least_ms > *most)
            *most = runs[i].took - list[i].least_ms;
    }
    fprintf(stderr, "the latest deadline: %ld ms; the slowest of the others: %ld ms\n", late, slow);
}

/* argv: STREAM DATAGRAM BACK NOWHERE AT-ONCE SLACK-MS. */
static int faults(char **argv)
{
    static struct faults_case list[CASES_MAX];
    struct faults_world w = { net_target(argv[0]), net_target(argv[1]), argv[2] };
    struct target nowhere = net_target(argv[3]);
    int most = atoi(argv[4]), count = 0, wrong = 0, running = 0;
    struct run *runs;

    while (count < CASES_MAX && read_case(&list[count], &nowhere))
        count++;
    if (!feof(stdin))
        net_die("a line that is no case");
    runs = mmap(NULL, sizeof *runs * CASES_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (runs == MAP_FAILED)
        net_die("mmap");
    for (int i = 0; i < count; i++) {
        if (running == most)
            end_one(runs, i);
        else
            running++;
        list[i].slack_ms = atol(argv[5]);
        start(&w, &list[i], &runs[i]);
    }
    for (; running > 0; running--)
        end_one(runs, count);
    for (int i = 0; i < count; i++) {
        if (runs[i].text[0] && wrong++ < SHOWN_MAX)
            printf("%s, %s, %s: %s\n", kinds[list[i].kind], ways[list[i].way], list[i].name, runs[i].text);
    }
    say_late(list, runs, count);
    printf("%d cases, %d faults\n", count, wrong);
    return wrong != 0 || count == 0;
}

const struct command faults_commands[] = {
    { "faults", 6, faults, "STREAM DATAGRAM BACK NOWHERE AT-ONCE SLACK-MS <CASES" },
    { NULL, 0, NULL, NULL },
};
