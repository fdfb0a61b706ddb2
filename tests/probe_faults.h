/* SPDX-License-Identifier: ISC */
/* probe_faults.h - one case of the matrix of faults: a command of SOCKS, a way to wait, what must come of it */
#ifndef SOCKSIFY_TESTS_PROBE_FAULTS_H
#define SOCKSIFY_TESTS_PROBE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

#include "probe_net.h"

enum faults_kind { FAULTS_CONNECT, FAULTS_ASSOCIATE, FAULTS_LISTEN, FAULTS_ACCEPT };

enum faults_way { FAULTS_BLOCKING, FAULTS_POLL, FAULTS_EPOLL, FAULTS_SELECT, FAULTS_EDGE };

enum { FAULTS_NAME = 160, FAULTS_TEXT = 400 };

struct faults_case {
    enum faults_kind kind;
    enum faults_way way;
    struct target source;           /* by which the proxy knows what to do wrong; port 0 */
    size_t skip;                    /* bytes ee before the target's */
    long least_ms;                  /* it must not be over earlier */
    int error, after;               /* of the case, and of the same once more with a proxy that does well; positive */
    char name[FAULTS_NAME];
};

/* The targets: of streams, of datagrams, and the server that connects back. */
struct faults_world {
    struct target stream, datagram;
    const char *back;
};

/* Run one case in this process: what is wrong goes to text, FAULTS_TEXT bytes, which stays "" if nothing is. */
void faults_run(const struct faults_world *w, const struct faults_case *c, char *text);

#endif
