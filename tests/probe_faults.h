/* SPDX-License-Identifier: ISC */
/* probe_faults.h - one case of the matrix of faults: a command of SOCKS, a way to wait, what must come of it */
#ifndef SOCKSIFY_TESTS_PROBE_FAULTS_H
#define SOCKSIFY_TESTS_PROBE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "probe_net.h"

enum faults_kind { FAULTS_CONNECT, FAULTS_ASSOCIATE, FAULTS_LISTEN, FAULTS_ACCEPT, FAULTS_NAMES };

enum faults_way { FAULTS_BLOCKING, FAULTS_POLL, FAULTS_EPOLL, FAULTS_SELECT, FAULTS_EDGE };

enum { FAULTS_NAME = 160, FAULTS_TEXT = 400 };

struct faults_case {
    enum faults_kind kind;
    enum faults_way way;
    struct target source;           /* by which the proxy knows what to do wrong; port 0 */
    const struct target *astray;    /* instead, once: for this another proxy is configured, which cannot be dialled, as
                                     * for whoever comes; NULL: it is there */
    size_t skip;                    /* bytes ee before the target's */
    long least_ms;                  /* it must not be over earlier */
    int error, after;               /* of the case, and of the same once more with a proxy that does well; positive */
    char name[FAULTS_NAME];
    long slack_ms;                  /* how much later it may be over */
    int patience_ms;                /* for a datagram's answer; 0: as for everything else */
    void (*mark)(int on);           /* what follows is the object's own work, or not; may be NULL */
};

/* The targets: of streams, of datagrams, and the server that connects back. */
struct faults_world {
    struct target stream, datagram;
    const char *back;
};

/* What such a case does, once.  source: by which the proxy knows what to do wrong, or NULL for nothing.  text as below.
 * Returns 0 or a positive errno. */
int faults_try(const struct faults_world *w, const struct faults_case *c, const struct target *source, char *text);

/* Run one case in this process: what is wrong goes to text, FAULTS_TEXT bytes, which stays "" if nothing is.
 * Returns how long it took, in milliseconds. */
long faults_run(const struct faults_world *w, const struct faults_case *c, char *text);

#endif
