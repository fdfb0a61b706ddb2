/* SPDX-License-Identifier: ISC */
/* loop_libevent.c - many connections at once in one libevent loop
 *
 * loop_libevent HOST PORT COUNT REFUSING BAD: COUNT requests to a web server, each under a Host of its own which the
 * page must show, and BAD connections to a port that refuses.  A line of standard input is answered by the number of
 * connections and errors announced so far, so the loop turns.  Ends with 0 once all came out right.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS_MAX = 256 };

struct client {
    struct bufferevent *events;
    int number;
    unsigned port;
    bool good;              /* is to be connected */
    bool connected;
};

static struct event_base *base;
static struct client clients[CLIENTS_MAX];
static int left, announced;

static _Noreturn void fail(const struct client *c, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    printf("client %d: ", c->number);
    vprintf(format, list);
    printf("\n");
    va_end(list);
    fflush(stdout);
    _exit(1);
}

static void done(struct client *c)
{
    bufferevent_free(c->events);
    if (--left == 0)
        event_base_loopbreak(base);
}

static void on_connected(struct client *c)
{
    struct sockaddr_in6 peer;
    struct sockaddr *sa = (struct sockaddr *)&peer;
    socklen_t len = sizeof peer;

    if (getpeername(bufferevent_getfd(c->events), sa, &len) != 0)
        fail(c, "getpeername: %s", strerror(errno));
    /* The port is at the same place in both families. */
    if (ntohs(peer.sin6_port) != c->port)
        fail(c, "port %u, not %u", ntohs(peer.sin6_port), c->port);
    c->connected = true;
    evbuffer_add_printf(bufferevent_get_output(c->events), "GET /hello HTTP/1.0\r\nHost: client-%d\r\n\r\n", c->number);
}

static void on_end(struct client *c)
{
    struct evbuffer *in = bufferevent_get_input(c->events);
    char want[32];
    int size = snprintf(want, sizeof want, " as client-%d\n", c->number);
    size_t len = evbuffer_get_length(in);
    const char *page = (const char *)evbuffer_pullup(in, -1);

    if (!c->connected || page == NULL || len < (size_t)size || memcmp(page + len - size, want, size) != 0)
        fail(c, "not its page: '%.*s'", (int)len, page ? page : "");
    done(c);
}

static void on_event(struct bufferevent *events, short what, void *context)
{
    struct client *c = context;
    int error = EVUTIL_SOCKET_ERROR();

    (void)events;
    if (what & BEV_EVENT_CONNECTED) {
        announced++;
        if (!c->good)
            fail(c, "connected");
        on_connected(c);
    } else if (what & BEV_EVENT_EOF) {
        on_end(c);
    } else if (c->good || !(what & BEV_EVENT_ERROR) || error != ECONNREFUSED) {
        fail(c, "event %#x, %s", (unsigned)what, strerror(error));
    } else {
        announced++;
        done(c);
    }
}

static void start(struct client *c, int number, const char *host, int port, bool good)
{
    c->number = number;
    c->port = (unsigned)port;
    c->good = good;
    c->events = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(c->events, NULL, NULL, on_event, c);
    bufferevent_enable(c->events, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect_hostname(c->events, NULL, AF_UNSPEC, host, port) != 0)
        fail(c, "connect: %s", strerror(errno));
}

static void on_question(evutil_socket_t fd, short what, void *question)
{
    char line[64];

    (void)what;
    if (read(fd, line, sizeof line) > 0) {
        printf("%d\n", announced);
        fflush(stdout);
    } else {
        event_del(*(struct event **)question);
    }
}

int main(int argc, char **argv)
{
    struct event *question;

    if (argc != 6 || atoi(argv[3]) + atoi(argv[5]) > CLIENTS_MAX)
        return 2;
    base = event_base_new();
    question = event_new(base, 0, EV_READ | EV_PERSIST, on_question, &question);
    event_add(question, NULL);
    left = atoi(argv[3]) + atoi(argv[5]);
    for (int i = 0; i < left; i++) {
        bool good = i < atoi(argv[3]);
        start(&clients[i], i, argv[1], atoi(argv[good ? 2 : 4]), good);
    }
    printf("%s\n", event_base_get_method(base));
    fflush(stdout);
    event_base_dispatch(base);
    event_free(question);
    event_base_free(base);
    if (left != 0)
        printf("%d left\n", left);
    return left != 0;
}
