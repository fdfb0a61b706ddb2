/* SPDX-License-Identifier: ISC */
/* probe.h - the test client's sub-commands
 *
 * The probe runs bare against a target, and under the preload object through a proxy; both outputs are then compared.
 * So it prints nothing that changes from run to run: results, errno names, events, fields - never numbers, times, ids.
 */
#ifndef SOCKSIFY_TESTS_PROBE_H
#define SOCKSIFY_TESTS_PROBE_H

struct command {
    const char *name;              /* NULL ends a table */
    int arguments;                 /* how many must follow the name at least */
    int (*run)(char **argv);       /* argv: what follows the name, NULL-terminated; returns the exit code */
    const char *usage;
};

/* One table for each topic, in the file of that name. */
extern const struct command serve_commands[];
extern const struct command tcp_commands[];
extern const struct command calls_commands[];
extern const struct command identity_commands[];
extern const struct command pass_commands[];
extern const struct command thread_commands[];
extern const struct command load_commands[];
extern const struct command signal_commands[];
extern const struct command kinds_commands[];
extern const struct command datagram_commands[];
extern const struct command facts_commands[];
extern const struct command odd_commands[];
extern const struct command address_commands[];
extern const struct command udp_commands[];
extern const struct command detour_commands[];
extern const struct command life_commands[];
extern const struct command process_commands[];
extern const struct command jail_commands[];
extern const struct command udp_fault_commands[];
extern const struct command udp_batch_commands[];
extern const struct command udp_early_commands[];
extern const struct command udp_pass_commands[];
extern const struct command udp_number_commands[];
extern const struct command bind_commands[];
extern const struct command bind_wait_commands[];
extern const struct command bind_share_commands[];
extern const struct command lookup_commands[];
extern const struct command bind_undo_commands[];
extern const struct command faults_commands[];
extern const struct command sysfaults_commands[];
extern const struct command many_commands[];
extern const struct command kills_commands[];
extern const struct command once_commands[];
extern const struct command raw_commands[];

#endif
