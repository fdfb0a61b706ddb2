/* SPDX-License-Identifier: ISC */
/* proxyd_script.h - what the test proxy does wrong, and when */
#ifndef SOCKSIFY_TESTS_PROXYD_SCRIPT_H
#define SOCKSIFY_TESTS_PROXYD_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/addr.h"

/* The messages a SOCKS5 server sends; STAGE_REPLY2 is the second reply to BIND. */
enum stage { STAGE_METHOD, STAGE_AUTH, STAGE_REPLY, STAGE_REPLY2, STAGES };

/* How a command that is not offered is answered. */
enum { SCRIPT_FLOOD_MAX = 4096 };

enum lack { LACK_NOTHING, LACK_REP7, LACK_TWO_BYTES, LACK_EOF, LACK_SILENCE };

enum bound_kind { BOUND_REAL, BOUND_GIVEN, BOUND_ANY, BOUND_OTHER_FAMILY };

struct bound {
    enum bound_kind kind;
    bool real_port;             /* the true port with the address below */
    struct addr addr;
};

struct script {
    int delay_ms[STAGES];
    int hold_at[STAGES];        /* bytes of the reply that go before it is held, -1: not held */
    int cut_at[STAGES];         /* bytes that go before the close, -1: all */
    int drip_ms[STAGES];        /* milliseconds before each byte, 0: off */
    unsigned hang, close, reset, garbage, extra;    /* a bit for each stage */
    int flood[STAGES];          /* bytes behind the reply, 0: none */
    int alter[STAGES];          /* 256 times the place of an octet and the octet, -1: none */
    int refuse, refuse2;        /* REP, -1: none */
    int short_reply;            /* bytes of an error reply, 0: all */
    int dribble_ms;             /* milliseconds between single bytes, 0: off */
    int split_at;               /* bytes of the first piece, 0: off */
    bool glue, no_method, swallow;
    struct bound bnd, bnd2, udp_bnd;
    enum lack no_udp, no_bind;
    bool udp_names, udp_frag, udp_rsv, udp_garbage, udp_stranger, udp_silent, udp_no_answer, udp_first_only;
    struct bound udp_source;    /* of a datagram before each answer, BOUND_REAL: none */
    int udp_close_after;        /* datagrams, 0: never */
};

/* An action for one target. */
struct script_rule {
    bool any_host, any_port;
    struct addr host;
    const char *action;         /* "name" or "name=value", the caller's */
};

/* A server without fault. */
void script_init(struct script *s);

/* Apply one action, "name" or "name=value".  Returns 0 or -EINVAL (s is then unchanged). */
int script_set(struct script *s, const char *action);

/* True if the action of this name (len bytes) exists; *value tells whether it must have a value. */
bool script_knows(const char *name, size_t len, bool *value);

/* Read "HOST[:PORT]"; HOST `*` means every host, PORT `*` or none every port.  The rule's action is left alone.
 * Returns 0 or -EINVAL (rule untouched). */
int script_rule_read(const char *text, struct script_rule *rule);

/* Apply the actions of all rules that fit the target, in their order. */
void script_apply(struct script *s, const struct script_rule *rule, size_t count, const struct addr *target);

/* What to say in place of the true address, real; ADDR_IPV4 or ADDR_IPV6. */
void script_bound(const struct bound *b, const struct addr *real, struct addr *out);

/* The word for a stage, a constant. */
const char *script_stage_text(enum stage stage);

/* Print the actions for --help. */
void script_help(void);

#endif
