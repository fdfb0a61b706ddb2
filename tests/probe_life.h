/* SPDX-License-Identifier: ISC */
/* probe_life.h - how numbers are made anew, and whether what is there behaves as new */
#ifndef SOCKSIFY_TESTS_PROBE_LIFE_H
#define SOCKSIFY_TESTS_PROBE_LIFE_H

#include <stdbool.h>
#include <sys/epoll.h>

#include "probe_net.h"

/* What stands open from the start, so that a number that ends is the lowest free one. */
struct life {
    struct target tunnel, direct, datagram, hanging;    /* the last one's proxy never answers */
    struct target local;                                /* of listener */
    int null, set, self, listener, pair[2], way[2];     /* self: a pidfd */
};

extern struct life life;

struct life_make {
    const char *name;                   /* NULL ends the table */
    int (*make)(int *far);              /* the new number; *far: the other end, left alone when there is none */
    void (*try)(int fd, int far);       /* prints what it is, on the line that has begun */
};

extern const struct life_make life_makes[];

/* Fill in life from TUNNEL DIRECT DATAGRAM HANGING. */
void life_open(char **argv);

/* close() that neither libc nor the object sees.  Returns 0 or a negative errno; -ENOSYS where it is not written. */
int life_raw_close(int fd);

/* A datagram to life.datagram and back.  named: by sendto(), else to the recorded peer.  Returns 0 or an errno. */
int life_exchange(int fd, bool named);

#endif
