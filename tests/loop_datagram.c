/* SPDX-License-Identifier: ISC */
/* loop_datagram.c - datagrams that are sent while their association is being made
 *
 * The target is a socket of this process (the sink), which tells what has arrived, and in which order.  It is at
 * 127.0.0.2, and sends its answers to 127.0.0.1, which is direct.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop_datagram.h"
#include "probe_text.h"

enum { FEW = 5, BOUND = 64, SINK_S = 10, SHORT_MS = 30 };

int sink;
struct target to_sink;

void sink_begin(char **argv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1) };
    struct timeval patience = { SINK_S, 0 };

    loop_control = argv[0];
    sink = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    to_sink.len = sizeof sa;
    memcpy(&to_sink.sa, &sa, sizeof sa);
    if (sink < 0 || bind(sink, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        getsockname(sink, (struct sockaddr *)&to_sink.sa, &to_sink.len) != 0)
        net_die("the sink");
    setsockopt(sink, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

int sink_socket(int type)
{
    return net_socket(&to_sink, SOCK_DGRAM | type);
}

void sink_send(int fd, int first, int count, int flags)
{
    char text[8];

    for (int i = first; i < first + count; i++) {
        int len = snprintf(text, sizeof text, "%d", i);

        loop_check(sendto(fd, text, (size_t)len, flags, (struct sockaddr *)&to_sink.sa, to_sink.len) == len,
                   "sendto %d: %s", i, text_errno(errno));
    }
}

void sink_has(int first, int count, struct target *from)
{
    char text[8];

    for (int i = first; i < first + count; i++) {
        ssize_t n;

        from->len = sizeof from->sa;
        n = recvfrom(sink, text, sizeof text - 1, 0, (struct sockaddr *)&from->sa, &from->len);
        text[n < 0 ? 0 : n] = '\0';
        if (!loop_check(n > 0 && atoi(text) == i, "the sink: %s instead of %d", n < 0 ? text_errno(errno) : text, i))
            return;
    }
}

void sink_waits(void)
{
    loop_check(loop_poll(sink, POLLIN) == POLLIN, "the sink: nothing");
}

void sink_empty(void)
{
    char c;

    loop_is(recv(sink, &c, 1, MSG_DONTWAIT), EAGAIN, "the sink: more");
}

/* The way back, through the relay: the program sees the sink, where the datagram came from. */
void sink_answer(int fd, const struct target *relay, const char *what)
{
    struct target from = { .len = sizeof from.sa };
    char c = 0;

    loop_check(sendto(sink, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&relay->sa, relay->len) == 1, "the answer");
    loop_check(loop_poll(fd, POLLIN) == POLLIN, "%s: no answer", what);
    loop_check(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from.sa, &from.len) == 1 && c == 'x', "%s: another", what);
    loop_check(memcmp(&from.sa, &to_sink.sa, sizeof(struct sockaddr_in)) == 0, "%s: another source", what);
}

enum way {
    BY_POLL, BY_PPOLL, BY_SELECT, BY_PSELECT, BY_LEVEL, BY_EDGE, BY_PWAIT, BY_PWAIT2, BY_OTHER_SET, BY_LATE_SET,
    BY_RECV, BY_SLEEPING_RECV, BY_SEND, WAYS
};

static const char *const names[WAYS] = {
    "poll", "ppoll", "select", "pselect", "epoll_wait", "epoll_wait, by edge", "epoll_pwait", "epoll_pwait2",
    "epoll_wait, a set without it", "epoll_wait, put in later", "recv", "a recv that sleeps", "send"
};

/* A wait of SHORT_MS for something to read on fd.  Returns what the call does. */
static int wait_short(enum way way, int fd, int set)
{
    struct timespec t = { 0, SHORT_MS * 1000000 };
    struct timeval tv = { 0, SHORT_MS * 1000 };
    struct pollfd p = { .fd = fd, .events = POLLIN };
    struct epoll_event e;
    fd_set in;
    char c;

    FD_ZERO(&in);
    FD_SET(fd, &in);
    switch (way) {
    case BY_POLL:
        return poll(&p, 1, SHORT_MS);
    case BY_PPOLL:
        return ppoll(&p, 1, &t, NULL);
    case BY_SELECT:
        return select(fd + 1, &in, NULL, NULL, &tv);
    case BY_PSELECT:
        return pselect(fd + 1, &in, NULL, NULL, &t, NULL);
    case BY_PWAIT:
        return epoll_pwait(set, &e, 1, SHORT_MS, NULL);
    case BY_PWAIT2:
        return epoll_pwait2(set, &e, 1, &t, NULL);
    case BY_RECV:
        usleep(1000);
        return recv(fd, &c, 1, 0) < 0 && errno == EAGAIN ? 0 : -1;
    case BY_SLEEPING_RECV:
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        return recv(fd, &c, 1, 0) < 0 && errno == EAGAIN ? 0 : -1;
    default:
        return epoll_wait(set, &e, 1, SHORT_MS);
    }
}

static int set_for(enum way way, int fd)
{
    int set = loop_set();

    if (way != BY_OTHER_SET && way != BY_LATE_SET)
        loop_add(set, fd, EPOLLIN | (way == BY_EDGE ? EPOLLET : 0));
    return set;
}

/* Sends while the proxy holds its reply, the same wait again and again, which nothing of it may end; then the reply. */
static void held(enum way way)
{
    int fd = sink_socket(way == BY_SLEEPING_RECV ? 0 : SOCK_NONBLOCK), set = set_for(way, fd), next = FEW;
    int flags = way == BY_SLEEPING_RECV ? MSG_DONTWAIT : 0, ahead = -1;
    struct target own = { .len = sizeof own.sa }, relay;

    sink_send(fd, 0, FEW, flags);
    if (way == BY_LATE_SET)
        loop_add(set, fd, EPOLLIN);
    getsockname(fd, (struct sockaddr *)&own.sa, &own.len);
    loop_check(((struct sockaddr_in *)&own.sa)->sin_port != 0, "%s: no port", names[way]);
    while (net_tell(loop_control, "count") < 1) {
        if (way == BY_SEND)
            usleep(5000), sink_send(fd, next++, 1, flags);
        else
            loop_check(wait_short(way, fd, set) == 0, "%s: a wait has ended early", names[way]);
    }
    sink_empty();
    loop_release();
    while (ahead <= 0) {
        /* Everything that was sent is there once the first is. */
        if (way == BY_SEND)
            usleep(5000), sink_send(fd, next++, 1, flags);
        else
            loop_check(wait_short(way, fd, set) == 0, "%s: a wait has ended for nothing", names[way]);
        ioctl(sink, FIONREAD, &ahead);
    }
    sink_has(0, next, &relay);
    sink_empty();
    sink_answer(fd, &relay, names[way]);
    close(set);
    close(fd);
}

static int held_all(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < WAYS; way++)
        held((enum way)way);
    return loop_code();
}

static void *release_when_held(void *count)
{
    loop_held(*(int *)count);
    loop_release();
    return NULL;
}

pthread_t loop_release_later(int *count)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, release_when_held, count) != 0)
        net_die("pthread_create");
    return thread;
}

/* What waits for long must not wait for ever: an event of the program's own, and the datagram that comes back. */
static int events(char **argv)
{
    int fd, set = loop_set(), pipes[2], one = 1;
    struct target relay;
    pthread_t thread;

    sink_begin(argv);
    if (pipe(pipes) != 0)
        net_die("pipe");
    fd = sink_socket(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLIN);
    loop_add(set, pipes[0], EPOLLIN);
    sink_send(fd, 0, FEW, 0);
    loop_check(write(pipes[1], "x", 1) == 1, "write");
    loop_check(loop_wait(set, pipes[0]) == EPOLLIN, "no event of the pipe");
    loop_check(loop_poll(pipes[0], POLLIN) == POLLIN, "no event of the pipe by poll()");
    loop_check(read(pipes[0], &(char){ 0 }, 1) == 1, "read");
    loop_hold(set, 1);
    thread = loop_release_later(&one);
    /* This wait alone brings the association on; its only end is the answer. */
    pthread_join(thread, NULL);
    sink_send(fd, FEW, 1, 0);
    loop_check(poll(NULL, 0, SHORT_MS) == 0, "poll() of nothing");
    sink_waits();
    sink_has(0, FEW + 1, &relay);
    loop_check(sendto(sink, "x", 1, 0, (struct sockaddr *)&relay.sa, relay.len) == 1, "the answer");
    loop_check(loop_wait(set, fd) == EPOLLIN, "no event of the answer");
    return loop_code();
}

static struct {
    int set, fd;
    atomic_int thread;
    uint32_t seen;
} sleeper;

static void *sleep_in_set(void *argument)
{
    struct epoll_event e;

    atomic_store(&sleeper.thread, (int)gettid());
    if (epoll_wait(sleeper.set, &e, 1, 10000) == 1 && e.data.u64 == (uint64_t)sleeper.fd)
        sleeper.seen = e.events;
    return argument;
}

/* A thread sleeps in epoll_wait() since before the first datagram; nobody else brings the association on. */
static int asleep(char **argv)
{
    struct target relay;
    pthread_t thread;
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sleeper.set = loop_set();
    sleeper.fd = fd;
    loop_add(sleeper.set, fd, EPOLLIN);
    if (pthread_create(&thread, NULL, sleep_in_set, NULL) != 0)
        net_die("pthread_create");
    while (!atomic_load(&sleeper.thread))
        sched_yield();
    loop_until_asleep(atomic_load(&sleeper.thread));
    sink_send(fd, 0, FEW, 0);
    loop_held(1);
    loop_release();
    sink_has(0, FEW, &relay);
    loop_check(sendto(sink, "x", 1, 0, (struct sockaddr *)&relay.sa, relay.len) == 1, "the answer");
    pthread_join(thread, NULL);
    loop_check(sleeper.seen == EPOLLIN, "the sleeper: %x", sleeper.seen);
    return loop_code();
}

/* More than the queue holds is lost, and nothing of what it holds. */
static int bound(char **argv)
{
    struct target relay;
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    sink_send(fd, 0, BOUND + 6, 0);
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    sink_has(0, BOUND, &relay);
    sink_send(fd, 1000, 1, 0);
    sink_has(1000, 1, &relay);
    close(fd);
    return loop_code();
}

static int bytes(char **argv)
{
    static char data[8000];
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    for (int i = 0; i < 40; i++)
        loop_is(sendto(fd, data, sizeof data, 0, (struct sockaddr *)&to_sink.sa, to_sink.len), 0, "sendto");
    loop_is(sendto(fd, data, 65508, 0, (struct sockaddr *)&to_sink.sa, to_sink.len), EMSGSIZE, "the largest and one");
    loop_is(sendto(fd, (void *)8, 4, 0, (struct sockaddr *)&to_sink.sa, to_sink.len), EFAULT, "a bad pointer");
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    close(fd);
    return loop_code();
}

/* MSG_MORE, a peer, and calls without an address. */
static int pieces(char **argv)
{
    struct mmsghdr mm[2] = { { .msg_len = 0 } };
    struct iovec v[2] = { { (char *)"1", 1 }, { (char *)"2", 1 } };
    struct target relay;
    int fd;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    loop_is(net_connect(fd, &to_sink), 0, "connect");
    loop_is(send(fd, "0", 1, 0), 0, "send");
    for (int i = 0; i < 2; i++)
        mm[i].msg_hdr = (struct msghdr){ .msg_iov = &v[i], .msg_iovlen = 1 };
    loop_check(sendmmsg(fd, mm, 2, 0) == 2 && mm[0].msg_len == 1 && mm[1].msg_len == 1, "sendmmsg");
    loop_is(write(fd, "3", 1), 0, "write");
    loop_is(send(fd, "", 0, MSG_MORE), 0, "nothing, and more");
    loop_is(send(fd, "", 0, MSG_MORE), 0, "nothing, and more");
    loop_is(send(fd, "4", 1, 0), 0, "the rest");
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    sink_has(0, 5, &relay);
    sink_empty();
    sink_answer(fd, &relay, "the peer");
    return loop_code();
}

/* What is queued when UDP_CORK ends is whole; and what a beginning that found no room left behind has a header. */
static int corked(char **argv)
{
    int fd, on = 1, off = 0;
    struct target relay;

    sink_begin(argv);
    fd = sink_socket(SOCK_NONBLOCK);
    loop_is(net_connect(fd, &to_sink), 0, "connect");
    loop_is(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &on, sizeof on), 0, "UDP_CORK");
    loop_is(send(fd, "0", 1, 0), 0, "corked");
    loop_is(setsockopt(fd, IPPROTO_UDP, UDP_CORK, &off, sizeof off), 0, "UDP_CORK off");
    for (int i = 1; i < BOUND; i++)
        sink_send(fd, i, 1, 0);
    loop_is(send(fd, "lost", 4, MSG_MORE), 0, "a beginning without room");
    loop_hold(fd, 1);
    loop_release();
    sink_waits();
    sink_has(0, BOUND, &relay);
    sink_send(fd, BOUND, 1, 0);
    sink_waits();
    sink_has(BOUND, 1, &relay);
    sink_empty();
    close(fd);
    return loop_code();
}

/* The sink's answer to the first datagram. */
static void *answer_when_held(void *argument)
{
    struct target relay;

    loop_held(1);
    loop_release();
    sink_has(0, 1, &relay);
    loop_check(sendto(sink, "x", 1, 0, (struct sockaddr *)&relay.sa, relay.len) == 1, "the answer");
    return argument;
}

/* What the sink sends past the relay is dropped.  A call that sleeps for its answer has been woken by that, and goes on
 * to bring the association on, which nobody else does.  With SO_RCVTIMEO and without. */
static int strangers(char **argv)
{
    sink_begin(argv);
    for (int way = 0; way < 2; way++) {
        struct timeval patience = { way ? SINK_S : 0, 0 };
        struct sockaddr_in own = { .sin_family = AF_INET };
        socklen_t len = sizeof own;
        int fd = sink_socket(0);
        pthread_t thread;
        char c = 0;

        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sink_send(fd, 0, 1, MSG_DONTWAIT);
        getsockname(fd, (struct sockaddr *)&own, &len);
        own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        loop_check(sendto(sink, "bad", 3, 0, (struct sockaddr *)&own, sizeof own) == 3, "a stranger");
        if (pthread_create(&thread, NULL, answer_when_held, NULL) != 0)
            net_die("pthread_create");
        loop_check(recv(fd, &c, 1, 0) == 1 && c == 'x', "way %d: no answer, but %x", way, c);
        pthread_join(thread, NULL);
        close(fd);
    }
    return loop_code();
}

/* Another socket of the process may take packets to this machine elsewhere: what this one sends is queued all the
 * same. */
static int other_device(char **argv)
{
    int fd, other, on = 1;
    struct target relay;

    sink_begin(argv);
    other = sink_socket(0);
    loop_is(setsockopt(other, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof on), 0, "IP_TRANSPARENT");
    fd = sink_socket(0);
    sink_send(fd, 0, FEW, MSG_DONTWAIT);
    loop_hold(fd, 1);
    sink_empty();
    loop_release();
    sink_waits();
    sink_has(0, FEW, &relay);
    sink_answer(fd, &relay, "beside another's device");
    close(other);
    close(fd);
    return loop_code();
}

const struct loop_command datagram_commands[] = {
    { "udp-held", 1, held_all, "CONTROL: sends, and waits of every kind, while the proxy holds its reply" },
    { "udp-events", 1, events, "CONTROL: other events meanwhile" },
    { "udp-asleep", 1, asleep, "CONTROL: one that sleeps in epoll_wait() since before" },
    { "udp-bound", 1, bound, "CONTROL: more datagrams than are queued" },
    { "udp-bytes", 1, bytes, "CONTROL: more bytes than are queued" },
    { "udp-pieces", 1, pieces, "CONTROL: calls without an address, and MSG_MORE" },
    { "udp-corked", 1, corked, "CONTROL: UDP_CORK, and MSG_MORE without room" },
    { "udp-strangers", 1, strangers, "CONTROL: a datagram that is dropped wakes the call that sleeps for another" },
    { "udp-other-device", 1, other_device, "CONTROL: another socket has IP_TRANSPARENT" },
    { NULL, 0, NULL, NULL }
};
