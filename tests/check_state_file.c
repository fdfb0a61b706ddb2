/* SPDX-License-Identifier: ISC */
/* check_state_file.c - the file of the state: what is taken, refused, made anew; damage while programs run */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addr.h"
#include "state.h"
#include "two_states.h"

Suite *make_suite(void);

#define NOBODY 65534

static int size_fixed(void)
{
    return offsetof(struct state_image, names.entry);
}

START_TEST(file_truncated_is_rebuilt)
{
    const int sizes[] = { 0, 1, 4095, 4096, size_fixed() - 1, size_fixed(), size_fixed() + 1024 * 264 - 1,
                          size_fixed() + 1024 * 264 };
    struct addr a;

    open_both();
    for (unsigned i = 0; i < 1500; i++)
        a = assign(&one, i, AF_INET);
    ck_assert_int_eq(truncate(one.file.path, sizes[_i]), 0);
    ck_assert_int_eq(open_state(&two, directory), 0);
    ck_assert_uint_ne(two.file.ino, one.file.ino);
    a = assign(&two, 5, AF_INET);
    ck_assert(is_shared(&a));
}
END_TEST

static void mark_seal(struct state_mark *m)
{
    uint32_t h = 0;

    for (size_t i = 0; i < offsetof(struct state_mark, sum) / 4; i++) {
        h = (h ^ ((const uint32_t *)m)[i]) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    m->sum = h;
}

enum { OTHER_NOTHING, OTHER_BOOT, OTHER_NETNS, OTHER_LAYOUT, OTHER_MAGIC, OTHER_SUM, OTHERS };

START_TEST(file_of_another_world_is_replaced)
{
    struct state_mark *m;
    struct addr a;
    uint64_t before;

    open_both();
    before = one.file.ino;
    m = &one.file.image->page.mark;
    m->boot[0] ^= _i == OTHER_BOOT ? 1 : 0;
    m->netns += _i == OTHER_NETNS;
    m->layout += _i == OTHER_LAYOUT;
    m->magic[7] ^= _i == OTHER_MAGIC ? 1 : 0;
    mark_seal(m);
    m->sum += _i == OTHER_SUM;
    one.file.image->page.mark2 = *m;
    ck_assert_int_eq(open_state(&two, directory), 0);
    ck_assert_int_eq(two.file.ino == before, _i == OTHER_NOTHING);
    a = assign(&one, 1, AF_INET);       /* a process with a file that is gone from the path */
    ck_assert(is_shared(&a) == (_i == OTHER_NOTHING));
    ck_assert_int_eq(open_state(&one, directory), 0);
    ck_assert_uint_eq(one.file.ino, two.file.ino);
}
END_TEST

START_TEST(mark_damaged_once_file_stays)
{
    struct addr a, b;

    open_both();
    a = assign(&one, 1, AF_INET);
    memset(_i ? &one.file.image->page.mark : &one.file.image->page.mark2, 0xa5, sizeof(struct state_mark));
    ck_assert_int_eq(open_state(&two, directory), 0);
    b = assign(&two, 1, AF_INET);
    ck_assert(addr_equal(&a, &b));
}
END_TEST

static const uint32_t claims[] = { 0, 1, 1025, 2048, 65535, 65536, 65537, UINT32_MAX };

START_TEST(claimed_size_damaged_memory_beyond_file_is_not_touched)
{
    struct addr a = { .kind = ADDR_IPV4 }, back;

    open_both();
    assign(&one, 1, AF_INET);
    one.file.image->page.slots = claims[_i];
    memset(one.file.image->names.index, 0xff, sizeof one.file.image->names.index);
    for (unsigned i = 0; i < 65536; i++) {
        a.ip[0] = 198;
        a.ip[1] = 18;
        a.ip[2] = (uint8_t)(i >> 8);
        a.ip[3] = (uint8_t)i;
        state_name_find(&two, &a, &back);
    }
    for (unsigned i = 0; i < 1100; i++) {
        a = assign(&two, i, AF_INET);
        must(find(&one, &a, i) == 0, "not seen", i);
    }
}
END_TEST

enum { BAD_SYMLINK, BAD_HARD_LINK, BAD_FIFO, BAD_MODE, BAD_DIRECTORY };

START_TEST(file_of_wrong_kind_is_replaced_or_left_alone)
{
    char other[128];
    struct stat st;
    int fd;

    snprintf(other, sizeof other, "%s/other", home);
    fd = open(other, O_RDWR | O_CREAT, 0600);
    ck_assert_int_ge(fd, 0);
    open_both();
    if (_i != BAD_HARD_LINK && _i != BAD_MODE)
        ck_assert_int_eq(unlink(one.file.path), 0);
    if (_i == BAD_SYMLINK)
        ck_assert_int_eq(symlink(other, one.file.path), 0);
    if (_i == BAD_HARD_LINK)
        ck_assert(unlink(other) == 0 && link(one.file.path, other) == 0);
    if (_i == BAD_FIFO)
        ck_assert_int_eq(mkfifo(one.file.path, 0600), 0);
    if (_i == BAD_MODE)
        ck_assert_int_eq(chmod(one.file.path, 0640), 0);
    if (_i == BAD_DIRECTORY)
        ck_assert_int_eq(mkdir(one.file.path, 0700), 0);
    ck_assert_int_eq(open_state(&two, directory), _i == BAD_DIRECTORY ? -EISDIR : 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(st.st_size, 0);
    if (_i != BAD_DIRECTORY) {
        ck_assert_int_eq(lstat(one.file.path, &st), 0);
        ck_assert(st.st_mode == (S_IFREG | 0600) && st.st_nlink == 1 && st.st_ino == two.file.ino);
        ck_assert_uint_ne(st.st_ino, one.file.ino);
    }
    close(fd);
}
END_TEST

/* Nothing of ours may appear there, and names still get addresses. */
static void refused(const char *where, int error)
{
    struct addr a;

    ck_assert_int_eq(open_state(&one, where), error);
    ck_assert_ptr_nonnull(state_warning(&one));
    ck_assert_ptr_null(state_directory(&one));
    a = assign(&one, 1, AF_INET);
    ck_assert(is_private(&a));
    ck_assert_int_eq(find(&one, &a, 1), 0);
}

START_TEST(directory_unfit_is_refused)
{
    char path[128], longest[5000];

    ck_assert_int_eq(mkdir(directory, 0700), 0);
    snprintf(path, sizeof path, "%s/link", home);
    ck_assert_int_eq(symlink(directory, path), 0);
    refused(path, -EACCES);
    strcat(path, "//");
    refused(path, -EACCES);
    snprintf(path, sizeof path, "%s/a/b", home);
    refused(path, -EACCES);
    refused("state", -EINVAL);
    memset(longest, 'x', sizeof longest);
    longest[0] = '/';
    longest[sizeof longest - 1] = '\0';
    refused(longest, -EINVAL);
    ck_assert_int_eq(chmod(directory, 0710), 0);
    refused(directory, -EACCES);
    ck_assert_int_eq(chmod(directory, 0700), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(directory, NOBODY, NOBODY), 0);
    refused(geteuid() == 0 ? directory : "/", -EACCES);
    ck_assert_int_eq(rmdir(directory), 0);      /* empty: no file was made */
}
END_TEST

static void choose_default(void)
{
    char run[40], tmp[40];

    snprintf(run, sizeof run, "/run/user/%u", (unsigned)geteuid());
    snprintf(tmp, sizeof tmp, "/tmp/socksify-%u", (unsigned)geteuid());
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", "/run", "tmpfs", 0, "size=8m,mode=755") != 0 ||
        mount("none", "/tmp", "tmpfs", 0, "size=8m,mode=1777") != 0)
        _exit(1);
    if (open_state(&one, NULL) != 0 || strcmp(state_directory(&one), tmp) != 0)
        _exit(2);
    mkdir("/run/user", 0755);
    if (mkdir(run, 0755) != 0 || open_state(&one, "") != 0 || strcmp(state_directory(&one), tmp) != 0)
        _exit(3);
    chmod(run, 0700);
    if (open_state(&one, NULL) != 0 || strcmp(state_directory(&one), run) != 0)
        _exit(4);
    chmod(run, 0755);
    if (chown(tmp, NOBODY, NOBODY) != 0 || open_state(&one, NULL) != -EACCES)
        _exit(5);
    /* A link of somebody else's to a directory that is fit; nothing is made behind it. */
    if (rename(tmp, "/tmp/theirs") != 0 || mkdir("/tmp/fit", 0700) != 0 || symlink("/tmp/fit", tmp) != 0 ||
        lchown(tmp, NOBODY, NOBODY) != 0 || open_state(&one, NULL) != -EACCES || rmdir("/tmp/fit") != 0)
        _exit(6);
}

START_TEST(directory_default_is_chosen_by_stat)
{
    if (needs_root())
        in_child(choose_default);
}
END_TEST

static void fill_disk(void)
{
    struct addr a, known;
    unsigned i;

    mkdir(directory, 0700);
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", directory, "tmpfs", 0, "size=1m,mode=700") != 0 || open_state(&one, directory) != -ENOSPC)
        _exit(1);
    a = assign(&one, 1, AF_INET);
    if (!is_private(&a) || mount("none", directory, "tmpfs", MS_REMOUNT, "size=4m") != 0)
        _exit(2);
    if (open_state(&one, directory) != 0 || open_state(&two, directory) != 0)
        _exit(3);
    known = assign(&one, 0, AF_INET);
    for (i = 1; i < 20000; i++) {
        a = assign(&one, i, AF_INET);
        if (is_private(&a))
            break;
    }
    if (i < 2000 || i == 20000 || !state_warning(&one) || find(&one, &a, i) != 0 || find(&two, &known, 0) != 0)
        _exit(4);
    if (find(&two, &a, i) != -EHOSTUNREACH || mount("none", directory, "tmpfs", MS_REMOUNT, "size=8m") != 0)
        _exit(5);
    known = assign(&one, i + 1, AF_INET);       /* room again: the file is used again, old names stay where they are */
    if (!is_shared(&known) || find(&two, &known, i + 1) != 0 || find(&one, &a, i) != 0)
        _exit(6);
    known = assign(&one, i, AF_INET);
    if (!addr_equal(&known, &a))
        _exit(7);
}

START_TEST(disk_full_names_go_private)
{
    if (needs_root())
        in_child(fill_disk);
}
END_TEST

static void limit_file_size(void)
{
    struct rlimit limit = { .rlim_cur = 3 << 20, .rlim_max = RLIM_INFINITY };
    struct addr a;

    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || open_state(&one, directory) != -EFBIG)
        _exit(1);
    limit.rlim_cur = 4 << 20;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || open_state(&one, directory) != 0)
        _exit(2);
    for (unsigned i = 0; i < 20000; i++) {
        a = assign(&one, i, AF_INET);
        if (is_private(&a))
            return;
    }
    _exit(3);
}

START_TEST(file_size_limit_no_sigxfsz)
{
    in_child(limit_file_size);
}
END_TEST

static void open_with_umask(void)
{
    umask(0777);
    if (open_state(&one, directory) != 0 || open_state(&two, directory) != 0 || one.file.ino != two.file.ino)
        _exit(1);
}

START_TEST(umask_of_all_bits_is_no_hindrance)
{
    in_child(open_with_umask);
}
END_TEST

enum { VICTIMS = 2, VICTIM_NAMES = 300, BLOWS = 20000 };

static struct report {
    atomic_bool stop;
    struct addr address[VICTIMS][VICTIM_NAMES];
    atomic_uint ready[VICTIMS];
} *report;

static int victim(unsigned me)
{
    struct addr a, back;
    unsigned n = 0;

    for (; !atomic_load(&report->stop) || n < VICTIM_NAMES; n++) {
        unsigned i = me * VICTIM_NAMES + n % VICTIM_NAMES;
        const char *name = name_of(i);

        if (state_name_assign(&one, name, AF_INET, &a) != 0)
            return 1;
        if (state_name_find(&one, &a, &back) == 0 && strcmp(back.name, name) != 0)
            return 2;
        if (n < VICTIM_NAMES) {
            report->address[me][n] = a;
            atomic_store(&report->ready[me], n + 1);
        }
        state_peer_set(&one, i, &a);
        if (state_peer_get(&one, i, &back) && !addr_equal(&back, &a))
            return 3;
    }
    return 0;
}

/* Addresses handed to another process, which maps the file anew. */
static void look_from_outside(void)
{
    struct addr back;

    open_state(&two, directory);
    for (unsigned me = 0; me < VICTIMS; me++) {
        unsigned ready = atomic_load(&report->ready[me]);

        for (unsigned n = 0; n < ready; n++) {
            int r = state_name_find(&two, &report->address[me][n], &back);

            must(r == -EHOSTUNREACH || (r == 0 && !strcmp(back.name, name_of(me * VICTIM_NAMES + n))), "wrong name", n);
        }
    }
}

/* Anywhere; and where it hurts. */
static const struct {
    uint32_t start, len;
} targets[] = {
    { 0, offsetof(struct state_image, names.entry[STATE_STEP]) },
    { offsetof(struct state_image, peers), VICTIMS * VICTIM_NAMES * sizeof(struct peers_place) },
    { offsetof(struct state_image, names), 60000 },
    { offsetof(struct state_image, names.entry), VICTIMS * VICTIM_NAMES * sizeof(struct namemap_entry) }
};

static void strike(int fd, uint32_t *x)
{
    unsigned char byte;
    uint32_t t, at;

    *x = *x * 1664525 + 1013904223;
    byte = (unsigned char)(*x >> 24);
    t = *x >> 22 & 3;
    *x = *x * 1664525 + 1013904223;
    at = targets[t].start + (*x >> 4) % targets[t].len;
    must(pwrite(fd, &byte, 1, at) == 1, "pwrite", at);
}

START_TEST(file_damaged_while_programs_run_no_wrong_name)
{
    uint32_t x = (uint32_t)_i * 77 + 1;
    int fd, status;

    open_both();
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(report != MAP_FAILED);
    for (unsigned me = 0; me < VICTIMS; me++)
        if (fork() == 0)
            _exit(victim(me));
    fd = open(one.file.path, O_RDWR);
    for (unsigned i = 0; i < BLOWS; i++) {
        strike(fd, &x);
        if (i % 1000 == 999)
            look_from_outside();
    }
    atomic_store(&report->stop, true);
    for (unsigned me = 0; me < VICTIMS; me++) {
        ck_assert_int_gt(wait(&status), 0);
        ck_assert_int_eq(status, 0);
    }
    look_from_outside();
    close(fd);
}
END_TEST

/* Other pools of a directory, as a new process would open them.  Returns state_open()'s. */
static int open_pools_in(struct state *s, const char *where, const char *ipv4, const char *ipv6)
{
    struct state_options o = { .directory = where };
    struct pools pools;
    const char *fault;

    pools_default(&pools);
    ck_assert(!ipv4 || pools_parse_ipv4(&pools, ipv4, &fault) == 0);
    ck_assert(!ipv6 || pools_parse_ipv6(&pools, ipv6, &fault) == 0);
    o.pools = &pools;
    memset(s, 0, sizeof *s);
    return state_open(s, &o);
}

static void open_pools(struct state *s, const char *ipv4, const char *ipv6)
{
    ck_assert_int_eq(open_pools_in(s, directory, ipv4, ipv6), 0);
}

START_TEST(pools_of_others_are_other_files)
{
    static const struct { const char *ipv4, *ipv6; } choice[] = {
        { NULL, NULL }, { "10.0.0.0/8", NULL }, { NULL, "fd12:3456:789a:bcde::/64" }, { "10.2.0.0/15", "fd00::/16" }
    };
    static struct state s[4];
    struct addr a, b, name;

    for (int i = 0; i < 4; i++)
        open_pools(&s[i], choice[i].ipv4, choice[i].ipv6);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(state_name_assign(&s[i], name_of((unsigned)i), AF_INET, &a), 0);
        ck_assert_int_eq(state_name_assign(&s[i], name_of((unsigned)i), AF_INET6, &b), 0);
        ck_assert_uint_eq(a.ip[0], choice[i].ipv4 ? 10 : 198);
        ck_assert_uint_eq(b.ip[0], 0xfd);
        ck_assert(i != 2 || memcmp(b.ip, "\xfd\x12\x34\x56\x78\x9a\xbc\xde", 8) == 0);
        ck_assert(i != 3 || b.ip[1] == 0);
        for (int k = 0; k < 4; k++) {
            int found = state_name_find(&s[k], &a, &name);

            ck_assert(k != i || found == 0);
            ck_assert(k == i || found != 0);
            ck_assert_int_eq(state_name_find(&s[k], &b, &name), k == i ? 0 : -ERANGE);
        }
        /* The next process of the same choice. */
        open_pools(&two, choice[i].ipv4, choice[i].ipv6);
        ck_assert_int_eq(state_name_find(&two, &a, &name), 0);
        ck_assert_str_eq(name.name, name_of((unsigned)i));
    }
    ck_assert_int_eq(state_name_find(&s[1], &(struct addr){ .kind = ADDR_IPV4, .ip = { 198, 18, 0, 1 } }, &name),
                     -ERANGE);
    ck_assert_int_eq(state_name_find(&s[1], &(struct addr){ .kind = ADDR_IPV4, .ip = { 10, 1, 255, 255 } }, &name),
                     -EHOSTUNREACH);
    ck_assert_int_eq(state_name_find(&s[1], &(struct addr){ .kind = ADDR_IPV4, .ip = { 10, 2, 0, 0 } }, &name),
                     -ERANGE);
}
END_TEST

/* A file that got the name of another choice, by whatever way, is not taken for it. */
START_TEST(pools_in_the_file_must_be_the_same)
{
    struct addr a, name;

    open_pools(&one, NULL, NULL);
    ck_assert_int_eq(state_name_assign(&one, "a.test", AF_INET, &a), 0);
    open_pools(&two, _i ? NULL : "10.0.0.0/8", _i ? "fd00::/16" : NULL);
    ck_assert_int_eq(rename(one.file.path, two.file.path), 0);
    open_pools(&two, _i ? NULL : "10.0.0.0/8", _i ? "fd00::/16" : NULL);
    ck_assert_int_ne(state_name_find(&two, &a, &name), 0);
    ck_assert_int_eq(state_name_assign(&two, "b.test", AF_INET6, &a), 0);
    ck_assert(!_i || a.ip[1] == 0);
}
END_TEST

static void check_border(struct state *s)
{
    static const struct { const char *text; bool inside; } at[] = {
        { "10.7.255.255", false }, { "10.8.0.0", true }, { "10.8.255.255", true }, { "10.9.0.0", true },
        { "10.9.255.255", true }, { "10.10.0.0", false }, { "198.18.0.1", false }, { "198.19.0.1", false }
    };

    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct addr a = ip(at[i].text), name;

        ck_assert_msg((state_name_find(s, &a, &name) != -ERANGE) == at[i].inside, "%s", at[i].text);
    }
}

/* Verdicts on IPv4 addresses outside of the pool are kept (hook/datagram_quick.c): which these are the configuration
 * alone says, with a file or without (_i 2), with the file of another configuration under the name (_i 1), before there
 * are names and with as many as there may be. */
START_TEST(pool_ipv4_has_one_border_whatever_there_is)
{
    struct addr a;

    if (_i == 1) {
        open_pools(&one, NULL, NULL);
        ck_assert_int_eq(state_name_assign(&one, "a.test", AF_INET, &a), 0);
        open_pools(&two, "10.8.0.0/15", NULL);
        ck_assert_int_eq(rename(one.file.path, two.file.path), 0);
    }
    ck_assert_int_eq(open_pools_in(&two, _i == 2 ? "/proc" : directory, "10.8.0.0/15", NULL), _i == 2 ? -EACCES : 0);
    check_border(&two);
    for (unsigned i = 0; i < 66000; i++)
        must(state_name_assign(&two, name_of(i), AF_INET, &a) == 0 && a.ip[0] == 10 && a.ip[1] / 2 == 4, "name", i);
    check_border(&two);
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("state_file");
    TCase *t = tcase_create("state_file");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, states_setup, states_teardown);
    tcase_add_loop_test(t, file_truncated_is_rebuilt, 0, 8);
    tcase_add_loop_test(t, file_of_another_world_is_replaced, 0, OTHERS);
    tcase_add_loop_test(t, mark_damaged_once_file_stays, 0, 2);
    tcase_add_loop_test(t, claimed_size_damaged_memory_beyond_file_is_not_touched, 0, 8);
    tcase_add_loop_test(t, file_of_wrong_kind_is_replaced_or_left_alone, 0, BAD_DIRECTORY + 1);
    tcase_add_test(t, pools_of_others_are_other_files);
    tcase_add_loop_test(t, pools_in_the_file_must_be_the_same, 0, 2);
    tcase_add_loop_test(t, pool_ipv4_has_one_border_whatever_there_is, 0, 3);
    tcase_add_test(t, directory_unfit_is_refused);
    tcase_add_test(t, directory_default_is_chosen_by_stat);
    tcase_add_test(t, disk_full_names_go_private);
    tcase_add_test(t, file_size_limit_no_sigxfsz);
    tcase_add_test(t, umask_of_all_bits_is_no_hindrance);
    tcase_add_loop_test(t, file_damaged_while_programs_run_no_wrong_name, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
