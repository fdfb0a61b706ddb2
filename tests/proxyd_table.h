/* SPDX-License-Identifier: ISC */
/* proxyd_table.h - all clients of the test proxy, in a table of fixed size */
#ifndef SOCKSIFY_TESTS_PROXYD_TABLE_H
#define SOCKSIFY_TESTS_PROXYD_TABLE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxyd_options.h"

enum { TABLE_CONNS = 2048, TABLE_POLL_MAX = TABLE_CONNS * 5 };

/* True when no more clients can be taken. */
bool table_is_full(void);

/* Take a client; not when the table is full. */
void table_add(struct options *o, int client);

/* Fill in what to wait for; set: room for TABLE_POLL_MAX.  Returns the entries used; *timeout_ms is lowered. */
size_t table_poll(struct pollfd *set, int64_t now, int *timeout_ms);

/* Let all go on; set: as table_poll() filled it. */
void table_step(const struct pollfd *set, int64_t now);

/* Clients now. */
size_t table_open(void);

/* Replies held now. */
size_t table_held(void);

/* Release the oldest n held replies; they go out at the next table_step().  Returns how many there were. */
size_t table_release(size_t n);

/* Close all. */
void table_end(void);

#endif
