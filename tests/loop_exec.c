/* SPDX-License-Identifier: ISC */
/* loop_exec.c - other programs that are started while a handshake is pending */
#include <limits.h>
#include <unistd.h>

#include "loop.h"

/* A vforked child that hands the socket to another program ends the handshake, by a number of its own: the parent's set
 * is told. */
static int vfork_hands(char **argv)
{
    char self[PATH_MAX] = "";
    int fd, set = loop_set();
    pid_t pid;

    loop_arguments(argv);
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
        net_die("readlink");
    fd = loop_begin(SOCK_NONBLOCK);
    loop_add(set, fd, EPOLLOUT);
    pid = vfork();
    if (pid == 0) {
        dup2(fd, 0);
        close(fd);
        execl(self, "loop", "exec-after", argv[0], argv[1], "0", (char *)NULL);
        _exit(127);
    }
    loop_reap(pid, "vfork");
    loop_check(loop_wait(set, fd) == EPOLLOUT, "no event");
    loop_good(fd, "after a vforked child");
    return loop_code();
}

const struct loop_command exec_loop_commands[] = {
    { "vfork-hands", 2, vfork_hands, "ADDRESS CONTROL: nothing is held for long" },
    { NULL, 0, NULL, NULL },
};
