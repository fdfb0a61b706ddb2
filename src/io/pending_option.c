/* SPDX-License-Identifier: ISC */
/* pending_option.c - options of a socket whose value a pending handshake has borrowed, or knows better */
#include <errno.h>

#include "arena.h"
#include "handshake.h"
#include "real.h"

bool pending_set_low_water(struct pending *p, int fd, pending_handle handle, const void *value, socklen_t len,
                           int *error)
{
    struct arena_slot *s;
    struct lock_hold hold;
    bool mine;

    if (!pending_is_live(p, handle) || !arena_enter(p, &hold))
        return false;
    s = arena_slot_of(p->arena, handle);
    mine = s && real_is(fd, s->cookie);
    if (mine) {
        *error = real.setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, value, len) == 0 ? 0 : -errno;
        if (!*error) {
            s->low_water = tunnel_low_water_begin(fd);
            /* What came meanwhile woke nobody. */
            handshake_step(p, s, fd);
        }
    }
    arena_leave(p, &hold);
    return mine;
}

int pending_low_water(const struct pending *p, pending_handle handle)
{
    const struct arena_slot *s = handle && p->arena ? arena_slot_of(p->arena, handle) : NULL;

    return s ? s->low_water : 0;
}

bool pending_peer(struct pending *p, int fd, pending_handle handle, struct addr *peer)
{
    const struct arena_slot *s;
    struct lock_hold hold;
    bool mine;

    if (!pending_is_live(p, handle) || !arena_enter(p, &hold))
        return false;
    s = arena_slot_of(p->arena, handle);
    mine = s && real_is(fd, s->cookie);
    if (mine)
        *peer = s->peer;
    arena_leave(p, &hold);
    return mine;
}
