/* SPDX-License-Identifier: ISC */
/* real_fetch.c - a small web client, for libcs and machines that no package has one for */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int finished(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    int error = ETIMEDOUT;
    socklen_t size = sizeof error;

    if (poll(&wait, 1, 15000) == 1)
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    fcntl(fd, F_SETFL, 0);
    errno = error;
    return error ? -1 : 0;
}

static int dial(const struct addrinfo *to, int flags)
{
    int fd = socket(to->ai_family, SOCK_STREAM | flags, 0);
    int result = connect(fd, to->ai_addr, to->ai_addrlen);

    if (flags && result != 0 && errno == EINPROGRESS)
        result = finished(fd);
    if (result == 0)
        return fd;
    perror("connect");
    return -1;
}

static void show_peer(int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    char host[256];

    if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
        getnameinfo((struct sockaddr *)&peer, size, host, sizeof host, NULL, 0, 0) == 0)
        printf("%s: ", host);
}

/* fetch HOST PORT [nonblocking]: the last line of what an HTTP server answers, behind its name */
int main(int argc, char **argv)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    int error = getaddrinfo(argv[1], argv[2], &hints, &list), fd;
    char text[4096] = "";
    size_t have = 0;
    ssize_t n;

    if (error) {
        fprintf(stderr, "getaddrinfo: %s\n", gai_strerror(error));
        return 2;
    }
    fd = dial(list, argc > 3 ? SOCK_NONBLOCK : 0);
    freeaddrinfo(list);
    if (fd < 0)
        return 1;
    show_peer(fd);
    snprintf(text, sizeof text, "GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n", argv[1]);
    send(fd, text, strlen(text), 0);
    while ((n = recv(fd, text + have, sizeof text - 1 - have, 0)) > 0)
        have += (size_t)n;
    text[have] = '\0';
    fputs(strstr(text, "\r\n\r\n") ? strstr(text, "\r\n\r\n") + 4 : text, stdout);
    return 0;
}
