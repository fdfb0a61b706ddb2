/* SPDX-License-Identifier: ISC */
/* probe.c - a client for tests: one sub-command for each thing to be tried */
#include "probe.h"

#include <stdio.h>
#include <string.h>

static const struct command *const tables[] = {
    serve_commands, tcp_commands,    calls_commands, identity_commands, pass_commands, thread_commands,  load_commands,
    signal_commands, kinds_commands, datagram_commands, facts_commands, odd_commands,  address_commands,
    udp_commands,    detour_commands, life_commands,   process_commands,  jail_commands,
    udp_fault_commands, udp_batch_commands, udp_early_commands, udp_pass_commands,
    udp_number_commands, bind_commands,
    bind_wait_commands, bind_share_commands, lookup_commands,
    bind_undo_commands, faults_commands, sysfaults_commands, many_commands, kills_commands, once_commands,
    raw_commands,
};

enum { TABLES = sizeof tables / sizeof tables[0] };

static int usage(FILE *stream, int code)
{
    fputs("usage: probe COMMAND [ARGUMENT]...; ADDRESS is 1.2.3.4:PORT or [IPV6]:PORT\n", stream);
    for (int i = 0; i < TABLES; i++) {
        for (const struct command *c = tables[i]; c->name; c++)
            fprintf(stream, "  %s %s\n", c->name, c->usage);
    }
    return code;
}

static const struct command *find(const char *name)
{
    for (int i = 0; i < TABLES; i++) {
        for (const struct command *c = tables[i]; c->name; c++) {
            if (strcmp(c->name, name) == 0)
                return c;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct command *c;

    /* A line must be out before the next call is tried, for the case that this one kills the process. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc >= 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout, 0);
    c = argc >= 2 ? find(argv[1]) : NULL;
    if (!c || argc - 2 < c->arguments)
        return usage(stderr, 2);
    return c->run(argv + 2);
}
