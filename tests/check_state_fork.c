/* SPDX-License-Identifier: ISC */
/* check_state_fork.c - a process forks while several of its threads write to the state */
#include <check.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"
#include "two_states.h"

Suite *make_suite(void);

static int count_numbers(void)
{
    int count = 0;

    for (int i = 0; i < 256; i++)
        count += fcntl(i, F_GETFD) >= 0;
    return count;
}

static int count_writers(void)
{
    int count = 0;

    for (int i = 0; i < STATE_WRITERS; i++)
        count += atomic_load(&one.file.lock_fd[i]) != 0;
    return count;
}

static void *write_once(void *unused)
{
    int fd = state_file_lock(&one.file);

    if (fd >= 0)
        state_file_unlock(&one.file, fd);
    return unused;
}

/* Two threads wait for the lock of a third writer: the child keeps the descriptor of none. */
START_TEST(fork_while_several_wait_leaves_no_descriptor)
{
    int before, status = 2, fd;

    open_both();
    before = count_numbers();
    /* On a busy machine they may have given up by the time of the fork. */
    while (status == 2) {
        pthread_t thread[2];

        atomic_store(&one.file.hasty, false);
        fd = state_file_lock(&one.file);
        ck_assert_int_ge(fd, 0);
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(pthread_create(&thread[i], NULL, write_once, NULL), 0);
        while (count_writers() < 3 && !atomic_load(&one.file.hasty))
            sched_yield();
        if (fork() == 0) {
            bool all = count_numbers() == before + 3;

            state_file_after_fork(&one.file);
            _exit(count_numbers() != before ? 1 : all ? 0 : 2);
        }
        ck_assert_int_gt(wait(&status), 0);
        status = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
        state_file_unlock(&one.file, fd);
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
    }
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state_fork");
    TCase *t = tcase_create("state_fork");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_test(t, fork_while_several_wait_leaves_no_descriptor);
    suite_add_tcase(s, t);
    return s;
}
