/* SPDX-License-Identifier: ISC */
/* loop_cell.c - one cell of the matrix: a connect(), waited for in one way, and the calls after it in one order */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <time.h>
#include <unistd.h>

#include "loop_matrix.h"
#include "probe_net.h"
#include "probe_text.h"

enum { QUIET_MS = 30, PATIENCE_MS = 20000 };

static const uint64_t data_of_socket = 0x0123456789abcdef, data_of_pipe = 7, data_of_beside = 8;

const struct mode matrix_modes[MATRIX_MODES] = {
    { "LT before", WAY_EPOLL, EPOLLRDHUP | EPOLLPRI, true },
    { "ET before", WAY_EPOLL, EPOLLET | EPOLLRDHUP, true },
    { "ONESHOT before", WAY_EPOLL, EPOLLONESHOT, true },
    { "EXCLUSIVE before", WAY_EPOLL, EPOLLEXCLUSIVE, true },
    { "LT after", WAY_EPOLL, EPOLLRDHUP | EPOLLPRI, false },
    { "ET after", WAY_EPOLL, EPOLLET | EPOLLRDHUP, false },
    { "ONESHOT after", WAY_EPOLL, EPOLLONESHOT, false },
    { "EXCLUSIVE after", WAY_EPOLL, EPOLLEXCLUSIVE, false },
    { "poll", WAY_POLL, POLLRDHUP, false },
    { "ppoll", WAY_PPOLL, POLLRDHUP, false },
    { "select", WAY_SELECT, 0, false },
    { "pselect", WAY_PSELECT, 0, false },
};

struct run {
    struct matrix *m;
    struct cell *cell;
    const struct mode *mode;
    int order;                      /* 0 to 3: which call comes first after the event */
    const struct sockaddr *sa;
    socklen_t len;
    int fd, set, pipe[2];
};

static void tell(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct run *r, const char *format, ...)
{
    unsigned used = atomic_load(&r->cell->used);
    va_list list;
    int n;

    va_start(list, format);
    n = vsnprintf(r->cell->text + used, MATRIX_TEXT - used, format, list);
    va_end(list);
    if (n > 0 && used + (unsigned)n < MATRIX_TEXT)
        atomic_store(&r->cell->used, used + (unsigned)n);
}

static void tell_result(struct run *r, const char *what, long result)
{
    if (result == -1)
        tell(r, "  %s: %s\n", what, text_errno(errno));
    else
        tell(r, "  %s: %ld\n", what, result);
}

static uint32_t events_of(const struct run *r)
{
    return EPOLLIN | EPOLLOUT | r->mode->events;
}

static int control(struct run *r, int op, int fd, uint32_t events, uint64_t data)
{
    struct epoll_event e = { .events = events, .data.u64 = data };

    return epoll_ctl(r->set, op, fd, &e);
}

/* What was seen of the socket and of the pipe: their events, 0 for none. */
struct seen {
    uint32_t socket, pipe;
};

static void wait_epoll(struct run *r, int ms, struct seen *seen)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    struct epoll_event e[4];
    int n = r->order == 1 ? epoll_pwait(r->set, e, 4, ms, NULL)
            : r->order == 2 ? epoll_pwait2(r->set, e, 4, &t, NULL) : epoll_wait(r->set, e, 4, ms);

    if (n < 0)
        tell_result(r, "wait", n);
    for (int i = 0; i < n; i++) {
        if (e[i].data.u64 == data_of_socket)
            seen->socket |= e[i].events;
        else if (e[i].data.u64 == data_of_pipe)
            seen->pipe |= e[i].events;
        else
            tell(r, "  strange data %llx\n", (unsigned long long)e[i].data.u64);
    }
}

static void wait_poll(struct run *r, int ms, struct seen *seen)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    struct pollfd p[3] = { { .fd = r->fd, .events = (short)events_of(r) }, { .fd = r->pipe[0], .events = POLLIN },
                           { .fd = r->m->beside, .events = POLLIN | POLLOUT } };
    int n = r->mode->way == WAY_POLL ? poll(p, 3, ms) : ppoll(p, 3, &t, NULL);

    if (n < 0)
        tell_result(r, "wait", n);
    if (p[2].revents)
        tell(r, "  beside: %x\n", (unsigned)p[2].revents);
    if (n != (p[0].revents != 0) + (p[1].revents != 0))
        tell(r, "  wrong count %d\n", n);
    seen->socket = (uint32_t)p[0].revents;
    seen->pipe = (uint32_t)p[1].revents;
}

static void wait_select(struct run *r, int ms, struct seen *seen)
{
    struct timeval v = { ms / 1000, ms % 1000 * 1000 };
    struct timespec t = { ms / 1000, ms % 1000 * 1000000L };
    fd_set in, out, except;
    int n, beside = r->m->beside;

    FD_ZERO(&in);
    FD_SET(r->fd, &in);
    FD_SET(r->pipe[0], &in);
    FD_ZERO(&out);
    FD_SET(r->fd, &out);
    except = out;
    if (beside >= 0) {
        FD_SET(beside, &in);
        FD_SET(beside, &out);
    }
    n = r->mode->way == WAY_SELECT ? select(FD_SETSIZE, &in, &out, &except, &v)
                                   : pselect(FD_SETSIZE, &in, &out, &except, &t, NULL);
    if (n < 0)
        tell_result(r, "wait", n);
    seen->pipe = FD_ISSET(r->pipe[0], &in) ? EPOLLIN : 0;
    seen->socket = (FD_ISSET(r->fd, &in) ? EPOLLIN : 0) | (FD_ISSET(r->fd, &out) ? EPOLLOUT : 0) |
                   (FD_ISSET(r->fd, &except) ? EPOLLPRI : 0);
    if (n >= 0 && n != FD_ISSET(r->fd, &in) + FD_ISSET(r->fd, &out) + FD_ISSET(r->fd, &except) + (seen->pipe != 0))
        tell(r, "  wrong count %d\n", n);
    if (beside >= 0 && (FD_ISSET(beside, &in) || FD_ISSET(beside, &out)))
        tell(r, "  beside: %d %d\n", FD_ISSET(beside, &in) != 0, FD_ISSET(beside, &out) != 0);
}

static struct seen wait_once(struct run *r, int ms)
{
    struct seen seen = { 0, 0 };

    switch (r->mode->way) {
    case WAY_EPOLL:
        wait_epoll(r, ms, &seen);
        break;
    case WAY_POLL:
    case WAY_PPOLL:
        wait_poll(r, ms, &seen);
        break;
    default:
        wait_select(r, ms, &seen);
        break;
    }
    return seen;
}

static void open_all(struct run *r)
{
    r->fd = socket(r->sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    r->set = epoll_create1(0);
    if (r->fd < 0 || r->set < 0 || pipe(r->pipe) != 0)
        net_die("socket");
    control(r, EPOLL_CTL_ADD, r->pipe[0], EPOLLIN, data_of_pipe);
    if (r->m->beside >= 0 && control(r, EPOLL_CTL_ADD, r->m->beside, EPOLLIN | EPOLLOUT, data_of_beside) != 0)
        net_die("epoll_ctl");
}

static void begin(struct run *r)
{
    bool oneshot = r->mode->events & EPOLLONESHOT;

    if (r->mode->way == WAY_EPOLL && r->mode->before)
        tell_result(r, "ADD", control(r, EPOLL_CTL_ADD, r->fd, events_of(r), data_of_socket));
    if (r->m->early_wait)
        tell(r, "  unconnected: %x\n", wait_once(r, 0).socket);
    tell_result(r, "connect", connect(r->fd, r->sa, r->len));
    if (r->mode->way == WAY_EPOLL && !r->mode->before)
        tell_result(r, "ADD", control(r, EPOLL_CTL_ADD, r->fd, events_of(r), data_of_socket));
    if (r->m->early_wait && r->mode->before && oneshot)
        tell(r, "  used up: %x\n", wait_once(r, QUIET_MS).socket);
    if (r->m->early_wait && oneshot)
        tell_result(r, "MOD", control(r, EPOLL_CTL_MOD, r->fd, events_of(r), data_of_socket));
}

static void try_held(struct run *r)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    struct seen seen = wait_once(r, QUIET_MS);
    char buf[8];
    int bytes = -1;

    tell(r, "  held: %x %x\n", seen.socket, seen.pipe);
    if (write(r->pipe[1], "x", 1) == 1)
        seen = wait_once(r, PATIENCE_MS);
    tell(r, "  another event: %x %x\n", seen.socket, seen.pipe);
    tell_result(r, "pipe", read(r->pipe[0], buf, sizeof buf));
    tell_result(r, "getpeername", getpeername(r->fd, (struct sockaddr *)&sa, &len));
    len = r->len;
    tell_result(r, "SO_PEERNAME", getsockopt(r->fd, SOL_SOCKET, SO_PEERNAME, &sa, &len));
    tell(r, "  for: %s\n", len == r->len && memcmp(&sa, r->sa, len) == 0 ? "the target" : "another");
    tell_result(r, "read", read(r->fd, buf, sizeof buf));
    tell_result(r, "recv", recv(r->fd, buf, sizeof buf, MSG_PEEK));
    tell_result(r, "write", write(r->fd, "foreign", 7));
    tell_result(r, "FIONREAD", ioctl(r->fd, FIONREAD, &bytes));
    tell(r, "  bytes: %d\n", bytes);
    tell(r, "  SO_ERROR: %s\n", text_errno(net_error(r->fd)));
    tell_result(r, "connect", connect(r->fd, r->sa, r->len));
}

/* The event that ends the connect(). */
static void take_event(struct run *r)
{
    struct seen seen;

    atomic_fetch_add(&r->m->held, 1);
    seen = wait_once(r, PATIENCE_MS);
    tell(r, "  %s: %x %x\n", atomic_load(&r->m->released) ? "event" : "EARLY",
         r->m->speaks ? seen.socket & EPOLLOUT : seen.socket, seen.pipe);
    if (!r->m->speaks)
        tell(r, "  event again: %x\n", wait_once(r, 0).socket);
}

static void settle(struct run *r)
{
    struct pollfd p = { .fd = r->fd, .events = POLLIN };

    poll(&p, 1, PATIENCE_MS);
}

static void call(struct run *r, int number)
{
    char buf[4];
    long sent;

    switch (number % MATRIX_ORDERS) {
    case 0:
        tell(r, "  SO_ERROR: %s\n", text_errno(net_error(r->fd)));
        break;
    case 1:
        tell_result(r, "connect", connect(r->fd, r->sa, r->len));
        break;
    case 2:
        tell_result(r, "read", read(r->fd, buf, sizeof buf));
        break;
    default:
        sent = send(r->fd, "ping", 4, MSG_NOSIGNAL);
        tell_result(r, "write", sent);
        if (sent > 0)
            settle(r);
        break;
    }
}

static void try_connected(struct run *r)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;
    char buf[8];

    if (getpeername(r->fd, (struct sockaddr *)&sa, &len) != 0)
        return;
    tell(r, "  peer: %s\n", len == r->len && memcmp(&sa, r->sa, len) == 0 ? "the target" : "another");
    tell_result(r, "connect", connect(r->fd, r->sa, r->len));
    tell_result(r, "write", write(r->fd, "pong", 4));
    settle(r);
    tell(r, "  readable: %x\n", wait_once(r, 0).socket);
    if (r->mode->way == WAY_EPOLL) {
        tell_result(r, "MOD", control(r, EPOLL_CTL_MOD, r->fd, EPOLLIN, data_of_socket));
        tell(r, "  readable: %x\n", wait_once(r, 0).socket);
    }
    tell_result(r, "read", recv(r->fd, buf, 4, MSG_WAITALL));
    tell_result(r, "shutdown", shutdown(r->fd, SHUT_WR));
}

void matrix_run(struct matrix *m, int number, const struct sockaddr *sa, socklen_t len)
{
    struct run r = { .m = m, .cell = &m->cell[number], .mode = &matrix_modes[number / MATRIX_ORDERS],
                     .order = number % MATRIX_ORDERS, .sa = sa, .len = len };

    open_all(&r);
    begin(&r);
    try_held(&r);
    take_event(&r);
    if (m->speaks)
        settle(&r);
    for (int i = 0; i < MATRIX_ORDERS; i++)
        call(&r, r.order + i);
    if (!m->speaks)
        try_connected(&r);
    tell_result(&r, "close", close(r.fd));
}
