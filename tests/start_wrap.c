/* SPDX-License-Identifier: ISC */
/* start_wrap.c - a program with a connect() of its own, which calls the next one; or loads a module that connects
 *
 * usage: start_wrap ADDRESS [MODULE]
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe_net.h"
#include "probe_text.h"

static int calls;

int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    int (*next)(int, const struct sockaddr *, socklen_t);
    void *symbol = dlsym(RTLD_NEXT, "connect");

    memcpy(&next, &symbol, sizeof next);
    calls++;
    return next(fd, sa, len);
}

int main(int argc, char **argv)
{
    struct target t;
    int fd;

    if (argc < 2)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    t = net_target(argv[1]);
    fd = net_socket(&t, SOCK_STREAM);
    say("connect", net_connect(fd, &t));
    say("own calls", calls);
    say_peer("peer", fd);
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    if (argv[2])
        say("dlopen", dlopen(argv[2], RTLD_NOW | RTLD_LOCAL) != NULL);
    return 0;
}
