/* SPDX-License-Identifier: ISC */
/* probe_jail.c - a program that locks itself up after its start, and then connects by name and sends datagrams */
#include <errno.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe.h"
#include "probe_net.h"
#include "probe_text.h"

enum { NOBODY = 65534 };

#ifndef SYS_open
#define SYS_open SYS_openat
#endif

/* Reads the address in the proxy's network of HOST, and shows a connection there. */
static int by_name(char **argv)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *found;
    struct target datagram = net_target(argv[2]);
    int error = getaddrinfo(argv[0], argv[1], &hints, &found), fd;
    char c = 0;

    printf("getaddrinfo: %s\n", error ? gai_strerror(error) : "ok");
    if (error)
        return 0;
    fd = socket(AF_INET, SOCK_STREAM, 0);
    say("connect", connect(fd, found->ai_addr, found->ai_addrlen));
    say_error("echo", net_echo(fd, 1000));
    close(fd);
    fd = net_socket(&datagram, SOCK_DGRAM);
    say("sendto", sendto(fd, "d", 1, 0, (struct sockaddr *)&datagram.sa, datagram.len));
    say("recv", recv(fd, &c, 1, 0));
    close(fd);
    return 0;
}

static int jail_none(char **argv)
{
    return by_name(argv);
}

static int jail_root(char **argv)
{
    say("chroot", chroot(argv[3]));
    say("chdir", chdir("/"));
    return by_name(argv);
}

static int jail_user(char **argv)
{
    say("setgroups", setgroups(0, NULL));
    say("setresgid", setresgid(NOBODY, NOBODY, NOBODY));
    say("setresuid", setresuid(NOBODY, NOBODY, NOBODY));
    return by_name(argv);
}

/* Files cannot be opened and nothing can be mapped any more. */
static int jail_filter(char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof code[0], .filter = code };

    /* What libc needs of its own for a lookup. */
    free(malloc(1 << 16));
    say("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    say("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
    return by_name(argv);
}

const struct command jail_commands[] = {
    { "jail-none", 3, jail_none, "HOST PORT DATAGRAM" },
    { "jail-root", 4, jail_root, "HOST PORT DATAGRAM DIRECTORY" },
    { "jail-user", 3, jail_user, "HOST PORT DATAGRAM" },
    { "jail-filter", 3, jail_filter, "HOST PORT DATAGRAM" },
    { NULL, 0, NULL, NULL },
};
