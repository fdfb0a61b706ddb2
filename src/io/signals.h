/* SPDX-License-Identifier: ISC */
/* signals.h - keeping the program's signal handlers out of what must not be disturbed
 *
 * A signal that comes between two sleeps of one call does not show in what a sleep returns.  A call that sleeps more
 * than once therefore blocks all signals for its whole length, and lets them in by the mask of ppoll() alone.
 */
#ifndef SOCKSIFY_IO_SIGNALS_H
#define SOCKSIFY_IO_SIGNALS_H

#include <signal.h>

#include "cleanup.h"

struct signals_held {
    sigset_t kept;             /* the thread's own mask, for ppoll() */
    struct cleanup cleanup;
};

/* Block all signals of this thread.  kept: set to the mask that was in force.  Keeps errno.  Async-signal-safe. */
void signals_block(sigset_t *kept);

/* Put that mask back.  Handlers of what came meanwhile run before it returns.  Keeps errno.  Async-signal-safe. */
void signals_restore(const sigset_t *kept);

/* The same pair for a call that may be cancelled as it sleeps: the mask is put back then too.  h: of a frame that lives
 * until signals_release(). */
void signals_hold(struct signals_held *h);
void signals_release(struct signals_held *h);

#endif
