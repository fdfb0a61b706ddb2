/* SPDX-License-Identifier: ISC */
/* check_program.c - files are judged by what the kernel and the loader would do with them */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "../src/io/program.h"
#include "../src/io/program_elf.h"
#include "../src/io/real.h"
#include "elf_image.h"
#include "scratch.h"

enum { NOBODY = 65534 };

static struct program_object object;
static struct program_finding finding;

static __typeof__(real.syscall) true_syscall;

/* A call that fails, or gives a part of what it is asked for; 0: none. */
static struct {
    long number;
    int after, error;           /* after: so many that do not; error: 0: one byte comes */
} fault;

static bool is_faulty(long number)
{
    return fault.number && number == fault.number && fault.after-- <= 0;
}

/* The loaders that the images name are there, wherever this runs. */
static long syscall_with_loaders(long number, ...)
{
    long a[6];
    va_list list;

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(list, long);
    va_end(list);
    if (is_faulty(number)) {
        if (fault.error) {
            errno = fault.error;
            return -1;
        }
        ((struct iovec *)a[1])->iov_len = 1;
    }
    if (number == SYS_faccessat && a[0] == AT_FDCWD && !strncmp((const char *)a[1], "/lib", 4))
        return 0;
    return true_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void set_up(void)
{
    memset(&fault, 0, sizeof fault);
    real_init();
    true_syscall = real.syscall;
    real.syscall = syscall_with_loaders;
    scratch_make();
    object.target = program_own_target();
    object.libcs = ELF_GLIBC | ELF_MUSL;
}

static const char *write_script(const char *name, const char *line, const char *interpreter)
{
    char text[2 * PATH_SIZE];

    snprintf(text, sizeof text, line, interpreter);
    return write_file(name, text, strlen(text), 0755);
}

/* A program of this machine, made to order. */
static const char *write_image(const char *name, struct elf_image e, unsigned mode)
{
    uint8_t image[ELF_IMAGE_SIZE];
    struct elf_target own = program_own_target();

    e.narrow = own.class == 1;
    e.big = own.order == 2;
    e.machine = own.machine;
    elf_image_make(&e, image);
    return write_file(name, image, sizeof image, mode);
}

static const struct elf_image good = { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".text" };

static enum program_reason judge_query(struct program_query q)
{
    q.objects.table = &object;
    q.objects.count = 1;
    program_judge(&q, &finding);
    ck_assert_int_eq(finding.object != NULL, finding.reason == PROGRAM_CARRIED);
    return finding.reason;
}

static enum program_reason judge(const char *path)
{
    struct program_query q = { .dir = AT_FDCWD, .path = path, .search = directory };

    q.objects.table = &object;
    q.objects.count = 1;
    program_judge(&q, &finding);
    return finding.reason;
}

static const struct { struct elf_image image; enum program_reason reason; } shapes[] = {
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".text" }, PROGRAM_CARRIED },
    { { .interpreter = "/lib/ld-musl-x.so.1", .needed = 30 }, PROGRAM_CARRIED },
    { { .interpreter = "/no/ld-linux.so.2", .needed = 1, .section = ".text" }, PROGRAM_UNKNOWN },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .fixed = true }, PROGRAM_CARRIED },
    { { .needed = -1, .fixed = true, .section = ".text" }, PROGRAM_STATIC },
    { { .needed = 0 }, PROGRAM_STATIC_PIE },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 0 }, PROGRAM_NO_LIBRARY },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = -1 }, PROGRAM_NO_LIBRARY },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .go_note = true }, PROGRAM_GO },
    { { .needed = -1, .fixed = true, .go_note = true }, PROGRAM_GO },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".go.buildinfo" }, PROGRAM_GO },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".go.buildinfo", .ballast = 243 }, PROGRAM_GO },
    { { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".go.buildinfo", .ballast = 4000 }, PROGRAM_GO },
};

START_TEST(elf_of_each_shape_is_judged)
{
    ck_assert_int_eq(judge(write_image("p", shapes[_i].image, 0755)), shapes[_i].reason);
    ck_assert_int_eq(finding.object == &object, shapes[_i].reason == PROGRAM_CARRIED);
    ck_assert_str_eq(finding.culprit, "");
}
END_TEST

START_TEST(this_very_program_is_carried)
{
    ck_assert_int_eq(judge("/proc/self/exe"), PROGRAM_CARRIED);
}
END_TEST

/* The object's target is changed instead of the file's: each part must matter. */
START_TEST(elf_that_no_object_fits_is_foreign)
{
    const char *path = write_image("p", good, 0755);

    object.target.machine ^= 1;
    ck_assert_int_eq(judge(path), PROGRAM_FOREIGN);
    object.target.machine ^= 1;
    object.target.class ^= 3;
    ck_assert_int_eq(judge(path), PROGRAM_FOREIGN);
    object.target.class ^= 3;
    object.libcs = ELF_MUSL;
    ck_assert_int_eq(judge(path), PROGRAM_FOREIGN);
    object.libcs = ELF_GLIBC;
    ck_assert_int_eq(judge(path), PROGRAM_CARRIED);
}
END_TEST

START_TEST(elf_of_other_byte_order_is_foreign)
{
    struct elf_image e = good;
    uint8_t image[ELF_IMAGE_SIZE];

    e.big = program_own_target().order != 2;
    e.machine = 22;
    elf_image_make(&e, image);
    ck_assert_int_eq(judge(write_file("p", image, sizeof image, 0755)), PROGRAM_FOREIGN);
}
END_TEST

START_TEST(what_the_kernel_does_not_run_is_left_to_it)
{
    struct elf_image statics = { .needed = -1, .fixed = true };

    ck_assert_int_eq(judge(in_directory("missing")), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(directory), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(""), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge("/dev/null"), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(write_image("p", statics, 0644)), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(write_file("text", "echo\n", 5, 0755)), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(write_file("empty", "", 0, 0755)), PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge(NULL), PROGRAM_UNKNOWN);
    ck_assert_int_eq(mkfifo(in_directory("fifo"), 0755), 0);
    ck_assert_int_eq(judge(in_directory("fifo")), PROGRAM_UNKNOWN);
}
END_TEST

START_TEST(elf_cut_short_does_not_hold_the_judge_up)
{
    uint8_t image[ELF_IMAGE_SIZE];
    struct elf_image e = good;
    struct elf_target own = program_own_target();

    e.narrow = own.class == 1;
    e.machine = own.machine;
    elf_image_make(&e, image);
    ck_assert_int_eq(judge(write_file("p", image, 100, 0755)), PROGRAM_STATIC_PIE);
    ck_assert_int_eq(judge(write_file("p", image, 1000, 0755)), PROGRAM_NO_LIBRARY);
}
END_TEST

START_TEST(script_is_judged_by_its_interpreter)
{
    const char *interpreter = write_image("sh", (struct elf_image){ .needed = -1, .fixed = true }, 0755);
    const char *script = write_script("script", "#!%s -e\n", interpreter);

    ck_assert_int_eq(judge(script), PROGRAM_STATIC);
    ck_assert_str_eq(finding.culprit, interpreter);
    write_image("sh", good, 0755);
    ck_assert_int_eq(judge(script), PROGRAM_CARRIED);
    ck_assert_ptr_eq(finding.object, &object);
    ck_assert_int_eq(unlink(interpreter), 0);
    ck_assert_int_eq(judge(script), PROGRAM_UNKNOWN);
}
END_TEST

/* The kernel follows five scripts. */
START_TEST(script_chain_is_followed_to_its_end)
{
    char name[3] = "s0";
    const char *path = write_image("end", (struct elf_image){ .needed = -1, .fixed = true }, 0755);

    for (; name[1] < '5'; name[1]++) {
        path = write_script(name, "#!%s\n", path);
        ck_assert_int_eq(judge(path), PROGRAM_STATIC);
        ck_assert_str_eq(finding.culprit, in_directory("end"));
    }
    path = write_script("loop", "#!%s\n", in_directory("loop"));
    ck_assert_int_eq(judge(path), PROGRAM_UNKNOWN);
}
END_TEST

START_TEST(program_that_env_starts_is_judged)
{
    const char *script;

    write_image("env", good, 0755);
    write_image("bad", (struct elf_image){ .needed = 0 }, 0755);
    write_image("fine", good, 0755);
    script = write_script("script", "#!%s bad\n", in_directory("env"));
    ck_assert_int_eq(judge(script), PROGRAM_STATIC_PIE);
    ck_assert_str_eq(finding.culprit, in_directory("bad"));
    script = write_script("script", "#!%s -S A=b bad x\n", in_directory("env"));
    ck_assert_int_eq(judge(script), PROGRAM_STATIC_PIE);
    script = write_script("script", "#!%s fine\n", in_directory("env"));
    ck_assert_int_eq(judge(script), PROGRAM_CARRIED);
    script = write_script("script", "#!%s missing\n", in_directory("env"));
    ck_assert_int_eq(judge(script), PROGRAM_CARRIED);
    /* A shell's, which env will find to be none of the kernel's. */
    write_file("text", "echo\n", 5, 0755);
    script = write_script("script", "#!%s text\n", in_directory("env"));
    ck_assert_int_eq(judge(script), PROGRAM_CARRIED);
    ck_assert_ptr_eq(finding.object, &object);
    write_image("env", (struct elf_image){ .needed = -1, .fixed = true }, 0755);
    ck_assert_int_eq(judge(script), PROGRAM_STATIC);
}
END_TEST

START_TEST(loader_as_command_is_judged_by_what_it_runs)
{
    const char *loader = write_image("ld-linux-test.so.2", (struct elf_image){ .needed = 0 }, 0755);
    const char *bad = write_image("bad", (struct elf_image){ .needed = -1, .fixed = true }, 0755);
    const char *argv[] = { "x", "--library-path", "/lib", bad, NULL };
    struct program_query q = { .dir = AT_FDCWD, .path = loader, .argv = (char *const *)argv };

    ck_assert_int_eq(judge_query(q), PROGRAM_STATIC);
    ck_assert_str_eq(finding.culprit, bad);
    /* One whose own loader is not on this machine, which is why it is started so. */
    write_image("bad", (struct elf_image){ .interpreter = "/no/ld-linux.so.2", .needed = 1, .section = ".text" }, 0755);
    ck_assert_int_eq(judge_query(q), PROGRAM_CARRIED);
    ck_assert_ptr_eq(finding.object, &object);
    argv[1] = NULL;
    ck_assert_int_eq(judge_query(q), PROGRAM_CARRIED);
    q.argv = NULL;
    ck_assert_int_eq(judge_query(q), PROGRAM_CARRIED);
}
END_TEST

START_TEST(loader_as_interpreter_is_judged_by_its_argument)
{
    const char *loader = write_image("ld-linux-test.so.2", (struct elf_image){ .needed = 0 }, 0755), *script;
    char line[600];

    write_image("bad", (struct elf_image){ .needed = -1, .fixed = true }, 0755);
    snprintf(line, sizeof line, "#!%%s %s\n", in_directory("bad"));
    script = write_script("script", line, loader);
    ck_assert_int_eq(judge(script), PROGRAM_STATIC);
    ck_assert_str_eq(finding.culprit, in_directory("bad"));
    write_image("bad", good, 0755);
    ck_assert_int_eq(judge(script), PROGRAM_CARRIED);
}
END_TEST

START_TEST(program_by_descriptor_and_directory_is_judged)
{
    const char *path = write_image("p", (struct elf_image){ .needed = 0 }, 0755);
    int at = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = open(path, O_RDONLY | O_CLOEXEC), bare = open(path, O_PATH | O_CLOEXEC), next;

    ck_assert_int_eq(lseek(fd, 5, SEEK_SET), 5);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = fd, .path = "" }), PROGRAM_STATIC_PIE);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 5);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = bare, .path = "" }), PROGRAM_STATIC_PIE);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = at, .path = "p" }), PROGRAM_STATIC_PIE);
    ck_assert_int_eq(symlinkat("p", at, "link"), 0);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = at, .path = "link" }), PROGRAM_STATIC_PIE);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = at, .path = "link", .nofollow = true }),
                     PROGRAM_UNKNOWN);
    ck_assert_int_eq(judge_query((struct program_query){ .dir = -1, .path = "" }), PROGRAM_UNKNOWN);
    next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(next, bare + 1);    /* nothing was left open */
}
END_TEST

/* In a child as nobody, with or without no_new_privs: its exit status is the reason. */
static int judge_as_nobody(const char *path, bool no_new_privs)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0))
            _exit(99);
        if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0)
            _exit(98);
        _exit((int)judge(path));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool is_nosuid(void)
{
    struct statvfs fs;

    ck_assert_int_eq(statvfs(directory, &fs), 0);
    return fs.f_flag & ST_NOSUID;
}

START_TEST(set_id_bits_count_unless_they_change_nothing)
{
    const char *path = write_image("p", good, 0755);
    bool root = geteuid() == 0;
    int effective = is_nosuid() || !root ? PROGRAM_CARRIED : PROGRAM_SETID;

    ck_assert_int_eq(chmod(path, 04755), 0);
    ck_assert_int_eq(judge(path), PROGRAM_CARRIED);                 /* its owner is who runs it */
    ck_assert_int_eq(judge_as_nobody(path, false), effective);
    ck_assert_int_eq(judge_as_nobody(path, true), PROGRAM_CARRIED);
    ck_assert_int_eq(chmod(path, 02755), 0);
    ck_assert_int_eq(judge_as_nobody(path, false), effective);
    ck_assert_int_eq(chmod(path, 02745), 0);                        /* not executable for the group: it means locking */
    ck_assert_int_eq(judge_as_nobody(path, false), PROGRAM_CARRIED);
}
END_TEST

/* An interpreter's bits count, a script's do not. */
START_TEST(set_id_bit_of_a_script_means_nothing)
{
    const char *interpreter = write_image("sh", good, 0755);
    const char *script = write_script("script", "#!%s\n", interpreter);

    ck_assert_int_eq(chmod(script, 04755), 0);
    ck_assert_int_eq(judge_as_nobody(script, false), PROGRAM_CARRIED);
    ck_assert_int_eq(chmod(interpreter, 04755), 0);
    ck_assert_int_eq(judge_as_nobody(script, false),
                     is_nosuid() || geteuid() != 0 ? PROGRAM_CARRIED : PROGRAM_SETID);
}
END_TEST

/* The kernel then tells the loader to be careful whatever program is started. */
START_TEST(process_with_two_user_ids_starts_nothing_that_carries)
{
    const char *path = write_image("p", good, 0755);

    if (geteuid() != 0)
        return;
    ck_assert_int_eq(seteuid(NOBODY), 0);
    ck_assert_int_eq(judge(path), PROGRAM_SETID);
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(judge(path), PROGRAM_CARRIED);
}
END_TEST

START_TEST(file_capabilities_count_under_no_new_privs_too)
{
    /* Version 2, effective, CAP_NET_RAW permitted; little-endian words. */
    static const uint8_t capability[20] = { 1, 0, 0, 2, 0, 0x20 };
    const char *path = write_image("p", good, 0755);

    if (geteuid() != 0 || is_nosuid())
        return;
    if (setxattr(path, "security.capability", capability, sizeof capability, 0) != 0) {
        ck_assert_int_eq(errno, EOPNOTSUPP);
        return;
    }
    ck_assert_int_eq(judge_as_nobody(path, false), PROGRAM_CAPABILITIES);
    ck_assert_int_eq(judge_as_nobody(path, true), PROGRAM_CAPABILITIES);
    ck_assert_int_eq(judge(path), PROGRAM_CARRIED);                 /* root has them anyway */
}
END_TEST

START_TEST(program_that_may_be_run_but_not_read_is_refused)
{
    const char *path = write_image("p", good, 0111);

    ck_assert_int_eq(judge_as_nobody(path, false), PROGRAM_UNREADABLE);
    ck_assert_int_eq(chmod(path, 0100), 0);
    ck_assert_int_eq(judge_as_nobody(path, false), geteuid() == 0 ? PROGRAM_UNKNOWN : PROGRAM_UNREADABLE);
}
END_TEST

/* What bypasses the object is not started because a look at it failed: at the first read, and at each that follows. */
START_TEST(program_that_is_hidden_from_us_is_refused)
{
    const struct elf_image go = { .interpreter = "/lib64/ld-linux.so.2", .needed = 1, .section = ".go.buildinfo",
                                  .ballast = 4000 };
    const int errors[] = { ENOSYS, EPERM, EACCES, ENOMEM };
    char path[PATH_SIZE];
    int reads = 0;

    strcpy(path, write_image("p", go, 0755));
    fault.number = SYS_statx;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        fault.error = errors[i];
        ck_assert_int_eq(judge(path), PROGRAM_UNREADABLE);
        ck_assert_int_eq(judge(in_directory("none")), PROGRAM_UNKNOWN);
    }
    fault.error = ENOENT;
    ck_assert_int_eq(judge(path), PROGRAM_UNKNOWN);
    fault.number = SYS_preadv;
    fault.error = EIO;
    for (; judge(path) != PROGRAM_GO; fault.after = ++reads)
        ck_assert_int_eq(finding.reason, PROGRAM_UNREADABLE);
    ck_assert_int_gt(reads, 2);
}
END_TEST

START_TEST(program_read_in_bytes_is_judged)
{
    fault.number = SYS_preadv;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        ck_assert_int_eq(judge(write_image("p", shapes[i].image, 0755)), shapes[i].reason);
}
END_TEST

START_TEST(every_reason_has_a_phrase)
{
    for (int reason = 0; reason <= PROGRAM_UNREADABLE; reason++) {
        ck_assert_uint_gt(strlen(program_phrase((enum program_reason)reason)), 5);
        ck_assert_int_eq(program_bypasses((enum program_reason)reason), reason > PROGRAM_UNKNOWN);
    }
}
END_TEST

START_TEST(candidates_come_in_the_order_of_path)
{
    static const char *const expected[] = { "/a/x", "x", "b/x", "x" };
    const char *rest = "/a::b:/longer/than/fits:";
    char buf[8];

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        ck_assert(program_candidate(&rest, "x", buf, sizeof buf));
        ck_assert_str_eq(buf, expected[i]);
    }
    ck_assert(!program_candidate(&rest, "x", buf, sizeof buf));
    rest = "/ab:c";
    ck_assert(program_candidate(&rest, "1234", buf, sizeof buf));    /* "/ab/1234" would need nine bytes */
    ck_assert_str_eq(buf, "c/1234");
}
END_TEST

START_TEST(find_passes_over_what_cannot_be_executed)
{
    char search[2 * PATH_SIZE], found[PATH_SIZE];

    ck_assert_int_eq(mkdir(in_directory("1"), 0755), 0);
    ck_assert_int_eq(mkdir(in_directory("2"), 0755), 0);
    snprintf(search, sizeof search, "%s/none:%s/1:%s/2", directory, directory, directory);
    ck_assert_int_eq(program_find("prog", search, found, sizeof found), -ENOENT);
    write_file("1/prog", "", 0, 0644);
    ck_assert_int_eq(program_find("prog", search, found, sizeof found), -EACCES);
    write_file("2/prog", "", 0, 0755);
    ck_assert_int_eq(program_find("prog", search, found, sizeof found), 0);
    ck_assert_str_eq(found, in_directory("2/prog"));
    ck_assert_int_eq(program_find(in_directory("1/prog"), search, found, sizeof found), -EACCES);
    ck_assert_int_eq(program_find("./none/prog", search, found, sizeof found), -ENOENT);
    ck_assert_int_eq(program_find("", search, found, sizeof found), -ENOENT);
    ck_assert_int_eq(program_find("prog", search, found, 4), -ENAMETOOLONG);
    ck_assert_int_eq(program_find("sh", NULL, found, sizeof found), 0);
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("program");
    TCase *t = tcase_create("program");

    tcase_add_checked_fixture(t, set_up, scratch_remove);
    tcase_add_loop_test(t, elf_of_each_shape_is_judged, 0, (int)(sizeof shapes / sizeof shapes[0]));
    tcase_add_test(t, this_very_program_is_carried);
    tcase_add_test(t, elf_that_no_object_fits_is_foreign);
    tcase_add_test(t, elf_of_other_byte_order_is_foreign);
    tcase_add_test(t, what_the_kernel_does_not_run_is_left_to_it);
    tcase_add_test(t, elf_cut_short_does_not_hold_the_judge_up);
    tcase_add_test(t, script_is_judged_by_its_interpreter);
    tcase_add_test(t, script_chain_is_followed_to_its_end);
    tcase_add_test(t, program_that_env_starts_is_judged);
    tcase_add_test(t, loader_as_command_is_judged_by_what_it_runs);
    tcase_add_test(t, loader_as_interpreter_is_judged_by_its_argument);
    tcase_add_test(t, program_by_descriptor_and_directory_is_judged);
    tcase_add_test(t, set_id_bits_count_unless_they_change_nothing);
    tcase_add_test(t, set_id_bit_of_a_script_means_nothing);
    tcase_add_test(t, process_with_two_user_ids_starts_nothing_that_carries);
    tcase_add_test(t, file_capabilities_count_under_no_new_privs_too);
    tcase_add_test(t, program_that_may_be_run_but_not_read_is_refused);
    tcase_add_test(t, program_that_is_hidden_from_us_is_refused);
    tcase_add_test(t, program_read_in_bytes_is_judged);
    tcase_add_test(t, every_reason_has_a_phrase);
    tcase_add_test(t, candidates_come_in_the_order_of_path);
    tcase_add_test(t, find_passes_over_what_cannot_be_executed);
    suite_add_tcase(s, t);
    return s;
}
