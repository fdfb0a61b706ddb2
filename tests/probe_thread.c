/* SPDX-License-Identifier: ISC */
/* probe_thread.c - connect() as a cancellation point, and on small stacks */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { PATIENCE_S = 5, ALT_STACK = 16384, PAGE = 4096, LOOKS = 1000000 };

struct work {
    int fd;
    struct target target;
    bool disabled;                 /* cancellation is */
    bool pending;                  /* the cancel request comes before the call */
    atomic_int thread;             /* its id, once it runs */
    atomic_bool go;
    int result, error;
};

static void *connect_in_thread(void *argument)
{
    struct work *w = argument;

    if (w->disabled)
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    atomic_store(&w->thread, (int)syscall(SYS_gettid));
    while (w->pending && !atomic_load(&w->go))
        ;
    w->result = net_connect(w->fd, &w->target);
    w->error = errno;
    return NULL;
}

static int join(pthread_t thread, void **result)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    return pthread_timedjoin_np(thread, result, &end);
}

static void say_end(const char *what, pthread_t thread, const struct work *w)
{
    void *result = NULL;
    int error = join(thread, &result);

    if (error) {
        say_error(what, error);
        _exit(1);
    }
    if (result == PTHREAD_CANCELED) {
        printf("%s: cancelled\n", what);
        return;
    }
    errno = w->error;
    say(what, w->result);
}

static pthread_t start(struct work *w, const pthread_attr_t *attr)
{
    pthread_t thread;

    errno = pthread_create(&thread, attr, connect_in_thread, w);
    if (errno != 0)
        net_die("pthread_create");
    return thread;
}

static void say_usable(int fd, const struct target *t)
{
    say_peer("peer", fd);
    say_error("error", net_error(fd));
    say("again", net_connect(fd, t));
    say_error("echo", net_echo(fd, 1000));
}

/* argv: ADDRESS CONTROL.  A handshake that is held goes on behind a call that only wanted to close it. */
static int bad_range(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM | SOCK_NONBLOCK);
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    net_tell(argv[1], "hold reply");
    say_error("connect", net_connect(fd, &t) == 0 ? 0 : errno);
    say("close_range", close_range(3, ~0u, 0x100));
    say("poll", poll(&p, 1, 50));
    say("send", send(fd, "x", 1, MSG_NOSIGNAL));
    net_tell(argv[1], "hold none");
    net_tell(argv[1], "release");
    say("released", poll(&p, 1, 1000 * PATIENCE_S));
    fcntl(fd, F_SETFL, 0);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    return 0;
}

/* argv: ADDRESS CONTROL.  The thread is cancelled while the proxy holds the reply back. */
static int cancel(char **argv)
{
    struct work w = { .target = net_target(argv[0]) };
    int before = net_descriptors();
    pthread_t thread;

    w.fd = net_socket(&w.target, SOCK_STREAM);
    net_tell(argv[1], "hold reply");
    thread = start(&w, NULL);
    net_tell(argv[1], "wait 1");
    pthread_cancel(thread);
    say_end("connect", thread, &w);
    net_tell(argv[1], "hold none");
    net_tell(argv[1], "release");
    say_usable(w.fd, &w.target);
    close(w.fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS CONTROL.  A thread that does not let itself be cancelled is connected like any other. */
static int cancel_disabled(char **argv)
{
    struct work w = { .target = net_target(argv[0]), .disabled = true };
    pthread_t thread;

    w.fd = net_socket(&w.target, SOCK_STREAM);
    net_tell(argv[1], "hold reply");
    thread = start(&w, NULL);
    net_tell(argv[1], "wait 1");
    pthread_cancel(thread);
    net_tell(argv[1], "hold none");
    net_tell(argv[1], "release");
    say_end("connect", thread, &w);
    say_peer("peer", w.fd);
    say_error("echo", net_echo(w.fd, 1000));
    return 0;
}

/* True when the thread sleeps in the kernel, or was never seen to. */
static bool sleeps(int thread)
{
    char path[64], text[256] = "";
    size_t n = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    f = fopen(path, "r");
    if (f) {
        n = fread(text, 1, sizeof text - 1, f);
        fclose(f);
    }
    text[n] = '\0';
    return strstr(text, ") S ") != NULL;
}

static void until_asleep(const struct work *w)
{
    for (int asleep = 0, looks = 0; asleep < 20 && looks < LOOKS; looks++) {
        asleep = sleeps(atomic_load(&w->thread)) ? asleep + 1 : 0;
        sched_yield();
    }
}

/* The kernel's own call would go on; ours ends, and which it sees first, the socket or the number, is chance. */
static void say_lost(pthread_t thread, struct work *w)
{
    int error = join(thread, NULL);

    if (!error && w->result == -1 && (w->error == EBADF || w->error == ECONNABORTED))
        puts("connect: ended");
    else
        printf("connect: %d, %d\n", w->result, error ? error : w->error);
}

/* argv: ADDRESS CONTROL.  While the thread is in connect() its number becomes that of another file, which must be left
 * as it is: open, and with all that is in it. */
static int reused(char **argv)
{
    struct work w = { .target = net_target(argv[0]) };
    int before = net_descriptors(), pair[2];
    char text[8] = "";
    pthread_t thread;

    w.fd = net_socket(&w.target, SOCK_STREAM);
    net_tell(argv[1], "hold reply");
    thread = start(&w, NULL);
    net_tell(argv[1], "wait 1");
    until_asleep(&w);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || write(pair[1], "for us", 6) != 6 ||
        dup2(pair[0], w.fd) != w.fd)
        net_die("socketpair");
    net_tell(argv[1], "hold none");
    net_tell(argv[1], "release");
    say_lost(thread, &w);
    say("read", read(w.fd, text, sizeof text));
    puts(text);
    say("write", write(w.fd, "x", 1));
    close(pair[0]);
    close(pair[1]);
    close(w.fd);
    say("leaked", net_descriptors() - before);
    return 0;
}

/* argv: ADDRESS of what never answers; under the object, the proxy does not.  The thread is cancelled in the dial. */
static int cancel_dial(char **argv)
{
    struct work w = { .target = net_target(argv[0]) };
    pthread_t thread;

    w.fd = net_socket(&w.target, SOCK_STREAM);
    thread = start(&w, NULL);
    until_asleep(&w);
    pthread_cancel(thread);
    say_end("connect", thread, &w);
    return 0;
}

/* A request that came before the call is obeyed by it, whether it would sleep or not. */
static int cancel_pending(char **argv)
{
    struct work w = { .target = net_target(argv[0]), .pending = true };
    pthread_t thread;

    w.fd = net_socket(&w.target, SOCK_STREAM);
    thread = start(&w, NULL);
    pthread_cancel(thread);
    atomic_store(&w.go, true);
    say_end("connect", thread, &w);
    say_peer("peer", w.fd);
    return 0;
}

/* argv: ADDRESS...  Each is connected to on the smallest stack that a thread may have. */
static int small_stack(char **argv)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    if (pthread_attr_setstacksize(&attr, (size_t)PTHREAD_STACK_MIN) != 0)
        net_die("pthread_attr_setstacksize");
    for (; *argv; argv++) {
        struct work w = { .target = net_target(*argv) };

        w.fd = net_socket(&w.target, SOCK_STREAM);
        say_end(*argv, start(&w, &attr), &w);
        close(w.fd);
    }
    return 0;
}

static struct work in_handler;

static void connect_in_handler(int number)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    (void)number;
    in_handler.fd = socket(in_handler.target.sa.ss_family, SOCK_STREAM, 0);
    in_handler.result = net_connect(in_handler.fd, &in_handler.target);
    in_handler.error = errno;
    getpeername(in_handler.fd, (struct sockaddr *)&sa, &len);
    close(in_handler.fd);
}

/* Memory that ends the process when more than size bytes of it are used as a stack. */
static void *guarded(size_t size)
{
    char *p = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || mprotect(p, PAGE, PROT_NONE) != 0)
        net_die("mmap");
    return p + PAGE;
}

/* argv: ADDRESS...  The same in a signal handler, on an alternative stack. */
static int alt_stack(char **argv)
{
    stack_t stack = { .ss_sp = guarded(ALT_STACK), .ss_size = ALT_STACK };
    struct sigaction action = { .sa_handler = connect_in_handler, .sa_flags = SA_ONSTACK };

    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    for (; *argv; argv++) {
        in_handler.target = net_target(*argv);
        raise(SIGUSR1);
        errno = in_handler.error;
        say(*argv, in_handler.result);
    }
    return 0;
}

const struct command thread_commands[] = {
    { "reused", 2, reused, "ADDRESS CONTROL" },
    { "bad-range", 2, bad_range, "ADDRESS CONTROL" },
    { "cancel", 2, cancel, "ADDRESS CONTROL" },
    { "cancel-disabled", 2, cancel_disabled, "ADDRESS CONTROL" },
    { "cancel-dial", 1, cancel_dial, "ADDRESS" },
    { "cancel-pending", 1, cancel_pending, "ADDRESS" },
    { "small-stack", 1, small_stack, "ADDRESS..." },
    { "alt-stack", 1, alt_stack, "ADDRESS..." },
    { NULL, 0, NULL, NULL },
};
