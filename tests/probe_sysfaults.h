/* SPDX-License-Identifier: ISC */
/* probe_sysfaults.h - calls of the object that fail (faulty.c): the library, and what is tried under it */
#ifndef SOCKSIFY_TESTS_PROBE_SYSFAULTS_H
#define SOCKSIFY_TESTS_PROBE_SYSFAULTS_H

#include <stdbool.h>

#include "probe_faults.h"

/* In place of an errno: less than was asked for. */
enum { SYSFAULTS_SHORT = -1 };

/* Of the library that makes the faults; the comments are there. */
struct sysfaults_library {
    void (*arm)(int row, int nth, int way);
    void (*pause)(int on);
    int (*count)(void);
    int (*calls)(int row);
    int (*ways)(int nth);
    const char *(*hit)(int *error);
    const char *(*row)(int row, int way, int *error);
    long (*kernel)(long number, long a, long b, long c, long d, long e, long f);
};

extern struct sysfaults_library faulty;

/* Fill faulty in; ends the process where the library is not loaded. */
void sysfaults_find(void);

/* The name of an error; "short". */
const char *sysfaults_error(int error);

/* May the call be made again? */
bool sysfaults_is_transient(int error);

/* A connection under a number beyond the first word of a set, waited for by select(); one that is refused: text gets
 * what must never be, with ! before it.  Return 0 or a positive errno. */
int sysfaults_high(const struct target *to);
int sysfaults_refusing(const struct target *to, enum faults_way way, char *text);

/* A question to a server of names, answered.  Returns 0 or a positive errno; EIO: the answer is a failure. */
int sysfaults_question(const struct target *server, enum faults_way way, int patience_ms);

/* Programs started without an environment: self, the probe, which must have the object in it all the same; one that
 * would go past the object and must not be started.  text: what must never be, with ! before it.
 * Return 0 or a positive errno. */
int sysfaults_carried(char *self, char *text);
int sysfaults_refused(char *program, char *text);

/* Commands: what sysfaults_carried() starts; faults before main(), and the program that has them. */
int sysfaults_is_carried(char **argv);
int sysfaults_start(char **argv);
int sysfaults_started(char **argv);

#endif
