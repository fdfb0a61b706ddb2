/* SPDX-License-Identifier: ISC */
/* flight.h - how the messages of a handshake go out: one a round trip, or all in one flight
 *
 * RFC 1928 has the client wait for each reply before its next message.  Most proxies take them all at once, which saves
 * a round trip, two with credentials; some drop what comes together with the first.  A handshake of FLIGHT_TRIAL or
 * FLIGHT_TRUSTED that gets no answer is made anew on the same socket, in order (FLIGHT_AGAIN): the program has sent
 * nothing of its own by then, and sees nothing of it.
 *
 * A flight belongs to one handshake, and lives and is copied with its machine.  It is for one thread at a time.  All
 * functions are async-signal-safe and keep errno.
 */
#ifndef SOCKSIFY_IO_FLIGHT_H
#define SOCKSIFY_IO_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "../core/conf.h"
#include "../core/socks5.h"
#include "traits.h"

enum flight_mode {
    FLIGHT_ORDER,         /* in order */
    FLIGHT_ON,            /* in one flight, come what may */
    FLIGHT_TRIAL,         /* in one flight, to find out */
    FLIGHT_TRUSTED,       /* in one flight, as it is known that this works */
    FLIGHT_AGAIN          /* in order, after one flight got no answer */
};

struct flight {           /* all zero: FLIGHT_ORDER, of which nothing is learnt */
    struct traits *traits;
    uint64_t key;
    int64_t opened;       /* clock_ms() when messages went out with the SYN; 0: none did */
    int64_t greeted;      /* clock_ms() when the connection stood, or opened; 0: it does not yet */
    uint32_t trip_ms;     /* from there to the method reply, at least 1; 0: not known */
    uint32_t waited_ms;   /* FLIGHT_AGAIN: for how long the first try was silent; UINT32_MAX: it was not */
    uint8_t mode;         /* enum flight_mode */
    uint8_t rep;          /* FLIGHT_AGAIN: the error that the first try was answered with, or 0 */
};

/* What a handshake begins with. */
struct flight_plan {
    const struct conf_proxy *account;     /* user and password */
    const struct addr *proxy;             /* the address that is dialled, IPv4 or IPv6 */
    enum conf_pipeline pipeline;
    struct traits *traits;                /* NULL: what is learnt cannot be kept, which makes auto off */
};

/* Choose how the messages go, and prepare the machine for it.  target: as socks5_init(). */
void flight_prepare(struct flight *f, struct socks5 *machine, const struct flight_plan *plan,
                    enum socks5_command command, const struct addr *target);

/* True if the messages may go out with the SYN that opens the connection (TCP Fast Open).  A SYN, and its data with it,
 * may come twice (RFC 7413): then the proxy connects twice, and one of the two ends unused.  Only who has asked for one
 * flight gets that. */
bool flight_opens(const struct flight *f);

/* Some of them have: the round trip of the method reply began then. */
void flight_opened(struct flight *f);

/* The connection to the proxy stands: the messages go out now. */
void flight_greet(struct flight *f);

/* How long to wait for the next reply, where in order it would be ms milliseconds. */
uint32_t flight_patience(struct flight *f, const struct socks5 *machine, uint32_t ms);

/* A handshake ended with this error.  True if it is to be made anew: the machine is ready for that, the socket has yet
 * to be connected once more (tunnel_redial()). */
bool flight_again(struct flight *f, struct socks5 *machine, int error);

/* A handshake is over, well or not, and will not be made anew: keep what it tells about the proxy. */
void flight_learn(const struct flight *f, const struct socks5 *machine);

/* Hours since 1970, for traits.h. */
uint32_t flight_hour(void);

#endif
