/* SPDX-License-Identifier: ISC */
/* proxyd_output.h - one reply on its way out, as badly as the script wants it */
#ifndef SOCKSIFY_TESTS_PROXYD_OUTPUT_H
#define SOCKSIFY_TESTS_PROXYD_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxyd_script.h"

enum { OUTPUT_GLUED_MAX = 1024, OUTPUT_SIZE = 3 + ADDR_WIRE_MAX + 64 + SCRIPT_FLOOD_MAX + OUTPUT_GLUED_MAX };

/* What becomes of the connection; the last four are how an output ends. */
enum output_result { OUTPUT_WAIT, OUTPUT_SENT, OUTPUT_CLOSE, OUTPUT_RESET, OUTPUT_SILENCE };

struct output {
    enum stage stage;
    enum output_result ending;
    size_t used, sent;
    size_t hold_at;             /* stop here until released, SIZE_MAX: nowhere */
    bool held, blocked;         /* blocked: the socket takes no more now */
    uint64_t order;             /* of being held, over all connections */
    int64_t wake;               /* not before, monotonic milliseconds */
    int gap_ms;
    size_t split_at;
    uint8_t data[OUTPUT_SIZE];
};

/* Put a message in; nothing is sent yet.
 * message: len bytes; glued: glued_len bytes (at most OUTPUT_GLUED_MAX) that must go out in the same send(), may be
 * NULL with 0; now: monotonic milliseconds. */
void output_begin(struct output *o, const struct script *s, enum stage stage, const uint8_t *message, size_t len,
                  const uint8_t *glued, size_t glued_len, int64_t now);

/* Send what may go now.  OUTPUT_WAIT: not done (held, blocked, or until wake).  A broken connection: OUTPUT_CLOSE. */
enum output_result output_step(struct output *o, int fd, int64_t now);

/* Let a held output go on. */
void output_release(struct output *o);

#endif
