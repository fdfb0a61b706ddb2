/* SPDX-License-Identifier: ISC */
/* fdtab.c - what this process knows of its descriptors, by number */
#include "fdtab.h"

#include "kind.h"

static bool inside(int fd)
{
    return fd >= 0 && fd < FDTAB_SIZE;
}

static void reach(struct fdtab *t, int fd)
{
    unsigned top = atomic_load_explicit(&t->top, memory_order_relaxed);

    while (top <= (unsigned)fd &&
           !atomic_compare_exchange_weak_explicit(&t->top, &top, (unsigned)fd + 1, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

void fdtab_set(struct fdtab *t, int fd, uint32_t word)
{
    if (!inside(fd))
        return;
    reach(t, fd);
    atomic_store_explicit(&t->word[fd], word, memory_order_relaxed);
}

uint32_t fdtab_exchange(struct fdtab *t, int fd, uint32_t word)
{
    if (!inside(fd))
        return 0;
    reach(t, fd);
    return atomic_exchange_explicit(&t->word[fd], word, memory_order_relaxed);
}

void fdtab_change(struct fdtab *t, int fd, uint32_t clear, uint32_t set)
{
    uint32_t word = fdtab_get(t, fd);

    if (!inside(fd))
        return;
    reach(t, fd);
    while (!atomic_compare_exchange_weak_explicit(&t->word[fd], &word, (word & ~clear) | set, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

bool fdtab_replace(struct fdtab *t, int fd, uint32_t old, uint32_t word)
{
    return inside(fd) && atomic_compare_exchange_strong_explicit(&t->word[fd], &old, word, memory_order_release,
                                                                 memory_order_relaxed);
}

void fdtab_turn(struct fdtab *t, int fd, uint32_t from, uint32_t to)
{
    uint32_t word = fdtab_get(t, fd);

    while ((word & FDTAB_KIND) == from && inside(fd) &&
           !atomic_compare_exchange_weak_explicit(&t->word[fd], &word, (word & ~(uint32_t)FDTAB_KIND) | to,
                                                  memory_order_relaxed, memory_order_relaxed))
        ;
}

void fdtab_copy(struct fdtab *t, int from, int to)
{
    uint32_t word = fdtab_get(t, from);

    /* Registrations belong to a number; what a socket is bound to does not. */
    word &= ~(uint32_t)(FDTAB_REGISTERED | ((word & FDTAB_KIND) == KIND_STREAM ? 0 : FDTAB_SET));
    if (word != 0)
        fdtab_set(t, to, word);
    else
        fdtab_drop(t, to);
}

void fdtab_drop(struct fdtab *t, int fd)
{
    /* Reading first spares the page of a number that was never set. */
    if (fdtab_get(t, fd) != 0)
        atomic_exchange_explicit(&t->word[fd], 0, memory_order_acquire);
}

void fdtab_drop_range(struct fdtab *t, unsigned first, unsigned last)
{
    unsigned top = atomic_load_explicit(&t->top, memory_order_relaxed);

    for (unsigned fd = first; fd < top && fd <= last; fd++)
        fdtab_drop(t, (int)fd);
}
