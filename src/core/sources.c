/* SPDX-License-Identifier: ISC */
/* sources.c - which address a program knows the sender of a datagram by */
#include "sources.h"

#include <string.h>

static void host_of(const struct addr *a, struct sources_host *out)
{
    memset(out, 0, sizeof *out);
    out->kind = (uint8_t)a->kind;
    memcpy(out->ip, a->ip, a->kind == ADDR_IPV4 ? 4 : sizeof out->ip);
}

static bool same_host(const struct sources_host *a, const struct sources_host *b)
{
    return a->kind == b->kind && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static void show(const struct sources_host *host, uint16_t port, struct addr *out)
{
    memset(out, 0, sizeof *out);
    out->kind = (enum addr_kind)host->kind;
    out->port = port;
    memcpy(out->ip, host->ip, sizeof host->ip);
}

static struct sources_name *find_name(struct sources *t, const struct sources_host *shown, uint16_t port)
{
    for (int i = 0; i < SOURCES_NAMES; i++) {
        if (t->name[i].port == port && same_host(&t->name[i].shown, shown))
            return &t->name[i];
    }
    return NULL;
}

void sources_sent_name(struct sources *t, const struct addr *shown)
{
    struct sources_host host;
    struct sources_name *n;

    host_of(shown, &host);
    n = find_name(t, &host, shown->port);
    if (!n) {
        struct sources_name new = { .shown = host, .port = shown->port };

        /* Who answers at one port answers at another. */
        for (int i = 0; i < SOURCES_NAMES; i++) {
            if (same_host(&t->name[i].shown, &host))
                new.real = t->name[i].real;
        }
        n = &t->name[t->next_name];
        t->next_name = (uint8_t)((t->next_name + 1) % SOURCES_NAMES);
        *n = new;
    }
    n->waiting = true;
}

void sources_sent_plain(struct sources *t, const struct addr *to)
{
    struct sources_plain *p;
    struct sources_host host;

    host_of(to, &host);
    for (int i = 0; i < SOURCES_PLAIN; i++) {
        if (t->plain[i].port == to->port && same_host(&t->plain[i].host, &host))
            return;
    }
    p = &t->plain[t->next_plain];
    t->next_plain = (uint8_t)((t->next_plain + 1) % SOURCES_PLAIN);
    p->host = host;
    p->port = to->port;
}

/* port: any, when it is not to be asked for. */
static bool is_plain(const struct sources *t, const struct sources_host *host, const uint16_t *port)
{
    for (int i = 0; i < SOURCES_PLAIN; i++) {
        if (same_host(&t->plain[i].host, host) && (!port || t->plain[i].port == *port))
            return true;
    }
    return false;
}

/* What a name must be to be the one that answered; the first kind of which there is exactly one counts. */
enum clue { REAL = 1, PORT = 2, WAITING = 4, UNKNOWN = 8 };

static const unsigned clues[] = {
    REAL | PORT | WAITING, REAL | PORT, UNKNOWN | PORT | WAITING, PORT | WAITING, REAL | WAITING, REAL, WAITING
};

static bool fits(const struct sources_name *n, unsigned clue, const struct sources_host *real, uint16_t port)
{
    return n->shown.kind != ADDR_NONE && (!(clue & REAL) || same_host(&n->real, real)) &&
           (!(clue & PORT) || n->port == port) && (!(clue & WAITING) || n->waiting) &&
           (!(clue & UNKNOWN) || n->real.kind == ADDR_NONE);
}

/* The only name that fits, or NULL; several addresses of one name count once.  *some: whether any fits. */
static struct sources_name *only(struct sources *t, unsigned clue, const struct sources_host *real, uint16_t port,
                                 bool *some)
{
    struct sources_name *found = NULL;

    *some = false;
    for (int i = 0; i < SOURCES_NAMES; i++) {
        if (!fits(&t->name[i], clue, real, port))
            continue;
        if (*some && !(found && same_host(&found->shown, &t->name[i].shown)))
            found = NULL;
        else
            found = &t->name[i];
        *some = true;
    }
    return found;
}

static struct sources_name *answering(struct sources *t, const struct sources_host *real, uint16_t port)
{
    bool some;

    for (size_t i = 0; i < sizeof clues / sizeof clues[0]; i++) {
        struct sources_name *n = only(t, clues[i], real, port, &some);

        /* Two names at one address: which of them it is, no weaker clue can tell. */
        if (n || (some && clues[i] == (REAL | PORT)))
            return n;
    }
    return NULL;
}

void sources_from(struct sources *t, const struct addr *source, struct addr *out)
{
    struct sources_host real;
    struct sources_name *n;

    host_of(source, &real);
    n = is_plain(t, &real, &source->port) ? NULL : answering(t, &real, source->port);
    if (!n || (!same_host(&n->real, &real) && is_plain(t, &real, NULL))) {
        *out = *source;
        return;
    }
    n->real = real;
    n->waiting = n->waiting && n->port != source->port;
    show(&n->shown, source->port, out);
}

void sources_from_name(struct sources *t, const struct addr alias[2], uint16_t port, struct addr *out)
{
    struct sources_host host[2];
    const struct sources_host *used = &host[0];

    for (int i = 0; i < 2; i++)
        host_of(&alias[i], &host[i]);
    for (int i = 0; i < SOURCES_NAMES; i++) {
        struct sources_name *n = &t->name[i];
        int which = same_host(&n->shown, &host[0]) ? 0 : same_host(&n->shown, &host[1]) ? 1 : -1;

        if (which < 0 || n->shown.kind == ADDR_NONE)
            continue;
        used = &host[which];
        if (n->port != port)
            continue;
        n->waiting = false;
        break;
    }
    show(used, port, out);
}
