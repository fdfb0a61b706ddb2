/* SPDX-License-Identifier: ISC */
/* number.h - the facts of a number end with what it stands for */
#ifndef SOCKSIFY_HOOK_NUMBER_H
#define SOCKSIFY_HOOK_NUMBER_H

/* What fd stands for is about to end, or has ended: forget what is known of it, and let go what that held (a pending
 * handshake, an association, epoll registrations).  fd: any number.  Nothing happens in a process that has the memory
 * of another: its descriptors are not those the facts are about.  Keeps errno.  Async-signal-safe. */
void number_forget(int fd);

/* fd was made by a call that tells nothing of its kind: what is still known of the number is of one that was closed
 * where no hook saw it.  fd: -1 when the call failed.  Returns fd.  One load while the process has no facts. */
int number_made(int fd);

#endif
