/* SPDX-License-Identifier: ISC */
/* assoc_make.c - an association is made, step by step */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "../core/frame.h"
#include "assoc_making.h"
#include "clock.h"
#include "real.h"

struct assoc_making *assoc_making_of(const struct assoc *a)
{
    return atomic_load_explicit(&a->making, memory_order_acquire);
}

struct assoc_making *assoc_making_map(void)
{
    struct assoc_making *m = mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return m == MAP_FAILED ? NULL : m;
}

/* What a program forbids to itself once it runs may be memory. */
static struct assoc_making *take(struct assoc_table *t)
{
    struct assoc_making *m = t->spare;

    if (!m)
        return assoc_making_map();
    t->spare = NULL;
    memset(m, 0, offsetof(struct assoc_making, room));
    return m;
}

static void unlist(struct assoc_table *t, const struct assoc_making *m)
{
    for (struct assoc_making **p = &t->making; *p; p = &(*p)->next) {
        if (*p != m)
            continue;
        *p = m->next;
        atomic_fetch_sub(&t->made_now, 1);
        return;
    }
}

static void let_go(struct assoc_table *t, struct assoc_making *m)
{
    real_close_own(m->socket, atomic_load(&m->a->cookie));
    if (t->spare)
        munmap(m, sizeof *m);
    else
        t->spare = m;
}

/* The relay is known.  Its answers may be here before all of the queue is out, and to whoever else has the socket, now
 * or later: all who receive must know it.  Who sends waits until it is alive. */
OWN_FRAME static void expect(struct assoc_table *t, const struct assoc_making *m)
{
    struct assoc_facts f;
    struct addr relay;

    if (assoc_facts(m->a, true, &f)) {
        f.relay = m->relay;
        f.alive = 0;
        assoc_publish(m->a, &f);
    }
    if (t->state && addr_from_sockaddr((const struct sockaddr *)&m->relay.sa, m->relay.len, &relay) == 0)
        state_relay_add(t->state, atomic_load(&m->a->cookie), &relay);
}

static void end(struct assoc_table *t, struct assoc_making *m, int error)
{
    struct assoc_facts f = { .domain = 0 };
    struct assoc *a = m->a;

    assoc_watch_update(t, m, 0, false);
    assoc_queue_lost(m, m->count);
    if (!error && !assoc_facts(a, true, &f))
        error = -EDEADLK;
    if (error || m->stream) {
        atomic_store(&a->trunk->more, false);
        assoc_control_close(t, a, false);
    } else {
        f.relay = m->relay;
        f.alive = 1;
        assoc_publish(a, &f);
        atomic_store(&a->looked, clock_ms());
    }
    atomic_store(&a->ended, error);
    if (error && m->accepted) {
        /* Of our numbers, which the program has closed; its own is good. */
        atomic_store(&a->trunk->failed, error == -EBADF ? -ECONNABORTED : error);
        assoc_wake(m);
    }
    unlist(t, m);
    atomic_store_explicit(&a->making, NULL, memory_order_release);
    let_go(t, m);
    /* The socket was closed meanwhile. */
    if (atomic_load(&a->numbers) == 0)
        assoc_retire(t, a);
}

void assoc_making_abort(struct assoc_table *t, struct assoc_making *m)
{
    m->accepted = false;
    end(t, m, -ECANCELED);
}

void assoc_making_leave(struct assoc_table *t, struct assoc_making *m)
{
    unlist(t, m);
    atomic_store(&m->a->making, NULL);
    /* The beginning of a datagram that is queued is the parent's. */
    if (m->count && m->queued[m->count - 1].open)
        atomic_store(&m->a->trunk->more, false);
    assoc_control_close(t, m->a, false);
    let_go(t, m);
}

void assoc_making_limit(struct assoc_table *t, struct assoc_making *m, uint32_t ms)
{
    int64_t next = atomic_load_explicit(&t->next_deadline, memory_order_relaxed);

    m->deadline = clock_ms() + ms;
    if (next == 0 || m->deadline < next)
        atomic_store_explicit(&t->next_deadline, m->deadline, memory_order_relaxed);
}

/* Our number of the program's socket: 0 or -errno.  Closed in the meantime it may be another's. */
static int hold_socket(struct assoc_making *m, int fd)
{
    uint64_t cookie = atomic_load(&m->a->cookie);
    int error;

    m->socket = assoc_number_high(fd);
    if (m->socket < 0)
        return m->socket;
    if (real_is(m->socket, cookie))
        return 0;
    error = real_is_other(m->socket, cookie) ? -EBADF : -ENOBUFS;
    /* It does not have the cookie by which all others are closed. */
    real_close(m->socket);
    m->socket = -1;
    assoc_doubt(m->a);
    return error;
}

/* Begin.  The lock is held; *made is set when it lasts. */
OWN_FRAME static int begin(struct assoc_table *t, struct assoc *a, const struct assoc_request *q,
                           struct assoc_making **made)
{
    struct assoc_making *m = take(t);
    int error;

    if (!m)
        return -ENOBUFS;
    /* Of one that has come to its end. */
    assoc_control_close(t, a, false);
    m->a = a;
    m->tally = t->tally;
    m->number = q->number;
    m->proxy = *q->proxy;
    m->limits = q->limits;
    m->account = q->account;
    m->pipeline = q->pipeline;
    error = hold_socket(m, q->fd);
    m->asks = q->asks;
    if (!error && q->asks && assoc_refuses(t, q->number))
        assoc_stream_begin(t, m);
    else if (!error)
        error = assoc_control_begin(t, m);
    if (error) {
        assoc_control_close(t, a, false);
        let_go(t, m);
        return error;
    }
    m->next = t->making;
    t->making = m;
    atomic_store_explicit(&a->making, m, memory_order_release);
    atomic_fetch_add(&t->made_now, 1);
    m->step = UINT8_MAX;
    assoc_making_limit(t, m, m->limits.step_ms);
    *made = m;
    return 0;
}

static short ready(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    struct timespec none = { 0, 0 };

    return real.syscall(SYS_ppoll, &p, 1L, &none, NULL, 0L) == 1 ? p.revents : 0;
}

static int connected(struct assoc_making *m, int control)
{
    short got = ready(control, POLLOUT);
    int error = 0;
    socklen_t len = sizeof error;

    if (got & (POLLERR | POLLHUP | POLLNVAL))
        return real.getsockopt(control, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error ? -error : -ECONNREFUSED;
    if (!(got & POLLOUT))
        return -EAGAIN;
    m->connecting = false;
    flight_greet(&m->flight);
    return 0;
}

/* The handshake lasts: each step of it has its limit. */
static int patience(struct assoc_table *t, struct assoc_making *m)
{
    uint8_t step = UINT8_MAX;
    uint32_t ms = m->connecting ? m->limits.step_ms : tunnel_patience(&m->machine, &m->flight, &m->limits, &step);

    if (step != m->step)
        assoc_making_limit(t, m, ms);
    m->step = step;
    return clock_ms() < m->deadline ? -EAGAIN : tunnel_timeout(&m->machine);
}

static int begin_anew(struct assoc_table *t, struct assoc_making *m, int control)
{
    int error = tunnel_redial(control, m->proxy.kind == ADDR_IPV6 ? AF_INET6 : AF_INET, &m->proxy);

    m->connecting = true;
    m->step = UINT8_MAX;
    assoc_making_limit(t, m, m->limits.step_ms);
    return error && error != -EINPROGRESS ? error : -EAGAIN;
}

OWN_FRAME int assoc_making_handshake(struct assoc_table *t, struct assoc_making *m)
{
    int control = atomic_load(&m->a->control), error = 0;

    if (!real_is(control, atomic_load(&m->a->control_cookie)) || !real_is(m->socket, atomic_load(&m->a->cookie)))
        error = -EBADF;
    if (!error && m->connecting)
        error = connected(m, control);
    if (!error)
        error = tunnel_step(control, &m->machine);
    if (error == -EAGAIN)
        error = patience(t, m);
    if (flight_again(&m->flight, &m->machine, error))
        error = begin_anew(t, m, control);
    if (error != -EAGAIN)
        flight_learn(&m->flight, &m->machine);
    return error;
}

static int find_relay(struct assoc_table *t, struct assoc_making *m)
{
    int error = assoc_making_handshake(t, m);

    if (error)
        return error == -EAGAIN ? error : assoc_control_failed(t, m, error);
    error = assoc_control_relay(m, &m->relay);
    if (error)
        return error;
    expect(t, m);
    assoc_making_limit(t, m, m->limits.step_ms);
    return 0;
}

short assoc_making_events(const struct assoc_making *m)
{
    if (m->relay.len || atomic_load(&m->a->control) < 0)
        return 0;
    return m->connecting ? POLLOUT : m->talks ? assoc_stream_events(m) : tunnel_events(&m->machine);
}

static int associate(struct assoc_table *t, struct assoc_making *m)
{
    int error = m->relay.len ? 0 : find_relay(t, m);

    /* Before it is alive: nobody overtakes what is queued. */
    if (!error && assoc_queue_flush(m) != 0 && clock_ms() < m->deadline)
        error = -EAGAIN;
    if (error == -EACCES && assoc_refuses(t, m->number) && assoc_stream_takes(m))
        assoc_stream_begin(t, m);
    return error;
}

int assoc_making_step(struct assoc_table *t, struct assoc_making *m)
{
    int error = m->stream ? 0 : associate(t, m);

    if (m->stream)
        error = assoc_stream_step(t, m);
    if (error != -EAGAIN)
        end(t, m, error);
    else
        assoc_watch_update(t, m, assoc_making_events(m), m->relay.len != 0);
    return error;
}

int assoc_ready(struct assoc_table *t, struct assoc *a, const struct assoc_request *q)
{
    struct assoc_making *m;
    struct assoc_facts f;
    struct lock_hold hold;
    int error = 0;

    if (assoc_refuses(t, q->number) && !q->asks) {
        assoc_control_refuse(q->proxy);
        return -EACCES;
    }
    if (lock_take(&t->lock, t->space, &hold) != 0)
        return -EAGAIN;
    assoc_control_tidy(t, clock_ms());
    m = assoc_making_of(a);
    /* Another thread is about to close the socket: whatever begins here would be the next one's of the place. */
    if (!atomic_load(&a->handle))
        error = -EBADF;
    else if (!m && !(assoc_facts(a, false, &f) && f.relay.len && f.alive))
        error = begin(t, a, q, &m);
    if (!error && m)
        error = assoc_making_step(t, m);
    /* In this very step it has become a stream, which takes questions alone. */
    if (error == -EAGAIN && m && m->stream && !q->asks)
        error = -EACCES;
    lock_give(&t->lock, &hold);
    /* The kernel has nothing left to connect with: no program should try again until that works. */
    return error != -EAGAIN ? error : m ? -EINPROGRESS : -ENOBUFS;
}
