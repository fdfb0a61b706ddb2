/* SPDX-License-Identifier: ISC */
/* storm.c - many threads connect in every way while signals rain and children are forked; nothing may fail or stay
 *
 * usage: storm STREAM DATAGRAM NAME THREADS COUNT [SEED]; COUNT connections in each thread; the proxy knows NAME as the
 * address of STREAM.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_text.h"

enum { THREADS_MAX = 256, TICK_US = 1000, ECHO = 300, PATIENCE_MS = 20000, MOST_FAULTS = 20, TRIES = 5 };

static struct target stream, datagram;
static const char *name;
static int null, count;
static atomic_int faults, forks, signals, lost;

static void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void fault(const char *format, ...)
{
    char text[160];
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(text, sizeof text - 1, format, list);
    va_end(list);
    text[n++] = '\n';
    if (atomic_fetch_add(&faults, 1) < MOST_FAULTS && write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
}

/* What POSIX lets a handler do with descriptors; the thread it meets may be in the middle of any hook. */
static void on_alarm(int number)
{
    int saved_errno = errno, copy = dup(null), own;

    (void)number;
    atomic_fetch_add(&signals, 1);
    if (copy >= 0 && (write(copy, "x", 1) != 1 || close(copy) != 0))
        atomic_fetch_add(&faults, 1);
    own = socket(AF_INET, SOCK_STREAM, 0);
    poll(NULL, 0, 0);
    if (own >= 0 && close(own) != 0)
        atomic_fetch_add(&faults, 1);
    errno = saved_errno;
}

static bool has_peer(int fd)
{
    struct target peer = { .len = sizeof peer.sa };

    return getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len) == 0 && peer.len == stream.len &&
           memcmp(&peer.sa, &stream.sa, peer.len) == 0;
}

/* fd was connected, with that outcome. */
static void use(const char *way, int fd, int error)
{
    if (error)
        fault("%s: connect: %s", way, text_errno(error));
    else if (!has_peer(fd))
        fault("%s: another peer", way);
    else if ((error = net_echo(fd, ECHO)) != 0)
        fault("%s: echo: %s", way, text_errno(error));
}

static void blocking(void)
{
    int fd = net_socket(&stream, SOCK_STREAM);

    use("blocking", fd, net_connect(fd, &stream) == 0 ? 0 : errno);
    close(fd);
}

static void waiting(void)
{
    int fd = net_socket(&stream, SOCK_STREAM | SOCK_NONBLOCK);

    use("waiting", fd, net_connect_wait(fd, &stream));
    close(fd);
}

static void duplicated(void)
{
    int fd = net_socket(&stream, SOCK_STREAM | SOCK_NONBLOCK), error = net_connect_wait(fd, &stream), copy = dup(fd);

    close(fd);
    use("duplicated", copy, error);
    close(copy);
}

/* Signals that come faster than a wait lasts must not begin it anew each time. */
static int wait_until(struct pollfd *p, long end)
{
    int n;

    do
        n = poll(p, 1, end > net_clock() ? (int)(end - net_clock()) : 0);
    while (n < 0 && errno == EINTR);
    return n;
}

/* A datagram may be lost; one of several is not. */
static void exchanging(void)
{
    int fd = net_socket(&datagram, SOCK_DGRAM), n = 0;
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c = 0;

    for (int i = 0; i < TRIES && n != 1; i++) {
        if (sendto(fd, "d", 1, 0, (struct sockaddr *)&datagram.sa, datagram.len) != 1) {
            fault("sendto: %s", text_errno(errno));
            break;
        }
        n = wait_until(&p, net_clock() + PATIENCE_MS / TRIES);
        if (n != 1)
            atomic_fetch_add(&lost, 1);
    }
    if (n == 1 && (recv(fd, &c, 1, 0) != 1 || c != 'd'))
        fault("recv: %s", text_errno(errno));
    else if (n != 1)
        fault("no datagram came back");
    close(fd);
}

static void by_name(void)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
    int fd = net_socket(&stream, SOCK_STREAM), error = getaddrinfo(name, NULL, &hints, &found);
    struct sockaddr_in in;

    if (error) {
        fault("getaddrinfo: %s", gai_strerror(error));
    } else {
        memcpy(&in, found->ai_addr, sizeof in);
        in.sin_port = ((struct sockaddr_in *)&stream.sa)->sin_port;
        freeaddrinfo(found);
        if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0)
            fault("by name: connect: %s", text_errno(errno));
        else if ((error = net_echo(fd, ECHO)) != 0)
            fault("by name: echo: %s", text_errno(error));
    }
    close(fd);
}

/* The child goes on with what was begun here, and makes something of its own. */
static void forking(void)
{
    int fd = net_socket(&stream, SOCK_STREAM | SOCK_NONBLOCK), before = atomic_load(&faults), status = -1;
    pid_t child;

    net_connect(fd, &stream);
    child = fork();
    if (child == 0) {
        int error = net_connect_wait(fd, &stream);

        use("child", fd, error == EISCONN ? 0 : error);
        close(fd);
        blocking();
        _exit(atomic_load(&faults) != before);
    }
    atomic_fetch_add(&forks, 1);
    close(fd);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (status)
        fault("child: %x", (unsigned)status);
}

static void *run(void *argument)
{
    static void (*const ways[])(void) = { blocking,   blocking,   waiting, waiting,
                                          duplicated, exchanging, by_name };
    uint64_t random = (uint64_t)(uintptr_t)argument * 0x9e3779b97f4a7c15u;

    for (int i = 0; i < count; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (i % 20 == 10)
            forking();
        else
            ways[(random >> 33) % (sizeof ways / sizeof ways[0])]();
    }
    return NULL;
}

/* Those that are open, but for epoll sets: the one of the associations stays, once it is there. */
static int descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    char path[300], link[64];
    struct dirent *entry;
    int n = 0;

    while (directory && (entry = readdir(directory))) {
        ssize_t len;

        snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, link, sizeof link - 1);
        link[len < 0 ? 0 : len] = '\0';
        n += len > 0 && !strstr(link, "[eventpoll]");
    }
    if (directory)
        closedir(directory);
    return n;
}

static void rain(void)
{
    struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    sigset_t alarm;

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &tick, NULL);
    /* The kernel prefers the first thread. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL);
}

int main(int argc, char **argv)
{
    int threads = argc > 5 ? atoi(argv[4]) : 0, before;
    uintptr_t seed = argc > 6 ? (uintptr_t)atol(argv[6]) : 1;
    pthread_t thread[THREADS_MAX];

    if (threads < 1 || threads > THREADS_MAX)
        return 2;
    stream = net_target(argv[1]);
    datagram = net_target(argv[2]);
    name = argv[3];
    count = atoi(argv[5]);
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    before = descriptors();
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&thread[i], NULL, run, (void *)(seed + (uintptr_t)i)) != 0)
            net_die("pthread_create");
    }
    rain();
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    printf("%d threads, %d connections each: %d faults, %d left\n", threads, count, atomic_load(&faults),
           descriptors() - before);
    fprintf(stderr, "%d forks, %d signals, %d datagrams lost\n", atomic_load(&forks), atomic_load(&signals),
            atomic_load(&lost));
    return atomic_load(&faults) != 0;
}
