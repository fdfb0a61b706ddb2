/* SPDX-License-Identifier: ISC */
/* probe_text.h - the words in which the probe tells what happened */
#ifndef SOCKSIFY_TESTS_PROBE_TEXT_H
#define SOCKSIFY_TESTS_PROBE_TEXT_H

#include <sys/socket.h>

enum { TEXT_SIZE = 80 };

/* The name of an errno value, a constant; "ok" for 0. */
const char *text_errno(int error);

/* Read "1.2.3.4:PORT" or "[IPV6]:PORT"; ends the process with code 2 when it is neither. */
void text_address(const char *text, struct sockaddr_storage *sa, socklen_t *len);

/* Write an address as text_address() reads it.  out: TEXT_SIZE bytes.  Returns out. */
const char *text_sockaddr(const void *sa, socklen_t len, char *out);

/* Print "WHAT: RESULT", or "WHAT: -1 ERRNO" by errno when the result is -1.  Returns the result. */
long say(const char *what, long result);

/* Print "WHAT: ok", or "WHAT: ERRNO".  error: 0 or a positive errno. */
void say_error(const char *what, int error);

/* Print the events of poll() or epoll in words. */
void say_events(const char *what, unsigned events);

/* Print "WHAT: ADDRESS" for the peer of a socket, or its errno. */
void say_peer(const char *what, int fd);

/* The connections of proxyd, once there are so many as expected; else how many there are after a while.
 * control: its path. */
void say_open(const char *what, const char *control, int expected);

#endif
