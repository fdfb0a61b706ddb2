/* SPDX-License-Identifier: ISC */
/* tunnel.h - a handshake over a descriptor
 *
 * The tunnel knows nothing of SOCKS but a machine that wants to send, to receive, or is finished (core/socks5).  The
 * descriptor is the program's: nothing here closes it, changes its flags or options for longer than a system call, or
 * reads a byte beyond the reply.
 */
#ifndef SOCKSIFY_IO_TUNNEL_H
#define SOCKSIFY_IO_TUNNEL_H

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "../core/socks5.h"
#include "flight.h"

struct tunnel_limits {
    uint32_t step_ms;     /* for each step before the final reply, milliseconds */
    uint32_t reply_ms;    /* for the final reply, milliseconds */
};

/* Begin to connect fd to the proxy without sleeping for more than a tick of the kernel's clock, whatever the socket's
 * O_NONBLOCK and SO_SNDTIMEO say; both are afterwards as before.  An AF_INET6 socket that is bound to IPv6 alone is
 * opened for a v4-mapped proxy.
 * fd: a TCP socket; domain: its AF_INET or AF_INET6; proxy: an address, not a name; nonblocking: O_NONBLOCK is known to
 * be set, which spares three system calls.
 * Returns 0 when connected, -EINPROGRESS while it lasts, -EAFNOSUPPORT when a socket of this domain cannot reach this
 * proxy, else the kernel's own -errno.  Async-signal-safe. */
int tunnel_dial(int fd, int domain, const struct addr *proxy, bool nonblocking);

/* The same of a blocking socket whose SO_SNDTIMEO is known, which spares a system call. */
int tunnel_dial_within(int fd, int domain, const struct addr *proxy, const struct timeval *send_timeout);

/* Begin to connect fd with the machine's messages in the SYN, by TCP Fast Open, where they go in one flight and the
 * kernel holds the proxy's cookie; without one the SYN asks for it.  Parameters as tunnel_dial(); machine: fresh; what
 * went out is taken off it, and noted in flight.  Nothing is set on the socket: MSG_FASTOPEN does it all.
 * Returns as tunnel_dial(), but never 0, and -EOPNOTSUPP when there is nothing to send in this way, or the kernel will
 * not (net.ipv4.tcp_fastopen, a filter): then the socket is to be dialled.  Async-signal-safe. */
int tunnel_dial_opening(int fd, int domain, const struct addr *proxy, struct socks5 *machine, struct flight *flight);

/* Connect a socket anew whose connection to the proxy has come to nothing: it is reset, and dialled as tunnel_dial()
 * does, from the port it had if that is still free.  Options, numbers and registrations stay.  As tunnel_dial(). */
int tunnel_redial(int fd, int domain, const struct addr *proxy);

/* Send and receive what the machine wants, as far as that goes without sleeping.
 * Returns 0 when the machine is DONE; -EAGAIN when it wants to wait (for POLLIN or POLLOUT as tunnel_events() says);
 * -EBADF, -ENOTSOCK when the descriptor went away; otherwise the machine FAILED and its error is returned.
 * Async-signal-safe; no cancellation point. */
int tunnel_step(int fd, struct socks5 *machine);

/* How long the step that the machine is in may take, and which step that is: *step changes when a new limit begins.
 * The rest of an error reply gets a second, since some servers never send it.  Milliseconds. */
uint32_t tunnel_patience(const struct socks5 *machine, struct flight *flight, const struct tunnel_limits *limits,
                         uint8_t *step);

/* What it means that this time ran out: the error of a reply whose code was read, else -ETIMEDOUT. */
int tunnel_timeout(struct socks5 *machine);

/* The poll() events that the machine waits for. */
short tunnel_events(const struct socks5 *machine);

/* ppoll() of one descriptor that a handshake waits for.  POLLERR alone lasts while the error queue holds something that
 * the program has asked for (SO_TIMESTAMPING): what remains is to sleep a while, at most limit, and to look again.
 * p: revents is set when the result is 1; limit: not NULL; signals: the mask meanwhile, or NULL for the thread's own.
 * Returns what ppoll() does, with errno.  A cancellation point. */
int tunnel_poll(struct pollfd *p, const struct timespec *limit, const sigset_t *signals);

/* The program's SO_RCVLOWAT, set to 1 for the handshake, since above that it would hide the replies; to be given back
 * to tunnel_low_water_end().  Async-signal-safe; no cancellation point. */
int tunnel_low_water_begin(int fd);
void tunnel_low_water_end(int fd, int kept);

/* The whole of a blocking connect(): dial, handshake, settle.  A cancellation point; when the thread is cancelled the
 * socket is reset first.
 * cookie: the socket's SO_COOKIE, or 0 where the kernel has none: another thread may close the number meanwhile, and
 * get it again for something else, which is left alone then; machine, flight: prepared by flight_prepare(); the machine
 * tells on failure what the proxy said.
 * Returns 0: fd is the tunnel and a further connect() gives EISCONN.  -EINTR after a signal handler without SA_RESTART,
 * -EINPROGRESS when the socket's SO_SNDTIMEO ran out: the handshake stands where it is, to be taken over.  Otherwise
 * -errno: of the kernel when the proxy cannot be reached, of the machine, -ETIMEDOUT at a deadline; fd is then
 * unconnected, and may be connected again.  -EBADF: the number is another file's, or none. */
int tunnel_connect(int fd, uint64_t cookie, int domain, const struct addr *proxy, struct socks5 *machine,
                   struct flight *flight, const struct tunnel_limits *limits);

/* True if a call that a signal has interrupted should go on: every handler of this process has SA_RESTART. */
bool tunnel_restarts(void);

/* Make a socket that was connected without waiting answer the next connect() with EISCONN; the kernel's own first
 * answer is 0.  Async-signal-safe. */
void tunnel_settle(int fd, int domain, const struct addr *proxy);

/* Make a connected or connecting TCP socket an unconnected one without an error in store; options and an address the
 * program bound stay.  Async-signal-safe. */
void tunnel_reset(int fd);

#endif
