/* SPDX-License-Identifier: ISC */
/* probe_many.c - very many tunnels in one process, and the server that they lead to
 *
 * The server is proxy and target in one: what comes through a tunnel goes back.  A server from a package takes a thread
 * or a process and two descriptors for each of ten thousand.
 */
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
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { FDS_MAX = 32768, EVENTS = 512, BACKLOG = 4096, PATIENCE_MS = 30000, LIFETIME_S = 600 };

/* The sanitizers' own memory grows with what they have seen. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { GROWTH_PAGES = INT32_MAX };
#else
enum { GROWTH_PAGES = 16 };
#endif

static int raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        net_die("getrlimit");
    limit.rlim_cur = limit.rlim_max < FDS_MAX ? limit.rlim_max : FDS_MAX;
    setrlimit(RLIMIT_NOFILE, &limit);
    return (int)limit.rlim_cur;
}

/* about: what the event says. */
static void watch(int set, int fd, uint32_t events, int about)
{
    struct epoll_event e = { .events = events, .data.fd = about };

    if (epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) != 0)
        net_die("epoll_ctl");
}

/* ---- the server */

enum { REFUSED_FROM = 256, REP_HOST = 4, REP_COMMAND = 7, CONNECT = 1, ASSOCIATE = 3 };

/* What a request is answered with, by its port and its command; 0xff: it is none. */
static uint8_t rep_of(const uint8_t *request, ssize_t size)
{
    ssize_t host = size < 10 ? -1 : request[3] == 1 ? 4 : request[3] == 3 ? 1 + request[4] : -1;
    unsigned port;

    if (host < 0 || size != 4 + host + 2)
        return 0xff;
    port = request[size - 2] * 256u + request[size - 1];
    if (request[1] != CONNECT)
        return request[1] == ASSOCIATE ? REP_HOST : REP_COMMAND;
    return port < REFUSED_FROM ? 0 : (uint8_t)(port - REFUSED_FROM);
}

/* Greeting, request by IPv4 address or by name, and from then on everything back; of ports from REFUSED_FROM on a
 * refusal.  Returns false at the end, or at what is none of them.  A message comes in one piece, since it went out in
 * one. */
static bool serve_one(int fd, uint8_t *stage)
{
    static const uint8_t method[] = { 5, 0 };
    uint8_t reply[] = { 5, 0, 0, 1, 127, 0, 0, 1, 0, 7 }, buf[512];
    ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN;
    if (*stage == 0 && n == 3 && buf[0] == 5 && ++*stage)
        return send(fd, method, sizeof method, MSG_NOSIGNAL) > 0;
    if (*stage == 1 && (reply[1] = rep_of(buf, n)) != 0xff && ++*stage)
        return send(fd, reply, sizeof reply, MSG_NOSIGNAL) > 0 && reply[1] == 0;
    return *stage == 2 && n > 0 && send(fd, buf, (size_t)n, MSG_NOSIGNAL) == n;
}

static int serve_tunnels(char **argv)
{
    static uint8_t stage[FDS_MAX];
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof in;
    struct epoll_event e[EVENTS];
    int listener = socket(AF_INET, SOCK_STREAM, 0), set = epoll_create1(0);

    (void)argv;
    raise_limit();
    alarm(LIFETIME_S);
    if (bind(listener, (struct sockaddr *)&in, sizeof in) != 0 || listen(listener, BACKLOG) != 0 ||
        getsockname(listener, (struct sockaddr *)&in, &len) != 0)
        net_die("listen");
    watch(set, listener, EPOLLIN, listener);
    printf("ready %u\n", ntohs(in.sin_port));
    for (;;) {
        int n = epoll_wait(set, e, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = e[i].data.fd == listener ? accept(listener, NULL, NULL) : e[i].data.fd;

            if (e[i].data.fd != listener && !serve_one(fd, &stage[fd])) {
                close(fd);
            } else if (e[i].data.fd == listener && fd >= 0) {
                stage[fd] = 0;
                watch(set, fd, EPOLLIN, fd);
            }
        }
    }
}

/* ---- the client */

struct many {
    struct target target;
    bool named;             /* each goes to a name of its own */
    struct target *to;      /* then by what address */
    int count, at_once, set, good, bad, strange, first_error;
    int *fd;
};

static void fail(struct many *m, int error)
{
    m->bad++;
    if (!m->first_error)
        m->first_error = error;
}

/* The same name for the same number, in each round. */
static struct target address_of(const struct many *m, int i)
{
    struct target t = m->target;
    char name[40];
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *list;

    if (!m->named)
        return t;
    snprintf(name, sizeof name, "host-%d.example", i);
    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        net_die(name);
    ((struct sockaddr_in *)&t.sa)->sin_addr = ((struct sockaddr_in *)list->ai_addr)->sin_addr;
    freeaddrinfo(list);
    return t;
}

static void begin(struct many *m, int i)
{
    m->to[i] = address_of(m, i);
    m->fd[i] = net_socket(&m->target, SOCK_STREAM | SOCK_NONBLOCK);
    watch(m->set, m->fd[i], EPOLLOUT, i);
    if (net_connect(m->fd[i], &m->to[i]) != -1 || errno != EINPROGRESS)
        fail(m, errno);
}

static void look(struct many *m, int i)
{
    struct target peer = { .len = sizeof peer.sa };
    int fd = m->fd[i], error = net_error(fd);

    epoll_ctl(m->set, EPOLL_CTL_DEL, fd, NULL);
    memset(&peer.sa, 0, sizeof peer.sa);
    if (!error && getpeername(fd, (struct sockaddr *)&peer.sa, &peer.len) != 0)
        error = errno;
    if (error)
        fail(m, error);
    else
        m->good++;
    if (peer.len != m->to[i].len || memcmp(&peer.sa, &m->to[i].sa, peer.len) != 0)
        m->strange++;
}

/* All of them, so many under way at any time. */
static void open_all(struct many *m)
{
    struct epoll_event e[EVENTS];
    int begun = 0, ended = 0, n = 1;

    while (ended < m->count && n > 0) {
        while (begun < m->count && begun - ended < m->at_once)
            begin(m, begun++);
        n = epoll_wait(m->set, e, EVENTS, PATIENCE_MS);
        for (int i = 0; i < n; i++) {
            look(m, e[i].data.fd);
            ended++;
        }
    }
    if (n <= 0)
        fail(m, ETIMEDOUT);
}

static void use_all(struct many *m)
{
    for (int i = 0; i < m->count; i++) {
        if (send(m->fd[i], &i, sizeof i, MSG_NOSIGNAL) != sizeof i)
            fail(m, errno);
    }
    for (int i = 0; i < m->count; i++) {
        struct pollfd p = { .fd = m->fd[i], .events = POLLIN };
        int got = -1;

        if (poll(&p, 1, PATIENCE_MS) != 1 || recv(m->fd[i], &got, sizeof got, 0) != sizeof got || got != i)
            fail(m, EPROTO);
    }
}

/* Of the process' own memory: of the state file it sees more with each new socket, until it has seen all. */
static long resident(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    long size = 0, pages = 0, of_files = 0;

    if (!file || fscanf(file, "%ld %ld %ld", &size, &pages, &of_files) != 3)
        net_die("/proc/self/statm");
    fclose(file);
    return pages - of_files;
}

/* The size of all files of that directory. */
static long long stored(const char *directory)
{
    DIR *d = opendir(directory);
    struct dirent *entry;
    struct stat st;
    long long sum = 0;

    if (!d)
        net_die(directory);
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] != '.' && fstatat(dirfd(d), entry->d_name, &st, 0) == 0)
            sum += st.st_size;
    }
    closedir(d);
    return sum;
}

/* argv: ADDRESS COUNT AT-ONCE ROUNDS STATE; address 0.0.0.0: names.  What the first round has grown stays; the others
 * must not grow, neither memory nor what is in the directory STATE. */
static int many(char **argv)
{
    struct many m = { .target = net_target(argv[0]), .count = atoi(argv[1]), .at_once = atoi(argv[2]) };
    int rounds = atoi(argv[3]), before = net_descriptors();
    long long bare = stored(argv[4]), first = bare;
    long pages = 0;
    int most = 0;

    if (raise_limit() < m.count + 100)
        return 77;
    m.named = ((struct sockaddr_in *)&m.target.sa)->sin_addr.s_addr == htonl(INADDR_ANY);
    m.fd = calloc((size_t)m.count, sizeof *m.fd);
    m.to = calloc((size_t)m.count, sizeof *m.to);
    for (int round = 0; round < rounds; round++) {
        m.set = epoll_create1(0);
        open_all(&m);
        use_all(&m);
        most = net_descriptors() > most ? net_descriptors() : most;
        for (int i = 0; i < m.count; i++)
            close(m.fd[i]);
        close(m.set);
        if (round > 0)
            continue;
        pages = resident();
        first = stored(argv[4]);
    }
    fprintf(stderr, "grown by %ld pages beyond %ld, %d descriptors at most, %lld bytes of state\n", resident() - pages,
            pages, most, first);
    printf("state, by the first: %s\n", first > bare ? "grown" : "the same");
    printf("state, by others: %lld\n", stored(argv[4]) - first);
    printf("good: %d\nbad: %d\n", m.good, m.bad);
    say_error("first error", m.first_error);
    printf("strange peers: %d\ngrown: %s\n", m.strange, resident() - pages > GROWTH_PAGES ? "yes" : "no");
    say("leaked", net_descriptors() - before);
    free(m.fd);
    free(m.to);
    return 0;
}

const struct command many_commands[] = {
    { "serve-tunnels", 0, serve_tunnels, "" },
    { "many", 5, many, "ADDRESS COUNT AT-ONCE ROUNDS STATE" },
    { NULL, 0, NULL, NULL },
};
