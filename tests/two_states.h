/* SPDX-License-Identifier: ISC */
/* two_states.h - two views of one state, as two processes would have them, in a directory of the test's own */
#ifndef SOCKSIFY_TESTS_TWO_STATES_H
#define SOCKSIFY_TESTS_TWO_STATES_H

#include <stdbool.h>

#include "addr.h"
#include "state.h"

/* home: exists; directory: is inside it, and not made yet. */
extern struct state one, two;
extern char home[64], directory[80];

/* The fixture of a test case: looks up the real functions and makes home; removes it with all that is in it. */
void states_setup(void);
void states_teardown(void);

/* Check's assertions write to a file even when they hold, which loops cannot afford: fails the test with what and i
 * unless holds. */
void must(bool holds, const char *what, unsigned i);

/* state_open() as a new process would do it; what s had before is unmapped.  where: the directory, may be NULL. */
int open_state(struct state *s, const char *where);

/* Both views of the file in directory, which must succeed. */
void open_both(void);

/* A name for each number; valid until this thread's next call. */
const char *name_of(unsigned i);

/* The address of name i, which must be had.  family: AF_INET or AF_INET6. */
struct addr assign(struct state *s, unsigned i, int family);

/* Look an address up that was given for name i.  Returns 0 or the error; any other name, or an output that was touched
 * by an error, fails the test. */
int find(struct state *s, const struct addr *a, unsigned i);

/* An IPv4 address as a number; is it of the pool's upper or lower half? */
unsigned number_of(const struct addr *a);
bool is_private(const struct addr *a);
bool is_shared(const struct addr *a);

/* A numeric address. */
struct addr ip(const char *text);

/* True for root; otherwise says so on standard error. */
bool needs_root(void);

/* Run a function in a child, whose exit status must be 0. */
void in_child(void (*run)(void));

#endif
