/* SPDX-License-Identifier: ISC */
/* conf_fault.h - the one line about a fault in the configuration; for conf.c and its like only
 *
 * The first one stays in r->c->message.  What is not printable ASCII becomes a question mark.
 */
#ifndef SOCKSIFY_CORE_CONF_FAULT_H
#define SOCKSIFY_CORE_CONF_FAULT_H

#include "conf_keyword.h"

/* Write `VARIABLE: fault` or `FILE:LINE: KEY: fault`, with the item behind it if there is one: r->fault, r->item.
 * place: where the fault is; of a line that could not be read the name is empty. */
void conf_fault(struct conf_reader *r, const struct conf_place *place);

/* Write where a rule stands, for the log, in CONF_MESSAGE_SIZE bytes: `rule of VARIABLE`, `rule of OPTION or VARIABLE`
 * where the launcher has an option for it, or `rule at FILE:LINE`. */
void conf_tell_rule(const struct conf_reader *r, const struct conf_place *place, char *buf);

/* The room that the above may take for the rules of a file, or of one variable when both are NULL, an upper bound.
 * file: its name; text: what is in it. */
size_t conf_tell_size(const char *file, const char *text);

/* Write `FILE: fault`, or the fault alone.  file: NULL without a file. */
void conf_fault_whole(struct conf_reader *r, const char *file);

/* What is wrong with an item of a list of rules: a constant phrase, behind which the item may stand.
 * error: as rules_add() returns it, negative errno. */
const char *conf_item_fault(int error);

#endif
