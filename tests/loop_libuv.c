/* SPDX-License-Identifier: ISC */
/* loop_libuv.c - many connections at once in one libuv loop
 *
 * loop_libuv HOST PORT COUNT REFUSING BAD: COUNT requests to a web server, each under a Host of its own which the page
 * must show, and BAD connections to a port that refuses.  A line of standard input is answered by the number of
 * connections and errors announced so far, so the loop turns.  Ends with 0 once all came out right.
 */
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { CLIENTS_MAX = 256, PAGE_MAX = 1024 };

struct client {
    uv_tcp_t tcp;
    uv_getaddrinfo_t lookup;
    uv_connect_t connecting;
    uv_write_t writing;
    struct sockaddr_storage to;
    int number;
    bool good;                  /* is to be connected */
    char request[64];
    char page[PAGE_MAX];
    size_t len;
};

static uv_loop_t *loop;
static uv_pipe_t input;
static struct client clients[CLIENTS_MAX];
static int left, announced;

static _Noreturn void fail(const struct client *c, const char *what, int status)
{
    printf("client %d: %s: %s\n", c->number, what, status < 0 ? uv_strerror(status) : "");
    fflush(stdout);
    _exit(1);
}

static void on_closed(uv_handle_t *tcp)
{
    (void)tcp;
    if (--left == 0)
        uv_close((uv_handle_t *)&input, NULL);
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct client *c = handle->data;

    (void)suggested;
    *buffer = uv_buf_init(c->page + c->len, (unsigned)(PAGE_MAX - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct client *c = stream->data;
    char want[32];
    size_t size = (size_t)snprintf(want, sizeof want, " as client-%d\n", c->number);

    (void)buffer;
    if (n >= 0) {
        c->len += (size_t)n;
        return;
    }
    if (n != UV_EOF)
        fail(c, "read", (int)n);
    if (c->len < size || memcmp(c->page + c->len - size, want, size) != 0)
        fail(c, "not its page", 0);
    uv_close((uv_handle_t *)stream, on_closed);
}

static void on_written(uv_write_t *writing, int status)
{
    if (status != 0)
        fail(writing->data, "write", status);
}

static void check_peer(struct client *c)
{
    struct sockaddr_storage peer;
    int len = sizeof peer;
    int status = uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&peer, &len);

    if (status != 0)
        fail(c, "getpeername", status);
    if (memcmp(&peer, &c->to, (size_t)len) != 0)
        fail(c, "another peer", 0);
}

static void on_connected(uv_connect_t *connecting, int status)
{
    struct client *c = connecting->data;
    uv_buf_t buffer;

    announced++;
    if (!c->good) {
        if (status != UV_ECONNREFUSED)
            fail(c, "not refused", status);
        uv_close((uv_handle_t *)&c->tcp, on_closed);
        return;
    }
    if (status != 0)
        fail(c, "connect", status);
    check_peer(c);
    snprintf(c->request, sizeof c->request, "GET /hello HTTP/1.0\r\nHost: client-%d\r\n\r\n", c->number);
    buffer = uv_buf_init(c->request, (unsigned)strlen(c->request));
    uv_write(&c->writing, (uv_stream_t *)&c->tcp, &buffer, 1, on_written);
    uv_read_start((uv_stream_t *)&c->tcp, give_room, on_read);
}

static void on_found(uv_getaddrinfo_t *lookup, int status, struct addrinfo *found)
{
    struct client *c = lookup->data;

    if (status != 0)
        fail(c, "getaddrinfo", status);
    memcpy(&c->to, found->ai_addr, found->ai_addrlen);
    status = uv_tcp_connect(&c->connecting, &c->tcp, found->ai_addr, on_connected);
    if (status != 0)
        fail(c, "connect at once", status);
    uv_freeaddrinfo(found);
}

static void start(struct client *c, int number, const char *host, const char *port, bool good)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    int status;

    c->number = number;
    c->good = good;
    c->tcp.data = c->lookup.data = c->connecting.data = c->writing.data = c;
    uv_tcp_init(loop, &c->tcp);
    status = uv_getaddrinfo(loop, &c->lookup, on_found, host, port, &hints);
    if (status != 0)
        fail(c, "getaddrinfo at once", status);
}

static void give_line(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char line[64];

    (void)handle;
    (void)suggested;
    *buffer = uv_buf_init(line, sizeof line);
}

static void on_question(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void)buffer;
    if (n < 0)
        uv_read_stop(stream);
    if (n > 0) {
        printf("%d\n", announced);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc != 6 || atoi(argv[3]) + atoi(argv[5]) > CLIENTS_MAX)
        return 2;
    loop = uv_default_loop();
    uv_pipe_init(loop, &input, 0);
    if (uv_pipe_open(&input, 0) != 0 || uv_read_start((uv_stream_t *)&input, give_line, on_question) != 0)
        return 2;
    left = atoi(argv[3]) + atoi(argv[5]);
    for (int i = 0; i < left; i++) {
        bool good = i < atoi(argv[3]);
        start(&clients[i], i, argv[1], argv[good ? 2 : 4], good);
    }
    printf("libuv %s\n", uv_version_string());
    fflush(stdout);
    uv_run(loop, UV_RUN_DEFAULT);
    return left != 0;
}
