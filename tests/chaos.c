/* SPDX-License-Identifier: ISC */
/* chaos.c - many threads connect without blocking and wait in every way, with signals, forks, duplicates and numbers
 * used again; every connection must end as its target says, and carry no byte but its own
 *
 * usage: chaos GOOD UNREACHABLE COUNT [SEED]; the proxy answers 4 for the second address.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_text.h"

enum { CHURNERS = 12, WAITERS = 3, PATIENCE_S = 6, TICK_US = 3000, MOST_FAULTS = 20 };

/* One thread that makes connections, one at a time. */
struct churner {
    unsigned index;
    uint64_t random;
    atomic_uint serial;            /* of the connection; events of earlier ones are stale */
    _Atomic uint64_t seen;         /* serial << 32 | events */
    sem_t told;
};

/* One connection. */
struct job {
    struct churner *c;
    bool good;                     /* its target answers */
    const char *way;
    int fd;
};

static struct churner churners[CHURNERS];
static struct target good_target, bad_target;
static int set, null;
static atomic_int left, faults, forks, strays;
static atomic_bool over;

static void fault(const struct job *j, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void fault(const struct job *j, const char *format, ...)
{
    char text[160];
    va_list list;
    int n = snprintf(text, sizeof text, "%s, %s: ", j ? j->way : "waiter", j && j->good ? "good" : "unreachable");

    va_start(list, format);
    n += vsnprintf(text + n, sizeof text - (size_t)n - 1, format, list);
    va_end(list);
    text[n++] = '\n';
    if (atomic_fetch_add(&faults, 1) < MOST_FAULTS && write(STDOUT_FILENO, text, (size_t)n) < 0)
        _exit(2);
}

static unsigned draw(struct churner *c, unsigned below)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return (unsigned)(c->random >> 33) % below;
}

static void on_alarm(int number)
{
    int saved_errno = errno;

    (void)number;
    poll(NULL, 0, 0);
    if (write(null, "x", 1) != 1 || close(dup(null)) != 0)
        atomic_fetch_add(&faults, 1);
    errno = saved_errno;
}

/* A waiter that was late must not hide what another has seen of a later connection. */
static void note(struct churner *c, unsigned serial, uint32_t events)
{
    uint64_t seen = atomic_load(&c->seen);

    while (serial >= seen >> 32 && !atomic_compare_exchange_weak(&c->seen, &seen, (uint64_t)serial << 32 | events))
        ;
    sem_post(&c->told);
}

static void *wait_for_all(void *argument)
{
    struct epoll_event e[4];

    while (!atomic_load(&over)) {
        int n = epoll_wait(set, e, 4, 100);

        for (int i = 0; i < n; i++) {
            unsigned index = (unsigned)(e[i].data.u64 >> 32), serial = (unsigned)e[i].data.u64;

            if (index >= CHURNERS) {
                fault(NULL, "data that nobody registered: %llx", (unsigned long long)e[i].data.u64);
                continue;
            }
            /* An unconnected socket hangs up: that was before connect(). */
            if (e[i].events == (EPOLLOUT | EPOLLHUP))
                continue;
            if (atomic_load(&churners[index].serial) != serial) {
                atomic_fetch_add(&strays, 1);
                continue;
            }
            note(&churners[index], serial, e[i].events);
        }
    }
    return argument;
}

static int control(const struct job *j, int op, uint32_t events)
{
    struct epoll_event e = { .events = events };

    e.data.u64 = (uint64_t)j->c->index << 32 | atomic_load(&j->c->serial);
    return epoll_ctl(set, op, j->fd, &e);
}

/* What the waiters say of this connection; 0 when they say nothing in time. */
static uint32_t told(const struct job *j)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    for (;;) {
        uint64_t seen = atomic_load(&j->c->seen);

        if (seen >> 32 == atomic_load(&j->c->serial))
            return (uint32_t)seen;
        if (sem_timedwait(&j->c->told, &end) != 0 && errno == ETIMEDOUT)
            return 0;
    }
}

static short polled(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    time_t end = time(NULL) + PATIENCE_S;
    int n;

    do
        n = poll(&p, 1, 1000);
    while (n <= 0 && time(NULL) < end);
    return n > 0 ? p.revents : 0;
}

static short selected(int fd)
{
    time_t end = time(NULL) + PATIENCE_S;

    while (time(NULL) < end) {
        struct timeval t = { 0, 200000 };
        fd_set out;

        FD_ZERO(&out);
        FD_SET(fd, &out);
        if (select(fd + 1, NULL, &out, NULL, &t) > 0)
            return POLLOUT;
    }
    return 0;
}

static bool echoes(const struct job *j)
{
    uint64_t out[2] = { j->c->random, (uint64_t)j->fd }, in[2] = { 0, 0 };
    size_t have = 0;

    if (send(j->fd, out, sizeof out, MSG_NOSIGNAL) != sizeof out)
        return false;
    while (have < sizeof in) {
        ssize_t n;

        if (!polled(j->fd, POLLIN))
            return false;
        n = recv(j->fd, (char *)in + have, sizeof in - have, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return false;
        have += n > 0 ? (size_t)n : 0;
    }
    return memcmp(in, out, sizeof in) == 0 && recv(j->fd, in, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

/* The end of a connect() that has told of its end. */
static void judge(const struct job *j)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    int error = net_error(j->fd);

    if (error != (j->good ? 0 : EHOSTUNREACH))
        fault(j, "SO_ERROR %s", text_errno(error));
    else if (j->good && getpeername(j->fd, (struct sockaddr *)&sa, &len) != 0)
        fault(j, "too early: %s", text_errno(errno));
    else if (j->good && !echoes(j))
        fault(j, "another's bytes, or none: %s", text_errno(errno));
}

static void by_poll(struct job *j)
{
    if ((draw(j->c, 2) ? polled(j->fd, POLLOUT) : selected(j->fd)) == 0)
        fault(j, "poll or select says nothing");
    else
        judge(j);
}

static void by_epoll(struct job *j, bool registered, uint32_t events)
{
    uint32_t seen;

    if (!registered && control(j, EPOLL_CTL_ADD, events) != 0)
        fault(j, "ADD: %s", text_errno(errno));
    /* It may have been used up before connect(). */
    if (registered && events & EPOLLONESHOT && control(j, EPOLL_CTL_MOD, events) != 0)
        fault(j, "MOD: %s", text_errno(errno));
    seen = told(j);
    if (seen == 0)
        fault(j, "no event (%x)", events);
    else if ((seen & EPOLLERR) != (j->good ? 0 : EPOLLERR))
        fault(j, "event %x (%x)", seen, events);
    else
        judge(j);
    if (draw(j->c, 2) && epoll_ctl(set, EPOLL_CTL_DEL, j->fd, NULL) != 0)
        fault(j, "DEL: %s", text_errno(errno));
}

/* The child only waits, closes, or takes the connection over. */
static void by_fork(struct job *j)
{
    unsigned role = draw(j->c, 3);
    int status = 0, before = atomic_load(&faults);
    pid_t pid = fork();

    if (pid == 0) {
        if (role == 0)
            by_poll(j);
        else if (role == 1 && !polled(j->fd, POLLOUT))
            _exit(1);
        _exit(atomic_load(&faults) != before);
    }
    atomic_fetch_add(&forks, 1);
    if (role == 0)
        close(j->fd);
    else
        by_poll(j);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (status)
        fault(j, "child with role %u: %x", role, (unsigned)status);
    if (role == 0)
        j->fd = -1;
}

static void by_copy(struct job *j)
{
    int copy = dup(j->fd);

    close(j->fd);
    j->fd = copy;
    by_poll(j);
}

static void by_flip(struct job *j)
{
    char c;
    ssize_t n;

    fcntl(j->fd, F_SETFL, 0);
    do
        n = j->good ? send(j->fd, "x", 1, MSG_NOSIGNAL) : recv(j->fd, &c, 1, 0);
    while (n < 0 && errno == EINTR);
    if (n != (j->good ? 1 : -1) || (!j->good && errno != EHOSTUNREACH))
        fault(j, "%zd %s", n, text_errno(n < 0 ? errno : 0));
    else if (j->good && (!polled(j->fd, POLLIN) || recv(j->fd, &c, 1, 0) != 1 || c != 'x'))
        fault(j, "not its own byte");
}

/* A signal may end it early; then it goes on by itself. */
static void by_blocking(struct job *j, const struct target *t)
{
    if (net_connect(j->fd, t) == 0)
        judge(j);
    else if (errno == EINTR)
        by_poll(j);
    else if (j->good || errno != EHOSTUNREACH)
        fault(j, "connect: %s", text_errno(errno));
}

static void run(struct churner *c)
{
    static const uint32_t kinds[] = { 0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT };
    static const char *const ways[] = { "poll", "fork", "copy", "flip", "close", "before", "after", "blocking" };
    static const uint8_t choice[] = { 0, 0, 1, 2, 2, 3, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6, 7 };
    struct job j = { .c = c, .good = draw(c, 4) != 0 };
    uint32_t events = EPOLLOUT | kinds[draw(c, 4)];
    unsigned way = choice[draw(c, sizeof choice)];
    const struct target *t = j.good ? &good_target : &bad_target;

    j.way = ways[way];
    atomic_fetch_add(&c->serial, 1);
    while (sem_trywait(&c->told) == 0)
        ;
    j.fd = net_socket(t, SOCK_STREAM | (way == 7 ? 0 : SOCK_NONBLOCK));
    if (way == 5 && control(&j, EPOLL_CTL_ADD, events) != 0)
        fault(&j, "ADD: %s", text_errno(errno));
    if (way == 7)
        by_blocking(&j, t);
    else if (net_connect(j.fd, t) == 0 || errno != EINPROGRESS)
        fault(&j, "connect: %s", text_errno(errno));
    else if (way == 0)
        by_poll(&j);
    else if (way == 1)
        by_fork(&j);
    else if (way == 2)
        by_copy(&j);
    else if (way == 3)
        by_flip(&j);
    else if (way != 4)
        by_epoll(&j, way == 5, events);
    if (j.fd >= 0)
        close(j.fd);
}

static void *churn(void *argument)
{
    while (atomic_fetch_sub(&left, 1) > 0)
        run(argument);
    return NULL;
}

int main(int argc, char **argv)
{
    struct itimerval tick = { { 0, TICK_US }, { 0, TICK_US } };
    struct sigaction action = { .sa_handler = on_alarm };
    uint64_t seed = argc > 4 ? strtoull(argv[4], NULL, 10) : 1;
    pthread_t thread[CHURNERS + WAITERS];

    if (argc < 4)
        return 2;
    good_target = net_target(argv[1]);
    bad_target = net_target(argv[2]);
    atomic_store(&left, atoi(argv[3]));
    set = epoll_create1(EPOLL_CLOEXEC);
    null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &tick, NULL);
    for (unsigned i = 0; i < CHURNERS; i++) {
        churners[i].index = i;
        churners[i].random = (seed + i + 1) * 0x9e3779b97f4a7c15u;
        sem_init(&churners[i].told, 0, 0);
    }
    for (unsigned i = 0; i < WAITERS; i++)
        pthread_create(&thread[i], NULL, wait_for_all, NULL);
    for (unsigned i = 0; i < CHURNERS; i++)
        pthread_create(&thread[WAITERS + i], NULL, churn, &churners[i]);
    for (unsigned i = 0; i < CHURNERS; i++)
        pthread_join(thread[WAITERS + i], NULL);
    atomic_store(&over, true);
    for (unsigned i = 0; i < WAITERS; i++)
        pthread_join(thread[i], NULL);
    printf("seed %llu: %s connects, %d forks, %d stale events, %d faults\n", (unsigned long long)seed, argv[3],
           atomic_load(&forks), atomic_load(&strays), atomic_load(&faults));
    return atomic_load(&faults) != 0;
}
