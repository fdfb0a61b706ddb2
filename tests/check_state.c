/* SPDX-License-Identifier: ISC */
/* check_state.c - the state between processes: names and addresses, writers, private memory, peers */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addr.h"
#include "clock.h"
#include "file.h"
#include "state.h"
#include "two_states.h"

Suite *make_suite(void);

START_TEST(name_in_any_case_has_one_address)
{
    struct addr a, b, c, back;

    open_both();
    ck_assert_int_eq(state_name_assign(&one, "Www.Example.ORG", AF_INET, &a), 0);
    ck_assert_int_eq(state_name_assign(&two, "www.example.org", AF_INET, &b), 0);
    ck_assert_int_eq(state_name_assign(&two, "www.example.org", AF_INET6, &c), 0);
    ck_assert(addr_equal(&a, &b) && is_shared(&a));
    ck_assert_uint_eq(c.ip[0], 0xfd);
    a.port = 443;
    c.port = 80;
    ck_assert_int_eq(state_name_find(&two, &a, &back), 0);
    ck_assert(back.kind == ADDR_NAME && back.port == 443 && !strcmp(back.name, "www.example.org"));
    ck_assert_int_eq(state_name_find(&one, &c, &back), 0);
    ck_assert(back.kind == ADDR_NAME && back.port == 80 && !strcmp(back.name, "www.example.org"));
    ck_assert_str_eq(state_directory(&one), directory);
}
END_TEST

START_TEST(name_wrong_arguments_are_refused)
{
    struct addr a = { .kind = ADDR_NONE };
    char longest[256];

    open_both();
    memset(longest, 'x', sizeof longest);
    longest[254] = '\0';
    ck_assert_int_eq(state_name_assign(&one, "x.example", AF_UNSPEC, &a), -EAFNOSUPPORT);
    ck_assert_int_eq(state_name_assign(&one, "", AF_INET, &a), -EINVAL);
    ck_assert_int_eq(state_name_assign(&one, longest, AF_INET, &a), -EINVAL);
    ck_assert_int_eq(a.kind, ADDR_NONE);
    ck_assert_ptr_null(state_warning(&one));
}
END_TEST

static const struct {
    const char *text;
    int error;
} strangers[] = {
    { "198.17.255.255", -ERANGE }, { "198.18.0.0", -EHOSTUNREACH }, { "198.18.255.255", -EHOSTUNREACH },
    { "198.19.0.0", -EHOSTUNREACH }, { "198.19.255.255", -EHOSTUNREACH }, { "198.20.0.0", -ERANGE },
    { "0.0.0.0", -ERANGE }, { "255.255.255.255", -ERANGE }, { "::", -ERANGE }, { "2001:db8::1", -ERANGE },
    { "fc00::1", -ERANGE }, { "::ffff:198.18.0.1", -EHOSTUNREACH }
};

START_TEST(address_without_name_is_not_found)
{
    struct addr a = ip(strangers[_i].text), back = { .kind = ADDR_NONE };

    open_both();
    ck_assert_int_eq(state_name_find(&one, &a, &back), strangers[_i].error);
    ck_assert_int_eq(open_state(&one, "/proc"), -EACCES);       /* and the same with private memory alone */
    ck_assert_int_eq(state_name_find(&one, &a, &back), strangers[_i].error);
    ck_assert_int_eq(back.kind, ADDR_NONE);
}
END_TEST

START_TEST(address_inside_ipv6_prefix_unknown_ehostunreach)
{
    struct addr a, back = { .kind = ADDR_NONE };

    open_both();
    a = assign(&one, 1, AF_INET6);
    a.ip[15] ^= 1;
    ck_assert_int_eq(state_name_find(&one, &a, &back), -EHOSTUNREACH);
    a.ip[12] = 1;
    ck_assert_int_eq(state_name_find(&one, &a, &back), -EHOSTUNREACH);
    a.ip[11] ^= 1;
    ck_assert_int_eq(state_name_find(&one, &a, &back), -ERANGE);
    ck_assert_int_eq(back.kind, ADDR_NONE);
}
END_TEST

START_TEST(names_ten_thousand_unique_and_seen_by_others)
{
    static bool given[1 << 16];

    open_both();
    for (unsigned i = 0; i < 10000; i++) {
        struct addr a = assign(&one, i, i % 2 ? AF_INET : AF_INET6);

        must(find(&two, &a, i) == 0, "not seen", i);
        a = assign(&two, i, AF_INET);
        must(is_shared(&a) && !given[number_of(&a) & 0xffff], "given twice", i);
        given[number_of(&a) & 0xffff] = true;
    }
    ck_assert_int_eq(open_state(&two, directory), 0);
    for (unsigned i = 0; i < 10000; i++) {
        struct addr a = assign(&one, i, AF_INET);

        must(find(&two, &a, i) == 0, "lost", i);
    }
}
END_TEST

enum { CROWD = 8, EACH = 1000 };

static struct addr (*answers)[EACH];

static void crowd_member(unsigned me)
{
    for (unsigned n = 0; n < EACH; n++) {
        unsigned i = n % 2 ? n : me * EACH + n;     /* half of the names are everyone's */

        if (state_name_assign(&one, name_of(i), AF_INET, &answers[me][n]) != 0)
            _exit(1);
    }
}

START_TEST(processes_at_once_agree)
{
    static uint32_t owner[1 << 16];
    int gate[2];
    char c;

    ck_assert_int_eq(pipe(gate), 0);
    answers = mmap(NULL, sizeof *answers * CROWD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(answers != MAP_FAILED);
    for (unsigned me = 0; me < CROWD; me++) {
        if (fork() == 0) {
            close(gate[1]);
            if (read(gate[0], &c, 1) != 0 || open_state(&one, directory) != 0)  /* none finds a file at first */
                _exit(2);
            crowd_member(me);
            _exit(state_warning(&one) ? 3 : 0);
        }
    }
    close(gate[0]);
    close(gate[1]);
    for (unsigned me = 0; me < CROWD; me++) {
        int status;

        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    ck_assert_int_eq(open_state(&two, directory), 0);
    for (unsigned me = 0; me < CROWD; me++) {
        for (unsigned n = 0; n < EACH; n++) {
            unsigned i = n % 2 ? n : me * EACH + n, host = number_of(&answers[me][n]) & 0xffff;

            must(find(&two, &answers[me][n], i) == 0, "lost", i);
            must(owner[host] == 0 || owner[host] == i + 1, "one address for two names", i);
            owner[host] = i + 1;
        }
    }
}
END_TEST

enum { ROUNDS = 25, MAKERS = 4 };

static struct made {
    atomic_uint waiting;
    uint64_t ino;
    struct state_numbers numbers;
} *made;

static int make_file(unsigned me)
{
    atomic_fetch_add(&made[0].waiting, 1);
    while (atomic_load(&made[0].waiting) % MAKERS != 0)     /* all of them start in the same moment */
        sched_yield();
    if (open_state(&one, directory) != 0)
        return 1;
    made[me].ino = one.file.ino;
    made[me].numbers = one.file.numbers;
    return 0;
}

static void make_round(unsigned round)
{
    int status;

    for (unsigned me = 0; me < MAKERS; me++)
        if (fork() == 0)
            _exit(make_file(me));
    for (unsigned me = 0; me < MAKERS; me++)
        must(wait(&status) > 0 && status == 0, "a process got no file", round);
    for (unsigned me = 1; me < MAKERS; me++)
        must(made[me].ino == made[0].ino && memcmp(&made[me].numbers, &made[0].numbers, sizeof made[0].numbers) == 0,
             "two files", round);
}

START_TEST(processes_making_the_file_at_once_share_one)
{
    made = mmap(NULL, sizeof *made * MAKERS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(made != MAP_FAILED);
    for (unsigned round = 0; round < ROUNDS; round++) {
        make_round(round);
        ck_assert_int_eq(open_state(&two, directory), 0);
        ck_assert_uint_eq(two.file.ino, made[0].ino);
        ck_assert_int_eq(unlink(two.file.path), 0);
    }
}
END_TEST

static void *thread_member(void *number)
{
    crowd_member((unsigned)(uintptr_t)number);
    return NULL;
}

static void fork_and_assign(unsigned n)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct addr a;

        state_after_fork(&one);
        _exit(state_name_assign(&one, name_of(100000 + n), AF_INET, &a) == 0 && is_shared(&a) ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

START_TEST(fork_while_threads_write_child_can_write)
{
    pthread_t thread[2];

    answers = calloc(2, sizeof *answers);
    open_both();
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, thread_member, (void *)(uintptr_t)i), 0);
    for (unsigned n = 0; n < 10; n++)
        fork_and_assign(n);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    ck_assert_ptr_null(state_warning(&one));
    free(answers);
}
END_TEST

START_TEST(open_leaves_no_descriptor)
{
    int before = dup(0), after;

    close(before);
    open_both();
    for (unsigned i = 0; i < 2000; i++)
        assign(&one, i, AF_INET);
    after = dup(0);
    ck_assert_int_eq(after, before);
    close(after);
}
END_TEST

/* A process that holds the lock until it is killed. */
static pid_t hold_lock(void)
{
    int ready[2];
    char c;
    pid_t pid;

    ck_assert_int_eq(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        if (state_file_lock(&one.file) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], &c, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

START_TEST(writer_killed_lock_is_free)
{
    struct addr a;
    pid_t pid;

    open_both();
    pid = hold_lock();
    ck_assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    a = assign(&two, 1, AF_INET);
    ck_assert(is_shared(&a));
}
END_TEST

START_TEST(writer_asleep_waits_a_second_once_then_private)
{
    struct addr a, b;
    pid_t pid;
    int64_t start;

    open_both();
    a = assign(&two, 1, AF_INET);
    pid = hold_lock();
    start = clock_ms();
    ck_assert_int_eq(find(&two, &a, 1), 0);     /* readers do not wait */
    b = assign(&two, 2, AF_INET);
    ck_assert(is_private(&b) && clock_ms() - start >= STATE_WAIT_MS);
    ck_assert(two.file.hasty);
    ck_assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    a = assign(&two, 3, AF_INET);
    ck_assert(is_shared(&a) && !two.file.hasty);
    a = assign(&two, 2, AF_INET);
    ck_assert(addr_equal(&a, &b));
}
END_TEST

START_TEST(fork_in_writer_child_closes_its_copy)
{
    int fd;

    open_both();
    fd = state_file_lock(&one.file);
    ck_assert_int_ge(fd, 0);
    if (fork() == 0) {
        state_after_fork(&one);
        _exit(fcntl(fd, F_GETFD) == -1 && errno == EBADF ? 0 : 1);
    }
    int status;
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
    state_file_unlock(&one.file, fd);
}
END_TEST

START_TEST(path_out_of_reach_old_names_stay_new_ones_go_private)
{
    char away[128];
    struct addr a, b, c;

    open_both();
    a = assign(&one, 1, AF_INET);
    snprintf(away, sizeof away, "%s/away", home);
    ck_assert_int_eq(rename(directory, away), 0);
    b = assign(&one, 2, AF_INET);
    ck_assert(is_private(&b));
    ck_assert_ptr_nonnull(state_warning(&one));
    ck_assert_int_eq(find(&one, &a, 1), 0);
    ck_assert_int_eq(find(&two, &b, 2), -EHOSTUNREACH);
    ck_assert_int_eq(open_state(&two, away), 0);
    for (unsigned i = 10; i < 1500; i++)
        c = assign(&two, i, AF_INET);
    ck_assert_int_eq(find(&one, &c, 1499), 0);   /* growth is seen without the path */
}
END_TEST

START_TEST(fork_private_memory_is_shared_with_children)
{
    struct addr a, b;
    int status;

    ck_assert_int_eq(open_state(&one, "/proc"), -EACCES);
    if (fork() == 0) {
        a = assign(&one, 1, AF_INET);
        b = assign(&one, 1, AF_INET6);
        state_peer_set(&one, 77, &a);
        _exit(is_private(&a) && find(&one, &b, 1) == 0 ? 0 : 1);
    }
    ck_assert_int_gt(wait(&status), 0);
    ck_assert_int_eq(status, 0);
    ck_assert(state_peer_get(&one, 77, &a));
    ck_assert_int_eq(find(&one, &a, 1), 0);
    b = assign(&one, 1, AF_INET);
    ck_assert(addr_equal(&a, &b));
}
END_TEST

enum { OWNER_DEAD, OWNER_DEAD_UNKNOWN_NAMESPACE, OWNER_OF_ANOTHER_NAMESPACE, OWNER_ALIVE, OWNERS };

static bool lock_is_taken(int how, pid_t dead)
{
    uint64_t space = how == OWNER_DEAD_UNKNOWN_NAMESPACE
                         ? 0 : file_namespace("pid") + (how == OWNER_OF_ANOTHER_NAMESPACE);
    struct addr a = { .kind = ADDR_NONE };
    int64_t start = clock_ms();
    int error;

    if (open_state(&one, "/proc") != -EACCES)
        _exit(2);
    one.own->page.lock.owner = space << 32 | (uint32_t)(how == OWNER_ALIVE ? getppid() : dead);
    error = state_name_assign(&one, "x.example", AF_INET, &a);
    if ((error != 0 && error != -EAGAIN) || (a.kind == ADDR_IPV4) != (error == 0))
        _exit(3);
    if (how != OWNER_DEAD && clock_ms() - start < STATE_WAIT_MS)
        _exit(4);
    return error == 0;
}

START_TEST(private_lock_is_taken_from_the_dead_only)
{
    pid_t dead = fork(), pid[OWNERS];
    int status;

    if (dead == 0)
        _exit(0);
    ck_assert_int_eq(waitpid(dead, NULL, 0), dead);
    for (int how = 0; how < OWNERS; how++) {    /* side by side, since three of them wait */
        pid[how] = fork();
        if (pid[how] == 0)
            _exit(lock_is_taken(how, dead));
    }
    for (int how = 0; how < OWNERS; how++) {
        ck_assert_int_eq(waitpid(pid[how], &status, 0), pid[how]);
        ck_assert(WIFEXITED(status));
        ck_assert_int_eq(WEXITSTATUS(status), how == OWNER_DEAD);
    }
}
END_TEST

START_TEST(peer_is_seen_by_others_and_keeps_its_family)
{
    struct addr v4 = ip("192.0.2.7"), v6 = ip("2001:db8::7"), got = { .kind = ADDR_NONE };
    uint64_t far = ((uint64_t)1 << 63) + 65536 * 3 + 5;

    v4.port = 443;
    v6.port = 65535;
    open_both();
    ck_assert(!state_peer_get(&one, 5, &got) && got.kind == ADDR_NONE);
    state_peer_set(&one, 5, &v4);
    state_peer_set(&one, 6, &v6);
    ck_assert(state_peer_get(&two, 5, &got) && addr_equal(&got, &v4));
    ck_assert(state_peer_get(&two, 6, &got) && addr_equal(&got, &v6));
    ck_assert(!state_peer_get(&two, far, &got));
    state_peer_forget(&two, far);
    ck_assert(state_peer_get(&two, 5, &got));
    state_peer_set(&two, far, &v6);             /* the same place */
    ck_assert(!state_peer_get(&one, 5, &got));
    ck_assert(state_peer_get(&one, far, &got) && addr_equal(&got, &v6));
    ck_assert(!state_peer_get(&one, far & ~((uint64_t)1 << 63), &got));
    ck_assert(!state_peer_get(&one, far ^ 65536, &got));
    state_peer_forget(&one, far);
    ck_assert(!state_peer_get(&two, far, &got));
}
END_TEST

START_TEST(peer_any_bit_damaged_is_a_miss)
{
    struct addr v4 = ip("192.0.2.7"), got;
    unsigned char *p;
    unsigned same = 0;

    open_both();
    state_peer_set(&one, 65536 + 5, &v4);
    p = (unsigned char *)&one.file.image->peers.place[5];
    for (unsigned bit = 0; bit < sizeof(struct peers_place) * 8; bit++) {
        p[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (state_peer_get(&two, 65536 + 5, &got)) {
            must(bit < 32 && addr_equal(&got, &v4), "damage unseen", bit);
            same++;
        }
        p[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert_uint_ge(same, 29);
}
END_TEST

START_TEST(peer_place_of_dead_writer_is_taken_over)
{
    struct addr v4 = ip("192.0.2.7"), got;

    open_both();
    state_peer_set(&one, 5, &v4);
    one.file.image->peers.place[5].sequence |= 1;
    ck_assert(!state_peer_get(&two, 5, &got));
    v4.port = 9;
    state_peer_set(&two, 5, &v4);
    ck_assert(state_peer_get(&one, 5, &got) && addr_equal(&got, &v4));
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state");
    TCase *t = tcase_create("state");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_test(t, name_in_any_case_has_one_address);
    tcase_add_test(t, name_wrong_arguments_are_refused);
    tcase_add_loop_test(t, address_without_name_is_not_found, 0, sizeof strangers / sizeof strangers[0]);
    tcase_add_test(t, address_inside_ipv6_prefix_unknown_ehostunreach);
    tcase_add_test(t, names_ten_thousand_unique_and_seen_by_others);
    tcase_add_test(t, processes_at_once_agree);
    tcase_add_test(t, processes_making_the_file_at_once_share_one);
    tcase_add_test(t, fork_while_threads_write_child_can_write);
    tcase_add_test(t, open_leaves_no_descriptor);
    tcase_add_test(t, writer_killed_lock_is_free);
    tcase_add_test(t, writer_asleep_waits_a_second_once_then_private);
    tcase_add_test(t, fork_in_writer_child_closes_its_copy);
    tcase_add_test(t, path_out_of_reach_old_names_stay_new_ones_go_private);
    tcase_add_test(t, fork_private_memory_is_shared_with_children);
    tcase_add_test(t, private_lock_is_taken_from_the_dead_only);
    tcase_add_test(t, peer_is_seen_by_others_and_keeps_its_family);
    tcase_add_test(t, peer_any_bit_damaged_is_a_miss);
    tcase_add_test(t, peer_place_of_dead_writer_is_taken_over);
    suite_add_tcase(s, t);
    return s;
}
