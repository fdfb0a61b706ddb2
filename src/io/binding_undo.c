/* SPDX-License-Identifier: ISC */
/* binding_undo.c - a listener becomes what it was before its request */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "../core/frame.h"
#include "arena.h"
#include "binding.h"
#include "kind.h"
#include "real.h"

/* As the program had bound it: the kernel lets go of a port of its own choice when it disconnects. */
OWN_FRAME static void restore(int fd, const struct binding_about *about)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int on = 1;

    tunnel_reset(fd);
    if (about->only_ipv6)
        real.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (about->own.port != 0 && addr_to_sockaddr(&about->own, about->domain, &sa, &len) == 0)
        real.syscall(SYS_bind, (long)fd, &sa, (long)len);
}

/* Of all numbers of this process that lead to the listener. */
static void set_kinds(struct fdtab *numbers, uint64_t cookie, unsigned kind)
{
    unsigned top = atomic_load_explicit(&numbers->top, memory_order_relaxed);

    for (unsigned n = 0; n < top; n++) {
        uint32_t word = fdtab_get(numbers, (int)n);

        if ((word & FDTAB_KIND) == KIND_LISTENER && real_is((int)n, cookie))
            fdtab_change(numbers, (int)n, ~fdtab_lasting(word), kind | FDTAB_FRESH);
    }
}

void binding_undo(struct pending *p, struct fdtab *numbers, int fd, struct binding *b, int refusal)
{
    uint64_t cookie = b->cookie;

    restore(fd, &b->about);
    b->listening = false;
    b->state = refusal ? BINDING_REFUSED : BINDING_NONE;
    b->error = refusal;
    if (!refusal) {
        b->cookie = 0;
        epollset_unhide(&p->arena->set, p->pid, cookie);
    }
    set_kinds(numbers, cookie, refusal ? KIND_LISTENER : KIND_STREAM);
}

static void end(struct pending *p, struct fdtab *numbers, int fd, int refusal)
{
    int saved_errno = errno;
    struct lock_hold hold;
    struct binding *b;
    uint64_t cookie;

    pending_abandon(p, fd, fdtab_handle(fdtab_get(numbers, fd)));
    if (!arena_enter(p, &hold))
        return;
    cookie = real_cookie(fd);
    b = binding_of(p->arena, cookie);
    if (b)
        binding_undo(p, numbers, fd, b, refusal);
    else
        set_kinds(numbers, cookie, KIND_STREAM);
    arena_leave(p, &hold);
    errno = saved_errno;
}

void binding_refuse(struct pending *p, struct fdtab *numbers, int fd, int error)
{
    end(p, numbers, fd, error);
}

void binding_drop(struct pending *p, struct fdtab *numbers, int fd)
{
    end(p, numbers, fd, 0);
}
