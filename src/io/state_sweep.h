/* SPDX-License-Identifier: ISC */
/* state_sweep.h - state files that nobody uses any more
 *
 * Network namespaces come and go, each with a file of its own.  A file is used while a process maps it: who opens it
 * locks a byte of it for shared use, by a lock of the open file (F_OFD_SETLK), which outlives the descriptor as long as
 * there is the mapping, in forked children too.  Between the two halves of an exec a process maps nothing, which is why
 * a file must not have been opened lately either.  Whoever loses a file all the same goes on with private names.
 * Linux 3.15; async-signal-safe and fork-safe, no cancellation point.
 */
#ifndef SOCKSIFY_IO_STATE_SWEEP_H
#define SOCKSIFY_IO_STATE_SWEEP_H

#include <stdint.h>

#include "file.h"

enum { STATE_UNUSED_S = 3600 };     /* a file that was not opened for so long may go */

/* Say that an open file is in use, before it is asked whether it still has a name.
 * Returns 0, also where the kernel has no such locks; -EAGAIN while somebody is about to delete it. */
int state_use(int fd);

/* Note that the file is opened, by its time of modification.  st: what was asked of fd. */
void state_note_use(int fd, const struct file_info *st);

/* Delete the files of a directory that nobody uses.
 * directory: absolute.  directory_fd: open, the caller has its lock.  keep: the path of the file that is about to be
 * made.  uid: their owner. */
void state_sweep(const char *directory, int directory_fd, const char *keep, uint32_t uid);

#endif
