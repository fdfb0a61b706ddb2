/* SPDX-License-Identifier: ISC */
/* show.h - the configuration as it was understood */
#ifndef SOCKSIFY_HELPER_SHOW_H
#define SOCKSIFY_HELPER_SHOW_H

#include "../core/conf.h"

/* Write a configuration to standard output: where it was looked for, which variables counted, and what came of it, the
 * rules in the order in which they are tried; of user and password only whether there are any.
 * c: CONF_READY, or only without a proxy; given: the letters of option_of(). */
void show_conf(const struct conf *c, const char *given);

#endif
