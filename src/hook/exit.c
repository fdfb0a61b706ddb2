/* SPDX-License-Identifier: ISC */
/* exit.c - the end of a process: what it has sent, and what was queued, still goes out */
#include <stdlib.h>
#include <unistd.h>

#include "hook.h"

static void drain(void)
{
    if (!hook_idle(GATE_DATAGRAM) && !process_is_guest())
        assoc_drain(&process.assoc);
}

/* exit() and the end of main(): after the program's own handlers, which may send. */
__attribute__((destructor)) static void leave(void)
{
    if (hook_idle(0))
        drain();
}

void _exit(int status)
{
    hook_enter();
    drain();
    real._exit(status);
    __builtin_unreachable();
}

/* Ahead of the program's handlers for it, since libc leaves right behind them. */
void quick_exit(int status)
{
    hook_enter();
    drain();
    real.quick_exit(status);
    __builtin_unreachable();
}

void _Exit(int status)
{
    hook_enter();
    drain();
    real._Exit(status);
    __builtin_unreachable();
}
