/* SPDX-License-Identifier: ISC */
/* inbound_accept.c - accept() on a listener whose connections come through the proxy */
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/time.h>

#include "../core/frame.h"
#include "../io/binding.h"
#include "../io/clock.h"
#include "../io/log.h"
#include "../io/memory.h"
#include "../io/signals.h"
#include "../io/tunnel.h"
#include "guard.h"
#include "inbound.h"
#include "inbound_request.h"
#include "number.h"

enum { SLICE_MS = 20 };

/* One accept(). */
struct acceptance {
    int fd, flags;
    struct sockaddr *sa;
    socklen_t *len;
    bool shared;             /* others may take the connection off */
};

/* Who has come, as the program knows him: by the address of the connection that it has to him, if that stands for a
 * name, which the proxy alone can tell to be the same. */
OWN_FRAME static void name_peer(const struct binding_peer *got, struct addr *peer)
{
    bool known = got->shown.kind == ADDR_IPV4 || got->shown.kind == ADDR_IPV6;
    struct addr numeric;

    *peer = got->from;
    if (got->from.kind == ADDR_NAME) {
        if (addr_from_text(got->from.name, strlen(got->from.name), &numeric) == 0)
            *peer = numeric;
        else if (!known || !addr_same_host(&got->from, &got->target))
            state_name_assign(&process.state, got->from.name, got->domain, peer);
    }
    if (known && (got->target.kind == ADDR_NAME || peer->kind == ADDR_NAME ||
                  (got->domain == AF_INET && peer->kind != ADDR_IPV4)))
        *peer = got->shown;
    if (peer->kind != ADDR_IPV4 && peer->kind != ADDR_IPV6)
        memset(peer, 0, sizeof *peer);
    if (peer->kind == ADDR_NONE)
        peer->kind = got->domain == AF_INET ? ADDR_IPV4 : ADDR_IPV6;
    peer->port = got->from.port;
}

/* As the kernel, which has taken the connection off when it looks where its name is to go. */
static int show_peer(const struct binding_peer *got, const struct addr *peer, struct sockaddr *sa, socklen_t *len)
{
    struct sockaddr_storage shown;
    socklen_t room, shown_len;

    if (!sa)
        return 0;
    if (addr_to_sockaddr(peer, got->domain, &shown, &shown_len) != 0)
        return -EPROTO;
    if (!memory_take(&room, len, sizeof room) || !memory_writable(len, sizeof *len))
        return -EFAULT;
    if ((int)room < 0)
        return -EINVAL;
    room = room < shown_len ? room : shown_len;
    if (!memory_writable(sa, room))
        return -EFAULT;
    memcpy(sa, &shown, room);
    *len = shown_len;
    return 0;
}

OWN_FRAME static int hand_out(int made, const struct binding_peer *got, struct sockaddr *sa, socklen_t *len)
{
    char text[ADDR_TEXT_SIZE];
    struct addr peer;
    int error;

    name_peer(got, &peer);
    state_peer_set(&process.state, got->cookie, &peer);
    number_made(made);
    fdtab_set(&process.fdtab, made, KIND_STREAM);
    if (log_wants(CONF_LOG_INFO)) {
        addr_format(&peer, text, sizeof text);
        log_line(CONF_LOG_INFO, "accept: %s has come through the proxy", text);
    }
    error = show_peer(got, &peer, sa, len);
    if (error) {
        number_forget(made);
        real_close(made);
    }
    return error ? error : made;
}

OWN_FRAME static int take(struct acceptance *a)
{
    struct binding_request q;
    struct binding_peer got;
    int made;

    inbound_request(a->fd, &q);
    made = binding_take(&process.pending, &q, a->flags, &got);
    a->shared = got.shared;
    return made < 0 ? made : hand_out(made, &got, a->sa, a->len);
}

/* The number came to its word in a way that no hook saw. */
static int accept_natively(const struct acceptance *a)
{
    int made;

    fdtab_turn(&process.fdtab, a->fd, KIND_LISTENER, KIND_STREAM);
    made = number_made(real.accept4(a->fd, a->sa, a->len, a->flags));
    return made < 0 ? -errno : made;
}

/* Sleep until there may be something; other handshakes of this process go on meanwhile.  Where others may take the
 * connection off and leave another socket on the number, nothing in the kernel tells: never for long then. */
static int wait_for(int fd, int64_t limit, bool shared, const sigset_t *signals)
{
    pending_handle handle = guard_handle(fd);
    short wants = pending_wants(&process.pending, handle);
    struct pollfd p = { .fd = pending_is_stuck(&process.pending) ? -1 : fd, .events = wants ? wants : POLLIN };
    int slice = guard_slice(true), n;
    int64_t left = limit == INT64_MAX ? -1 : limit - clock_ms();
    struct timespec t;

    if ((shared || p.fd < 0 || pending_any(&process.pending)) && (slice < 0 || slice > SLICE_MS))
        slice = SLICE_MS;
    if (limit != INT64_MAX && left <= 0)
        return -EAGAIN;
    if (left >= 0 && (slice < 0 || left < slice))
        slice = (int)left;
    t = slice < 0 ? (struct timespec){ INT32_MAX, 0 } : (struct timespec){ slice / 1000, slice % 1000 * 1000000L };
    n = tunnel_poll(&p, &t, signals);
    if (n < 0 && errno != EINTR)
        return -errno;
    /* With a limit the kernel does not go on either. */
    if (n < 0 && (limit != INT64_MAX || !tunnel_restarts()))
        return -EINTR;
    if (pending_any(&process.pending))
        pending_tend(&process.pending, PENDING_ALL);
    return 0;
}

/* Without sleeping.  -EAGAIN: nobody has come. */
static int look(struct acceptance *a)
{
    return guard_pending(a->fd) ? -EAGAIN : take(a);
}

/* Another process may have made what was on this number a connection of its own, with its own flags. */
static bool may_wait(int fd)
{
    int status = real.fcntl(fd, F_GETFL);

    return status >= 0 && !(status & O_NONBLOCK);
}

static int sleep_and_look(struct acceptance *a)
{
    int64_t limit = guard_limit(a->fd, POLLIN);
    struct signals_held held;
    int result;

    signals_hold(&held);
    do {
        result = wait_for(a->fd, limit, a->shared, &held.kept);
        if (result)
            break;
        result = look(a);
    } while (result == -EAGAIN && may_wait(a->fd));
    signals_release(&held);
    return result;
}

int inbound_accept(int fd, struct sockaddr *sa, socklen_t *len, int flags)
{
    struct acceptance a = { .fd = fd, .flags = flags, .sa = sa, .len = len };
    int result;

    /* What is known of a listener is not the guest's to change. */
    if (flags & ~(SOCK_CLOEXEC | SOCK_NONBLOCK) || process_is_guest())
        return -EINVAL;
    hook_cancellation_point();
    result = look(&a);
    if (result == -EAGAIN && may_wait(fd))
        result = sleep_and_look(&a);
    /* Not with signals blocked: it may sleep as well. */
    return result == -ESTALE ? accept_natively(&a) : result;
}
