/* SPDX-License-Identifier: ISC */
/* state_facts.h - what the state asks the kernel: the boot, random numbers, a lock, a short sleep
 *
 * Everything here is async-signal-safe and fork-safe, and no cancellation point.
 */
#ifndef SOCKSIFY_IO_STATE_FACTS_H
#define SOCKSIFY_IO_STATE_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STATE_BOOT_LEN = 36, STATE_WAIT_MS = 1000 };

/* Read this boot's id, STATE_BOOT_LEN bytes of text without NUL.  Returns 0 or -errno (id is undefined then). */
int state_boot_id(char *id);

/* Fill len bytes at p with random ones, never waiting for the kernel to have some. */
void state_random(void *p, size_t len);

/* Sleep a while, longer with each try (from some microseconds to one millisecond).
 * deadline_ms: clock_ms() at which to give up.  Returns false, at once, when that has passed. */
bool state_wait(unsigned try, int64_t deadline_ms);

/* Do an open file's lock (flock(), exclusive), trying until deadline_ms.  It belongs to the open file: dup'ed and
 * forked descriptors share it, the kernel drops it with the last of them.  Returns 0, -EAGAIN or another -errno. */
int state_flock(int fd, int64_t deadline_ms);

#endif
