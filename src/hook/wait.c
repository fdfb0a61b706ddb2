/* SPDX-License-Identifier: ISC */
/* wait.c - what poll() and select() have in common: waiting while handshakes are pending
 *
 * A descriptor with a pending handshake is waited for with what the handshake wants; the program sees nothing of that.
 */
#include "wait.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

#include "../io/clock.h"
#include "../io/signals.h"
#include "datagram.h"
#include "inbound.h"

enum {
    HANDSHAKE = POLLERR,   /* marks what is asked for a handshake; taken out of what the program asks, to which the
                              kernel adds it anyway */
    NO_ROOM_MS = 20        /* between two looks at what the kernel cannot be asked about, or has nothing new of */
};

static bool holds_pending(int fd)
{
    pending_handle handle = guard_handle(fd);

    return handle == PENDING_UNKNOWN || pending_is_live(&process.pending, handle);
}

/* A set that the program polls may hold sockets with handshakes, whose deadlines must be kept. */
static bool is_set(int fd)
{
    return fdtab_is_set(fdtab_get(&process.fdtab, fd));
}

static void unmap(void *argument)
{
    struct room *r = argument;

    munmap(r->array, r->bytes);
}

int room_make(struct room *r, size_t count)
{
    r->array = r->stack;
    r->bytes = 0;
    if (count <= ROOM_STACK)
        return 0;
    r->bytes = count * sizeof *r->array;
    r->array = mmap(NULL, r->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (r->array == MAP_FAILED)
        return -ENOMEM;
    cleanup_begin(&r->cleanup, unmap, r);
    return 0;
}

void room_free(struct room *r)
{
    if (!r->bytes)
        return;
    cleanup_end(&r->cleanup);
    unmap(r);
}

/* A token that the kernel gave out as the thread was cancelled has disarmed its registration: others would sleep on. */
static void cancelled(void *argument)
{
    const struct quiet *q = argument;

    pending_tend(&process.pending, PENDING_ALL);
    datagram_tend();
    signals_restore(&q->kept);
}

void quiet_begin(struct quiet *q)
{
    signals_block(&q->kept);
    cleanup_begin(&q->cleanup, cancelled, q);
}

void quiet_end(struct quiet *q)
{
    cleanup_end(&q->cleanup);
    signals_restore(&q->kept);
}

bool wait_concerns(int fd)
{
    return holds_pending(fd) || is_set(fd) || inbound_is(fd);
}

/* Our set of what associations wait for stands behind the program's descriptors while some are being made. */
static nfds_t add_associations(struct pollfd *ask, nfds_t count)
{
    if (!assoc_any(&process.assoc) || process_is_guest())
        return count;
    datagram_watch();
    ask[count] = (struct pollfd){ .fd = assoc_watch(&process.assoc, NULL), .events = POLLIN };
    return count + 1;
}

/* What the kernel is asked.  Returns how long it may sleep at once, as guard_slice() does. */
static int prepare(struct pollfd *ask, const struct pollfd *fds, nfds_t count)
{
    bool pending = false, listener = false, unknown = false;
    int slice;

    for (nfds_t i = 0; i < count; i++) {
        pending_handle handle = guard_handle(fds[i].fd);
        short wants = pending_wants(&process.pending, handle);

        ask[i] = (struct pollfd){ .fd = fds[i].fd, .events = fds[i].events & ~HANDSHAKE };
        /* A listener is never writable; and another thread may put another socket on its number. */
        if (inbound_is(fds[i].fd)) {
            ask[i].events &= (short)~(POLLOUT | POLLWRNORM | POLLWRBAND);
            listener = true;
        }
        if (wants || handle == PENDING_UNKNOWN) {
            ask[i].events = wants | HANDSHAKE;
            pending = true;
            unknown = unknown || !wants;
        }
    }
    slice = guard_slice(pending || listener);
    /* Nothing tells when it can be asked about again. */
    if (unknown && (slice < 0 || slice > NO_ROOM_MS))
        return NO_ROOM_MS;
    /* No slice means that another thread has ended the last handshake, just now. */
    return pending && slice < 0 ? 0 : slice;
}

/* POLLERR alone lasts while the error queue of a socket is not empty: nothing to step for, and no sleep either.
 * Handshakes are then left out of the next wait, after which they are stepped as after any in which nothing came. */
static bool is_noisy(struct pollfd *ask, nfds_t count)
{
    bool any = false;

    for (nfds_t i = 0; i < count; i++)
        any |= ask[i].events & HANDSHAKE && ask[i].revents == POLLERR;
    return any;
}

static void leave_out(struct pollfd *ask, nfds_t count)
{
    for (nfds_t i = 0; i < count; i++) {
        if (ask[i].events & HANDSHAKE)
            ask[i].fd = -1;
    }
}

/* Step the handshakes, hide them, and count what is the program's.  idle: nothing was ready, which handshakes that
 * another process brings on as well, or whose time is over, must still be looked at. */
static int harvest(struct pollfd *ask, struct pollfd *fds, nfds_t count, bool idle, bool *stepped)
{
    int ready = 0;

    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (ask[i].events & HANDSHAKE) {
            if (ask[i].revents || idle)
                *stepped |= !guard_step(fds[i].fd, guard_handle(fds[i].fd));
        } else if (!holds_pending(fds[i].fd)) {
            fds[i].revents = ask[i].revents;
            ready += ask[i].revents != 0;
        }
    }
    return ready;
}

static void to_timespec(int64_t ms, struct timespec *t)
{
    t->tv_sec = ms / 1000;
    t->tv_nsec = ms % 1000 * 1000000;
}

static int wait_loop(struct pollfd *ask, struct pollfd *fds, nfds_t count, int64_t end, const sigset_t *mask)
{
    bool room = true;      /* the kernel takes one descriptor more than the program asks for */
    bool noisy = false;    /* the last wait ended for an error queue */

    for (;;) {
        nfds_t asked = room ? add_associations(ask, count) : count;
        int slice = prepare(ask, fds, count), n;
        int64_t left = end == INT64_MAX ? INT64_MAX : end - clock_ms();
        /* Nobody can step a handshake: what the kernel has ready for one stays so, and only time ends it. */
        bool stuck = pending_is_stuck(&process.pending), stepped = false, idle;
        struct timespec t;

        if (noisy || stuck)
            leave_out(ask, count);
        if ((!room || noisy || stuck) && (slice < 0 || slice > NO_ROOM_MS))
            slice = NO_ROOM_MS;
        left = left < 0 ? 0 : slice >= 0 && left > slice ? slice : left;
        to_timespec(left, &t);
        n = real.ppoll(ask, asked, left == INT64_MAX ? NULL : &t, mask);
        if (n < 0 && errno == EINVAL && asked > count) {
            room = false;
            continue;
        }
        if (n < 0)
            return n;
        idle = stuck || (n == 0 && left > 0);
        if (!room || (asked > count && (idle || ask[count].revents || ask[count].fd < 0 || slice == 0)))
            stepped = datagram_tend();
        noisy = is_noisy(ask, count);
        n = harvest(ask, fds, count, idle, &stepped);
        if (n > 0) {
            pending_tend(&process.pending, PENDING_DUE);
            return n;
        }
        pending_tend(&process.pending, idle ? PENDING_SHARED : PENDING_DUE);
        if (!stepped && end != INT64_MAX && clock_ms() >= end)
            return 0;
    }
}

int wait_poll(struct pollfd *fds, nfds_t count, int64_t end, const sigset_t *mask)
{
    struct room ask;
    struct quiet quiet;
    int result;

    if (room_make(&ask, count + 1) != 0) {
        errno = ENOMEM;
        return -1;
    }
    quiet_begin(&quiet);
    result = wait_loop(ask.array, fds, count, end, mask ? mask : &quiet.kept);
    quiet_end(&quiet);
    room_free(&ask);
    return result;
}

int64_t wait_end(int64_t s, int64_t ms)
{
    return s == 0 && ms == 0 ? 0 : clock_ms() + 1 + s * 1000 + ms;
}

int64_t wait_end_of(const struct timespec *t)
{
    if (!t || t->tv_sec > INT_MAX)
        return INT64_MAX;
    return wait_end(t->tv_sec, (t->tv_nsec + 999999) / 1000000);
}

const struct timespec *wait_narrow(const struct time64 *t, struct timespec *out)
{
    if (!t)
        return NULL;
    out->tv_sec = (time_t)(t->s < 0 ? -1 : t->s > INT_MAX ? INT_MAX : t->s);
    out->tv_nsec = t->ns;
    return out;
}

bool wait_is_time(const struct timespec *t)
{
    return !t || (t->tv_sec >= 0 && t->tv_nsec >= 0 && t->tv_nsec < 1000000000);
}
