/* SPDX-License-Identifier: ISC */
/* probe_bind_wait.c - waiting for connections that a server was told to make: loops, threads, processes, signals */
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"
#include "probe_bind.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000, SHORT_MS = 50, LOOKS = 200, THREADS = 3, PEERS = 6 };

/* ---- event loops */

enum way { BY_POLL, BY_SELECT, BY_EPOLL, WAYS };

struct loop {
    enum way way;
    int epfd, fd;
    uint32_t events;            /* for epoll */
};

static unsigned wait_epoll(const struct loop *l, int timeout)
{
    struct epoll_event got[4];
    int n = epoll_wait(l->epfd, got, 4, timeout);

    if (n > 1 || (n == 1 && got[0].data.u64 != 0x1234567890abcdef))
        printf("%d events, or not the data\n", n);
    return n == 1 ? got[0].events : 0;
}

static unsigned wait_select(const struct loop *l, int timeout)
{
    struct timeval t = { timeout / 1000, timeout % 1000 * 1000 };
    fd_set in, out;

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(l->fd, &in);
    FD_SET(l->fd, &out);
    if (select(l->fd + 1, &in, &out, NULL, &t) <= 0)
        return 0;
    return (FD_ISSET(l->fd, &in) ? POLLIN : 0u) | (FD_ISSET(l->fd, &out) ? POLLOUT : 0u);
}

static unsigned wait_for(const struct loop *l, int timeout)
{
    struct pollfd p = { .fd = l->fd, .events = POLLIN | POLLOUT };

    if (l->way == BY_EPOLL)
        return wait_epoll(l, timeout);
    if (l->way == BY_SELECT)
        return wait_select(l, timeout);
    return poll(&p, 1, timeout) > 0 ? (unsigned)p.revents : 0;
}

static void control(const struct loop *l, int op)
{
    struct epoll_event e = { .events = l->events, .data.u64 = 0x1234567890abcdef };

    if (l->way == BY_EPOLL && epoll_ctl(l->epfd, op, l->fd, &e) != 0)
        say("epoll_ctl", -1);
}

static void serve_in_loop(const struct session *s, const struct loop *l, int peers)
{
    for (int i = 0; i < peers; i++) {
        say_events("before", wait_for(l, 0));
        if (!bind_call(s, l->fd, NULL, NULL))
            printf("nobody came\n");
        say_events("event", wait_for(l, PATIENCE_MS));
        bind_finish("greeting", accept(l->fd, NULL, NULL));
        say("accept", accept(l->fd, NULL, NULL));
        /* Disarmed until it is modified. */
        if (l->events & EPOLLONESHOT) {
            say_events("disarmed", wait_for(l, 0));
            control(l, EPOLL_CTL_MOD);
        }
    }
    control(l, EPOLL_CTL_DEL);
    if (l->way == BY_EPOLL)
        say_events("removed", bind_call(s, l->fd, NULL, NULL) ? wait_for(l, 0) : 99);
}

static void one_loop(const struct session *s, const char *name, enum way way, uint32_t events, bool before)
{
    struct loop l = { .way = way, .epfd = epoll_create1(0), .events = events };
    struct target any = net_target(s->server.sa.ss_family == AF_INET6 ? "[::]:0" : "0.0.0.0:0");

    printf("-- %s\n", name);
    l.fd = net_socket(&any, SOCK_STREAM | SOCK_NONBLOCK);
    if (before)
        control(&l, EPOLL_CTL_ADD);
    if (bind(l.fd, (struct sockaddr *)&any.sa, any.len) != 0 || listen(l.fd, 4) != 0)
        net_die("listen");
    /* An unlistening socket reports that it is hung up, once if by its edge: not the listener's. */
    if (before && events & (EPOLLET | EPOLLONESHOT))
        control(&l, EPOLL_CTL_MOD);
    if (!before)
        control(&l, EPOLL_CTL_ADD);
    serve_in_loop(s, &l, 3);
    close(l.fd);
    close(l.epfd);
}

/* argv: ADDRESS. */
static int loops(char **argv)
{
    struct session s = bind_session(argv[0]);

    one_loop(&s, "poll", BY_POLL, 0, false);
    one_loop(&s, "select", BY_SELECT, 0, false);
    one_loop(&s, "epoll", BY_EPOLL, EPOLLIN | EPOLLOUT, false);
    one_loop(&s, "epoll, registered first", BY_EPOLL, EPOLLIN | EPOLLOUT, true);
    one_loop(&s, "epoll, edge", BY_EPOLL, EPOLLIN | EPOLLOUT | EPOLLET, false);
    one_loop(&s, "epoll, edge, registered first", BY_EPOLL, EPOLLIN | EPOLLET, true);
    one_loop(&s, "epoll, one shot", BY_EPOLL, EPOLLIN | EPOLLOUT | EPOLLONESHOT, false);
    one_loop(&s, "epoll, one shot, registered first", BY_EPOLL, EPOLLIN | EPOLLONESHOT, true);
    return 0;
}

/* argv: ADDRESS CONTROL.  What the program waits in brings the next request on its way, without a word from it. */
static int again(char **argv)
{
    struct session s = bind_session(argv[0]);

    for (enum way way = 0; way < WAYS; way++) {
        struct loop l = { .way = way, .epfd = epoll_create1(0), .events = EPOLLIN };
        int i;

        l.fd = bind_listener(&s, SOCK_NONBLOCK);
        control(&l, EPOLL_CTL_ADD);
        if (!bind_call(&s, l.fd, NULL, NULL) || wait_for(&l, PATIENCE_MS) != POLLIN)
            net_die("nothing came");
        net_tell(argv[1], "hold reply");
        bind_finish("greeting", accept(l.fd, NULL, NULL));
        for (i = 0; i < LOOKS && net_tell(argv[1], "count") == 0; i++)
            say_error("an event", wait_for(&l, SHORT_MS) ? EPROTO : 0);
        printf("asked again: %s\n", i < LOOKS ? "yes" : "no");
        net_tell(argv[1], "set hold=none");
        net_tell(argv[1], "release");
        printf("came: %s\n", bind_call(&s, l.fd, NULL, NULL) ? "yes" : "no");
        say_events("event", wait_for(&l, PATIENCE_MS));
        bind_finish("greeting", accept(l.fd, NULL, NULL));
        close(l.fd);
        close(l.epfd);
    }
    return 0;
}

/* ---- threads, processes */

struct crowd {
    int listener;
    atomic_int done;
};

static void *accept_some(void *argument)
{
    struct crowd *c = argument;

    for (int i = 0; i < PEERS / THREADS; i++) {
        int fd = accept(c->listener, NULL, NULL);

        if (fd >= 0 && bind_greeted(fd) == 0)
            atomic_fetch_add(&c->done, 1);
        close(fd);
    }
    return NULL;
}

/* argv: ADDRESS. */
static int threads(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct crowd c = { .listener = bind_listener(&s, 0) };
    pthread_t thread[THREADS];
    int came = 0;

    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&thread[i], NULL, accept_some, &c) != 0)
            net_die("pthread_create");
    }
    /* The next peer is called when the one before was served: a request stands for one alone. */
    for (int i = 0; i < PEERS; i++) {
        came += bind_call(&s, c.listener, NULL, NULL);
        while (atomic_load(&c.done) < came && i < PEERS)
            poll(NULL, 0, 1);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    printf("came %d, served %d\n", came, atomic_load(&c.done));
    return 0;
}

static int child_of(int listener)
{
    int fd = bind_await(listener, PATIENCE_MS) ? accept(listener, NULL, NULL) : -1;

    return fd >= 0 && bind_greeted(fd) == 0 ? 0 : 1;
}

/* argv: ADDRESS.  A child accepts, then the parent, on one listener that does not block. */
static int forks(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, SOCK_NONBLOCK), status = -1;
    pid_t child = fork();

    if (child == 0)
        _exit(child_of(fd));
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    waitpid(child, &status, 0);
    printf("child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    say("accept", accept(fd, NULL, NULL));
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    say_events("event", bind_await(fd, PATIENCE_MS));
    bind_finish("parent", accept(fd, NULL, NULL));
    say("accept", accept(fd, NULL, NULL));
    /* The parent closes, the child goes on. */
    child = fork();
    if (child == 0) {
        bool came = bind_call(&s, fd, NULL, NULL);

        _exit(came ? child_of(fd) : 2);
    }
    close(fd);
    waitpid(child, &status, 0);
    printf("child: %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return 0;
}

/* ---- signals, time, cancellation */

static const struct session *signalled;
static int signalled_listener;
static volatile sig_atomic_t handled;

static void on_alarm(int number)
{
    (void)number;
    handled = 1;
}

/* Calls the server, by what a handler may call. */
static void on_alarm_call(int number)
{
    (void)number;
    if (!handled)
        bind_call(signalled, signalled_listener, NULL, NULL);
    handled = 1;
}

static void set_alarm(void (*handler)(int), int flags)
{
    struct sigaction action = { .sa_handler = handler, .sa_flags = flags };
    struct itimerval soon = { .it_value = { 0, 100000 } };

    handled = 0;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
}

static void *accept_one(void *argument)
{
    accept(*(int *)argument, NULL, NULL);
    return NULL;
}

static void cancel_accept(const struct session *s, int fd)
{
    struct timespec pause = { 0, 100000000 };
    pthread_t thread;
    void *result;

    if (pthread_create(&thread, NULL, accept_one, &fd) != 0)
        net_die("pthread_create");
    /* Whether it sleeps already or not, it must end. */
    nanosleep(&pause, NULL);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled: %s\n", result == PTHREAD_CANCELED ? "yes" : "no");
    printf("came: %s\n", bind_call(s, fd, NULL, NULL) ? "yes" : "no");
    bind_finish("greeting", accept(fd, NULL, NULL));
}

/* argv: ADDRESS. */
static int signals(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct timeval limit = { 0, 300000 }, none = { 0, 0 };
    int fd = bind_listener(&s, 0);

    set_alarm(on_alarm, 0);
    say("accept, a handler without SA_RESTART", accept(fd, NULL, NULL));
    signalled = &s;
    signalled_listener = fd;
    set_alarm(on_alarm_call, SA_RESTART);
    bind_finish("accept, a handler with SA_RESTART", accept(fd, NULL, NULL));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    say("accept, SO_RCVTIMEO", accept(fd, NULL, NULL));
    set_alarm(on_alarm, SA_RESTART);
    say("accept, SO_RCVTIMEO and a handler", accept(fd, NULL, NULL));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
    cancel_accept(&s, fd);
    return 0;
}

/* Of untimely.c. */
extern int untimely_after __attribute__((weak));

static void *sleep_on(void *argument)
{
    pause();
    return argument;
}

/* argv: ADDRESS.  In a program with threads accept() sleeps in slices; between two of them the signal comes. */
static int untimely(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct sigaction action = { .sa_handler = on_alarm };
    int fd = bind_listener(&s, 0);
    pthread_t thread;

    sigaction(SIGALRM, &action, NULL);
    if (!&untimely_after || pthread_create(&thread, NULL, sleep_on, NULL) != 0)
        net_die("untimely.so");
    untimely_after = 3;
    say("accept", accept(fd, NULL, NULL));
    printf("handled: %s\n", handled ? "yes" : "no");
    return 0;
}

static void *accept_until_closed(void *argument)
{
    int *fd = argument;

    *fd = accept(*fd, NULL, NULL) < 0 ? errno : 0;
    return argument;
}

/* argv: ADDRESS UDP.  The number of a listener is closed under accept(), and the next socket's. */
static int under(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct target t = net_target(argv[1]);
    struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof from;
    char text[64] = "";
    int fd = bind_listener(&s, 0), error = fd;
    pthread_t thread;

    if (pthread_create(&thread, NULL, accept_until_closed, &error) != 0)
        net_die("pthread_create");
    /* It sleeps, in slices. */
    poll(NULL, 0, 50);
    close(fd);
    printf("the same number: %s\n", net_socket(&t, SOCK_DGRAM) == fd ? "yes" : "no");
    say("sendto", sendto(fd, "word", 4, 0, (struct sockaddr *)&t.sa, t.len));
    pthread_join(thread, NULL);
    printf("accept: %s\n", error == EBADF || error == EINVAL || error == EOPNOTSUPP ? "over" : strerror(error));
    say("recvfrom", recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&from, &len));
    printf("%s, from the target: %s\n", text, len == t.len && memcmp(&from, &t.sa, len) == 0 ? "yes" : "no");
    return 0;
}

/* ---- proxies that do wrong */

static void say_name_of_peer(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char host[256], port[32];

    if (getpeername(fd, (struct sockaddr *)&sa, &len) != 0 ||
        getnameinfo((struct sockaddr *)&sa, len, host, sizeof host, port, sizeof port, NI_NUMERICSERV) != 0)
        printf("peer: none\n");
    else
        printf("peer: %s %s\n", host, port);
}

/* argv: ADDRESS CONTROL COMMANDS: for one peer the proxy is told commands, between commas, with @ for a blank. */
static int scripted(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd, made;

    /* What a request meets is settled when it comes. */
    for (char *command = strtok(argv[2], ","); command; command = strtok(NULL, ",")) {
        if (strchr(command, '@'))
            *strchr(command, '@') = ' ';
        net_tell(argv[1], command);
    }
    fd = bind_listener(&s, 0);
    net_tell(argv[1], "set plain");
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    made = accept(fd, NULL, NULL);
    if (made < 0)
        say("accept", made);
    else
        say_name_of_peer(made);
    if (made >= 0)
        bind_finish("greeting", made);
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    bind_finish("greeting", accept(fd, NULL, NULL));
    return 0;
}

/* argv: ADDRESS CONTROL.  The second reply comes late, and in pieces. */
static int late(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct crowd c = { .listener = -1 };
    pthread_t thread;
    int fd, fed;

    net_tell(argv[1], "hold reply2:3");
    c.listener = bind_listener(&s, 0);
    fd = bind_listener(&s, SOCK_NONBLOCK);
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    net_tell(argv[1], "wait 1");
    say_events("a part of the reply", bind_await(fd, PATIENCE_MS));
    say("accept", accept(fd, NULL, NULL));
    say_events("nothing more", bind_await(fd, 0));
    say("accept", accept(fd, NULL, NULL));
    net_tell(argv[1], "release");
    say_events("the rest", bind_await(fd, PATIENCE_MS));
    bind_finish("greeting", accept(fd, NULL, NULL));
    printf("came: %s\n", bind_call(&s, c.listener, NULL, NULL) ? "yes" : "no");
    net_tell(argv[1], "wait 1");
    if (pthread_create(&thread, NULL, accept_some, &c) != 0)
        net_die("pthread_create");
    fed = atomic_load(&c.done);
    net_tell(argv[1], "set hold=none");
    net_tell(argv[1], "release");
    for (int i = 0; i < LOOKS && atomic_load(&c.done) == fed; i++)
        poll(NULL, 0, SHORT_MS);
    printf("served: %d then %d\n", fed, atomic_load(&c.done));
    return 0;
}

/* argv: ADDRESS FROM.  Somebody whom the proxy was not told of comes first. */
static int stranger(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, SOCK_NONBLOCK);

    printf("came: %s\n", bind_call(&s, fd, argv[1], NULL) ? "yes" : "no");
    say_events("event", bind_await(fd, PATIENCE_MS));
    say("accept", accept(fd, NULL, NULL));
    printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
    say_events("event", bind_await(fd, PATIENCE_MS));
    bind_finish("greeting", accept(fd, NULL, NULL));
    return 0;
}

/* argv: ADDRESS CONTROL.  The proxy goes away. */
static int gone(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, SOCK_NONBLOCK);
    struct loop l = { .way = BY_EPOLL, .epfd = epoll_create1(0), .fd = fd, .events = EPOLLIN };

    control(&l, EPOLL_CTL_ADD);
    net_tell(argv[1], "quit");
    printf("woken: %s\n", wait_for(&l, PATIENCE_MS) & EPOLLIN ? "yes" : "no");
    say("accept", accept(fd, NULL, NULL));
    printf("woken: %s\n", wait_for(&l, PATIENCE_MS) ? "yes" : "no");
    say("accept", accept(fd, NULL, NULL));
    say("accept", accept(fd, NULL, NULL));
    return 0;
}

/* argv: ADDRESS.  The kernel's own AIO waits for connections, which it finds on the number and nothing else. */
static int submits(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, 0);
    struct iocb look = { .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN };
    struct iocb *list[] = { &look };
    struct sockaddr_storage own;
    socklen_t len = sizeof own;
    struct timespec brief = { 0, SHORT_MS * 1000000L }, patience = { PATIENCE_MS / 1000, 0 };
    struct io_event e = { .res = 0 };
    aio_context_t context = 0;

    if (syscall(SYS_io_setup, 2L, &context) != 0) {
        printf("no AIO\n");
        return 0;
    }
    for (int i = 0; i < 3; i++) {
        say("submitted", syscall(SYS_io_submit, context, 1L, list));
        /* Which brings on what the proxy says first. */
        say("its name", getsockname(fd, (struct sockaddr *)&own, &len));
        say("nothing yet", syscall(SYS_io_getevents, context, 1L, 1L, &e, &brief));
        printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
        say("something", syscall(SYS_io_getevents, context, 1L, 1L, &e, &patience));
        say_events("  event", (unsigned)e.res);
        bind_finish("  greeting", accept(fd, NULL, NULL));
    }
    look.aio_buf = POLLIN | POLLOUT;
    printf("told that it is writable: %s\n",
           syscall(SYS_io_submit, context, 1L, list) == 1 &&
           syscall(SYS_io_getevents, context, 1L, 1L, &e, &brief) != 0 ? "yes" : "no");
    syscall(SYS_io_destroy, context);
    return 0;
}

const struct command bind_wait_commands[] = {
    { "bind-loops", 1, loops, "ADDRESS" },
    { "bind-again", 2, again, "ADDRESS CONTROL" },
    { "bind-threads", 1, threads, "ADDRESS" },
    { "bind-forks", 1, forks, "ADDRESS" },
    { "bind-signals", 1, signals, "ADDRESS" },
    { "bind-scripted", 3, scripted, "ADDRESS CONTROL COMMANDS" },
    { "bind-late", 2, late, "ADDRESS CONTROL" },
    { "bind-stranger", 2, stranger, "ADDRESS FROM" },
    { "bind-gone", 2, gone, "ADDRESS CONTROL" },
    { "bind-under", 2, under, "ADDRESS UDP" },
    { "bind-untimely", 1, untimely, "ADDRESS: with untimely.so" },
    { "bind-submits", 1, submits, "ADDRESS" },
    { NULL, 0, NULL, NULL },
};
