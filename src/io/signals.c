/* SPDX-License-Identifier: ISC */
/* signals.c - keeping the program's signal handlers out of what must not be disturbed */
#include "signals.h"

#include <errno.h>
#include <stddef.h>

void signals_block(sigset_t *kept)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, kept);
}

void signals_restore(const sigset_t *kept)
{
    int saved_errno = errno;

    sigprocmask(SIG_SETMASK, kept, NULL);
    errno = saved_errno;
}

static void cancelled(void *argument)
{
    signals_restore(argument);
}

void signals_hold(struct signals_held *h)
{
    signals_block(&h->kept);
    cleanup_begin(&h->cleanup, cancelled, &h->kept);
}

void signals_release(struct signals_held *h)
{
    cleanup_end(&h->cleanup);
    signals_restore(&h->kept);
}
