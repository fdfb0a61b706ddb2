/* SPDX-License-Identifier: ISC */
/* probe_raw.c - system calls by number that only ask, or that end something; and I/O that libc or the kernel does by
 * itself
 */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { CHECK_ONLY = 0x10000, PATIENCE_MS = 5000 };    /* AT_EXECVE_CHECK, which older headers lack */

/* A request to end is pending: a close() would obey it, the call by number does not. */
static void *closes(void *fd)
{
    pthread_cancel(pthread_self());
    say("close", syscall(SYS_close, *(int *)fd));
    printf("alive\n");
    fflush(stdout);
    pthread_testcancel();
    printf("still alive\n");
    return NULL;
}

static int cancel(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM);
    pthread_t thread;

    say("connect", net_connect(fd, &t));
    pthread_create(&thread, NULL, closes, &fd);
    pthread_join(thread, NULL);
    say("fcntl", fcntl(fd, F_GETFD));
    return 0;
}

/* argv: ADDRESS.  The last argument of pselect6 leads nowhere, or to a set of a size that is none. */
static int bad_select(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_STREAM | SOCK_NONBLOCK);
    struct { const sigset_t *set; size_t size; } mask = { NULL, 3 };
    struct timespec none = { 0, 0 };
    sigset_t set;

    sigemptyset(&set);
    say("connect", net_connect(fd, &t));
    say("nowhere", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, (void *)8));
    say("no set", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, &mask));
    mask.set = &set;
    say("a size that is none", syscall(SYS_pselect6, 0, NULL, NULL, NULL, &none, &mask));
    return 0;
}

/* argv: PROGRAM....  May it be executed?  Nothing is started. */
static int check(char **argv)
{
    char *const words[] = { (char *)"x", NULL };

    for (; *argv; argv++)
        say(*argv, syscall(SYS_execveat, AT_FDCWD, *argv, words, words + 1, CHECK_ONLY));
    return 0;
}

static void say_aio(const char *what, int result, const struct aiocb *request)
{
    say(what, result);
    while (result == 0 && aio_error(request) == EINPROGRESS)
        ;
}

/* argv: ADDRESS.  Datagrams by ways that know nothing of a header. */
static int aio(char **argv)
{
    struct target t = net_target(argv[0]);
    int fd = net_socket(&t, SOCK_DGRAM), before = dup(fd), pair[2];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char room[64] = "";
    struct aiocb request = { .aio_fildes = fd, .aio_buf = room, .aio_nbytes = sizeof room,
                             .aio_lio_opcode = LIO_READ };
    struct aiocb *const list[] = { &request };
    struct iocb kernel = { .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD,
                           .aio_buf = (uintptr_t)room, .aio_nbytes = sizeof room };
    struct iocb *kernels[] = { &kernel };
    aio_context_t context = 0;

    say("connect", net_connect(fd, &t));
    say("send", send(fd, "word", 4, 0));
    say("poll", poll(&p, 1, PATIENCE_MS));
    say_aio("aio_read", aio_read(&request), &request);
    say_aio("aio_write", aio_write(&request), &request);
    say_aio("lio_listio", lio_listio(LIO_WAIT, list, 1, NULL), &request);
    if (syscall(SYS_io_setup, 1, &context) == 0)
        say("io_submit", syscall(SYS_io_submit, context, 1L, kernels));
    else
        say("io_submit", (errno = EINVAL, -1));
    request.aio_fildes = before;
    say_aio("aio_read, by a number made before", aio_read(&request), &request);
    say("splice", pipe(pair) == 0 ? splice(before, NULL, pair[1], NULL, sizeof room, SPLICE_F_NONBLOCK) : 0);
    say("recv", recv(fd, room, sizeof room, MSG_DONTWAIT));
    printf("%s\n", room);
    return 0;
}

const struct command raw_commands[] = {
    { "raw-cancel", 1, cancel, "ADDRESS" },
    { "raw-select", 1, bad_select, "ADDRESS" },
    { "raw-check", 1, check, "PROGRAM...: may it be executed?" },
    { "udp-aio", 1, aio, "ADDRESS" },
    { NULL, 0, NULL, NULL },
};
