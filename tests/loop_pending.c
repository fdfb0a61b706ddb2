/* SPDX-License-Identifier: ISC */
/* loop_pending.c - calls on a socket while its handshake is pending */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

static void set_nonblocking(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

/* Every call that could carry a byte of the program's into the handshake, or one of the proxy's out of it. */
static int refused_calls(char **argv)
{
    char buf[4] = "abc";
    struct iovec v = { buf, sizeof buf };
    struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
    struct mmsghdr mm = { .msg_hdr = m };
    FILE *file = tmpfile();
    int fd, pipes[2];

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_hold(fd, 1);
    if (!file || pipe(pipes) != 0 || write(pipes[1], "abc", 3) != 3 || fputs("abc", file) < 0 || fflush(file) != 0)
        net_die("files");
    loop_is(read(fd, buf, 4), EAGAIN, "read");
    loop_is(readv(fd, &v, 1), EAGAIN, "readv");
    loop_is(recv(fd, buf, 4, 0), EAGAIN, "recv");
    loop_is(recvfrom(fd, buf, 4, 0, NULL, NULL), EAGAIN, "recvfrom");
    loop_is(recvmsg(fd, &m, 0), EAGAIN, "recvmsg");
    loop_is(recvmmsg(fd, &mm, 1, 0, NULL), EAGAIN, "recvmmsg");
    loop_is(write(fd, buf, 4), EAGAIN, "write");
    loop_is(writev(fd, &v, 1), EAGAIN, "writev");
    loop_is(send(fd, buf, 4, MSG_NOSIGNAL), EAGAIN, "send");
    loop_is(sendto(fd, buf, 4, MSG_NOSIGNAL, NULL, 0), EAGAIN, "sendto");
    loop_is(sendmsg(fd, &m, MSG_NOSIGNAL), EAGAIN, "sendmsg");
    loop_is(sendmmsg(fd, &mm, 1, MSG_NOSIGNAL), EAGAIN, "sendmmsg");
    loop_is(sendfile(fd, fileno(file), &(off_t){ 0 }, 3), EAGAIN, "sendfile");
    loop_is(splice(pipes[0], NULL, fd, NULL, 3, 0), EAGAIN, "splice to it");
    loop_is(splice(fd, NULL, pipes[1], NULL, 3, 0), EAGAIN, "splice from it");
    loop_is(net_connect(fd, &loop_target), EALREADY, "connect");
    /* None of these changes with O_NONBLOCK cleared. */
    set_nonblocking(fd, false);
    loop_is(recv(fd, buf, 4, MSG_DONTWAIT), EAGAIN, "recv with MSG_DONTWAIT");
    loop_is(send(fd, buf, 4, MSG_DONTWAIT), EAGAIN, "send with MSG_DONTWAIT");
    set_nonblocking(fd, true);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "after all");
    return loop_code();
}

static void *release_later(void *argument)
{
    loop_held(1);
    loop_release();
    return argument;
}

/* O_NONBLOCK cleared: what would sleep in the kernel sleeps until the tunnel stands. */
static int flip(char **argv)
{
    char buf[5];
    pthread_t thread;
    int fd;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    set_nonblocking(fd, false);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_check(write(fd, "hello", 5) == 5, "write: %s", text_errno(errno));
    loop_check(read(fd, buf, 5) == 5 && memcmp(buf, "hello", 5) == 0, "not what was written");
    pthread_join(thread, NULL);
    loop_good(fd, "after a blocking write");

    fd = loop_begin(SOCK_NONBLOCK);
    set_nonblocking(fd, false);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_is(net_connect(fd, &loop_target), 0, "a blocking connect in the middle");
    loop_is(net_connect(fd, &loop_target), EISCONN, "and another");
    pthread_join(thread, NULL);
    loop_good(fd, "after a blocking connect");
    return loop_code();
}

/* The same with a proxy that refuses by code 4. */
static int flip_fails(char **argv)
{
    pthread_t thread;
    char buf[4];
    int fd;

    loop_arguments(argv);
    for (int i = 0; i < 3; i++) {
        fd = loop_begin(SOCK_NONBLOCK);
        set_nonblocking(fd, false);
        pthread_create(&thread, NULL, release_later, NULL);
        if (i == 0)
            loop_is(read(fd, buf, 4), EHOSTUNREACH, "read");
        else if (i == 1)
            loop_is(write(fd, buf, 4), EHOSTUNREACH, "write");
        else
            loop_is(net_connect(fd, &loop_target), EHOSTUNREACH, "connect");
        pthread_join(thread, NULL);
        loop_check(net_error(fd) == 0, "the error comes twice");
        close(fd);
    }
    fd = loop_begin(SOCK_NONBLOCK);
    set_nonblocking(fd, false);
    loop_hold(fd, 1);
    loop_release();
    loop_check(loop_poll(fd, POLLIN | POLLOUT) == (POLLIN | POLLOUT | POLLERR | POLLHUP), "events of a failure");
    loop_check(net_error(fd) == EHOSTUNREACH, "SO_ERROR after a failure");
    return loop_code();
}

static void on_signal(int number)
{
    (void)number;
}

/* SO_SNDTIMEO, and a signal, end a blocking connect(), which then goes on by itself. */
static int cut_short(char **argv)
{
    struct timeval limit = { 0, 100000 };
    struct itimerval timer = { .it_value = { 0, 100000 } };
    struct sigaction action = { .sa_handler = on_signal };
    int fd;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect with SO_SNDTIMEO");
    loop_is(send(fd, "abc", 3, 0), EAGAIN, "send with SO_SNDTIMEO");
    loop_is(net_connect(fd, &loop_target), EALREADY, "connect again with SO_SNDTIMEO");
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &(struct timeval){ 0, 0 }, sizeof limit);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    /* 0 once, from a kernel that has not told anybody yet; one whose own part was quick says EISCONN at once. */
    loop_check(net_connect(fd, &loop_target) == 0 || errno == EISCONN, "connect when it stands: %s", text_errno(errno));
    loop_is(net_connect(fd, &loop_target), EISCONN, "connect after that");
    loop_good(fd, "after SO_SNDTIMEO");

    sigaction(SIGALRM, &action, NULL);
    fd = net_socket(&loop_target, SOCK_STREAM);
    setitimer(ITIMER_REAL, &timer, NULL);
    loop_is(net_connect(fd, &loop_target), EINTR, "connect with a signal");
    loop_hold(fd, 1);
    setitimer(ITIMER_REAL, &timer, NULL);
    loop_is(net_connect(fd, &loop_target), EINTR, "connect again with a signal");
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_good(fd, "after EINTR");
    return loop_code();
}

/* shutdown() and connect(AF_UNSPEC) give a connect() up; so they do in the kernel (run bare against a held target). */
static int give_up(char **argv)
{
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

    loop_arguments(argv);
    for (int how = SHUT_RD; how <= SHUT_RDWR + 1; how++) {
        int fd = loop_begin(SOCK_NONBLOCK);

        say("shutdown", how <= SHUT_RDWR ? shutdown(fd, how) : connect(fd, &nowhere, sizeof nowhere));
        say_events("events", (unsigned)loop_poll(fd, POLLIN | POLLOUT));
        say_error("SO_ERROR", net_error(fd));
        say("write", send(fd, "abc", 3, MSG_NOSIGNAL));
        say("read", recv(fd, &(char){ 0 }, 1, 0));
        say("connect", net_connect(fd, &loop_target));
        close(fd);
    }
    say("bad shutdown", shutdown(loop_begin(SOCK_NONBLOCK), 7));
    return loop_code();
}

/* A socket that failed is connected again; the error that was never asked for is not kept for the second attempt. */
/* Bytes of the program must not go into the handshake of the next attempt, by whatever number. */
static void next_attempt(int fd, int before, const char *what)
{
    const int copies[] = { before, dup(fd) };

    loop_is(net_connect(fd, &loop_target), EINPROGRESS, what);
    loop_hold(fd, 1);
    for (int i = 0; i < 2; i++) {
        if (copies[i] >= 0)
            loop_is(write(copies[i], "abc", 3), EAGAIN, what);
    }
    loop_release();
    loop_check(loop_poll(copies[1], POLLOUT) == POLLOUT, "%s: not writable", what);
    loop_good(copies[1], what);
    close(copies[0]);
    close(copies[1]);
}

/* argv: ADDRESS CONTROL REFUSING.  Copies made before an attempt that fails, after it, and after a tunnel. */
static int attempts(char **argv)
{
    struct target refusing = net_target(argv[2]);
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    int fd, copy;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    copy = dup(fd);
    loop_is(net_connect(fd, &refusing), EINPROGRESS, "connect");
    loop_hold(fd, 1);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) & POLLERR && net_error(fd) == EHOSTUNREACH, "the first");
    loop_is(net_connect(fd, &loop_target), ECONNABORTED, "connect after SO_ERROR");
    next_attempt(fd, copy, "after a failure");
    loop_is(connect(fd, &nowhere, sizeof nowhere), 0, "AF_UNSPEC");
    next_attempt(fd, -1, "after a tunnel");
    close(fd);
    return loop_code();
}

/* What stdio writes passes no hook, at the second attempt as little as at the first. */
static void retry_under_stream(const struct target *refusing)
{
    int fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    FILE *stream = fdopen(fd, "r+");
    char c = 0;

    loop_is(net_connect(fd, refusing), EINPROGRESS, "connect under a stream");
    loop_check(net_error(fd) == EHOSTUNREACH, "SO_ERROR under a stream");
    loop_is(net_connect(fd, &loop_target), ECONNABORTED, "connect under a stream, after SO_ERROR");
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect under a stream, again");
    loop_check(fputc('x', stream) == 'x' && fflush(stream) == 0, "the stream's byte");
    loop_check(loop_poll(fd, POLLIN) == POLLIN && read(fd, &c, 1) == 1 && c == 'x', "the echo: 0x%02x", (unsigned)c);
    fclose(stream);
}

static int retry(char **argv)
{
    struct target refusing = net_target(argv[2]);
    struct sockaddr nowhere = { .sa_family = AF_UNSPEC };
    int set = loop_set(), fd;

    loop_arguments(argv);
    for (int ask = 0; ask < 3; ask++) {
        fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
        loop_add(set, fd, EPOLLOUT);
        loop_is(net_connect(fd, &refusing), EINPROGRESS, "connect");
        loop_check(loop_wait(set, fd) == (EPOLLOUT | EPOLLERR | EPOLLHUP), "no failure");
        if (ask == 0) {
            loop_check(net_error(fd) == EHOSTUNREACH, "SO_ERROR is not that of the reply");
            loop_is(net_connect(fd, &loop_target), ECONNABORTED, "connect after SO_ERROR");
        } else if (ask == 1) {
            loop_is(net_connect(fd, &loop_target), EHOSTUNREACH, "connect without SO_ERROR");
        } else {
            loop_is(connect(fd, &nowhere, sizeof nowhere), 0, "connect to AF_UNSPEC");
            net_error(fd);
        }
        loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect again");
        loop_check(loop_wait(set, fd) == EPOLLOUT, "not writable");
        loop_good(fd, "second attempt");
        close(fd);
    }
    retry_under_stream(&refusing);
    return loop_code();
}

/* A blocking connect() on a socket that is registered: the set sees nothing of the handshake. */
static int registered(char **argv)
{
    struct target refusing = net_target(argv[2]);
    int set = loop_set(), fd;
    struct epoll_event e;
    pthread_t thread;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM);
    loop_add(set, fd, EPOLLIN | EPOLLOUT);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_is(net_connect(fd, &loop_target), 0, "connect");
    loop_is(net_connect(fd, &loop_target), EISCONN, "connect again");
    pthread_join(thread, NULL);
    loop_check(loop_wait(set, fd) == EPOLLOUT, "not writable");
    loop_good(fd, "registered");
    close(fd);

    fd = net_socket(&loop_target, SOCK_STREAM);
    loop_add(set, fd, EPOLLIN | EPOLLOUT);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_is(net_connect(fd, &refusing), EHOSTUNREACH, "connect that fails");
    pthread_join(thread, NULL);
    loop_check(net_error(fd) == 0, "the error comes twice");
    loop_check(epoll_wait(set, &e, 1, 0) == 1 && e.events == (EPOLLOUT | EPOLLHUP), "not as unconnected: %x", e.events);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_is(net_connect(fd, &refusing), EHOSTUNREACH, "connect that fails again");
    pthread_join(thread, NULL);
    return loop_code();
}

/* A program that connects to itself and then waits in accept(): nobody else could bring the handshake on. */
static int to_itself(char **argv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof sa;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd, accepted;
    char buf[3];

    (void)argv;
    if (bind(listener, (struct sockaddr *)&sa, sizeof sa) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&sa, &len) != 0)
        net_die("listen");
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    loop_is(connect(fd, (struct sockaddr *)&sa, sizeof sa), EINPROGRESS, "connect");
    accepted = accept(listener, NULL, NULL);
    loop_is(accepted, 0, "accept");
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT && send(fd, "abc", 3, 0) == 3 && recv(accepted, buf, 3, 0) == 3 &&
                   memcmp(buf, "abc", 3) == 0, "no connection to itself");
    return loop_code();
}

/* SO_RCVLOWAT does not hide the replies, and is as before at the end. */
static int low_water(char **argv)
{
    int fd, value = 500;
    socklen_t len = sizeof value;

    loop_arguments(argv);
    fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
    setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value);
    loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len);
    loop_check(value == 500, "SO_RCVLOWAT is %d", value);
    return loop_code();
}

/* The same when it is set meanwhile. */
static int low_water_later(char **argv)
{
    int fd, value = 500;
    long began;
    socklen_t len = sizeof value;

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    loop_hold(fd, 1);
    loop_is(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, 1), EINVAL, "SO_RCVLOWAT of one byte");
    loop_is(setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value), 0, "SO_RCVLOWAT");
    value = 0;
    loop_is(getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len), 0, "SO_RCVLOWAT asked");
    loop_check(value == 500 && len == sizeof value, "SO_RCVLOWAT is %d while it is held", value);
    began = net_clock();
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_check(net_clock() - began < 5000, "woken by the end of its time alone");
    value = 0;
    getsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &value, &len);
    loop_check(value == 500, "SO_RCVLOWAT is %d", value);
    return loop_code();
}

/* A blocking connect() that had to wait for the proxy itself leaves a socket that is connected, and says so. */
static int settles(char **argv)
{
    int fd;

    loop_target = net_target(argv[0]);
    fd = net_socket(&loop_target, SOCK_STREAM);
    loop_is(net_connect(fd, &loop_target), 0, "connect");
    loop_is(net_connect(fd, &loop_target), EISCONN, "connect again");
    loop_good(fd, "through a slow proxy");
    return loop_code();
}

/* Of untimely.c. */
extern void (*untimely_alone)(int fd) __attribute__((weak));
extern int untimely_limits __attribute__((weak));

static int full;    /* a listener without room for another connection */

static void let_in(int fd)
{
    close(accept(full, NULL, NULL));
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "the direct one does not stand");
}

/* A direct connect() is under way as the next one is to go through the proxy, and stands a moment later: what is for
 * the proxy does not go there.  argv: ADDRESS CONTROL DIRECT: a free address that no proxy is for. */
static int overtaken(char **argv)
{
    struct target direct = net_target(argv[2]);
    int fd, first, other;
    char c;

    loop_arguments(argv);
    if (!&untimely_alone)
        net_die("untimely.so");
    full = net_socket(&direct, SOCK_STREAM);
    loop_is(bind(full, (struct sockaddr *)&direct.sa, direct.len), 0, "bind");
    loop_is(listen(full, 0), 0, "listen");
    loop_is(getsockname(full, (struct sockaddr *)&direct.sa, &direct.len), 0, "getsockname");
    first = net_socket(&direct, SOCK_STREAM);
    loop_is(net_connect(first, &direct), 0, "the first one");
    fd = net_socket(&direct, SOCK_STREAM | SOCK_NONBLOCK);
    loop_is(net_connect(fd, &direct), EINPROGRESS, "the direct one");
    untimely_alone = let_in;
    loop_is(net_connect(fd, &loop_target), EALREADY, "connect");
    if (untimely_alone)
        let_in(fd);
    untimely_alone = NULL;
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    other = accept4(full, NULL, NULL, SOCK_NONBLOCK);
    loop_is(other, 0, "accept");
    loop_is(read(other, &c, 1), EAGAIN, "read");
    return loop_code();
}

/* connect() on a tunnel that stands leaves the socket's limits alone: others may be in a call on it. */
static int connects_quietly(char **argv)
{
    int fd, before;

    loop_arguments(argv);
    if (!&untimely_limits)
        net_die("untimely.so");
    fd = loop_begin(SOCK_NONBLOCK);
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    set_nonblocking(fd, false);
    before = untimely_limits;
    loop_is(net_connect(fd, &loop_target), 0, "connect, the first time");
    loop_is(net_connect(fd, &loop_target), EISCONN, "connect");
    loop_check(untimely_limits == before, "SO_SNDTIMEO was set");
    loop_good(fd, "a tunnel");
    return loop_code();
}

const struct loop_command pending_commands[] = {
    { "refused-calls", 2, refused_calls, "ADDRESS CONTROL: I/O while the proxy holds" },
    { "flip", 2, flip, "ADDRESS CONTROL: O_NONBLOCK cleared meanwhile" },
    { "flip-fails", 2, flip_fails, "ADDRESS CONTROL: the same, through a proxy that answers 4" },
    { "cut-short", 2, cut_short, "ADDRESS CONTROL: a blocking connect() that ends early" },
    { "give-up", 2, give_up, "ADDRESS CONTROL: shutdown() and AF_UNSPEC; also bare, against what holds" },
    { "attempts", 3, attempts, "ADDRESS CONTROL REFUSING: all is held" },
    { "retry", 3, retry, "ADDRESS CONTROL UNREACHABLE: a second attempt" },
    { "registered", 3, registered, "ADDRESS CONTROL UNREACHABLE: a blocking connect() of a registered socket" },
    { "overtaken", 3, overtaken, "ADDRESS CONTROL DIRECT: with untimely.so; the port of DIRECT is 0" },
    { "connects-quietly", 2, connects_quietly, "ADDRESS CONTROL: with untimely.so; nothing is held" },
    { "settles", 1, settles, "ADDRESS: through a proxy that is slow to take the connection" },
    { "to-itself", 0, to_itself, ": a program that accepts what it connects" },
    { "low-water", 2, low_water, "ADDRESS CONTROL: SO_RCVLOWAT" },
    { "low-water-later", 2, low_water_later, "ADDRESS CONTROL: the same, set while the proxy holds" },
    { NULL, 0, NULL, NULL },
};
