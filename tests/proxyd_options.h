/* SPDX-License-Identifier: ISC */
/* proxyd_options.h - the command line of the test proxy */
#ifndef SOCKSIFY_TESTS_PROXYD_OPTIONS_H
#define SOCKSIFY_TESTS_PROXYD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"
#include "proxyd_script.h"

enum { OPTIONS_HOSTS = 256, OPTIONS_RULES = 256, OPTIONS_CLIENTS = 8192 };

struct host {
    struct addr name, address;
};

struct options {
    struct addr listen;
    const char *user, *password;    /* NULL: no method 02 */
    bool require_auth;
    int auth_failed;                /* status octet for wrong credentials */
    bool resolve, no_accept, fastopen, ids;
    const char *log, *control;      /* paths or NULL */
    int lifetime;                   /* seconds, 0: for ever */
    struct host host[OPTIONS_HOSTS];
    size_t hosts;
    struct script_rule rule[OPTIONS_RULES];
    size_t rules;
    struct script_rule client[OPTIONS_CLIENTS];     /* the host is the client's, not the target's */
    size_t clients;
    struct script script;           /* for all targets; the control socket may change it */
};

/* Read the command line; strings point into argv.  Prints what is wrong, or the help, by itself.
 * Returns -1 to go on, else the exit code. */
int options_read(struct options *o, int argc, char **argv);

#endif
