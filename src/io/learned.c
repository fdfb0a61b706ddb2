/* SPDX-License-Identifier: ISC */
/* learned.c - real addresses that names were resolved to */
#include "learned.h"

#include <string.h>

#include "../core/dns_answer.h"

static size_t ip_len(const struct addr *a)
{
    return a->kind == ADDR_IPV4 ? 4 : a->kind == ADDR_IPV6 ? 16 : 0;
}

static unsigned place(const struct addr *a)
{
    uint32_t h = a->kind;

    for (size_t i = 0; i < ip_len(a); i++)
        h = (h ^ a->ip[i]) * 16777619u;
    return (h ^ h >> 16) % LEARNED_SIZE;
}

void learned_add(struct learned *l, const char *name, const struct addr *address)
{
    struct learned_entry *e = &l->entry[place(address)];
    unsigned version = atomic_load_explicit(&e->version, memory_order_relaxed);
    size_t len = strnlen(name, ADDR_NAME_SIZE);

    /* Who finds another writer at work leaves the place to it. */
    if (ip_len(address) == 0 || len > ADDR_NAME_MAX || version & 1 ||
        !atomic_compare_exchange_strong_explicit(&e->version, &version, version + 1, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    atomic_thread_fence(memory_order_release);
    e->kind = (uint8_t)address->kind;
    memcpy(e->ip, address->ip, ip_len(address));
    memcpy(e->name, name, len + 1);
    atomic_store_explicit(&e->version, version + 2, memory_order_release);
    atomic_store_explicit(&l->used, true, memory_order_release);
}

void learned_add_list(struct learned *l, const char *name, const struct addrinfo *list)
{
    for (; list; list = list->ai_next) {
        struct addr a;

        if (addr_from_sockaddr(list->ai_addr, list->ai_addrlen, &a) == 0)
            learned_add(l, name, &a);
    }
}

void learned_add_host(struct learned *l, const char *name, const struct hostent *host)
{
    for (char **p = host ? host->h_addr_list : NULL; p && *p; p++) {
        struct addr a = { .kind = host->h_addrtype == AF_INET ? ADDR_IPV4 : ADDR_IPV6 };

        memcpy(a.ip, *p, host->h_addrtype == AF_INET ? 4 : 16);
        learned_add(l, name, &a);
    }
}

void learned_add_message(struct learned *l, const uint8_t *message, size_t len)
{
    struct dns_answer_reader r;
    struct addr a;
    int error = dns_answer_begin(&r, message, len);

    while (!error && (error = dns_answer_next(&r, &a)) == 0)
        learned_add(l, r.name, &a);
}

bool learned_find(const struct learned *l, const struct addr *address, struct addr *out)
{
    const struct learned_entry *e;
    char name[ADDR_NAME_SIZE];
    struct addr found;
    unsigned version;
    bool same;

    if (!atomic_load_explicit(&l->used, memory_order_relaxed) || ip_len(address) == 0)
        return false;
    e = &l->entry[place(address)];
    version = atomic_load_explicit(&e->version, memory_order_acquire);
    if (version & 1)
        return false;
    same = e->kind == address->kind && memcmp(e->ip, address->ip, ip_len(address)) == 0;
    memcpy(name, e->name, sizeof name);
    atomic_thread_fence(memory_order_acquire);
    if (!same || atomic_load_explicit(&e->version, memory_order_relaxed) != version)
        return false;
    name[ADDR_NAME_SIZE - 1] = '\0';
    if (addr_from_name(name, strlen(name), &found) != 0)
        return false;
    found.port = address->port;
    *out = found;
    return true;
}
