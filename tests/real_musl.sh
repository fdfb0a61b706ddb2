#!/bin/bash
# SPDX-License-Identifier: ISC
# Programs made for musl work with the same object as those for glibc: by name and by address, with blocking and with
# non-blocking sockets, and what they start in turn.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

need_tool musl-gcc
network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080

cat >"$work/fetch.c" <<'END'
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
END
cat >"$work/start.c" <<'END'
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* start COMMAND ...: in a child, with nothing in its environment */
int main(int argc, char **argv)
{
    static char *const none[] = { NULL };
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        execve(argv[argc > 1], argv + 1, none);
        perror("execve");
        _exit(126);
    }
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
}
END

# made COMPILER: its two programs.
made()
{
    "$1" -std=gnu11 -O2 -o "$work/fetch-$1" "$work/fetch.c" 2>"$work/err" &&
        "$1" -std=gnu11 -O2 -o "$work/start-$1" "$work/start.c" 2>"$work/err" || fault "$1: $(cat "$work/err")"
    readelf -l "$work/fetch-$1" | grep -q 'interpreter: .*/ld-'"$2" || fault "$1: not for $2"
}

# fetched WHAT EXPECTED REQUEST COMMAND ...
fetched()
{
    local what=$1 want=$2 request=$3
    shift 3
    : >"$work/seen"
    same "$what" "$want" "$(through "$@" 2>&1)"
    same "$what: the proxy" "$request" "$(grep ^request "$work/seen")"
    no_leak "$what"
}

by_musl()
{
    local mode from hello="hello 203.0.113.1 at $target4"
    for mode in '' nonblocking; do
        fetched "musl, name, $mode" "four.example: $hello as four.example" 'request CONNECT name four.example:80' \
            "$work/fetch-musl-gcc" four.example 80 $mode
        fetched "musl, IPv4, $mode" "$target4: $hello as $target4" "request CONNECT ipv4 $target4:80" \
            "$work/fetch-musl-gcc" $target4 80 $mode
        [ "$ipv6" = no ] || fetched "musl, IPv6, $mode" "$target6: hello 2001:db8:2::1 at $target6 as $target6" \
            "request CONNECT ipv6 [$target6]:80" "$work/fetch-musl-gcc" $target6 80 $mode
        fetched "musl, refused, $mode" 'connect: Connection refused' 'request CONNECT name target.example:9' \
            "$work/fetch-musl-gcc" target.example 9 $mode
        fetched "musl, unreachable, $mode" 'connect: Host is unreachable' 'request CONNECT name far.example:80' \
            "$work/fetch-musl-gcc" far.example 80 $mode
    done
    for from in musl-gcc "$glibc"; do
        fetched "$from started from musl" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-musl-gcc" "$work/fetch-$from" four.example 80
        fetched "musl started from $from" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-$from" "$work/fetch-musl-gcc" four.example 80
    done
}

glibc=gcc
command -v gcc >/dev/null || glibc=cc
made musl-gcc musl
made $glibc linux
start_proxyd
mark_leak
by_musl
finish
