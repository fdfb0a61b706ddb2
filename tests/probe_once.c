/* SPDX-License-Identifier: ISC */
/* probe_once.c - one datagram, one listener, one name: made, tried and closed, in little time */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_bind.h"
#include "probe_once.h"
#include "probe_text.h"

enum { DATAGRAM_MS = 3000, LISTENER_MS = 5000, LINE = 16 };

static int await(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n;

    do
        n = poll(&p, 1, ms);
    while (n < 0 && errno == EINTR);
    return n == 1 ? 0 : n == 0 ? ETIMEDOUT : errno;
}

int once_datagram(int fd, const struct target *to)
{
    char word[8] = "";
    int error;

    if (sendto(fd, "word", 4, 0, (const struct sockaddr *)&to->sa, to->len) != 4)
        return errno;
    error = await(fd, DATAGRAM_MS);
    if (error)
        return error;
    return recv(fd, word, sizeof word, MSG_DONTWAIT) < 0 ? errno : strcmp(word, "word") == 0 ? 0 : EPROTO;
}

/* Where the server is to come: the listener's port at the session's own address. */
static int call(int session, int listener)
{
    struct target here = { .len = sizeof here.sa }, port = { .len = sizeof port.sa };
    char text[TEXT_SIZE], line[LINE] = "";

    if (getsockname(session, (struct sockaddr *)&here.sa, &here.len) != 0 ||
        getsockname(listener, (struct sockaddr *)&port.sa, &port.len) != 0)
        return errno;
    if (((struct sockaddr_in *)&port.sa)->sin_addr.s_addr != INADDR_ANY)
        here = port;
    ((struct sockaddr_in *)&here.sa)->sin_port = ((struct sockaddr_in *)&port.sa)->sin_port;
    dprintf(session, "come %s\n", text_sockaddr(&here.sa, here.len, text));
    for (size_t n = 0; n < LINE - 1; n++) {
        int error = net_receive(session, line + n, 1);

        if (error)
            return error;
        if (line[n] == '\n')
            return strncmp(line, "yes", 3) == 0 ? 0 : ECONNABORTED;
    }
    return EPROTO;
}

static int accepted(int listener)
{
    int error = await(listener, LISTENER_MS), fd = error ? -1 : accept(listener, NULL, NULL);

    if (error)
        return error;
    if (fd < 0)
        return errno;
    error = bind_greeted(fd);
    close(fd);
    return error;
}

int once_listener(const struct target *server)
{
    struct timeval patience = { LISTENER_MS / 1000, 0 };
    int session = net_socket(server, SOCK_STREAM), listener = net_socket(server, SOCK_STREAM), error;

    setsockopt(session, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    error = net_connect(session, server) == 0 && listen(listener, 4) == 0 ? 0 : errno;
    if (!error)
        error = call(session, listener);
    if (!error)
        error = accepted(listener);
    close(listener);
    close(session);
    return error;
}

int once_name(void)
{
    static int number;
    char name[64], host[64] = "";
    struct addrinfo *list;
    int error;

    snprintf(name, sizeof name, "once-%d-%d.example", (int)getpid(), number++);
    error = getaddrinfo(name, NULL, NULL, &list);
    if (error)
        return error;
    error = getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof host, NULL, 0, NI_NAMEREQD);
    freeaddrinfo(list);
    return error ? error : strcmp(name, host) == 0 ? 0 : EAI_SYSTEM;
}

/* argv: DATAGRAM BACK.  Each of them twice: the second time nothing is made anew. */
static int once(char **argv)
{
    struct target datagram = net_target(argv[0]), back = net_target(argv[1]);
    int before = net_descriptors();

    for (int i = 0; i < 2; i++) {
        int fd = net_socket(&datagram, SOCK_DGRAM);

        say_error("datagram", once_datagram(fd, &datagram));
        close(fd);
        say_error("listener", once_listener(&back));
        printf("name: %s\n", once_name() == 0 ? "ok" : "none");
    }
    say("leaked", net_descriptors() - before);
    return 0;
}

const struct command once_commands[] = {
    { "once", 2, once, "DATAGRAM BACK" },
    { NULL, 0, NULL, NULL },
};
