/* SPDX-License-Identifier: ISC */
/* symbol.c - finds functions in the loaded objects without dlsym() */
#include "symbol.h"

#include <stddef.h>
#include <string.h>

static const char in_our_object;

struct search {
    const char *name;
    const void *inside;     /* an address in the only object to look at, or NULL: in all but ours */
    const void *outside;    /* an address in another one to pass over, or NULL */
    bool passed;            /* ours has been seen */
    void *before, *found;   /* in an object before ours, in ours or behind */
};

static bool holds(const struct dl_phdr_info *info, const void *address)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && (uintptr_t)address - (info->dlpi_addr + p->p_vaddr) < p->p_memsz)
            return true;
    }
    return false;
}

/* glibc has replaced most offsets by addresses, musl none. */
static const void *place(const struct dl_phdr_info *info, ElfW(Addr) value)
{
    const void *address = (const void *)(uintptr_t)value;    /* NOLINT(performance-no-int-to-ptr) */

    return holds(info, address) ? address : (const void *)(uintptr_t)(info->dlpi_addr + value);
}

static bool look(const struct dl_phdr_info *info, struct symbol_object *m)
{
    const ElfW(Dyn) *d = NULL;

    memset(m, 0, sizeof *m);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            d = (const void *)(uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
    }
    for (; d && d->d_tag != DT_NULL; d++) {
        switch (d->d_tag) {
        case DT_SYMTAB:
            m->symbols = place(info, d->d_un.d_ptr);
            break;
        case DT_STRTAB:
            m->strings = place(info, d->d_un.d_ptr);
            break;
        case DT_GNU_HASH:
            m->gnu_hash = place(info, d->d_un.d_ptr);
            break;
        case DT_HASH:
            m->hash = place(info, d->d_un.d_ptr);
            break;
        case DT_VERSYM:
            m->versions = place(info, d->d_un.d_ptr);
            break;
        }
    }
    m->base = info->dlpi_addr;
    return m->symbols && m->strings;
}

static bool is_function(const struct symbol_object *m, size_t i, const char *name)
{
    const ElfW(Sym) *s = &m->symbols[i];

    /* The type lies in the lower four bits, in both classes. */
    return s->st_shndx != SHN_UNDEF && (s->st_info & 15) == STT_FUNC && strcmp(m->strings + s->st_name, name) == 0;
}

static uint32_t gnu_hash_of(const char *name)
{
    uint32_t hash = 5381;

    for (const char *p = name; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return hash;
}

/* Most objects have no symbol with this hash, which one word of the filter tells. */
static bool may_have(const uint32_t *head, uint32_t hash)
{
    enum { BITS = 8 * sizeof(ElfW(Addr)) };
    const ElfW(Addr) *filter = (const void *)(head + 4);
    ElfW(Addr) word = head[2] ? filter[hash / BITS & (head[2] - 1)] : 0;

    return word >> hash % BITS & word >> (hash >> head[3]) % BITS & 1;
}

/* Words: count of buckets, first symbol, size of the filter in addresses, its shift; filter, buckets, chains.
 * after: the symbol that was found before, or 0.  Returns the next one with this hash, or 0. */
static size_t next_of_hash(const struct symbol_object *m, uint32_t hash, size_t after)
{
    const uint32_t *head = m->gnu_hash;
    const uint32_t *buckets = head + 4 + head[2] * (sizeof(ElfW(Addr)) / sizeof *head), *chains = buckets + head[0];
    size_t i = after;

    if (after) {
        if (chains[i++ - head[1]] & 1)
            return 0;
    } else {
        i = head[0] && may_have(head, hash) ? buckets[hash % head[0]] : 0;
        if (i < head[1] || i == 0)
            return 0;
    }
    for (;; i++) {
        uint32_t entry = chains[i - head[1]];

        if ((entry | 1) == (hash | 1))
            return i;
        if (entry & 1)
            return 0;
    }
}

static size_t find_by_gnu_hash(const struct symbol_object *m, const char *name)
{
    uint32_t hash = gnu_hash_of(name);
    size_t i = next_of_hash(m, hash, 0);

    while (i && !is_function(m, i, name))
        i = next_of_hash(m, hash, i);
    return i;
}

static size_t find_by_number(const struct symbol_object *m, const char *name)
{
    for (size_t i = 1; i < m->hash[1]; i++) {
        if (is_function(m, i, name))
            return i;
    }
    return 0;
}

static void *symbol_in(const struct symbol_object *m, const char *name)
{
    size_t i = 0;

    if (m->gnu_hash)
        i = find_by_gnu_hash(m, name);
    else if (m->hash)
        i = find_by_number(m, name);
    return i ? (void *)(uintptr_t)(m->base + m->symbols[i].st_value) : NULL;
}

static void *find(const struct dl_phdr_info *info, const char *name)
{
    struct symbol_object m;

    return look(info, &m) ? symbol_in(&m, name) : NULL;
}

static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
    struct search *s = context;
    bool ours = !s->inside && holds(info, &in_our_object);

    (void)size;
    s->passed = s->passed || ours;
    if (ours || (s->inside && !holds(info, s->inside)) || (s->outside && holds(info, s->outside)))
        return 0;
    if (s->passed || s->inside)
        s->found = find(info, s->name);
    else if (!s->before)
        s->before = find(info, s->name);
    return s->found != NULL || s->inside;
}

static void *next(const char *name, const void *outside)
{
    struct search s = { .name = name, .outside = outside };

    dl_iterate_phdr(visit, &s);
    return s.found ? s.found : s.before;
}

struct gathering {
    struct symbol_list *list;
    const void *dlsym;
    bool passed;
};

static int gather(struct dl_phdr_info *info, size_t size, void *context)
{
    struct gathering *g = context;
    struct symbol_list *l = g->list;
    struct symbol_object object;

    (void)size;
    if (!g->passed) {
        g->passed = holds(info, &in_our_object);
        return 0;
    }
    if (!look(info, &object))
        return 0;
    l->whole = l->count < SYMBOL_OBJECTS && object.gnu_hash;
    if (!l->whole)
        return 1;
    if (l->libc == SYMBOL_OBJECTS && holds(info, g->dlsym))
        l->libc = l->count;
    l->of[l->count++] = object;
    return 0;
}

void symbol_behind(struct symbol_list *l, const void *dlsym)
{
    struct gathering g = { .list = l, .dlsym = dlsym };

    l->count = 0;
    l->libc = SYMBOL_OBJECTS;
    l->whole = true;
    dl_iterate_phdr(gather, &g);
    if (l->libc == SYMBOL_OBJECTS)
        l->libc = l->count;
}

/* Of the default version, which is not hidden.  Returns an index of this name, 0 if there is none; *plain: it is one
 * that the loader would take, and as it stands. */
static size_t find_default(const struct symbol_object *m, const char *name, uint32_t hash, bool *plain)
{
    size_t named = 0;

    for (size_t i = next_of_hash(m, hash, 0); i; i = next_of_hash(m, hash, i)) {
        if (m->symbols[i].st_shndx == SHN_UNDEF || strcmp(m->strings + m->symbols[i].st_name, name) != 0)
            continue;
        named = i;
        *plain = is_function(m, i, name) && !(m->versions && m->versions[i] & 0x8000);
        if (*plain)
            return i;
    }
    return named;
}

enum symbol_answer symbol_first(const struct symbol_list *l, const char *name, void **function)
{
    uint32_t hash = gnu_hash_of(name);

    for (unsigned n = 0; n < l->count; n++) {
        bool plain = false;
        size_t i = find_default(&l->of[n], name, hash, &plain);

        if (i && (n != l->libc || !plain))
            return SYMBOL_ASK;
        if (i) {
            *function = (void *)(uintptr_t)(l->of[n].base + l->of[n].symbols[i].st_value);
            return SYMBOL_FOUND;
        }
    }
    return l->whole ? SYMBOL_NONE : SYMBOL_ASK;
}

void *symbol_next(const char *name)
{
    return next(name, NULL);
}

void *symbol_not_libc(const char *name)
{
    return next(name, symbol_next("gnu_get_libc_version"));
}

void *symbol_beside(const void *address, const char *name)
{
    struct search s = { .name = name, .inside = address };

    dl_iterate_phdr(visit, &s);
    return s.found;
}

void *symbol_own(const char *name)
{
    return symbol_beside(&in_our_object, name);
}
