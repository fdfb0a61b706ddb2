/* SPDX-License-Identifier: ISC */
/* probe_sysfaults_start.c - calls that fail while the object starts: what the program connects to then goes through the
 * proxy or fails, and it never dies or waits for ever */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe_sysfaults.h"
#include "probe_text.h"

enum { NO_CALL = 10, NO_WAY, NO_HIT, AT_ONCE = 4, PATIENCE_S = 30, ANSWER_MS = 3000, SLOW_MS = 9000, FEW = 3,
       POOL = 0xc6120000 >> 17 };

/* ---- the program */

/* The port that the kernel has in a sockaddr, whatever the object shows. */
static unsigned port_of(const struct sockaddr_storage *sa)
{
    return ntohs(((const struct sockaddr_in *)sa)->sin_port);
}

/* Each returns a positive errno or 0.  text: what must never be. */
static int stream(const struct target *to, unsigned proxy, char *text)
{
    int fd = net_socket(to, SOCK_STREAM), error = net_connect(fd, to) == 0 ? 0 : errno;
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (!error) {
        if (faulty.kernel(SYS_getpeername, fd, (long)&sa, (long)&len, 0, 0, 0) != 0 || port_of(&sa) != proxy)
            snprintf(text, FAULTS_TEXT, "a connection past the proxy");
        error = net_echo(fd, 200);
    }
    close(fd);
    return error;
}

static int datagram(const struct target *to, char *text)
{
    int fd = net_socket(to, SOCK_DGRAM), error = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char word[512] = "";

    if (sendto(fd, "word", 4, 0, (const struct sockaddr *)&to->sa, to->len) != 4)
        error = errno;
    else if (poll(&p, 1, ANSWER_MS) != 1)
        error = ETIMEDOUT;
    /* Of a relay it is, until it is received through the object. */
    if (faulty.kernel(SYS_recvfrom, fd, (long)word, sizeof word, MSG_PEEK | MSG_DONTWAIT, (long)&sa, (long)&len) > 0 &&
        port_of(&sa) == port_of(&to->sa))
        snprintf(text, FAULTS_TEXT, "a datagram past the proxy");
    if (!error)
        error = recv(fd, word, sizeof word, MSG_DONTWAIT) < 0 ? errno : memcmp(word, "word", 4) != 0 ? EPROTO : 0;
    close(fd);
    return error;
}

/* Nobody here knows it. */
static int name(char *text)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;

    if (getaddrinfo("started.example", NULL, &hints, &list) != 0)
        return ENOENT;
    if (ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr) >> 17 != POOL)
        snprintf(text, FAULTS_TEXT, "an address from elsewhere");
    freeaddrinfo(list);
    return 0;
}

static void note_hit(const char *path, const char *call, int error)
{
    char line[64];
    int len = snprintf(line, sizeof line, "%s %s 1\n", call, sysfaults_error(error));
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    if (fd < 0 || write(fd, line, (size_t)len) != len)
        net_die(path);
    close(fd);
}

/* argv: STREAM DATAGRAM PROXY HITS.  Without a fault the number of calls is printed. */
int sysfaults_started(char **argv)
{
    struct target stream_at = net_target(argv[0]), datagram_at = net_target(argv[1]);
    int nth = atoi(getenv("FAULTY_NTH")), way = atoi(getenv("FAULTY_WAY")), calls, made, error[3];
    char text[FAULTS_TEXT] = "";
    const char *call;
    long began = net_clock(), took;

    sysfaults_find();
    calls = faulty.count();
    call = faulty.hit(&made);
    if (calls < nth)
        return NO_CALL;
    if (nth && way >= faulty.ways(nth))
        return NO_WAY;
    if (nth && !call)
        return NO_HIT;
    error[0] = stream(&stream_at, (unsigned)atoi(argv[2]), text);
    error[1] = datagram(&datagram_at, text);
    error[2] = name(text);
    took = net_clock() - began;
    if (nth)
        note_hit(argv[3], call, made);
    else
        printf("%d\n", calls);
    if (!text[0] && took <= SLOW_MS &&
        ((nth && !sysfaults_is_transient(made)) || (!error[0] && !error[1] && !error[2])))
        return 0;
    fprintf(stderr, "%s, %s: %s %s %s after %ld ms %s\n", call ? call : "no fault", sysfaults_error(made),
            text_errno(error[0]), text_errno(error[1]), text_errno(error[2]), took, text);
    return 1;
}

/* ---- those who start it, without the object */

static const struct mode {
    const char *name;
    bool fresh;                     /* the state has to be made */
    bool file;                      /* the proxy stands in a file alone */
    const char *also, *only;        /* FAULTY_ALSO and FAULTY_ONLY */
} modes[] = {
    { "there", false, false, NULL, NULL },
    { "file", false, true, NULL, NULL },
    { "fresh", true, false, NULL, NULL },
    { "slow", true, false, "fallocate:95:9999", "write" },      /* EOPNOTSUPP: it is filled by hand */
    { "busy", true, false, "flock:11:3", "nanosleep" },         /* EWOULDBLOCK: another process makes it */
};

static const struct mode *mode_named(const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, name) == 0)
            return &modes[i];
    }
    net_die(name);
}

static void set_number(const char *variable, int value)
{
    char text[16];

    snprintf(text, sizeof text, "%d", value);
    setenv(variable, text, 1);
}

/* The directory of one run. */
static const char *state_of(const struct mode *m, int nth, int way, char *path, size_t size)
{
    snprintf(path, size, m->fresh ? "%s.%d.%d" : "%s", getenv("SOCKSIFY_STATE"), nth, way);
    return path;
}

static void remove_state(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;

    while (d && (e = readdir(d)))
        unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(path);
}

/* out: its standard output, or -1.  Returns the status. */
static int run(char **argv, const struct mode *m, int nth, int way, int out)
{
    char state[300], word[] = "sysfaults-started";
    char *words[] = { argv[1], word, argv[2], argv[3], argv[4], argv[5], NULL };
    int status;
    pid_t pid = fork();

    state_of(m, nth, way, state, sizeof state);
    if (pid == 0) {
        if (out >= 0)
            dup2(out, STDOUT_FILENO);
        set_number("FAULTY_NTH", nth);
        set_number("FAULTY_WAY", way);
        if (m->also)
            setenv("FAULTY_ALSO", m->also, 1);
        if (m->only)
            setenv("FAULTY_ONLY", m->only, 1);
        setenv("SOCKSIFY_STATE", state, 1);
        unsetenv(m->file ? "SOCKSIFY_PROXY" : "SOCKSIFY_CONF");
        setenv("LD_PRELOAD", argv[0], 1);
        alarm(PATIENCE_S);
        execv(argv[1], words);
        _exit(1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        net_die("fork");
    if (m->fresh)
        remove_state(state);
    return status;
}

static int count_calls(char **argv, const struct mode *m)
{
    char text[16] = "";
    int ends[2];

    if (pipe(ends) != 0 || run(argv, m, 0, 0, ends[1]) != 0 || read(ends[0], text, sizeof text - 1) <= 0)
        net_die("no good without fault either");
    close(ends[0]);
    close(ends[1]);
    return atoi(text);
}

/* Each way of one call.  Returns how many of them went wrong. */
static int all_ways(char **argv, const struct mode *m, int nth)
{
    int wrong = 0;

    for (int way = 0;; way++) {
        int status = run(argv, m, nth, way, -1), code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

        if (code == NO_CALL || code == NO_WAY)
            return wrong;
        if (status == 0 || code == NO_HIT)
            continue;
        printf("%s: call %d, way %d: status %#x\n", m->name, nth, way, (unsigned)status);
        fflush(stdout);
        wrong++;
    }
}

static int end_one(void)
{
    int status;

    if (wait(&status) < 0 || !WIFEXITED(status))
        net_die("wait");
    return WEXITSTATUS(status);
}

/* argv: PRELOAD SELF STREAM DATAGRAM PROXY HITS MODE. */
int sysfaults_start(char **argv)
{
    const struct mode *m = mode_named(argv[6]);
    int calls = count_calls(argv, m), wrong = 0, running = 0;

    if (m->only && calls > FEW)
        calls = FEW;
    for (int nth = 1; nth <= calls; nth++) {
        pid_t pid;

        if (running == AT_ONCE)
            wrong += end_one();
        else
            running++;
        pid = fork();
        if (pid < 0)
            net_die("fork");
        if (pid == 0)
            _exit(all_ways(argv, m, nth));
    }
    for (; running > 0; running--)
        wrong += end_one();
    fprintf(stderr, "%s: %d calls\n", m->name, calls);
    printf("%d wrong\n", wrong);
    return wrong != 0 || calls == 0;
}
