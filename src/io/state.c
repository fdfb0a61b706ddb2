/* SPDX-License-Identifier: ISC */
/* state.c - what outlives fork and exec: addresses of names, peers of sockets */
#include "state.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../core/bytes.h"
#include "../core/frame.h"
#include "clock.h"
#include "file.h"
#include "real.h"
#include "signals.h"

enum {
    POOL_SIZE = 2 * NAMEMAP_SLOTS,
    KEPT_MS = 1000,
    HALF_FILE = 0,
    HALF_OWN = NAMEMAP_SLOTS        /* addresses from here on are never given out by a file */
};

/* One of the two maps, as this process sees it at this moment. */
struct pool {
    struct namemap map;
    struct state_numbers numbers;
    uint32_t ipv4;              /* the first address of this map's half of the pool */
};

static bool pool_of_file(struct state *s, struct pool *p)
{
    if (!s->file.image)
        return false;
    p->map.memory = &s->file.image->names;
    p->map.slots = state_file_slots(&s->file);
    p->map.seed = s->file.numbers.seed;
    p->map.kept = NULL;
    p->numbers = s->file.numbers;
    p->ipv4 = s->file.pools.ipv4 + HALF_FILE;
    return true;
}

static bool pool_of_own(const struct state *s, struct pool *p)
{
    if (!s->own || atomic_load_explicit(&s->own->page.ready, memory_order_acquire) == 0)
        return false;
    p->map.memory = &s->own->names;
    p->map.slots = NAMEMAP_SLOTS;
    p->map.seed = s->own->page.mark.numbers.seed;
    p->map.kept = NULL;
    p->numbers = s->own->page.mark.numbers;
    p->ipv4 = s->file.pools.ipv4 + HALF_OWN;
    return true;
}

static void pool_address(const struct pool *p, uint32_t slot, int family, struct addr *out)
{
    uint32_t host = (p->numbers.first + slot) % NAMEMAP_SLOTS;

    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        out->kind = ADDR_IPV4;
        bytes_put32(out->ip, p->ipv4 + host);
        return;
    }
    out->kind = ADDR_IPV6;
    memcpy(out->ip, p->numbers.prefix, STATE_PREFIX_LEN);
    bytes_put32(out->ip + STATE_PREFIX_LEN, host);
}

/* Returns the slot of an address; NAMEMAP_SLOTS, which no map has, for one that is never given out; -ERANGE outside. */
static int64_t pool_slot(const struct pool *p, const struct addr *a)
{
    uint32_t host;

    if (a->kind == ADDR_IPV4)
        host = bytes_get32(a->ip) - p->ipv4;
    else if (a->kind == ADDR_IPV6 && memcmp(a->ip, p->numbers.prefix, STATE_PREFIX_LEN) == 0)
        host = bytes_get32(a->ip + STATE_PREFIX_LEN);
    else
        return -ERANGE;
    if (host >= NAMEMAP_SLOTS)
        return a->kind == ADDR_IPV4 ? -ERANGE : NAMEMAP_SLOTS;
    return (host - p->numbers.first) % NAMEMAP_SLOTS;
}

static bool is_pool_ipv4(const struct state *s, const struct addr *a)
{
    return a->kind == ADDR_IPV4 && bytes_get32(a->ip) - s->file.pools.ipv4 < POOL_SIZE;
}

static int pool_name(const struct pool *p, const struct addr *a, struct addr *out)
{
    int64_t slot = pool_slot(p, a);
    char name[ADDR_NAME_SIZE];
    struct addr found;
    int len;

    if (slot < 0)
        return (int)slot;
    len = namemap_name(&p->map, (uint32_t)slot, name);
    if (len < 0 || addr_from_name(name, (size_t)len, &found) != 0)
        return -EHOSTUNREACH;
    found.port = a->port;
    *out = found;
    return 0;
}

static struct peers *peers_of(struct state *s)
{
    struct state_image *image = s->file.image ? s->file.image : s->own;

    return image ? &image->peers : NULL;
}

/* Whoever was connected to lately is in the table of peers, whose places outlive the sockets.  A name that is connected
 * to after the bits were made is young by that.  The caller is the pool's writer. */
OWN_FRAME static void spare_peers(struct state *s, struct pool *p, struct state_kept *k)
{
    int64_t now = clock_ms();
    struct addr peer;

    if (p->map.slots < NAMEMAP_SLOTS || !peers_of(s))
        return;
    p->map.kept = k->bit;
    if (k->made_ms && now - k->made_ms < KEPT_MS)
        return;
    k->made_ms = now;
    memset(k->bit, 0, sizeof k->bit);
    for (uint32_t place = 0; place < PEERS_PLACES; place++) {
        int64_t slot = peers_at(peers_of(s), place, &peer) ? pool_slot(p, &peer) : -ENOENT;

        if (slot >= 0 && slot < NAMEMAP_SLOTS)
            k->bit[slot / 32] |= (uint32_t)1 << slot % 32;
    }
}

static int insert_into_file(struct state *s, const char *name, uint32_t *slot)
{
    struct pool p;
    int fd = s->file.image ? state_file_lock(&s->file) : -ENOENT, error;

    if (fd < 0)
        return fd;
    do {
        pool_of_file(s, &p);
        spare_peers(s, &p, &s->kept_file);
        error = namemap_insert(&p.map, name, slot);
    } while (error == -ENOSPC && (error = state_file_grow(&s->file, fd)) == 0);
    state_file_unlock(&s->file, fd);
    return error;
}

static int insert_into_own(struct state *s, const char *name, uint32_t *slot)
{
    struct state_page *page = &s->own->page;
    struct lock_hold hold;
    struct pool p;
    int error;

    if (lock_take(&page->lock, file_namespace("pid"), &hold) != 0)
        return -EAGAIN;
    if (!pool_of_own(s, &p)) {
        state_numbers_make(&page->mark.numbers, &s->file.pools);
        atomic_store_explicit(&page->ready, 1, memory_order_release);
        pool_of_own(s, &p);
    }
    spare_peers(s, &p, &s->kept_own);
    error = namemap_insert(&p.map, name, slot);
    lock_give(&page->lock, &hold);
    return error;
}

/* Signals wait: a handler that asked for a name here would wait for its own thread. */
static int assign_new(struct state *s, const char *name, int family, struct addr *out)
{
    sigset_t kept;
    struct pool p;
    uint32_t slot;
    bool shared = true;
    int error;

    signals_block(&kept);
    error = insert_into_file(s, name, &slot);
    if (error && error != -EINVAL) {
        shared = false;
        error = s->own ? insert_into_own(s, name, &slot) : -ENOMEM;
        if (!atomic_load_explicit(&s->warning, memory_order_relaxed))
            atomic_store_explicit(&s->warning, "the state file can no longer be written", memory_order_relaxed);
    }
    signals_restore(&kept);
    if (error)
        return error;
    if (shared)
        pool_of_file(s, &p);
    else
        pool_of_own(s, &p);
    pool_address(&p, slot, family, out);
    return 0;
}

static bool is_limited(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

static struct state_image *map_own(void)
{
    void *p = mmap(NULL, sizeof(struct state_image), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

int state_open(struct state *s, const struct state_options *o)
{
    const char *warning = NULL;
    struct pools pools;
    int error;

    pools_default(&pools);
    error = state_file_open(&s->file, o->directory, o->pools ? o->pools : &pools, &warning);

    /* Where address space is short the program needs it more than we a second map. */
    if (error || !is_limited())
        s->own = map_own();
    atomic_store_explicit(&s->warning, warning, memory_order_relaxed);
    return error;
}

void state_after_fork(struct state *s)
{
    state_file_after_fork(&s->file);
}

const char *state_warning(const struct state *s)
{
    return atomic_load_explicit(&s->warning, memory_order_relaxed);
}

const char *state_directory(const struct state *s)
{
    return s->file.directory[0] ? s->file.directory : NULL;
}

int state_name_look(struct state *s, const char *name, int family, struct addr *out)
{
    struct pool p;
    uint32_t slot;

    if (family != AF_INET && family != AF_INET6)
        return -EAFNOSUPPORT;
    /* Private memory first: a name that got its address there keeps it, whatever others do in the file. */
    if ((pool_of_own(s, &p) && namemap_find(&p.map, name, &slot) == 0) ||
        (pool_of_file(s, &p) && namemap_find(&p.map, name, &slot) == 0)) {
        pool_address(&p, slot, family, out);
        return 0;
    }
    return -ENOENT;
}

int state_name_assign(struct state *s, const char *name, int family, struct addr *out)
{
    int error = state_name_look(s, name, family, out);

    return error == -ENOENT ? assign_new(s, name, family, out) : error;
}

int state_name_find(struct state *s, const struct addr *a, struct addr *out)
{
    struct pool p;
    int error = -ERANGE;

    if (pool_of_file(s, &p))
        error = pool_name(&p, a, out);
    if (error == -ERANGE && pool_of_own(s, &p))
        error = pool_name(&p, a, out);
    return error == -ERANGE && is_pool_ipv4(s, a) ? -EHOSTUNREACH : error;
}

void state_peer_set(struct state *s, uint64_t cookie, const struct addr *peer)
{
    if (peers_of(s))
        peers_set(peers_of(s), cookie, peer);
}

bool state_peer_get(struct state *s, uint64_t cookie, struct addr *peer)
{
    return peers_of(s) && peers_get(peers_of(s), cookie, peer);
}

struct traits *state_traits(const struct state *s)
{
    return s->file.image ? &s->file.image->page.traits : NULL;
}

void state_peer_forget(struct state *s, uint64_t cookie)
{
    if (peers_of(s))
        peers_forget(peers_of(s), cookie);
}
