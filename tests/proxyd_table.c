/* SPDX-License-Identifier: ISC */
/* proxyd_table.c - all clients of the test proxy, in a table of fixed size */
#include "proxyd_conn.h"
#include "proxyd_table.h"

static struct conn conns[TABLE_CONNS];
static struct conn *live[TABLE_CONNS], *spare[TABLE_CONNS];
static size_t live_count, spare_count, ever_used;
static unsigned last_id;

static struct conn *oldest_held(void)
{
    struct conn *oldest = NULL;
    for (size_t i = 0; i < live_count; i++)
        if (conn_is_held(live[i]) && (oldest == NULL || live[i]->out.order < oldest->out.order))
            oldest = live[i];
    return oldest;
}

bool table_is_full(void)
{
    return live_count == TABLE_CONNS;
}

void table_add(struct options *o, int client)
{
    struct conn *c = spare_count > 0 ? spare[--spare_count] : &conns[ever_used++];
    live[live_count++] = c;
    conn_begin(c, o, client, ++last_id);
}

size_t table_poll(struct pollfd *set, int64_t now, int *timeout_ms)
{
    size_t used = 0;
    for (size_t i = 0; i < live_count; i++)
        used += (size_t)conn_poll(live[i], set + used, now, timeout_ms);
    return used;
}

void table_step(const struct pollfd *set, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < live_count; i++) {
        struct conn *c = live[i];
        size_t used = c->state == CONN_UDP ? CONN_POLL_MAX : 2;
        conn_step(c, set, now);
        set += used;
        if (c->state != CONN_FREE)
            live[kept++] = c;
        else
            spare[spare_count++] = c;
    }
    live_count = kept;
}

size_t table_open(void)
{
    return live_count;
}

size_t table_held(void)
{
    size_t held = 0;
    for (size_t i = 0; i < live_count; i++)
        held += conn_is_held(live[i]);
    return held;
}

size_t table_release(size_t n)
{
    size_t released = 0;
    struct conn *c;
    while (released < n && (c = oldest_held()) != NULL) {
        output_release(&c->out);
        released++;
    }
    return released;
}

void table_end(void)
{
    for (size_t i = 0; i < live_count; i++)
        conn_end(live[i]);
    live_count = 0;
}
