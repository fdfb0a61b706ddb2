/* SPDX-License-Identifier: ISC */
/* check_lock.c - the lock that processes share */
#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"
#include "real.h"

Suite *make_suite(void);

enum { SPACE = 77, TURNS = 20000, THREADS = 4, PROCESSES = 3, KEPT_MS = 1500 };

struct shared {
    struct lock lock;
    unsigned count;
    atomic_uint step;
};

static struct shared *shared;

static void set_up(void)
{
    real_init();
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void *count(void *argument)
{
    struct lock_hold hold;

    for (int i = 0; i < TURNS; i++) {
        if (lock_take(&shared->lock, SPACE, &hold) != 0)
            return argument;
        shared->count++;
        lock_give(&shared->lock, &hold);
    }
    return NULL;
}

START_TEST(threads_exclude_each_other)
{
    pthread_t thread[THREADS];
    void *failed;

    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, count, shared), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], &failed);
        ck_assert_ptr_null(failed);
    }
    ck_assert_uint_eq(shared->count, THREADS * TURNS);
}
END_TEST

START_TEST(processes_exclude_each_other)
{
    int status;

    for (int i = 0; i < PROCESSES; i++) {
        if (fork() == 0)
            _exit(count(shared) != NULL);
    }
    while (wait(&status) > 0)
        ck_assert_int_eq(status, 0);
    ck_assert_uint_eq(shared->count, PROCESSES * TURNS);
}
END_TEST

START_TEST(held_lock_blocks_signals_and_gives_them_back)
{
    struct lock_hold hold;
    sigset_t before, during, after;

    sigemptyset(&before);
    sigaddset(&before, SIGUSR2);
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = 4711;
    ck_assert_int_eq(lock_take(&shared->lock, SPACE, &hold), 0);
    sigprocmask(SIG_SETMASK, NULL, &during);
    ck_assert_int_eq(sigismember(&during, SIGUSR1), 1);
    ck_assert_int_eq(sigismember(&during, SIGALRM), 1);
    lock_give(&shared->lock, &hold);
    sigprocmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGUSR1), 0);
    ck_assert_int_eq(sigismember(&after, SIGUSR2), 1);
    ck_assert_int_eq(errno, 4711);
}
END_TEST

/* A child that takes the lock and does not give it back; it waits to be killed. */
static pid_t holder(void)
{
    struct lock_hold hold;
    pid_t pid = fork();

    if (pid == 0) {
        lock_take(&shared->lock, SPACE, &hold);
        atomic_store(&shared->step, 1);
        for (;;)
            pause();
    }
    while (atomic_load(&shared->step) == 0)
        ;
    return pid;
}

START_TEST(caller_may_bring_thread_id_and_blocked_signals)
{
    sigset_t now;

    ck_assert_int_eq(lock_take_as(&shared->lock, SPACE, 4711, NULL), 0);
    ck_assert_uint_eq(atomic_load(&shared->lock.owner), (uint64_t)SPACE << 32 | 4711);
    sigprocmask(SIG_SETMASK, NULL, &now);
    ck_assert_int_eq(sigismember(&now, SIGUSR1), 0);
    sigaddset(&now, SIGUSR1);
    sigprocmask(SIG_SETMASK, &now, NULL);
    lock_give(&shared->lock, NULL);
    ck_assert_uint_eq(atomic_load(&shared->lock.owner), 0);
    sigprocmask(SIG_SETMASK, NULL, &now);
    ck_assert_int_eq(sigismember(&now, SIGUSR1), 1);
}
END_TEST

START_TEST(killed_owner_loses_it)
{
    struct lock_hold hold;
    pid_t pid = holder();

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(lock_take(&shared->lock, SPACE, &hold), 0);
    lock_give(&shared->lock, &hold);
    ck_assert_uint_eq(atomic_load(&shared->lock.owner), 0);
}
END_TEST

START_TEST(killed_owner_in_another_space_is_not_robbed)
{
    struct lock_hold hold;
    sigset_t after;
    pid_t pid = holder();

    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    /* Waited for once: a hundred seconds would be too long for the test. */
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(lock_take(&shared->lock, SPACE + 1, &hold), -EDEADLK);
    sigprocmask(SIG_SETMASK, NULL, &after);
    ck_assert_int_eq(sigismember(&after, SIGUSR1), 0);
    ck_assert_int_eq(lock_take(&shared->lock, SPACE, &hold), 0);
    lock_give(&shared->lock, &hold);
    ck_assert_uint_eq(atomic_load(&shared->lock.lost), 0);
}
END_TEST

/* A machine may be that slow. */
START_TEST(living_owner_is_waited_for_beyond_a_second)
{
    struct lock_hold hold;
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        lock_take(&shared->lock, SPACE, &hold);
        atomic_store(&shared->step, 1);
        poll(NULL, 0, KEPT_MS);
        lock_give(&shared->lock, &hold);
        _exit(0);
    }
    while (atomic_load(&shared->step) == 0)
        ;
    ck_assert_int_eq(lock_take(&shared->lock, SPACE, &hold), 0);
    lock_give(&shared->lock, &hold);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("lock");
    TCase *c = tcase_create("lock");

    tcase_add_checked_fixture(c, set_up, NULL);
    tcase_set_timeout(c, 30);
    tcase_add_test(c, threads_exclude_each_other);
    tcase_add_test(c, processes_exclude_each_other);
    tcase_add_test(c, held_lock_blocks_signals_and_gives_them_back);
    tcase_add_test(c, caller_may_bring_thread_id_and_blocked_signals);
    tcase_add_test(c, killed_owner_loses_it);
    tcase_add_test(c, killed_owner_in_another_space_is_not_robbed);
    tcase_add_test(c, living_owner_is_waited_for_beyond_a_second);
    suite_add_tcase(s, c);
    return s;
}
