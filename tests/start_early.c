/* SPDX-License-Identifier: ISC */
/* start_early.c - a library whose constructor opens sockets, in whatever order it and the object are loaded
 *
 * START_AT: an address, 1.2.3.4:PORT, that echoes; without it nothing is done.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int address(struct sockaddr_in *in)
{
    const char *text = getenv("START_AT"), *colon = text ? strchr(text, ':') : NULL;
    char host[INET_ADDRSTRLEN];

    if (!colon || colon - text >= (long)sizeof host)
        return 0;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    memset(in, 0, sizeof *in);
    in->sin_family = AF_INET;
    in->sin_port = htons((unsigned short)atoi(colon + 1));
    return inet_pton(AF_INET, host, &in->sin_addr);
}

__attribute__((constructor)) static void begin(void)
{
    struct sockaddr_in in, peer;
    socklen_t len = sizeof peer;
    char c = 0;
    int fd, result;

    if (!address(&in))
        return;
    memset(&peer, 0, sizeof peer);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    errno = 0;
    result = connect(fd, (struct sockaddr *)&in, sizeof in);
    printf("early connect %d %d, ", result, errno);
    result = getpeername(fd, (struct sockaddr *)&peer, &len);
    printf("peer %d %s, ", result, memcmp(&in, &peer, sizeof in) == 0 ? "same" : "other");
    result = (int)send(fd, "e", 1, MSG_NOSIGNAL);
    printf("echo %d", result);
    result = (int)recv(fd, &c, 1, 0);
    printf(" %d %c\n", result, c);
    fflush(stdout);
    close(fd);
}
