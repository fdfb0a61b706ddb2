/* SPDX-License-Identifier: ISC */
/* guard.c - calls on a descriptor whose handshake is pending */
#include "guard.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "../io/binding.h"
#include "../io/clock.h"
#include "../io/signals.h"
#include "../io/tunnel.h"
#include "datagram.h"

enum { SLICE_MS = 20 };

/* Of two times to sleep, -1 being for ever. */
static int earlier(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Who may not bring associations on (process_is_guest()) has no use for a deadline that is over: it would stay so. */
static int assoc_slice(void)
{
    int slice = assoc_slice_ms(&process.assoc);

    return slice == 0 && process_is_guest() ? -1 : slice;
}

int guard_slice(bool one)
{
    bool short_one = pending_shares(&process.pending) || (one && !real_is_alone());
    int next = pending_next_ms(&process.pending);

    /* Nobody can end what is over its time, nor note when to look again. */
    if (next == 0 && pending_is_stuck(&process.pending))
        next = SLICE_MS;
    return earlier(assoc_slice(), short_one ? earlier(next, SLICE_MS) : next);
}

bool guard_idle_now(void)
{
    hook_enter();
    return (hook_idle(GATE_PENDING) || (!pending_any(&process.pending) && !binding_any(&process.pending))) &&
           (hook_idle(GATE_DATAGRAM) || !assoc_any(&process.assoc));
}

/* It stands.  Given up by a process that could not reach it, it is a connection to the proxy in the middle of its
 * handshake. */
static void settle(int fd, uint32_t word, uint32_t now)
{
    if (fdtab_replace(&process.fdtab, fd, word, now) &&
        pending_error(&process.pending, fd, ECONNRESET) != ECONNRESET)
        tunnel_reset(fd);
}

/* Another number, or another process, may have connected the socket; once it stands that is over.  It may have begun
 * between the first look and that for a peer. */
static pending_handle handle_of_shared(int fd, uint32_t word)
{
    pending_handle handle = pending_find(&process.pending, fd);
    int saved_errno = errno;

    if (handle == PENDING_UNKNOWN || process_is_guest())
        return handle;
    if (handle)
        fdtab_replace(&process.fdtab, fd, word,
                      (word & (FDTAB_KIND | FDTAB_REGISTERED)) | handle << FDTAB_HANDLE_SHIFT);
    else if (real_has_peer(fd) && !(handle = pending_find(&process.pending, fd)))
        settle(fd, word, word & ~(uint32_t)(FDTAB_SHARED | FDTAB_FRESH | FDTAB_STDIO));
    errno = saved_errno;
    return handle;
}

pending_handle guard_handle_of(int fd, uint32_t word)
{
    pending_handle handle = fdtab_handle(word);

    /* Of an attempt that is over: another number or process may have begun the next one. */
    if (handle && (word & FDTAB_KIND) == KIND_STREAM && !pending_is_live(&process.pending, handle)) {
        guard_settle(fd);
        word = fdtab_get(&process.fdtab, fd);
        handle = fdtab_handle(word);
        if (!handle && !(word & FDTAB_SHARED))
            return 0;
    }
    if (!handle)
        return handle_of_shared(fd, word);
    return process_is_guest() && !pending_is_of(&process.pending, fd, handle) ? 0 : handle;
}

/* What stays in the word of a number when its handshake is over: a listener's registrations are followed on, and it may
 * yet be connected. */
static uint32_t kept(uint32_t word)
{
    bool listener = (word & FDTAB_KIND) == KIND_LISTENER;

    return word & (FDTAB_KIND | (listener ? FDTAB_FRESH | fdtab_lasting(word) : 0));
}

bool guard_step(int fd, pending_handle handle)
{
    uint32_t word;

    if (handle == PENDING_UNKNOWN) {
        handle = guard_handle(fd);
        /* The parent's table says nothing of these: guard_drain_open(). */
        if (!handle && fd <= STDERR_FILENO && process_is_guest())
            handle = pending_find(&process.pending, fd);
        if (handle == 0 || handle == PENDING_UNKNOWN)
            return handle != 0;
    }
    if (pending_poke(&process.pending, fd, handle) == -EAGAIN)
        return true;
    word = fdtab_get(&process.fdtab, fd);
    if (!pending_is_live(&process.pending, handle) || fdtab_handle(word) != handle)
        guard_settle(fd);
    /* Another socket's, that is, the number came to its word in a way we did not see. */
    else if (!process_is_guest())
        fdtab_replace(&process.fdtab, fd, word, kept(word));
    return false;
}

bool guard_pending(int fd)
{
    pending_handle handle = guard_handle(fd);

    return handle && guard_step(fd, handle);
}

void guard_settle(int fd)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);
    int saved_errno = errno;
    bool stands;

    if (!fdtab_handle(word) || pending_is_live(&process.pending, fdtab_handle(word)) || process_is_guest())
        return;
    /* Before the look for a handshake, which could begin in between. */
    stands = real_has_peer(fd);
    /* One that failed may be connected again, by this number or another, and then its registrations count. */
    if ((word & FDTAB_KIND) == KIND_STREAM && (!stands || pending_find(&process.pending, fd)))
        fdtab_replace(&process.fdtab, fd, word, (word & (FDTAB_KIND | FDTAB_REGISTERED)) | FDTAB_SHARED);
    else if (stands)
        settle(fd, word, kept(word));
    errno = saved_errno;
}

void guard_over(int fd, pending_handle handle)
{
    uint32_t word = fdtab_get(&process.fdtab, fd);

    if (fdtab_handle(word) == handle)
        fdtab_replace(&process.fdtab, fd, word, kept(word));
}

/* Sleep until a handshake may go on, or until the time of clock_ms() that limit is; never for long, since another
 * thread may end it at any time.  signals: the mask meanwhile, or NULL.  Returns poll()'s. */
static int sleep_for(int fd, pending_handle handle, int64_t limit, const sigset_t *signals)
{
    struct pollfd p = { .fd = fd, .events = pending_wants(&process.pending, handle) };
    int64_t left = limit - clock_ms();
    int slice = guard_slice(true), sleep_ms;
    struct timespec t;

    if (handle == PENDING_UNKNOWN || pending_is_stuck(&process.pending))
        p.fd = -1;
    else if (!p.events)
        return 0;
    /* No time is left until a deadline that may be another's, or one of a handshake that is over: each step looks at
     * this one's own. */
    slice = slice <= 0 || p.fd < 0 ? SLICE_MS : slice;
    sleep_ms = left < slice ? left < 0 ? 0 : (int)left : slice;
    t = (struct timespec){ sleep_ms / 1000, sleep_ms % 1000 * 1000000L };
    return tunnel_poll(&p, &t, signals);
}

/* The calls that drain are no cancellation points. */
void guard_drain_handle(int fd, pending_handle handle)
{
    int saved_errno = errno, cancellable = hook_uncancellable();

    while (guard_step(fd, handle))
        sleep_for(fd, handle, INT64_MAX, NULL);
    hook_cancellable(cancellable);
    errno = saved_errno;
}

void guard_drain(int fd)
{
    pending_handle handle = guard_handle(fd);

    if (handle)
        guard_drain_handle(fd, handle);
}

static bool listens(int fd)
{
    int value = 0;
    socklen_t len = sizeof value;

    return real.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len) == 0 && value;
}

void guard_share(void)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);
    int saved_errno = errno;

    for (int fd = 0; fd < (int)top; fd++) {
        uint32_t word = fdtab_get(&process.fdtab, fd);

        /* Also where a direct attempt took FRESH away: the child is to look. */
        if (word & FDTAB_SHARED && (word & FDTAB_KIND) == KIND_STREAM)
            process_gate(GATE_PENDING);
        /* The child's first datagram may be the socket's: what comes is looked at here as well (datagram_late()). */
        if ((word & FDTAB_KIND) == KIND_DATAGRAM)
            process_gate(GATE_DATAGRAM);
        if (!(word & (FDTAB_FRESH | FDTAB_TRIED)) || !guard_is_fresh(fd))
            continue;
        if (!(word & FDTAB_SHARED) && listens(fd)) {
            fdtab_change(&process.fdtab, fd, FDTAB_FRESH | FDTAB_STDIO, 0);
            continue;
        }
        fdtab_change(&process.fdtab, fd, 0, FDTAB_SHARED);
        process_gate(GATE_PENDING);
    }
    errno = saved_errno;
}

void guard_spread(int fd, pending_handle handle)
{
    unsigned top = atomic_load_explicit(&process.fdtab.top, memory_order_relaxed);
    bool found = false, stdio = false;

    for (int other = 0; other < (int)top; other++) {
        uint32_t word = fdtab_get(&process.fdtab, other);

        if (other == fd || (word & FDTAB_KIND) != KIND_STREAM || !(word & FDTAB_SHARED || fdtab_handle(word)) ||
            pending_is_live(&process.pending, fdtab_handle(word)) || guard_handle_of(other, word) != handle)
            continue;
        found = true;
        stdio |= fdtab_is_stdio(word);
    }
    /* Beside the other number here another process may have some. */
    if (!found || atomic_load_explicit(&process.forked, memory_order_relaxed))
        pending_share(&process.pending, handle);
    if (stdio)
        guard_drain(fd);
}

int64_t guard_limit(int fd, short events)
{
    struct timeval t = { 0, 0 };
    socklen_t len = sizeof t;

    if (real.getsockopt(fd, SOL_SOCKET, events == POLLIN ? SO_RCVTIMEO : SO_SNDTIMEO, &t, &len) != 0 ||
        (t.tv_sec == 0 && t.tv_usec == 0) || t.tv_sec > INT32_MAX)    /* which has no end */
        return INT64_MAX;
    return clock_ms() + 1 + (int64_t)t.tv_sec * 1000 + (t.tv_usec + 999) / 1000;
}

int guard_wait_until(int fd, pending_handle handle, int64_t limit, const sigset_t *signals)
{
    while (guard_step(fd, handle)) {
        if (clock_ms() >= limit)
            return -EAGAIN;
        /* With a limit the kernel does not go on. */
        if (sleep_for(fd, handle, limit, signals) < 0 && errno == EINTR &&
            (limit != INT64_MAX || !tunnel_restarts()))
            return -EINTR;
    }
    return 0;
}

/* Only a signal that comes while it sleeps shows in what the sleep returns: none may come between. */
static int wait_undisturbed(int fd, pending_handle handle, int64_t limit)
{
    struct signals_held held;
    int error;

    signals_hold(&held);
    error = guard_wait_until(fd, handle, limit, &held.kept);
    signals_release(&held);
    return error;
}

int guard_wait(int fd, pending_handle handle, short events, bool dont_wait)
{
    int flags = dont_wait ? -1 : real.fcntl(fd, F_GETFL);

    /* Also before the limit is asked for, which is ours while a blocking connect() dials under the lock. */
    if (!guard_step(fd, handle))
        return 0;
    if (flags < 0 || flags & O_NONBLOCK)
        return -EAGAIN;
    return wait_undisturbed(fd, handle, guard_limit(fd, events));
}

/* As the kernel's own to whoever writes to what is no connection: a handler has run when the call ends. */
static void broken_pipe(void)
{
    real.syscall(SYS_tgkill, real.syscall(SYS_getpid), real.syscall(SYS_gettid), (long)SIGPIPE);
}

bool guard_stops_now(int fd, short events, int flags)
{
    int entry_errno = errno;
    pending_handle handle;

    hook_enter();
    /* What comes in here is the proxy's. */
    if ((fdtab_get(&process.fdtab, fd) & FDTAB_KIND) == KIND_LISTENER) {
        if (events == POLLOUT && !(flags & MSG_NOSIGNAL))
            broken_pipe();
        return hook_return(entry_errno, events == POLLIN ? -ENOTCONN : -EPIPE) < 0;
    }
    handle = guard_handle(fd);
    return handle && hook_return(entry_errno, guard_wait(fd, handle, events, flags & MSG_DONTWAIT)) < 0;
}

int guard_accept(int fd)
{
    int flags = real.fcntl(fd, F_GETFL), error = 0;
    struct timespec slice = { 0, SLICE_MS * 1000000L };
    int64_t limit = guard_limit(fd, POLLIN);
    struct signals_held held;

    signals_hold(&held);
    while (!error && flags >= 0 && !(flags & O_NONBLOCK) &&
           (pending_any(&process.pending) || assoc_any(&process.assoc))) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        int n = real.ppoll(&p, 1, &slice, &held.kept);

        if (n > 0)
            break;
        if (n < 0 && errno == EINTR && (limit != INT64_MAX || !tunnel_restarts()))
            error = -EINTR;
        pending_tend(&process.pending, PENDING_ALL);
        pending_tidy(&process.pending);
        datagram_tend();
        if (!error && clock_ms() >= limit)
            error = -EAGAIN;
    }
    signals_release(&held);
    return error;
}
