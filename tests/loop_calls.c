/* SPDX-License-Identifier: ISC */
/* loop_calls.c - rarer calls on a socket while its handshake is pending: at an offset, from files, stdio, AIO */
#include <aio.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "loop.h"
#include "probe_text.h"

static char buf[4] = "abc";
static struct iovec piece = { buf, 3 };

static void by_function(int fd, int file, const int pipes[2])
{
    struct aiocb a = { .aio_fildes = fd, .aio_buf = buf, .aio_nbytes = 3 };

    loop_is(preadv2(fd, &piece, 1, -1, 0), EAGAIN, "preadv2");
    loop_is(preadv64v2(fd, &piece, 1, -1, 0), EAGAIN, "preadv64v2");
    loop_is(pwritev2(fd, &piece, 1, -1, 0), EAGAIN, "pwritev2");
    loop_is(pwritev64v2(fd, &piece, 1, -1, 0), EAGAIN, "pwritev64v2");
    loop_is(pread(fd, buf, 3, 0), ESPIPE, "pread");
    loop_is(pwrite(fd, buf, 3, 0), ESPIPE, "pwrite");
    loop_is(preadv2(fd, &piece, 1, 0, 0), ESPIPE, "preadv2 at 0");
    loop_is(pwritev2(fd, &piece, 1, 0, 0), ESPIPE, "pwritev2 at 0");
    loop_is(sendfile(pipes[1], fd, NULL, 3), EAGAIN, "sendfile from it");
    loop_is(copy_file_range(file, NULL, fd, NULL, 3, 0), EINVAL, "copy_file_range");
    loop_is(vmsplice(fd, &piece, 1, 0), EBADF, "vmsplice");
    loop_is(tee(pipes[0], fd, 3, 0), EINVAL, "tee");
    loop_is(dprintf(fd, "%s", buf), EAGAIN, "dprintf");
    loop_is(aio_write(&a), EAGAIN, "aio_write");
    loop_is(aio_read(&a), EAGAIN, "aio_read");
}

static void by_number(int fd, int file, const int pipes[2])
{
    struct timespec none = { 0, 0 };
    fd_set out;

    loop_is(syscall(SYS_preadv2, fd, &piece, 1L, -1L, -1L, 0), EAGAIN, "SYS_preadv2");
    loop_is(syscall(SYS_pwritev2, fd, &piece, 1L, -1L, -1L, 0), EAGAIN, "SYS_pwritev2");
    loop_is(syscall(SYS_sendfile, fd, file, NULL, 3L), EAGAIN, "SYS_sendfile");
    loop_is(syscall(SYS_splice, pipes[0], NULL, fd, NULL, 3L, 0), EAGAIN, "SYS_splice");
    FD_ZERO(&out);
    FD_SET(fd, &out);
    loop_check(syscall(SYS_pselect6, fd + 1, NULL, &out, NULL, &none, NULL) == 0, "SYS_pselect6 says writable");
}

static long submit(aio_context_t context, struct iocb *first, struct iocb *then)
{
    struct iocb *list[2] = { first, then };

    return syscall(SYS_io_submit, context, then ? 2L : 1L, list);
}

/* The kernel's own AIO, which libaio's programs know by number: what is for the socket does not go, nor what is behind.
 * open: the handshake is over. */
static void by_kernel(int fd, int file, bool open)
{
    struct iocb to_socket = { .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PWRITE,
                              .aio_buf = (uintptr_t)buf, .aio_nbytes = 3 };
    struct iocb to_file = to_socket, poll_socket = { .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLOUT };
    struct io_event event[2];
    aio_context_t context = 0;

    to_file.aio_fildes = (uint32_t)file;
    poll_socket.aio_fildes = (uint32_t)fd;
    /* Some kernels are built without. */
    if (syscall(SYS_io_setup, 2L, &context) != 0)
        return;
    loop_is(syscall(SYS_io_submit, context, 1L, NULL), EFAULT, "io_submit of nothing");
    if (open) {
        loop_check(submit(context, &poll_socket, NULL) == 1 &&
                   syscall(SYS_io_getevents, context, 1L, 1L, event, NULL) == 1 && event[0].res == POLLOUT,
                   "IOCB_CMD_POLL");
        loop_check(submit(context, &to_socket, NULL) == 1, "io_submit");
    } else {
        loop_is(submit(context, &poll_socket, NULL), EAGAIN, "IOCB_CMD_POLL");
        loop_is(submit(context, &to_socket, NULL), EAGAIN, "io_submit");
        loop_is(submit(context, &to_socket, &to_file), EAGAIN, "io_submit of two");
        loop_check(submit(context, &to_file, &to_socket) == 1, "io_submit of the other one in front");
    }
    loop_check(syscall(SYS_io_getevents, context, 1L, 1L, event, NULL) == 1 && event[0].res == 3, "io_getevents");
    syscall(SYS_io_destroy, context);
}

/* No byte of theirs goes into the handshake, and none of the proxy's comes out. */
static int other_calls(char **argv)
{
    FILE *file = tmpfile();
    int fd, pipes[2];

    loop_arguments(argv);
    fd = loop_begin(SOCK_NONBLOCK);
    if (!file || pipe(pipes) != 0 || write(pipes[1], "abc", 3) != 3 || fputs("abc", file) < 0 || fflush(file) != 0)
        net_die("files");
    rewind(file);
    loop_hold(fd, 1);
    by_function(fd, fileno(file), pipes);
    by_number(fd, fileno(file), pipes);
    by_kernel(fd, fileno(file), false);
    loop_release();
    loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
    loop_check(pwritev2(fd, &piece, 1, -1, 0) == 3 && loop_poll(fd, POLLIN) && preadv2(fd, &piece, 1, -1, 0) == 3,
               "not through the tunnel");
    by_kernel(fd, fileno(file), true);
    loop_check(loop_poll(fd, POLLIN) && read(fd, buf, 3) == 3, "io_submit through the tunnel");
    loop_check(dprintf(fd, "%s", buf) == 3 && loop_poll(fd, POLLIN) && read(fd, buf, 3) == 3, "dprintf");
    loop_good(fd, "after all");
    return loop_code();
}

static void *release_later(void *argument)
{
    loop_held(1);
    loop_release();
    return argument;
}

static void says_hello(FILE *stream, int fd)
{
    char line[8] = "";

    loop_check(fputs("hello\n", stream) >= 0 && fflush(stream) == 0, "write: %s", text_errno(errno));
    loop_check(loop_poll(fd, POLLIN) == POLLIN && read(fd, line, sizeof line) == 6 && strcmp(line, "hello\n") == 0,
               "not what was written");
    loop_good(fd, "under a stream");
}

/* What goes by ways that no hook sees waits for the tunnel: streams, made before connect() and after and over a
 * duplicate, and lists of AIO requests. */
static int streams(char **argv)
{
    struct aiocb a = { .aio_buf = buf, .aio_nbytes = 3, .aio_lio_opcode = LIO_WRITE };
    pthread_t thread;
    int fd;

    loop_arguments(argv);
    for (int before = 0; before < 3; before++) {
        FILE *stream = NULL;

        fd = net_socket(&loop_target, SOCK_STREAM | SOCK_NONBLOCK);
        pthread_create(&thread, NULL, release_later, NULL);
        if (before)
            stream = fdopen(before == 1 ? fd : dup(fd), "r+");
        loop_is(net_connect(fd, &loop_target), EINPROGRESS, "connect");
        if (!before)
            stream = fdopen(fd, "r+");
        says_hello(stream, fd);
        fclose(stream);
        pthread_join(thread, NULL);
    }
    a.aio_fildes = loop_begin(SOCK_NONBLOCK);
    pthread_create(&thread, NULL, release_later, NULL);
    loop_is(lio_listio(LIO_WAIT, (struct aiocb *[]){ &a }, 1, NULL), 0, "lio_listio");
    loop_check(aio_error(&a) == 0 && aio_return(&a) == 3, "not written");
    pthread_join(thread, NULL);
    loop_check(loop_poll(a.aio_fildes, POLLIN) == POLLIN && read(a.aio_fildes, buf, 3) == 3, "nothing comes back");
    return loop_code();
}

/* MSG_FASTOPEN connects; with MSG_DONTWAIT it waits for nothing, whatever the socket's flags say. */
static int opens_beside(char **argv)
{
    const struct sockaddr *sa = (const struct sockaddr *)&loop_target.sa;
    struct iovec v = { buf, 3 };
    struct msghdr m = { .msg_name = &loop_target.sa, .msg_iov = &v, .msg_iovlen = 1 };
    int flags = MSG_FASTOPEN | MSG_DONTWAIT | MSG_NOSIGNAL;

    loop_arguments(argv);
    m.msg_namelen = loop_target.len;
    for (int way = 0; way < 2; way++) {
        int fd = net_socket(&loop_target, SOCK_STREAM);

        for (int i = 0; i < 2; i++)
            loop_is(way ? sendmsg(fd, &m, flags) : sendto(fd, buf, 3, flags, sa, loop_target.len),
                    i ? EALREADY : EINPROGRESS, way ? "sendmsg" : "sendto");
        loop_hold(fd, 1);
        loop_release();
        loop_check(loop_poll(fd, POLLOUT) == POLLOUT, "not writable");
        loop_good(fd, "opened beside");
        close(fd);
    }
    return loop_code();
}

const struct loop_command calls_commands[] = {
    { "other-calls", 2, other_calls, "ADDRESS CONTROL: rarer I/O while the proxy holds" },
    { "opens-beside", 2, opens_beside, "ADDRESS CONTROL: MSG_FASTOPEN with MSG_DONTWAIT" },
    { "streams", 2, streams, "ADDRESS CONTROL: stdio and lists of AIO requests" },
    { NULL, 0, NULL, NULL },
};
