/* SPDX-License-Identifier: ISC */
/* feed.h - give bytes to the machine in every way a network may cut them, and memory that ends at a forbidden page */
#ifndef SOCKSIFY_TESTS_FEED_H
#define SOCKSIFY_TESTS_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "socks5.h"

/* The four ways to begin; the credentials are "me" and "secret". */
enum feed_options { FEED_PLAIN, FEED_AUTH, FEED_FLIGHT, FEED_AUTH_FLIGHT };     /* flight: pipelined */

/* Prepare a machine in memory that held other things.  host: an address or a name, NUL-terminated; its port is 443. */
void feed_start(struct socks5 *s, enum feed_options options, enum socks5_command command, const char *host);

/* Memory whose last byte is followed by a page that may not be touched: reading or writing past it is SIGSEGV.
 * len: bytes, may be 0.  data: len bytes to copy there, or NULL for zeros.  The caller ends it with guard_free() and
 * the same len.  Aborts when the system has no memory. */
void *guard_new(const void *data, size_t len);

/* Give back what guard_new() gave. */
void guard_free(void *p, size_t len);

/* How the bytes of a proxy are cut: the first recv() sees at most `first` of them, then each at most `rest`. */
struct feed_cut {
    size_t first, rest;
};

enum { FEED_MESSAGES = 4, FEED_SENT_SIZE = 1024 };

struct feed_result {
    size_t used;                        /* bytes of the proxy that the machine took */
    size_t messages;                    /* times that it wanted to send after it had received, or at first */
    size_t message_len[FEED_MESSAGES];
    size_t used_before[FEED_MESSAGES];  /* bytes of the proxy that it had taken when it offered that message */
    size_t sent_len;                    /* all messages together */
    uint8_t sent[FEED_SENT_SIZE];
};

/* Turn the crank until the machine is DONE or FAILED, or it wants bytes and none are left; then, with eof, tell it so.
 * Every send() takes the whole message.  in: len bytes, may be followed by a forbidden page.
 * The running test fails when the machine breaks its promises about lengths. */
void feed_run(struct socks5 *s, const uint8_t *in, size_t len, struct feed_cut cut, bool eof, struct feed_result *r);

/* Called for each way; s is the machine as it stands after it; context is the caller's. */
typedef void feed_check(const struct socks5 *s, const struct feed_result *r, void *context);

/* Run copies of the machine over the bytes: all at once, one by one, and cut in two at every place.  Each copy, and
 * the bytes, lie against a forbidden page.  fresh is not changed. */
void feed_every_way(const struct socks5 *fresh, const uint8_t *in, size_t len, bool eof, feed_check *check,
                    void *context);

#endif
