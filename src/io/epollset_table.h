/* SPDX-License-Identifier: ISC */
/* epollset_table.h - the table of registrations; inside io/epollset only, with its owner's lock held */
#ifndef SOCKSIFY_IO_EPOLLSET_TABLE_H
#define SOCKSIFY_IO_EPOLLSET_TABLE_H

#include "epollset.h"

/* The head of the list in which the registrations of a socket are. */
uint16_t *epollset_bucket(struct epollset *e, uint64_t cookie);

/* The token of an entry. */
uint64_t epollset_token(const struct epollset *e, const struct epollset_entry *r);

/* True if there is no such process.  Of one in another PID namespace it is not known, and true. */
bool epollset_is_gone(pid_t pid);

/* Note whether an entry is left. */
void epollset_mark_left(struct epollset *e, struct epollset_entry *r, bool left);

/* True if there is no room; looks for what processes have left that are gone. */
bool epollset_full(struct epollset *e, pid_t pid);

/* The maker of an entry whose maker is gone, or has become another program. */
enum { NOBODY = 0 };

/* A new entry with a new token; there must be room. */
struct epollset_entry *epollset_insert(struct epollset *e, pid_t pid, uint64_t cookie, int epfd, int fd);

/* Have the kernel wait for what a handshake wants, with the entry's token, or, with want 0, for what the program has
 * registered.  owner: the handshake's name.  Returns 0 or -errno. */
int epollset_arm_one(struct epollset *e, struct epollset_entry *r, uint32_t want, uint32_t owner);

/* Free an entry; its token becomes void. */
void epollset_drop(struct epollset *e, struct epollset_entry *r);

#endif
