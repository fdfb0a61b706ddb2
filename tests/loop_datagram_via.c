/* SPDX-License-Identifier: ISC */
/* loop_datagram_via.c - one socket with destinations behind two proxies, each of which holds its reply
 *
 * The sink is behind the first proxy.  A second sink, at 127.0.0.3, is behind the other.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "loop_datagram.h"

enum { FEW = 5, PATIENCE_S = 10 };

static struct side {
    int fd;
    struct target at, relay;
    const char *control;
} sides[2];

/* argv: CONTROL of each proxy. */
static void begin(char **argv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 2) };
    struct timeval patience = { PATIENCE_S, 0 };
    struct side *other = &sides[1];

    sink_begin(argv);
    sides[0] = (struct side){ .fd = sink, .at = to_sink, .control = argv[0] };
    other->control = argv[1];
    other->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    other->at.len = sizeof sa;
    if (other->fd < 0 || bind(other->fd, (struct sockaddr *)&sa, sizeof sa) != 0 ||
        getsockname(other->fd, (struct sockaddr *)&other->at.sa, &other->at.len) != 0)
        net_die("the other sink");
    setsockopt(other->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void on_side(int i)
{
    sink = sides[i].fd;
    to_sink = sides[i].at;
    loop_control = sides[i].control;
}

static void send_to_both(int fd, int flags)
{
    for (int i = 0; i < FEW; i++) {
        for (int side = 0; side < 2; side++) {
            on_side(side);
            sink_send(fd, i, 1, flags);
        }
    }
}

static void has_all(int side)
{
    on_side(side);
    sink_has(0, FEW, &sides[side].relay);
    sink_empty();
}

/* What is queued at one goes out whatever the other does; and both answer. */
static void queued(void)
{
    int fd = sink_socket(SOCK_NONBLOCK);

    send_to_both(fd, 0);
    for (int side = 1; side >= 0; side--) {
        on_side(side);
        loop_hold(fd, 1);
        sink_empty();
    }
    for (int side = 1; side >= 0; side--) {
        on_side(side);
        loop_release();
        sink_waits();
        has_all(side);
        on_side(0);
        sink_empty();
    }
    for (int side = 0; side < 2; side++) {
        on_side(side);
        sink_answer(fd, &sides[side].relay, side ? "the other's answer" : "the first's answer");
    }
    close(fd);
}

static void *release_both(void *unused)
{
    for (int side = 1; side >= 0; side--) {
        /* These waits bring on both as well, and may end either between two looks of the call that sleeps. */
        while (net_tell(sides[side].control, "count") < 1)
            poll(NULL, 0, 1);
        net_tell(sides[side].control, "release");
    }
    for (int side = 0; side < 2; side++)
        has_all(side);
    /* Without an answer nothing would end the call that sleeps for it. */
    if (loop_code())
        exit(1);
    loop_check(sendto(sink, "x", 1, 0, (struct sockaddr *)&sides[1].relay.sa, sides[1].relay.len) == 1, "the answer");
    return unused;
}

/* close() brings on both.  Their replies are there before it: it gives up after three seconds, in which a thread that
 * releases them may not have run on a machine that is busy. */
static void closed(void)
{
    int fd = sink_socket(SOCK_NONBLOCK);

    send_to_both(fd, 0);
    for (int side = 0; side < 2; side++) {
        on_side(side);
        loop_hold(fd, 1);
    }
    for (int side = 0; side < 2; side++) {
        on_side(side);
        loop_release();
        sink_empty();
    }
    close(fd);
    for (int side = 0; side < 2; side++)
        has_all(side);
}

/* So does a call that sleeps for an answer. */
static void received(void)
{
    struct target from = { .len = sizeof from.sa };
    int fd = sink_socket(0);
    pthread_t thread;
    char c = 0;

    send_to_both(fd, MSG_DONTWAIT);
    if (pthread_create(&thread, NULL, release_both, NULL) != 0)
        net_die("pthread_create");
    loop_check(recvfrom(fd, &c, 1, 0, (struct sockaddr *)&from.sa, &from.len) == 1 && c == 'x', "no answer");
    pthread_join(thread, NULL);
    loop_check(memcmp(&from.sa, &sides[1].at.sa, sizeof(struct sockaddr_in)) == 0, "another source");
    close(fd);
}

static int both(char **argv)
{
    begin(argv);
    queued();
    closed();
    received();
    return loop_code();
}

const struct loop_command datagram_via_commands[] = {
    { "udp-via", 2, both, "CONTROL CONTROL: two proxies, for a destination each" },
    { NULL, 0, NULL, NULL }
};
