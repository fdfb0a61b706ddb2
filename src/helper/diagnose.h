/* SPDX-License-Identifier: ISC */
/* diagnose.h - what a proxy can do, asked of it */
#ifndef SOCKSIFY_HELPER_DIAGNOSE_H
#define SOCKSIFY_HELPER_DIAGNOSE_H

#include "../core/conf.h"

/* Try each proxy and write a table to standard output: a line for each step with what came of it and how many
 * milliseconds it took.  Nobody but the proxy is asked: it is to connect to itself, by the name localhost and by ::1,
 * and a refusal of that is an answer as well; `?` stands where it ends the connection instead.
 * Whether it can be talked to in one flight is kept in the state (state_traits()), for seven days.
 * c: CONF_READY.  real_init() was called.  Each step is bounded by c->step_ms.  For a process of one thread.
 * Returns the exit status: 0 when all of them let this user in and answer CONNECT, else 1. */
int diagnose_proxies(const struct conf *c);

#endif
