/* SPDX-License-Identifier: ISC */
/* probe_process.c - sockets shared by processes: forked, with their parent's memory, daemons, activated */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_life.h"
#include "probe_text.h"

enum { ROUNDS = 3, STACK = 1 << 17 };

/* One socket of each sort that goes through the proxy. */
struct set_of {
    int stream, named, peer;
};

static struct set_of open_set(void)
{
    struct set_of s = { net_socket(&life.tunnel, SOCK_STREAM), net_socket(&life.datagram, SOCK_DGRAM),
                        net_socket(&life.datagram, SOCK_DGRAM) };

    say("connect", net_connect(s.stream, &life.tunnel));
    say_error("exchange", life_exchange(s.named, true));
    say("connect", net_connect(s.peer, &life.datagram));
    say_error("exchange", life_exchange(s.peer, false));
    return s;
}

static void use_set(const char *who, const struct set_of *s)
{
    int stream = net_echo(s->stream, 3000), named = life_exchange(s->named, true), peer = life_exchange(s->peer, false);

    printf("%s: %s %s %s\n", who, text_errno(stream), text_errno(named), text_errno(peer));
}

static void close_set(const struct set_of *s)
{
    close(s->stream);
    close(s->named);
    close(s->peer);
}

static int exit_of(pid_t child)
{
    int status = -1;

    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void hand_over(int baton)
{
    if (write(baton, "b", 1) != 1)
        _exit(3);
}

static void wait_for(int baton)
{
    char c;

    if (read(baton, &c, 1) != 1)
        _exit(4);
}

static void in_child(const struct set_of *s, int baton, int before)
{
    for (int i = 0; i < ROUNDS; i++) {
        wait_for(baton);
        use_set("child", s);
        hand_over(baton);
    }
    /* The parent has closed its own by now. */
    wait_for(baton);
    use_set("child alone", s);
    close_set(s);
    say("child leaked", net_descriptors() - before);
    _exit(0);
}

/* argv: as life's.  Parent and child use the same sockets in turn; then the one that is left. */
static int both(char **argv)
{
    int before, baton[2];
    struct set_of s;
    pid_t child;

    life_open(argv);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, baton) != 0)
        net_die("socketpair");
    before = net_descriptors();
    s = open_set();
    child = fork();
    if (child == 0)
        in_child(&s, baton[1], before);
    for (int i = 0; i < ROUNDS; i++) {
        use_set("parent", &s);
        hand_over(baton[0]);
        wait_for(baton[0]);
    }
    close_set(&s);
    say("parent leaked", net_descriptors() - before);
    hand_over(baton[0]);
    say("child", exit_of(child));
    return 0;
}

/* What a child with its parent's memory, and descriptors of its own, does to these; nothing of it is the parent's. */
static int meddle(void *argument)
{
    const struct set_of *s = argument;
    int pair[2], late;

    close(s->stream);
    dup2(life.null, s->named);
    close(s->peer);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    late = socket(AF_INET, SOCK_DGRAM, 0);
    fcntl(pair[0], F_DUPFD, 0);
    close(late);
    close_range((unsigned)life.way[1] + 1, ~0u, 0);
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    closefrom(pair[0]);
    _exit(0);
}

static pid_t by_vfork(struct set_of *s)
{
    pid_t pid = vfork();

    if (pid == 0)
        meddle(s);
    return pid;
}

static pid_t by_clone(struct set_of *s)
{
    static char stack[STACK] __attribute__((aligned(16)));

    return clone(meddle, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, s);
}

/* fork() that tells no handler. */
static pid_t by_number(struct set_of *s)
{
    pid_t pid = (pid_t)syscall(SYS_clone, (long)SIGCHLD, NULL, NULL, NULL, NULL);

    if (pid == 0)
        meddle(s);
    return pid;
}

static void guest(const char *what, pid_t (*start)(struct set_of *))
{
    int before = net_descriptors(), late = net_socket(&life.tunnel, SOCK_STREAM | SOCK_NONBLOCK);
    struct set_of s = open_set();

    net_connect(late, &life.tunnel);
    say(what, exit_of(start(&s)));
    use_set("parent", &s);
    errno = net_connect_wait(late, &life.tunnel);
    if (errno == EISCONN)
        errno = 0;
    say_error("late", errno);
    say_error("echo", net_echo(late, 100));
    close(late);
    close_set(&s);
    say("leaked", net_descriptors() - before);
}

static int guests(char **argv)
{
    life_open(argv);
    guest("vfork", by_vfork);
    guest("clone", by_clone);
    guest("clone by number", by_number);
    return 0;
}

/* The second child has nobody, and not one descriptor of those that were. */
static void become_daemon(const char *path)
{
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    umask(0);
    if (chdir("/") != 0)
        _exit(1);
    closefrom(0);
    open("/dev/null", O_RDONLY);
    if (open(path, O_WRONLY) != 1)
        _exit(1);
    dup(1);
}

/* argv: as life's, and a FIFO.  A daemon of the old school, that had connections before. */
static int daemonic(char **argv)
{
    struct set_of s;
    char line[200];
    FILE *stream;
    pid_t child;

    life_open(argv);
    s = open_set();
    child = fork();
    if (child == 0) {
        become_daemon(argv[4]);
        s = open_set();
        use_set("daemon", &s);
        close_set(&s);
        say("open", net_descriptors());
        fflush(stdout);
        _exit(0);
    }
    exit_of(child);
    stream = fopen(argv[4], "r");
    while (stream && fgets(line, sizeof line, stream))
        fputs(line, stdout);
    use_set("first", &s);
    return 0;
}

/* argv: as life's.  A program that finds its connections open at 3 and 4, as inetd and systemd start it. */
static int activate(char **argv)
{
    char *words[] = { (char *)"probe", (char *)"activated", argv[0], argv[1], argv[2], argv[3], NULL };
    struct set_of s;

    life_open(argv);
    s = open_set();
    dup2(s.stream, 3);
    dup2(s.named, 4);
    closefrom(5);
    execv("/proc/self/exe", words);
    return 1;
}

static int activated(char **argv)
{
    life.datagram = net_target(argv[2]);
    say_peer("peer", 3);
    say_error("echo", net_echo(3, 3000));
    say_error("exchange", life_exchange(4, true));
    say("close", close(3));
    say("close", close(4));
    say("open", net_descriptors());
    return 0;
}

const struct command process_commands[] = {
    { "both", 4, both, "TUNNEL DIRECT DATAGRAM HANGING" },
    { "guests", 4, guests, "TUNNEL DIRECT DATAGRAM HANGING" },
    { "daemon", 5, daemonic, "TUNNEL DIRECT DATAGRAM HANGING FIFO" },
    { "activate", 4, activate, "TUNNEL DIRECT DATAGRAM HANGING" },
    { "activated", 4, activated, "TUNNEL DIRECT DATAGRAM HANGING" },
    { NULL, 0, NULL, NULL },
};
