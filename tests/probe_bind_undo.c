/* SPDX-License-Identifier: ISC */
/* probe_bind_undo.c - sockets whose request has come to nothing, other numbers, shown addresses, writing */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include "probe.h"
#include "probe_bind.h"
#include "probe_text.h"

enum { PATIENCE_MS = 10000, PORT_OF_ROOT = 81, NOBODY = 65534 };

static struct target any_of(const struct target *server)
{
    return net_target(server->sa.ss_family == AF_INET6 ? "[::]:0" : "0.0.0.0:0");
}

static int bound_socket(const struct target *server)
{
    struct target any = any_of(server);
    int fd = net_socket(&any, SOCK_STREAM);

    if (bind(fd, (struct sockaddr *)&any.sa, any.len) != 0)
        net_die("bind");
    return fd;
}

static unsigned port_of(int fd)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    memset(&sa, 0, sizeof sa);
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        net_die("getsockname");
    return ntohs(((struct sockaddr_in *)&sa)->sin_port);
}

static void say_listens(const char *what, int fd)
{
    int value = -1;
    socklen_t len = sizeof value;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) != 0)
        say(what, -1);
    printf("%s: %s\n", what, value ? "listens" : "does not listen");
}

static void serve_by(const struct session *s, const char *what, int listener)
{
    printf("%s: %s\n", what, bind_call(s, listener, NULL, NULL) ? "came" : "nobody came");
    say_events("  event", bind_await(listener, PATIENCE_MS));
    bind_finish("  greeting", accept(listener, NULL, NULL));
}

/* argv: ADDRESS.  Duplicates that are older than listen(). */
static int numbers(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bound_socket(&s.server), copy = dup(fd), third = dup(copy);

    say("listen", listen(copy, 4));
    say_listens("the first", fd);
    say_listens("the third", third);
    serve_by(&s, "by the first", fd);
    serve_by(&s, "by the third", third);
    close(copy);
    close(fd);
    serve_by(&s, "by the third alone", third);
    say("shutdown", shutdown(third, SHUT_RD));
    say("accept", accept(third, NULL, NULL));
    close(third);
    return 0;
}

static int watch(int fd, uint32_t events)
{
    struct epoll_event e = { .events = events, .data.u64 = 4711 };
    int set = epoll_create1(0);

    if (set < 0 || epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0)
        net_die("epoll_ctl");
    return set;
}

static void say_watched(const char *what, int set, int timeout)
{
    struct epoll_event e = { .data.u64 = 0 };
    int n = epoll_wait(set, &e, 1, timeout);

    if (n == 1 && e.data.u64 != 4711)
        printf("not the data\n");
    say_events(what, n == 1 ? e.events : 0);
}

/* argv: ADDRESS.  What becomes of the events that a listener never has, when it is none after all. */
static int events(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    struct epoll_event out = { .events = EPOLLOUT, .data.u64 = 4711 };
    int fd = bound_socket(&s.server), set = watch(fd, EPOLLIN | EPOLLOUT);

    say("listen", listen(fd, 4));
    say_watched("as a listener", set, 0);
    say("connect to nowhere", connect(fd, &nowhere, sizeof nowhere));
    say_error("connect", net_connect_wait(fd, &s.server));
    say_watched("connected", set, PATIENCE_MS);
    close(fd);
    close(set);

    /* Asked for while it listens. */
    fd = bind_listener(&s, 0);
    set = watch(fd, EPOLLIN);
    say("modify", epoll_ctl(set, EPOLL_CTL_MOD, fd, &out));
    say_watched("as a listener", set, 0);
    say("connect to nowhere", connect(fd, &nowhere, sizeof nowhere));
    say_error("connect", net_connect_wait(fd, &s.server));
    say_watched("connected", set, PATIENCE_MS);
    close(fd);
    close(set);
    return 0;
}

/* argv: ADDRESS.  A proxy that refuses: the socket is an ordinary one once more. */
static int refused(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bound_socket(&s.server), set = watch(fd, EPOLLIN | EPOLLOUT);

    say("listen", listen(fd, 4));
    say_error("connect", net_connect_wait(fd, &s.server));
    say_watched("connected", set, PATIENCE_MS);
    return 0;
}

/* argv: ADDRESS CONTROL.  A proxy that is gone: the kernel says so at once. */
static int at_once(char **argv)
{
    struct target server = net_target(argv[0]), again = any_of(&server);
    int fd = bound_socket(&server), copy = dup(fd), set = watch(fd, EPOLLIN | EPOLLOUT);
    unsigned port = port_of(fd);        /* asked while there is no session, or the request would go out */
    struct session s = bind_session(argv[0]);
    char byte;

    net_tell(argv[1], "quit");
    while (recv(s.fd, &byte, 1, 0) > 0)
        ;
    say("listen", listen(fd, 4));
    say("by the other number", listen(copy, 4));
    say_listens("the first", fd);
    say_listens("the other", copy);
    say("accept", accept(copy, NULL, NULL));
    printf("the port: %s\n", port_of(fd) == port && port_of(copy) == port ? "the same" : "another");
    ((struct sockaddr_in *)&again.sa)->sin_port = htons((uint16_t)port);
    say("its port, by another socket", bind(net_socket(&again, SOCK_STREAM), (struct sockaddr *)&again.sa, again.len));
    say_watched("its events", set, 0);
    return 0;
}

/* argv: ADDRESS.  bind() to the address that the session shows says what the kernel says of the real one. */
static int shown(char **argv)
{
    struct session s = bind_session(argv[0]);
    struct target own = { .len = sizeof own.sa };
    struct sockaddr_in *ipv4 = (struct sockaddr_in *)&own.sa;
    int listener = bind_listener(&s, 0), first, second;

    /* From here on the session shows what peers are told. */
    port_of(listener);
    memset(&own.sa, 0, sizeof own.sa);
    if (getsockname(s.fd, (struct sockaddr *)&own.sa, &own.len) != 0)
        net_die("getsockname");
    first = net_socket(&own, SOCK_STREAM);
    second = net_socket(&own, SOCK_STREAM);
    ipv4->sin_port = 0;
    say("bind", bind(first, (struct sockaddr *)&own.sa, own.len));
    ipv4->sin_port = htons((uint16_t)port_of(first));
    say("to the same port", bind(second, (struct sockaddr *)&own.sa, own.len));
    if (geteuid() == 0 && setuid(NOBODY) != 0)
        net_die("setuid");
    ipv4->sin_port = htons(PORT_OF_ROOT);
    say("to a port of root", bind(second, (struct sockaddr *)&own.sa, own.len));
    return 0;
}

static volatile sig_atomic_t pipes;

static void on_pipe(int number)
{
    (void)number;
    pipes++;
}

static void say_pipe(const char *what, long result)
{
    say(what, result);
    printf("  SIGPIPE: %d\n", (int)pipes);
    pipes = 0;
}

/* argv: ADDRESS.  What is written to a listener. */
static int written(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, 0), file = open("/proc/self/exe", O_RDONLY);
    struct sigaction action = { .sa_handler = on_pipe };
    char text[] = "text";
    struct iovec piece = { text, 4 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

    sigaction(SIGPIPE, &action, NULL);
    say_pipe("write", write(fd, text, 4));
    say_pipe("writev", writev(fd, &piece, 1));
    say_pipe("pwritev2", pwritev2(fd, &piece, 1, -1, 0));
    say_pipe("send", send(fd, text, 4, 0));
    say_pipe("send, MSG_DONTWAIT", send(fd, text, 4, MSG_DONTWAIT));
    say_pipe("send, MSG_NOSIGNAL", send(fd, text, 4, MSG_NOSIGNAL));
    say_pipe("sendto", sendto(fd, text, 4, 0, NULL, 0));
    say_pipe("sendmsg", sendmsg(fd, &m, 0));
    say_pipe("sendmsg, MSG_NOSIGNAL", sendmsg(fd, &m, MSG_NOSIGNAL));
    say_pipe("sendfile", sendfile(fd, file, NULL, 4));
    say_pipe("dprintf", dprintf(fd, "text"));
    say_pipe("read", read(fd, text, 4));
    close(file);
    close(fd);
    return 0;
}

/* argv: ADDRESS COUNT.  Looks at a listener by sets of the usual size, so many times. */
static int looks(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, 0), count = atoi(argv[1]);

    for (int i = 0; i < count; i++) {
        struct timeval none = { 0, 0 };
        fd_set in;

        FD_ZERO(&in);
        FD_SET(fd, &in);
        if (select(FD_SETSIZE, &in, NULL, NULL, &none) != 0)
            say("select", -1);
    }
    printf("looked\n");
    return 0;
}

static void say_query(const char *what, int fd, unsigned long request)
{
    int value = -1;

    say(what, ioctl(fd, request, &value));
    printf("  value %d\n", value);
}

/* argv: ADDRESS.  What else may be asked of a listener, and read from it. */
static int odd(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, 0), ends[2], on = 1;
    char text[8];
    struct iovec piece = { text, 4 };
    struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };
    struct mmsghdr several = { .msg_hdr = m };
    struct tcp_info info = { .tcpi_state = 0 };
    socklen_t len = sizeof info;

    if (pipe(ends) != 0)
        net_die("pipe");
    signal(SIGPIPE, SIG_IGN);
    say_query("FIONREAD", fd, FIONREAD);
    say_query("SIOCOUTQ", fd, SIOCOUTQ);
    say_query("SIOCATMARK", fd, SIOCATMARK);
    say("TCP_INFO", getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
    printf("  state %d\n", info.tcpi_state);
    say("readv", readv(fd, &piece, 1));
    say("recvfrom", recvfrom(fd, text, 4, MSG_DONTWAIT, NULL, NULL));
    say("recvmsg", recvmsg(fd, &m, 0));
    say("recvmmsg", recvmmsg(fd, &several, 1, 0, NULL));
    say("recv, MSG_PEEK", recv(fd, text, 4, MSG_PEEK));
    say("sendmmsg", sendmmsg(fd, &several, 1, 0));
    say("splice from it", splice(fd, NULL, ends[1], NULL, 4, 0));
    say("SO_REUSEADDR", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    say("FIONBIO", ioctl(fd, FIONBIO, &on));
    say("accept", accept(fd, NULL, NULL));
    say("bind", bind(fd, (struct sockaddr *)&s.server.sa, s.server.len));
    close(fd);
    return 0;
}

/* argv: ADDRESS CONTROL.  The request ends with the last number of the listener. */
static int closed(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, 0), other = dup(fd), end = open("/dev/null", O_RDONLY | O_CLOEXEC);

    say_open("with a listener", argv[1], 2);
    close(fd);
    say_open("by another number", argv[1], 2);
    close(other);
    say_open("closed", argv[1], 1);
    fd = bind_listener(&s, 0);
    say_open("with a listener", argv[1], 2);
    printf("dup2: %s\n", dup2(end, fd) == fd ? "done" : "failed");
    say_open("replaced", argv[1], 1);
    say("accept", accept(fd, NULL, NULL));
    return 0;
}

static void limit_numbers(rlim_t count)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* argv: ADDRESS.  A number of the listener lies beyond the limit, where nothing can be put in its place. */
static int beyond(char **argv)
{
    struct session s = bind_session(argv[0]);
    int fd = bind_listener(&s, SOCK_NONBLOCK), high = fcntl(fd, F_DUPFD, 200);

    limit_numbers(500);
    if (!bind_call(&s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
        printf("nothing came\n");
    limit_numbers(100);
    say("by the low number", accept(fd, NULL, NULL));
    say("by the high number", accept(high, NULL, NULL));
    say_events("still there", bind_await(high, 0));
    limit_numbers(500);
    bind_finish("within the limit", accept(high, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        if (!bind_call(&s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
            printf("nothing came\n");
        bind_finish("the next", accept(i ? high : fd, NULL, NULL));
    }
    return 0;
}

/* argv: ADDRESS.  Another listener comes to the number by libc's own name for the call, which no hook sees. */
static int unseen(char **argv)
{
    struct target here = net_target("127.0.0.2:0");
    int other = net_socket(&here, SOCK_STREAM), fd, (*unhooked)(int, int);
    void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    struct session s;

    *(void **)&unhooked = libc ? dlsym(libc, "dup2") : NULL;
    if (!unhooked || bind(other, (struct sockaddr *)&here.sa, here.len) != 0 || listen(other, 4) != 0)
        net_die("dup2");
    s = bind_session(argv[0]);
    fd = bind_listener(&s, 0);
    printf("put there: %s\n", unhooked(other, fd) == fd ? "yes" : "no");
    close(other);
    for (int i = 0; i < 2; i++) {
        printf("came: %s\n", bind_call(&s, fd, NULL, NULL) ? "yes" : "no");
        bind_finish("greeting", accept(fd, NULL, NULL));
    }
    return 0;
}

/* ---- while the kernel does not say whose a number is: cookieless.c */

static struct {
    int *error, *after, *times, *count;
} cookieless;

/* SO_COOKIE fails from the ask on that follows so many; once, or until cookies_back(). */
static void lose_cookies(int after, bool once)
{
    *cookieless.count = 0;
    *cookieless.after = after;
    *cookieless.times = once;
    *cookieless.error = ENOMEM;
}

/* Returns how often it has failed. */
static int cookies_back(void)
{
    *cookieless.error = 0;
    return *cookieless.count;
}

static void find_cookieless(void)
{
    cookieless.error = dlsym(RTLD_DEFAULT, "cookieless_error");
    cookieless.after = dlsym(RTLD_DEFAULT, "cookieless_after");
    cookieless.times = dlsym(RTLD_DEFAULT, "cookieless_times");
    cookieless.count = dlsym(RTLD_DEFAULT, "cookieless_count");
    if (!cookieless.error || !cookieless.after || !cookieless.times || !cookieless.count)
        net_die("no cookieless.so");
    cookies_back();
}

/* What is written to a listener goes nowhere, and what its proxy says is not read. */
static void say_shut(const char *what, int fd)
{
    char byte = 'x';

    if (send(fd, &byte, 1, MSG_NOSIGNAL) != -1 || errno != EPIPE)
        printf("%s: written to\n", what);
    if (recv(fd, &byte, 1, MSG_DONTWAIT) != -1 || errno != ENOTCONN)
        printf("%s: read from\n", what);
}

static int accept_unsure(const struct session *s, int fd, int after, bool once)
{
    int made, failed, error;

    if (!bind_call(s, fd, NULL, NULL) || !(bind_await(fd, PATIENCE_MS) & POLLIN))
        printf("nothing came\n");
    lose_cookies(after, once);
    made = accept(fd, NULL, NULL);
    error = made < 0 ? errno : 0;
    if (error && error != ENOBUFS && error != EAGAIN)
        printf("accept, after %d: %s\n", after, text_errno(error));
    say_shut("accept", fd);
    failed = cookies_back();
    say_shut("after accept", fd);
    if (made < 0 && bind_await(fd, PATIENCE_MS) & POLLIN)
        made = accept(fd, NULL, NULL);
    error = made < 0 ? errno : bind_greeted(made);
    if (error)
        printf("accepted, after %d: %s\n", after, text_errno(error));
    close(made);
    return failed;
}

/* A socket that does not listen is a plain one still.  Once: listen() waits for as long as the kernel says nothing. */
static int listen_unsure(const struct session *s, const char *control, int after)
{
    int fd = bound_socket(&s->server), failed, result, error;

    /* What was closed before. */
    while (net_tell(control, "open") > 1)
        ;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    lose_cookies(after, true);
    result = listen(fd, 4);
    error = result ? errno : 0;
    failed = cookies_back();
    if (error && error != ENOBUFS && error != ECONNREFUSED)
        printf("listen, after %d: %s\n", after, text_errno(error));
    if (send(fd, "x", 1, MSG_NOSIGNAL) != -1)
        printf("listen, after %d: written to\n", after);
    if (result && listen(fd, 4) != 0)
        printf("listen again, after %d: %s\n", after, text_errno(errno));
    say_shut("listen", fd);
    if (net_tell(control, "open") < 2)
        printf("listen, after %d: past the proxy\n", after);
    accept_unsure(s, fd, 0, true);
    close(fd);
    return failed;
}

static int close_unsure(const struct session *s, int after, bool once)
{
    int fd = bind_listener(s, 0), failed;

    lose_cookies(after, once);
    close(fd);
    failed = cookies_back();
    fd = net_socket(&s->server, SOCK_STREAM);
    say_error("another in its place", net_connect_wait(fd, &s->server));
    close(fd);
    return failed;
}

/* argv: ADDRESS CONTROL.  SO_COOKIE fails at each place of each call, once and for good: nothing is lost or left, and
 * no listener becomes a connection to the proxy. */
static int unsure(char **argv)
{
    struct session s;
    int fd, before, after;

    find_cookieless();
    s = bind_session(argv[0]);
    before = net_descriptors();
    for (int once = 0; once < 2; once++) {
        fd = bind_listener(&s, SOCK_NONBLOCK);
        for (after = 0; accept_unsure(&s, fd, after, once); after++)
            ;
        close(fd);
        printf("accept: %s\n", after > 1 ? "many places" : "few places");
        for (after = 0; listen_unsure(&s, argv[1], after); after++)
            ;
        printf("listen: %s\n", after > 1 ? "many places" : "few places");
        say("close", close_unsure(&s, 0, once));
        say("descriptors left", net_descriptors() - before);
        say_open("connections left", argv[1], 1);
    }
    return 0;
}

const struct command bind_undo_commands[] = {
    { "bind-closed", 2, closed, "ADDRESS CONTROL" },
    { "bind-numbers", 1, numbers, "ADDRESS" },
    { "bind-events", 1, events, "ADDRESS" },
    { "bind-refused-events", 1, refused, "ADDRESS" },
    { "bind-at-once", 2, at_once, "ADDRESS CONTROL" },
    { "bind-shown", 1, shown, "ADDRESS" },
    { "bind-odd", 1, odd, "ADDRESS" },
    { "bind-looks", 2, looks, "ADDRESS COUNT" },
    { "bind-beyond", 1, beyond, "ADDRESS" },
    { "bind-written", 1, written, "ADDRESS" },
    { "bind-unseen", 1, unseen, "ADDRESS" },
    { "bind-unsure", 2, unsure, "ADDRESS CONTROL, with cookieless.so" },
    { NULL, 0, NULL, NULL },
};
