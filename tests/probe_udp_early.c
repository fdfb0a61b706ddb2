/* SPDX-License-Identifier: ISC */
/* probe_udp_early.c - threads that wait for datagrams since before the socket's first one went out */
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"
#include "probe_udp.h"

static atomic_int listener;

static int listener_fd, listener_way;

/* LATE: so many that a short list of rooms would end; with the longest header each fits into its room. */
enum { LATE = 70, SHORT = 6, MANY_SHORT = UDP_RECEIVES + 1, FROM_SHORT, MESSAGE_SHORT, WAYS };

/* By these nothing is heard. */
enum { FROM_IN_VAIN = WAYS, MESSAGE_IN_VAIN, PATIENCE_MS = 500 };

/* What there is of a name that had SHORT bytes of room, and what is behind it. */
static const char *short_name(const struct sockaddr_storage *name, socklen_t len, char text[TEXT_SIZE])
{
    const uint8_t *byte = (const uint8_t *)name;

    snprintf(text, TEXT_SIZE, "%u, %02x %02x %02x %02x %02x %02x | %02x %02x", (unsigned)len, byte[0], byte[1], byte[2],
             byte[3], byte[4], byte[5], byte[6], byte[7]);
    return text;
}

static void listen_short(int fd, int way)
{
    struct sockaddr_storage name = { .ss_family = AF_UNSPEC };
    struct iovec piece = { udp_incoming, 100 };
    struct msghdr m = { .msg_name = &name, .msg_namelen = SHORT, .msg_iov = &piece, .msg_iovlen = 1 };
    socklen_t len = SHORT;
    char text[TEXT_SIZE];
    ssize_t n;

    if (way == FROM_SHORT) {
        n = say("recvfrom", recvfrom(fd, udp_incoming, 100, 0, (struct sockaddr *)&name, &len));
    } else {
        n = say("recvmsg", recvmsg(fd, &m, 0));
        len = m.msg_namelen;
    }
    printf(" from %s: %.*s\n", short_name(&name, len, text), n > 0 ? (int)n : 0, udp_incoming);
}

/* What a call that fails leaves of the room that it was given. */
static void listen_in_vain(int fd, int way)
{
    const struct timeval patience = { .tv_usec = PATIENCE_MS * 1000 };
    struct sockaddr_storage name;
    char control[100];
    struct iovec piece = { udp_incoming, 100 };
    struct msghdr m = { .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &piece, .msg_iovlen = 1,
                        .msg_control = control, .msg_controllen = sizeof control };
    socklen_t len = sizeof name;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (way == FROM_IN_VAIN) {
        say("recvfrom", recvfrom(fd, udp_incoming, 100, 0, (struct sockaddr *)&name, &len));
    } else {
        say("recvmsg", recvmsg(fd, &m, 0));
        len = m.msg_namelen;
    }
    printf(" room for a name: %u, for control messages: %u\n", (unsigned)len, (unsigned)m.msg_controllen);
}

/* Room of messages that nothing was received into must be there for the next call. */
static void look_at_rooms(const struct mmsghdr *m, socklen_t name_room, size_t control_room)
{
    for (int i = 0; i < LATE && m[i].msg_hdr.msg_iov; i++) {
        if (m[i].msg_hdr.msg_namelen != name_room || m[i].msg_hdr.msg_controllen != control_room)
            printf("room lost: %u, %u\n", (unsigned)m[i].msg_hdr.msg_namelen, (unsigned)m[i].msg_hdr.msg_controllen);
    }
}

/* Several, by a call that waits for all of them.  name_room: for each name. */
static void listen_for_many(int fd, socklen_t name_room)
{
    static char room[LATE][100];
    static struct sockaddr_storage names[LATE];
    static char controls[LATE][64];
    struct iovec pieces[LATE];
    struct mmsghdr m[LATE + 1];
    char text[TEXT_SIZE];
    int got = 0, n;

    memset(m, 0, sizeof m);
    for (int i = 0; i < LATE; i++) {
        pieces[i] = (struct iovec){ room[i], sizeof room[i] };
        m[i].msg_hdr = (struct msghdr){ .msg_name = &names[i], .msg_namelen = name_room,
                                        .msg_iov = &pieces[i], .msg_iovlen = 1,
                                        .msg_control = controls[i], .msg_controllen = sizeof controls[i] };
    }
    /* What a relay has sent beside them may have taken the places of some. */
    while (got < LATE && (n = recvmmsg(fd, m + got, (unsigned)(LATE - got), 0, NULL)) > 0) {
        got += n;
        look_at_rooms(m + got, name_room, sizeof controls[0]);
    }
    say("recvmmsg", got);
    for (int i = 0; i < got; i++)
        printf(" %u from %s: %.*s\n", m[i].msg_len,
               name_room < sizeof names[i] ? short_name(&names[i], m[i].msg_hdr.msg_namelen, text)
                                           : text_sockaddr(&names[i], m[i].msg_hdr.msg_namelen, text),
               (int)m[i].msg_len, room[i]);
}

static void *listen_first(void *argument)
{
    atomic_store(&listener, (int)syscall(SYS_gettid));
    if (listener_way == UDP_RECEIVES || listener_way == MANY_SHORT)
        listen_for_many(listener_fd, listener_way == MANY_SHORT ? SHORT : sizeof(struct sockaddr_storage));
    else if (listener_way >= FROM_IN_VAIN)
        listen_in_vain(listener_fd, listener_way);
    else if (listener_way > UDP_RECEIVES)
        listen_short(listener_fd, listener_way);
    else
        udp_receive(listener_fd, listener_way, 100, 0, 1);
    return argument;
}

/* A thread that waits since before the first datagram went out. */
static void early_by(int way, const struct target *t)
{
    int fd = udp_socket(t);
    struct sockaddr_in6 any = { .sin6_family = t->sa.ss_family };
    pthread_t thread;
    char state = 0;
    int on = 1;

    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
    listener_way = way;
    listener_fd = fd;
    atomic_store(&listener, 0);
    say("bind", bind(fd, (struct sockaddr *)&any, t->len));
    pthread_create(&thread, NULL, listen_first, NULL);
    /* Until it sleeps in the kernel. */
    while (state != 'S') {
        char path[64];
        FILE *f;

        snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&listener));
        f = fopen(path, "r");
        if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            net_die(path);
        if (f)
            fclose(f);
    }
    /* The answer may be there before this line is: it waits for its turn. */
    flockfile(stdout);
    for (int i = 0; i < (way == UDP_RECEIVES || way == MANY_SHORT ? LATE : 1); i++)
        udp_send(fd, UDP_SENDTO, t, 20 + (size_t)i % 50, 0, 1);
    funlockfile(stdout);
    pthread_join(thread, NULL);
    close(fd);
}

/* argv: ADDRESS [WAY...].  By every way to receive, by one that waits for several datagrams, and with little room for
 * names; or by some of them, by number. */
static int early(char **argv)
{
    struct target t = net_target(argv[0]);

    for (int way = 0; !argv[1] && way < WAYS; way++)
        early_by(way, &t);
    for (char **way = argv + 1; argv[1] && *way; way++)
        early_by(atoi(*way), &t);
    return 0;
}

const struct command udp_early_commands[] = {
    { "udp-early", 1, early, "ADDRESS [WAY...]: a thread waits already" },
    { NULL, 0, NULL, NULL }
};
