/* SPDX-License-Identifier: ISC */
/* check_log.c - lines of the log: levels, escapes, bounds, and a standard error that is not ours any more */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "log.h"
#include "real.h"

Suite *make_suite(void);

static char path[] = "/tmp/check_log.XXXXXX";
static char text[8192];

static void setup(void)
{
    int fd;

    real_init();
    strcpy(path, "/tmp/check_log.XXXXXX");
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    real.close(fd);
}

static void teardown(void)
{
    unlink(path);
}

/* What the file holds, without the "socksify[PID]: " of the first line. */
static const char *logged(void)
{
    FILE *f = fopen(path, "r");
    size_t n = fread(text, 1, sizeof text - 1, f);
    char head[32];

    fclose(f);
    text[n] = '\0';
    snprintf(head, sizeof head, "socksify[%d]: ", (int)getpid());
    if (n == 0)
        return text;
    ck_assert_msg(strncmp(text, head, strlen(head)) == 0, "%s", text);
    return text + strlen(head);
}

START_TEST(line_formats_numbers_and_strings)
{
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "%s %d %d %u%%", "a", -2147483647 - 1, 0, 4294967295u);
    ck_assert_str_eq(logged(), "a -2147483648 0 4294967295%\n");
}
END_TEST

START_TEST(line_columns_are_as_wide_as_told)
{
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "%5u|%5s|%3s|%1d|%2s", 42u, "abc", "longer", -7, "\x01");
    ck_assert_str_eq(logged(), "   42|  abc|longer|-7|\\x01\n");
}
END_TEST

/* Beyond the end of a line nothing is moved. */
START_TEST(line_columns_end_with_the_line)
{
    static char longer[890];

    memset(longer, 'x', sizeof longer - 1);
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "%s%40s%40s", longer, "y", "z");
    logged();
    ck_assert_uint_eq(strlen(text), 900);
    ck_assert_int_eq(text[899], '\n');
    log_line(CONF_LOG_INFO, "%2000s", "w");
    logged();
    ck_assert_uint_eq(strlen(text), 1800);
    ck_assert_int_eq(text[1798], 'w');
}
END_TEST

START_TEST(terminal_is_no_file)
{
    log_init(CONF_LOG_INFO, path);
    errno = ENOENT;
    ck_assert(!log_terminal());
    log_init(CONF_LOG_INFO, "/nonexistent/log");
    ck_assert(!log_terminal());
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(line_control_characters_are_escaped)
{
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "[%s]", "a\nb\x1b[2J\x7f\xc3\xa4");
    ck_assert_str_eq(logged(), "[a\\x0ab\\x1b[2J\\x7f\xc3\xa4]\n");
}
END_TEST

/* Text stays, whatever its language; what a terminal may obey, or is no text, is shown as bytes. */
static const struct {
    const char *text, *shown;
} texts[] = {
    { "\xc3\xa4\xc2\xa0\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", NULL },
    { "\xd0\xbf\xd1\x80\xd0\xb8 \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80", NULL },
    { "\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f" },     /* C1 in UTF-8 */
    { "\x80 \x9b" "2J\x9f", "\\x80 \\x9b2J\\x9f" },                          /* C1 as single bytes */
    { "\xa0\xbf\xff\xfe\xf8", "\\xa0\\xbf\\xff\\xfe\\xf8" },
    { "\xe4rger", "\\xe4rger" },                                             /* Latin-1 */
    { "\xc0\xaf\xc1\x9b\xe0\x82\x9b\xf0\x80\x82\x9b",                       /* longer than need be */
      "\\xc0\\xaf\\xc1\\x9b\\xe0\\x82\\x9b\\xf0\\x80\\x82\\x9b" },
    { "\xe0\x9f\xbf\xf0\x8f\xbf\xbf", "\\xe0\\x9f\\xbf\\xf0\\x8f\\xbf\\xbf" },
    { "\xed\xa0\x80\xed\xbf\xbf", "\\xed\\xa0\\x80\\xed\\xbf\\xbf" },         /* surrogates */
    { "\xf4\x90\x80\x80\xf5\x80\x80\x80", "\\xf4\\x90\\x80\\x80\\xf5\\x80\\x80\\x80" },
    { "\xe2\x82", "\\xe2\\x82" },                                          /* ends in the middle */
    { "\xe2\x82\xc3\xa4\xf0\x9f\x98-", "\\xe2\\x82\xc3\xa4\\xf0\\x9f\\x98-" },
    { "\xe2\n\xc2\x1b[m", "\\xe2\\x0a\\xc2\\x1b[m" },
};

START_TEST(line_text_that_is_none_is_escaped)
{
    char expected[200];

    snprintf(expected, sizeof expected, "[%s]\n", texts[_i].shown ? texts[_i].shown : texts[_i].text);
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "[%s]", texts[_i].text);
    ck_assert_str_eq(logged(), expected);
}
END_TEST

/* Every byte by itself: all but ASCII that is printed is escaped. */
START_TEST(line_single_bytes_printed_are_ascii)
{
    char one[2] = "", expected[20];

    log_init(CONF_LOG_INFO, path);
    for (unsigned c = 1; c < 256; c++) {
        one[0] = (char)c;
        if (c >= 0x20 && c < 0x7f)
            snprintf(expected, sizeof expected, "[%s]\n", one);
        else
            snprintf(expected, sizeof expected, "[\\x%02x]\n", c);
        log_line(CONF_LOG_INFO, "[%s]", one);
        ck_assert_str_eq(logged(), expected);
        ck_assert_int_eq(truncate(path, 0), 0);
    }
}
END_TEST

/* The end of a line cuts neither a character nor an escape. */
START_TEST(line_cut_shows_whole_characters)
{
    static const char *const last[] = { "\xe2\x82\xac", "\x1b", "\xc2\x9b" };
    char filled[1000];
    size_t len;

    log_init(CONF_LOG_INFO, path);
    for (size_t room = 0; room < 10; room++) {
        len = 899 - room - (size_t)snprintf(filled, sizeof filled, "socksify[%d]: ", (int)getpid());
        memset(filled, 'x', len);
        strcpy(filled + len, last[_i]);
        log_line(CONF_LOG_INFO, "%s", filled);
        logged();
        len = strlen(text);
        ck_assert_int_eq(text[len - 1], '\n');
        text[len - 1] = '\0';
        while (len > 0 && text[len - 1] != 'x')
            len--;
        if (_i == 0)
            ck_assert_str_eq(text + len, room >= 3 ? last[0] : "");
        else if (_i == 1)
            ck_assert_str_eq(text + len - 1, room >= 4 ? "x1b" : "x");
        else
            ck_assert_str_eq(text + len - 1, room >= 8 ? "x9b" : room >= 4 ? "xc2" : "x");
        ck_assert_int_eq(truncate(path, 0), 0);
    }
}
END_TEST

/* Nothing comes behind what had no room. */
START_TEST(line_cut_has_no_gap)
{
    char filled[1000];
    size_t len = 897 - (size_t)snprintf(filled, sizeof filled, "socksify[%d]: ", (int)getpid());

    log_init(CONF_LOG_INFO, path);
    memset(filled, 'x', len);
    strcpy(filled + len, "\xe2\x82\xacy");
    log_line(CONF_LOG_INFO, "%s%d", filled, 7);
    logged();
    ck_assert_str_eq(text + strlen(text) - 2, "x\n");
}
END_TEST

START_TEST(line_null_string_is_a_dash)
{
    const char *volatile nothing = NULL;    /* the compiler need not know */

    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "%s", nothing);
    ck_assert_str_eq(logged(), "-\n");
}
END_TEST

START_TEST(line_too_long_is_cut_and_ended)
{
    static char longer[4000];

    memset(longer, 'x', sizeof longer - 1);
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "%s", longer);
    logged();
    ck_assert_uint_eq(strlen(text), 900);
    ck_assert_int_eq(text[899], '\n');
}
END_TEST

START_TEST(line_level_above_is_silent_and_errno_stays)
{
    log_init(CONF_LOG_WARN, path);
    errno = ENOTTY;
    log_line(CONF_LOG_INFO, "no");
    ck_assert_str_eq(logged(), "");
    errno = ENOTTY;
    log_line(CONF_LOG_WARN, "yes");
    ck_assert_int_eq(errno, ENOTTY);
    ck_assert_str_eq(logged(), "yes\n");
    ck_assert(log_wants(CONF_LOG_WARN));
    ck_assert(!log_wants(CONF_LOG_INFO));
}
END_TEST

START_TEST(once_repeats_only_when_verbose)
{
    log_init(CONF_LOG_WARN, path);
    log_once(LOG_UDP, "first");
    log_once(LOG_UDP, "second");
    log_once(LOG_KIND, "other");
    ck_assert_msg(strstr(logged(), "second") == NULL, "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "first"));
    ck_assert_ptr_nonnull(strstr(text, "other"));
    log_init(CONF_LOG_INFO, path);
    log_once(LOG_UDP, "third");
    ck_assert_ptr_nonnull(strstr(logged(), "third"));
}
END_TEST

START_TEST(quiet_says_nothing)
{
    log_init(CONF_LOG_QUIET, path);
    log_line(CONF_LOG_WARN, "no");
    log_once(LOG_NAME, "no");
    ck_assert_str_eq(logged(), "");
}
END_TEST

START_TEST(stderr_replaced_by_another_file_is_left_alone)
{
    int fd = open(path, O_WRONLY);

    log_init(CONF_LOG_INFO, "");
    ck_assert_int_eq(real.dup2(fd, STDERR_FILENO), STDERR_FILENO);
    log_line(CONF_LOG_INFO, "into a database");
    ck_assert_str_eq(logged(), "");
    log_init(CONF_LOG_INFO, "");
    log_line(CONF_LOG_INFO, "now it is ours");
    ck_assert_str_eq(logged(), "now it is ours\n");
    real.close(fd);
}
END_TEST

START_TEST(pipe_that_is_full_loses_the_line)
{
    int pair[2];
    char block[4096] = { 0 };

    ck_assert_int_eq(pipe2(pair, O_NONBLOCK), 0);
    while (real.write(pair[1], block, sizeof block) > 0)
        ;
    real.fcntl(pair[1], F_SETFL, 0);
    ck_assert_int_eq(real.dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
    log_init(CONF_LOG_INFO, "");
    alarm(5);
    log_line(CONF_LOG_INFO, "lost");
    alarm(0);
    ck_assert_int_eq(real.read(pair[0], block, sizeof block), (int)sizeof block);
    log_line(CONF_LOG_INFO, "kept");
    while (real.read(pair[0], block, sizeof block) == (int)sizeof block)
        ;
    ck_assert_ptr_nonnull(strstr(block, "kept"));
}
END_TEST

/* It may be moved away at any time; what was in it before stays, and a new one is the user's alone. */
START_TEST(file_is_opened_for_each_line_and_appended_to)
{
    char old[sizeof path + 4];
    struct stat st;

    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "one");
    log_line(CONF_LOG_INFO, "two");
    ck_assert_ptr_nonnull(strstr(logged(), "two\n"));
    snprintf(old, sizeof old, "%s.old", path);
    ck_assert_int_eq(rename(path, old), 0);
    log_line(CONF_LOG_INFO, "three");
    ck_assert_str_eq(logged(), "three\n");
    ck_assert(stat(path, &st) == 0 && st.st_mode == (S_IFREG | 0600));
    ck_assert_int_eq(rename(old, path), 0);
    ck_assert(strncmp(logged(), "one\n", 4) == 0 && !strstr(text, "three"));
}
END_TEST

/* A link is followed, as a shell's >> follows it; nothing is cut off behind it. */
START_TEST(file_behind_a_link_is_appended_to)
{
    char link[sizeof path + 5], fresh[sizeof path + 6];
    struct stat st;

    snprintf(link, sizeof link, "%s.link", path);
    snprintf(fresh, sizeof fresh, "%s.fresh", path);
    ck_assert_int_eq(symlink(path, link), 0);
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "one");
    log_init(CONF_LOG_INFO, link);
    log_line(CONF_LOG_INFO, "two");
    ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    ck_assert(strncmp(logged(), "one\n", 4) == 0 && strstr(text, "two\n"));
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(symlink(fresh, link), 0);
    log_line(CONF_LOG_INFO, "three");
    ck_assert(lstat(fresh, &st) == 0 && st.st_mode == (S_IFREG | 0600) && st.st_uid == geteuid());
    ck_assert_int_eq(unlink(link), 0);
    ck_assert_int_eq(unlink(fresh), 0);
}
END_TEST

enum { NOBODY = 65534 };

/* Who gave up the rights to the file writes there no more, and owns what it makes. */
START_TEST(file_is_opened_with_the_rights_of_the_moment)
{
    char fresh[sizeof path + 6];
    struct stat st;
    int status;
    pid_t child;

    if (geteuid() != 0) {
        fprintf(stderr, "skipped: not root\n");
        return;
    }
    snprintf(fresh, sizeof fresh, "%s.fresh", path);
    log_init(CONF_LOG_INFO, path);
    log_line(CONF_LOG_INFO, "root");
    child = fork();
    if (child == 0) {
        if (setresuid(NOBODY, NOBODY, NOBODY) != 0)
            _exit(1);
        log_line(CONF_LOG_INFO, "nobody");
        log_init(CONF_LOG_INFO, fresh);
        log_line(CONF_LOG_INFO, "nobody");
        _exit(0);
    }
    ck_assert(waitpid(child, &status, 0) == child && status == 0);
    ck_assert_str_eq(logged(), "root\n");
    ck_assert(lstat(fresh, &st) == 0 && st.st_uid == NOBODY && st.st_mode == (S_IFREG | 0600) && st.st_size > 0);
    ck_assert_int_eq(unlink(fresh), 0);
}
END_TEST

START_TEST(file_that_cannot_be_opened_is_no_matter)
{
    log_init(CONF_LOG_INFO, "/nonexistent/log");
    errno = 0;
    log_line(CONF_LOG_INFO, "lost");
    ck_assert_int_eq(errno, 0);
}
END_TEST

/* In a child with the signals as they come: what would end or stop it. */
static int fate_of_line(void (*prepare)(int), int fd)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        prepare(fd);
        log_line(CONF_LOG_INFO, "nobody reads this");
        _exit(7);
    }
    ck_assert_int_eq(waitpid(child, &status, WUNTRACED), child);
    if (WIFSTOPPED(status))
        kill(child, SIGKILL);
    return status;
}

static void to_pipe(int fd)
{
    real.dup2(fd, STDERR_FILENO);
    log_init(CONF_LOG_INFO, "");
}

START_TEST(pipe_without_a_reader_ends_nobody)
{
    int pair[2], status;

    ck_assert_int_eq(pipe(pair), 0);
    close(pair[0]);
    status = fate_of_line(to_pipe, pair[1]);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
}
END_TEST

static void to_limit(int fd)
{
    struct rlimit limit = { 100, 100 };

    (void)fd;
    setrlimit(RLIMIT_FSIZE, &limit);
    log_init(CONF_LOG_INFO, path);
}

START_TEST(file_at_its_limit_ends_nobody)
{
    int status = fate_of_line(to_limit, -1);

    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
    ck_assert_str_eq(logged(), "");
}
END_TEST

/* From behind, at a terminal that stops who writes so. */
static void to_terminal(int fd)
{
    if (setpgid(0, 0) != 0)
        _exit(1);
    to_pipe(fd);
}

START_TEST(terminal_stops_nobody_in_the_background)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), status = 0, terminal;
    struct termios modes;
    pid_t leader;

    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    leader = fork();
    if (leader == 0) {
        setsid();
        terminal = open(ptsname(master), O_RDWR);
        if (terminal < 0 || tcgetattr(terminal, &modes) != 0)
            _exit(2);
        modes.c_lflag |= TOSTOP;
        tcsetattr(terminal, TCSANOW, &modes);
        status = fate_of_line(to_terminal, terminal);
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
    }
    ck_assert_int_eq(waitpid(leader, &status, 0), leader);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
    close(master);
}
END_TEST

Suite *make_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tc = tcase_create("lines");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, line_formats_numbers_and_strings);
    tcase_add_test(tc, line_columns_are_as_wide_as_told);
    tcase_add_test(tc, line_columns_end_with_the_line);
    tcase_add_test(tc, terminal_is_no_file);
    tcase_add_test(tc, line_control_characters_are_escaped);
    tcase_add_loop_test(tc, line_text_that_is_none_is_escaped, 0, sizeof texts / sizeof texts[0]);
    tcase_add_test(tc, line_single_bytes_printed_are_ascii);
    tcase_add_loop_test(tc, line_cut_shows_whole_characters, 0, 3);
    tcase_add_test(tc, line_null_string_is_a_dash);
    tcase_add_test(tc, line_cut_has_no_gap);
    tcase_add_test(tc, line_too_long_is_cut_and_ended);
    tcase_add_test(tc, line_level_above_is_silent_and_errno_stays);
    tcase_add_test(tc, once_repeats_only_when_verbose);
    tcase_add_test(tc, quiet_says_nothing);
    tcase_add_test(tc, stderr_replaced_by_another_file_is_left_alone);
    tcase_add_test(tc, pipe_that_is_full_loses_the_line);
    tcase_add_test(tc, pipe_without_a_reader_ends_nobody);
    tcase_add_test(tc, file_at_its_limit_ends_nobody);
    tcase_add_test(tc, terminal_stops_nobody_in_the_background);
    tcase_add_test(tc, file_is_opened_for_each_line_and_appended_to);
    tcase_add_test(tc, file_behind_a_link_is_appended_to);
    tcase_add_test(tc, file_is_opened_with_the_rights_of_the_moment);
    tcase_add_test(tc, file_that_cannot_be_opened_is_no_matter);
    suite_add_tcase(suite, tc);
    return suite;
}
