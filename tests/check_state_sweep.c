/* SPDX-License-Identifier: ISC */
/* check_state_sweep.c - state files that nobody uses any more go when another is made, and no others */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "state.h"
#include "state_sweep.h"
#include "two_states.h"

Suite *make_suite(void);

static const char *path_of(const char *name)
{
    static char path[200];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static void grow_old(const char *path, int seconds)
{
    struct timespec t[2];

    clock_gettime(CLOCK_REALTIME, &t[0]);
    t[0].tv_sec -= seconds;
    t[1] = t[0];
    ck_assert_int_eq(utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW), 0);
}

/* A file as another network namespace would have it. */
static void leave(const char *name, int seconds)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_EXCL, 0600);

    ck_assert_int_ge(fd, 0);
    close(fd);
    grow_old(path_of(name), seconds);
}

/* The file of this namespace, made anew. */
static void make_ours(void)
{
    if (one.file.path[0])
        unlink(one.file.path);
    ck_assert_int_eq(open_state(&one, directory), 0);
}

static const struct {
    const char *name;
    int age_s;
    bool goes;
} left[] = {
    { "socksify-1.state", STATE_UNUSED_S + 60, true },
    { "socksify-1-2.state", STATE_UNUSED_S + 60, true },
    { "socksify-1.state.new", STATE_UNUSED_S + 60, true },
    { "socksify-1.state", STATE_UNUSED_S - 60, false },
    { "socksify-1.states", STATE_UNUSED_S + 60, false },
    { "socksify.state", STATE_UNUSED_S + 60, false },
    { "notes.state", STATE_UNUSED_S + 60, false },
    { "socksify-1", STATE_UNUSED_S + 60, false },
};

START_TEST(file_left_goes_by_name_and_age)
{
    ck_assert_int_eq(mkdir(directory, 0700), 0);
    leave(left[_i].name, left[_i].age_s);
    make_ours();
    ck_assert_int_eq(exists(path_of(left[_i].name)), !left[_i].goes);
    ck_assert(exists(one.file.path));
}
END_TEST

START_TEST(many_files_left_all_go)
{
    char name[40];

    ck_assert_int_eq(mkdir(directory, 0700), 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "socksify-40265%d.state", i);
        leave(name, 2 * STATE_UNUSED_S);
    }
    make_ours();
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "socksify-40265%d.state", i);
        ck_assert(!exists(path_of(name)));
    }
}
END_TEST

/* Nothing is followed, and what is no regular file stays. */
START_TEST(link_and_pipe_stay)
{
    char target[100];

    ck_assert_int_eq(mkdir(directory, 0700), 0);
    snprintf(target, sizeof target, "%s/target", home);
    ck_assert_int_eq(close(open(target, O_WRONLY | O_CREAT, 0600)), 0);
    grow_old(target, 2 * STATE_UNUSED_S);
    ck_assert_int_eq(symlink(target, path_of("socksify-1.state")), 0);
    grow_old(path_of("socksify-1.state"), 2 * STATE_UNUSED_S);
    ck_assert_int_eq(mkfifo(path_of("socksify-2.state"), 0600), 0);
    grow_old(path_of("socksify-2.state"), 2 * STATE_UNUSED_S);
    make_ours();
    ck_assert(exists(target));
    ck_assert(exists(path_of("socksify-1.state")));
    ck_assert(exists(path_of("socksify-2.state")));
}
END_TEST

/* As a process of other pools, whose file is another one. */
static void open_other(struct state *s)
{
    struct state_options o = { .directory = directory };
    struct pools pools;
    const char *fault;

    pools_default(&pools);
    ck_assert_int_eq(pools_parse_ipv4(&pools, "10.0.0.0/8", &fault), 0);
    o.pools = &pools;
    memset(s, 0, sizeof *s);
    ck_assert_int_eq(state_open(s, &o), 0);
}

/* One process maps the file, its descriptor closed long ago; when forked, only its child still does. */
START_TEST(file_in_use_stays_until_its_last_process_ends)
{
    static struct state other;
    char path[sizeof other.file.path];
    int ready[2], end[2];
    pid_t child;
    ssize_t n;
    char c;

    ck_assert(pipe(ready) == 0 && pipe(end) == 0);
    child = fork();
    if (child == 0) {
        close(end[1]);
        open_other(&other);
        if (_i && fork() != 0)
            _exit(0);
        n = write(ready[1], other.file.path, sizeof path);
        close(ready[1]);
        n += read(end[0], &c, 1);       /* until the parent closes its end */
        _exit(n < 0);
    }
    close(ready[1]);
    close(end[0]);
    ck_assert_int_eq(read(ready[0], path, sizeof path), (ssize_t)sizeof path);
    if (_i)
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
    grow_old(path, 2 * STATE_UNUSED_S);
    make_ours();
    ck_assert(exists(path));

    close(end[1]);
    if (!_i)
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
    else
        ck_assert_int_eq(read(ready[0], &c, 1), 0);
    for (int i = 0; _i && i < 10000 && exists(path); i++)
        make_ours();            /* the grandchild is nobody's to wait for */
    make_ours();
    ck_assert(!exists(path));
}
END_TEST

/* Who opens a file makes it young. */
START_TEST(opened_file_is_young_again)
{
    struct stat before, after;

    make_ours();
    grow_old(one.file.path, 2 * STATE_UNUSED_S);
    ck_assert_int_eq(stat(one.file.path, &before), 0);
    ck_assert_int_eq(open_state(&two, directory), 0);
    ck_assert_int_eq(stat(one.file.path, &after), 0);
    ck_assert_uint_eq(after.st_ino, before.st_ino);
    ck_assert_int_ge(after.st_mtime, before.st_mtime + STATE_UNUSED_S);
}
END_TEST

/* Whoever comes while a file is about to be deleted takes it for none, and makes another. */
START_TEST(file_about_to_go_is_not_taken)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    struct stat before;
    char path[sizeof one.file.path];
    int fd;

    make_ours();
    memcpy(path, one.file.path, sizeof path);
    ck_assert_int_eq(stat(path, &before), 0);
    ck_assert_int_ge(fd = open(path, O_RDWR), 0);
    ck_assert_int_ne(fcntl(fd, F_OFD_SETLK, &lock), 0);      /* it is used */
    ck_assert_int_eq(munmap(one.file.image, sizeof *one.file.image), 0);
    one.file.image = NULL;
    ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &lock), 0);
    ck_assert_int_eq(open_state(&two, directory), 0);
    ck_assert_uint_ne(two.file.ino, before.st_ino);
    close(fd);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state_sweep");
    TCase *t = tcase_create("state_sweep");

    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_loop_test(t, file_left_goes_by_name_and_age, 0, sizeof left / sizeof left[0]);
    tcase_add_test(t, many_files_left_all_go);
    tcase_add_test(t, link_and_pipe_stay);
    tcase_add_loop_test(t, file_in_use_stays_until_its_last_process_ends, 0, 2);
    tcase_add_test(t, opened_file_is_young_again);
    tcase_add_test(t, file_about_to_go_is_not_taken);
    suite_add_tcase(s, t);
    return s;
}
