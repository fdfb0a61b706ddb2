/* SPDX-License-Identifier: ISC */
/* probe_odd.c - descriptor calls with odd arguments */
#include "probe_odd.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_text.h"

enum { LIMIT = 1024, HUGE_NUMBER = 1 << 20, NO_COMMAND = 9999 };

long odd_say(const char *what, long result)
{
    int error = errno;

    if (result == -1)
        printf("%s: -1 %s\n", what, text_errno(error));
    else
        printf("%s: %ld%s\n", what, result, error == ODD_ERRNO ? "" : ", errno changed");
    return result;
}

static void close_calls(int fd)
{
    int other = dup(fd);

    TRY(close(-1));
    TRY(close(INT_MIN));
    TRY(close(INT_MAX));
    TRY(close(HUGE_NUMBER));
    TRY(close(HUGE_NUMBER - 1));
    TRY(close(LIMIT));
    TRY(close(other));
    TRY(close(other));
    TRY(syscall(SYS_close, -1));
    TRY(syscall(SYS_close, LIMIT));
}

static void dup_calls(int fd)
{
    TRY(dup(-1));
    TRY(dup(INT_MAX));
    TRY(dup(HUGE_NUMBER));
    TRY(dup(fd));
    TRY(dup2(-1, 50));
    TRY(dup2(fd, -1));
    TRY(dup2(fd, INT_MAX));
    TRY(dup2(fd, HUGE_NUMBER));
    TRY(dup2(fd, LIMIT));
    TRY(dup2(fd, LIMIT - 1));
    TRY(dup2(fd, fd));
    TRY(dup2(60, 60));
    TRY(dup2(60, fd));
    TRY(dup2(fd, 61));
    TRY(dup3(fd, fd, 0));
    TRY(dup3(60, 60, 0));
    TRY(dup3(fd, fd, O_CLOEXEC));
    TRY(dup3(fd, 62, 0x12345));
    TRY(dup3(fd, 62, O_NONBLOCK));
    TRY(dup3(fd, 62, O_CLOEXEC));
    TRY(fcntl(62, F_GETFD));
    TRY(dup3(fd, LIMIT, 0));
    TRY(dup3(-1, 62, 0));
    TRY(syscall(SYS_dup3, fd, fd, 0));
}

static void range_calls(int fd)
{
    int other;

    TRY(close_range(9, 8, 0));
    TRY(close_range(9, 9, 0x1000));
    TRY(close_range(9, 9, -1));
    TRY(close_range(100000, ~0u, 0));
    TRY(close_range(~0u, ~0u, 0));
    TRY(other = dup2(fd, 70));
    TRY(close_range(70, 75, CLOSE_RANGE_CLOEXEC));
    TRY(fcntl(other, F_GETFD));
    TRY(close_range(70, 75, 0));
    TRY(fcntl(other, F_GETFD));
    TRY(dup2(fd, 70));
    TRY(close_range(64, ~0u, CLOSE_RANGE_UNSHARE));
    TRY(fcntl(70, F_GETFD));
    TRY(fcntl(LIMIT - 1, F_GETFD));
}

static void fcntl_commands(int fd)
{
    TRY(fcntl(-1, F_GETFD));
    TRY(fcntl(INT_MAX, F_GETFL));
    TRY(fcntl(-1, F_DUPFD, 3));
    TRY(fcntl(fd, F_DUPFD, -1));
    TRY(fcntl(fd, F_DUPFD, INT_MAX));
    TRY(fcntl(fd, F_DUPFD, LIMIT));
    TRY(fcntl(fd, F_DUPFD, LIMIT - 1));
    TRY(fcntl(fd, F_DUPFD, LIMIT - 1));
    TRY(fcntl(fd, F_DUPFD, 0));
    TRY(fcntl(fd, F_DUPFD_CLOEXEC, 100));
    TRY(fcntl(100, F_GETFD));
    TRY(fcntl(fd, F_SETFD, FD_CLOEXEC));
    TRY(fcntl(fd, F_GETFD));
    TRY(fcntl(fd, F_SETFL, O_NONBLOCK));
    TRY(fcntl(fd, F_GETFL) & O_NONBLOCK);
    TRY(fcntl(fd, F_SETFL, 0));
    TRY(fcntl(fd, NO_COMMAND));
    TRY(fcntl(fd, NO_COMMAND, 5));
    TRY(fcntl(fd, -1, NULL));
    TRY(syscall(SYS_fcntl, fd, F_GETFD));
    TRY(syscall(SYS_fcntl, fd, F_DUPFD, -1));
}

static void owners(int fd)
{
    struct f_owner_ex owner = { F_OWNER_PID, 0 };
    int me = getpid();

    TRY(fcntl(fd, F_GETOWN));
    TRY(fcntl(fd, F_SETOWN, me));
    TRY(fcntl(fd, F_GETOWN) == me);
    TRY(fcntl(fd, F_SETOWN, -getpgrp()));
    TRY(fcntl(fd, F_GETOWN) == -getpgrp());
    TRY(fcntl(fd, F_SETOWN, INT_MAX));
    TRY(fcntl(fd, F_SETOWN_EX, &owner));
    TRY(fcntl(fd, F_GETOWN_EX, &owner));
    TRY(fcntl(fd, F_GETOWN_EX, NULL));
    TRY(fcntl(fd, F_SETSIG, 1000));
    TRY(fcntl(fd, F_SETSIG, SIGUSR1));
    TRY(fcntl(fd, F_GETSIG));
}

static void locks(void)
{
    FILE *file = tmpfile();
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20 };
    int fd = fileno(file);

    TRY(fcntl(fd, F_GETLK, &lock));
    TRY(lock.l_type == F_UNLCK && lock.l_start == 10 && lock.l_len == 20);
    lock.l_type = F_WRLCK;
    TRY(fcntl(fd, F_SETLK, &lock));
    TRY(fcntl(fd, F_SETLKW, &lock));
    TRY(fcntl(fd, F_OFD_GETLK, &lock));
    TRY(lock.l_type == F_WRLCK && lock.l_start == 10 && lock.l_len == 20);
    lock.l_pid = 0;
    lock.l_type = F_UNLCK;
    TRY(fcntl(fd, F_OFD_SETLK, &lock));
    lock.l_type = 77;
    TRY(fcntl(fd, F_SETLK, &lock));
    TRY(fcntl(fd, F_GETLK, NULL));
    TRY(fcntl(-1, F_GETLK, &lock));
    TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
    TRY(fclose(file));
    TRY(fcntl(fd, F_GETFD));
}

static void pipes_and_seals(void)
{
    int pair[2], memory = memfd_create("probe", MFD_ALLOW_SEALING);

    TRY(pipe(pair));
    TRY(fcntl(pair[0], F_SETPIPE_SZ, 8192));
    TRY(fcntl(pair[0], F_GETPIPE_SZ));
    TRY(fcntl(pair[0], F_SETPIPE_SZ, -1));
    TRY(fcntl(memory, F_GET_SEALS));
    TRY(fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL));
    TRY(fcntl(memory, F_GET_SEALS));
    TRY(fcntl(memory, F_ADD_SEALS, F_SEAL_GROW));
    TRY(fcntl(pair[0], F_ADD_SEALS, F_SEAL_GROW));
}

static void streams(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    FILE *file = fdopen(fd, "r+"), *memory = fmemopen(NULL, 16, "w+");

    TRY(fclose(file));
    TRY(fcntl(fd, F_GETFD));
    TRY(fclose(memory));
    file = fopen("/dev/full", "w");
    fputs("text", file);
    TRY(fclose(file));
}

/* A limit of its own makes the bounds the same wherever the probe runs. */
static int odd_descriptors(char **argv)
{
    struct rlimit limit = { LIMIT, LIMIT };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)argv;
    TRY(setrlimit(RLIMIT_NOFILE, &limit));
    TRY(fd);
    close_calls(fd);
    dup_calls(fd);
    range_calls(fd);
    fcntl_commands(fd);
    owners(fd);
    locks();
    pipes_and_seals();
    streams();
    return 0;
}

const struct command odd_commands[] = {
    { "odd-descriptors", 0, odd_descriptors, "" },
    { "odd-sockets", 1, odd_sockets, "ADDRESS" },
    { "odd-pointers", 2, odd_pointers, "ADDRESS ADDRESS" },
    { "odd-waits", 1, odd_waits, "ADDRESS" },
    { "odd-data", 1, odd_data, "ADDRESS" },
    { "odd-names", 0, odd_names, "" },
    { NULL, 0, NULL, NULL },
};
