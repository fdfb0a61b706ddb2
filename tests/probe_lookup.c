/* SPDX-License-Identifier: ISC */
/* probe_lookup.c - a name is looked up, and what has its address is connected to */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { PATIENCE_S = 10 };

static void look_up(const char *how, const char *name)
{
    struct addrinfo *list = NULL;

    if (strcmp(how, "getaddrinfo") == 0)
        say("found", getaddrinfo(name, NULL, NULL, &list));
    else
        printf("found: %d\n", gethostbyname(name) ? 0 : -1);
    if (list)
        freeaddrinfo(list);
}

/* argv: HOW NAME STREAM DATAGRAM.  The addresses are NAME's; no port is told when it is looked up. */
static int named(char **argv)
{
    struct target stream = net_target(argv[2]), datagram = net_target(argv[3]);
    struct timeval patience = { PATIENCE_S, 0 };
    int fd = net_socket(&stream, SOCK_STREAM);
    char text[16];

    look_up(argv[0], argv[1]);
    if (say("connect", net_connect(fd, &stream)) == 0)
        say_error("echo", net_echo(fd, 1000));
    close(fd);
    fd = net_socket(&datagram, SOCK_DGRAM);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (say("sendto", sendto(fd, "word", 4, 0, (struct sockaddr *)&datagram.sa, datagram.len)) == 4)
        say("recv", recv(fd, text, sizeof text, 0));
    close(fd);
    return 0;
}

const struct command lookup_commands[] = {
    { "named", 4, named, "getaddrinfo|gethostbyname NAME STREAM DATAGRAM" },
    { NULL, 0, NULL, NULL },
};
