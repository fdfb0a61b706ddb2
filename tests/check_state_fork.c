/* SPDX-License-Identifier: ISC */
/* check_state_fork.c - threads that write to the state, while the process forks or they are cancelled */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

/* As on a file system that cannot reserve room (NFS 3, some of FUSE). */
static void forbid_fallocate(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fallocate, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = { sizeof filter / sizeof filter[0], filter };

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

static bool written;

/* A cancellation is on its way, and acts at the next point for it. */
static void *write_many(void *unused)
{
    pthread_cancel(pthread_self());
    for (unsigned i = 0; i < STATE_STEP + 10; i++)
        assign(&one, i, AF_INET);
    written = true;
    pthread_testcancel();
    return unused;
}

START_TEST(file_grows_without_fallocate_and_is_no_cancellation_point)
{
    pthread_t thread;
    struct stat st;
    struct addr a;
    void *result;

    open_both();
    forbid_fallocate();
    ck_assert_int_eq(pthread_create(&thread, NULL, write_many, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, &result), 0);
    ck_assert_ptr_eq(result, PTHREAD_CANCELED);
    ck_assert(written);
    a = assign(&one, STATE_STEP + 5, AF_INET);
    ck_assert_int_eq(find(&two, &a, STATE_STEP + 5), 0);
    ck_assert(is_shared(&a));
    ck_assert_int_eq(stat(one.file.path, &st), 0);
    /* No holes. */
    ck_assert_int_ge((long)st.st_blocks * 512, (long)st.st_size);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state_fork");
    TCase *t = tcase_create("state_fork");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_test(t, fork_while_several_wait_leaves_no_descriptor);
    tcase_add_test(t, file_grows_without_fallocate_and_is_no_cancellation_point);
    suite_add_tcase(s, t);
    return s;
}
