/* SPDX-License-Identifier: ISC */
/* tunnel.c - a handshake over a descriptor */
#include "tunnel.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "real.h"
#include "report.h"
#include "signals.h"

enum { REST_MS = 1000, NAP_MS = 20 };

/* One blocking connect() under way. */
struct attempt {
    int fd;
    struct socks5 *machine;
    struct flight *flight;
    const struct tunnel_limits *limits;
    uint64_t cookie;      /* of the socket; 0 where the kernel has none */
    bool interrupted;     /* a handler ran meanwhile */
    short seen;           /* the events that the last wait ended with */
    int low_water;        /* the program's SO_RCVLOWAT; 0: not asked for, since nothing was waited for */
    struct timeval limit; /* the program's SO_SNDTIMEO */
    int64_t give_up;      /* when SO_SNDTIMEO runs out; INT64_MAX without one */
    /* The thread's; all are blocked but while it sleeps: none is lost between two steps. */
    const sigset_t *signals;
};

static int option_get(int fd, int level, int option, void *value, socklen_t len)
{
    return real.getsockopt(fd, level, option, value, &len) == 0 ? 0 : -errno;
}

static int step_send(int fd, struct socks5 *machine)
{
    size_t len;
    const uint8_t *p = socks5_out(machine, &len);
    ssize_t n = real_send(fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n >= 0) {
        if (log_wants(CONF_LOG_DEBUG))
            report_sent(fd, socks5_stage(machine), (size_t)n);
        socks5_sent(machine, (size_t)n);
    } else if (n == -EPIPE || n == -ECONNRESET) {
        socks5_eof(machine);
    } else if (n == -EINPROGRESS || n == -EALREADY) {
        return -EAGAIN;    /* TCP_FASTOPEN_CONNECT: only this send has begun to connect */
    } else if (n != -EINTR) {
        return (int)n;
    }
    return 0;
}

static int step_receive(int fd, struct socks5 *machine)
{
    size_t len;
    uint8_t *p = socks5_in(machine, &len);
    ssize_t n = real_recv(fd, p, len, MSG_DONTWAIT);

    if (n > 0) {
        if (log_wants(CONF_LOG_DEBUG))
            report_received(fd, socks5_stage(machine), (size_t)n);
        socks5_received(machine, (size_t)n);
    } else if (n == 0 || n == -ECONNRESET) {
        socks5_eof(machine);
    } else if (n != -EINTR) {
        return (int)n;
    }
    return 0;
}

int tunnel_step(int fd, struct socks5 *machine)
{
    for (;;) {
        int error;

        switch (socks5_want(machine)) {
        case SOCKS5_SEND:
            error = step_send(fd, machine);
            break;
        case SOCKS5_RECV:
            error = step_receive(fd, machine);
            break;
        default:
            return socks5_error(machine);
        }
        if (error)
            return error;
    }
}

uint32_t tunnel_patience(const struct socks5 *machine, struct flight *flight, const struct tunnel_limits *limits,
                         uint8_t *step)
{
    enum socks5_stage stage = socks5_stage(machine);

    *step = (uint8_t)(socks5_rep(machine) ? SOCKS5_STAGE_END : stage);
    if (socks5_rep(machine))
        return REST_MS < limits->reply_ms ? REST_MS : limits->reply_ms;
    return flight_patience(flight, machine, stage == SOCKS5_STAGE_REPLY ? limits->reply_ms : limits->step_ms);
}

int tunnel_timeout(struct socks5 *machine)
{
    if (socks5_rep(machine))
        socks5_eof(machine);
    return socks5_error(machine) ? socks5_error(machine) : -ETIMEDOUT;
}

short tunnel_events(const struct socks5 *machine)
{
    return socks5_want(machine) == SOCKS5_SEND ? POLLOUT : POLLIN;
}

int tunnel_poll(struct pollfd *p, const struct timespec *limit, const sigset_t *signals)
{
    struct timespec nap = { 0, NAP_MS * 1000000L };
    int n = real.ppoll(p, 1, limit, signals);

    if (n <= 0 || p->revents != POLLERR)
        return n;
    if (limit->tv_sec == 0 && limit->tv_nsec < nap.tv_nsec)
        nap = *limit;
    return real.ppoll(NULL, 0, &nap, signals) < 0 ? -1 : n;
}

/* The kernel restarts connect() after a handler installed with SA_RESTART.  poll() it never restarts, so that which
 * handler ran must be guessed: with any that has no SA_RESTART the call ends. */
bool tunnel_restarts(void)
{
    struct sigaction sa;

    for (int number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &sa) != 0 || sa.sa_handler == SIG_DFL || sa.sa_handler == SIG_IGN)
            continue;
        if (!(sa.sa_flags & SA_RESTART))
            return false;
    }
    return true;
}

/* Is the number still the socket's?  Only another thread or a handler can have made it another file's. */
static bool is_ours(const struct attempt *a)
{
    if (!a->cookie || (real_is_alone() && !a->interrupted))
        return true;
    return !real_is_other(a->fd, a->cookie);
}

/* Wait for events, at most until the deadline.  Returns 0, -ETIMEDOUT, -EINPROGRESS, -EINTR, or -EBADF when the number
 * is another file's. */
static int await(struct attempt *a, short events, int64_t deadline)
{
    int64_t end = deadline < a->give_up ? deadline : a->give_up;
    struct pollfd p = { .fd = a->fd, .events = events };

    if (events & POLLIN && !a->low_water && is_ours(a))
        a->low_water = tunnel_low_water_begin(a->fd);
    for (;;) {
        int64_t left = end - clock_ms();
        struct timespec t = { left / 1000, left % 1000 * 1000000 };
        int n;

        if (left <= 0)
            return a->give_up < deadline ? -EINPROGRESS : -ETIMEDOUT;
        n = tunnel_poll(&p, &t, a->signals);
        a->interrupted |= n < 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        /* With a limit the kernel does not go on. */
        if (n < 0 && (a->give_up != INT64_MAX || !tunnel_restarts()))
            return -EINTR;
        if (!is_ours(a))
            return -EBADF;
        a->seen = p.revents;
        if (n > 0)
            return 0;
    }
}

static int finish_dial(struct attempt *a, int64_t deadline)
{
    int pending = 0, error;

    do {
        error = await(a, POLLOUT, deadline);
        if (!error && a->seen != POLLOUT)
            error = option_get(a->fd, SOL_SOCKET, SO_ERROR, &pending, sizeof pending);
    } while (!error && !pending && a->seen == POLLERR);
    return error ? error : -pending;
}

static int handshake(struct attempt *a)
{
    int64_t deadline = 0;
    uint8_t now, step = UINT8_MAX;
    int error;

    while ((error = tunnel_step(a->fd, a->machine)) == -EAGAIN) {
        uint32_t patience = tunnel_patience(a->machine, a->flight, a->limits, &now);

        if (now != step)
            deadline = clock_ms() + patience;
        step = now;
        error = await(a, tunnel_events(a->machine), deadline);
        if (error)
            return error == -ETIMEDOUT ? tunnel_timeout(a->machine) : error;
    }
    return error;
}

int tunnel_low_water_begin(int fd)
{
    int kept = 1, one = 1;

    if (option_get(fd, SOL_SOCKET, SO_RCVLOWAT, &kept, sizeof kept) == 0 && kept > 1)
        real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
    return kept;
}

void tunnel_low_water_end(int fd, int kept)
{
    if (kept > 1)
        real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &kept, sizeof kept);
}

static void reset_cancelled(void *argument)
{
    const struct attempt *a = argument;

    if (is_ours(a)) {
        tunnel_low_water_end(a->fd, a->low_water);
        tunnel_reset(a->fd);
    }
    signals_restore(a->signals);
}

static int64_t send_timeout_end(const struct timeval *t)
{
    if ((t->tv_sec == 0 && t->tv_usec == 0) || t->tv_sec > INT32_MAX)    /* which has no end */
        return INT64_MAX;
    return clock_ms() + (int64_t)t->tv_sec * 1000 + (t->tv_usec + 999) / 1000;
}

/* From the dialled socket to the last reply.  slow: the kernel has yet to connect it. */
static int converse(struct attempt *a, bool slow, int64_t deadline)
{
    int error = slow ? finish_dial(a, deadline) : 0;

    if (error)
        return error;
    flight_greet(a->flight);
    return handshake(a);
}

static int converse_again(struct attempt *a, int domain, const struct addr *proxy, bool *slow)
{
    int64_t deadline = clock_ms() + a->limits->step_ms;
    int error = tunnel_redial(a->fd, domain, proxy);

    *slow = error == -EINPROGRESS;
    return error && !*slow ? error : converse(a, *slow, deadline);
}

/* From the dial to the last reply.  *slow: the kernel took its time to connect. */
static int attempt(struct attempt *a, int domain, const struct addr *proxy, bool *slow)
{
    int error = tunnel_dial_opening(a->fd, domain, proxy, a->machine, a->flight);
    struct cleanup cleanup;
    int64_t deadline;

    if (error == -EOPNOTSUPP)
        error = tunnel_dial_within(a->fd, domain, proxy, &a->limit);
    *slow = error == -EINPROGRESS;
    if (error && !*slow)
        return error;
    /* The dial has slept for a tick at most, which is not worth another look at the clock. */
    deadline = *slow ? clock_ms() + a->limits->step_ms : 0;
    cleanup_begin(&cleanup, reset_cancelled, a);
    error = converse(a, *slow, deadline);
    if (is_ours(a) && flight_again(a->flight, a->machine, error))
        error = converse_again(a, domain, proxy, slow);
    flight_learn(a->flight, a->machine);
    cleanup_end(&cleanup);
    if (!is_ours(a))
        return error == -EINTR ? -EINTR : -EBADF;
    tunnel_low_water_end(a->fd, a->low_water);
    if (error && error != -EINTR && error != -EINPROGRESS)
        tunnel_reset(a->fd);
    return error;
}

int tunnel_connect(int fd, uint64_t cookie, int domain, const struct addr *proxy, struct socks5 *machine,
                   struct flight *flight, const struct tunnel_limits *limits)
{
    sigset_t kept;
    struct attempt a = { .fd = fd, .machine = machine, .flight = flight, .limits = limits, .cookie = cookie,
                         .give_up = INT64_MAX, .signals = &kept };
    int only_ipv6 = 0, error = option_get(fd, SOL_SOCKET, SO_SNDTIMEO, &a.limit, sizeof a.limit);
    bool slow;

    if (error)
        return error;
    a.give_up = send_timeout_end(&a.limit);
    if (domain == AF_INET6)
        option_get(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
    signals_block(&kept);
    error = attempt(&a, domain, proxy, &slow);
    if (!error && slow)
        tunnel_settle(fd, domain, proxy);
    else if (error && error != -EINTR && error != -EINPROGRESS && error != -EBADF && only_ipv6)
        real.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof only_ipv6);
    signals_restore(&kept);
    return error;
}
