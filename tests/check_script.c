/* SPDX-License-Identifier: ISC */
/* check_script.c - "#!" lines, and the programs that arguments of env and of the loader name */
#include <check.h>
#include <string.h>

#include "../src/core/script.h"

static const struct { const char *head, *interpreter, *argument; } lines[] = {
    { "#!/bin/sh\necho", "/bin/sh", NULL },
    { "#!/bin/sh", "/bin/sh", NULL },
    { "#! \t /bin/sh \t \n", "/bin/sh", NULL },
    { "#!/bin/sh -e\n", "/bin/sh", "-e" },
    { "#!/usr/bin/env -S python3 -u  \nx", "/usr/bin/env", "-S python3 -u" },
    { "#!bin/sh\ta b\n", "bin/sh", "a b" },
    { "#!\n/bin/sh\n", NULL, NULL },
    { "#!  \t", NULL, NULL },
    { "#!", NULL, NULL },
    { "#", NULL, NULL },
    { "", NULL, NULL },
    { "!#/bin/sh\n", NULL, NULL },
    { "\177ELF", NULL, NULL },
};

static void expect_line(char *head, const char *interpreter, const char *argument)
{
    const char *got = "untouched", *got_argument = "untouched";

    if (!interpreter) {
        ck_assert(!script_line(head, &got, &got_argument));
        ck_assert_str_eq(got, "untouched");
        return;
    }
    ck_assert(script_line(head, &got, &got_argument));
    ck_assert_str_eq(got, interpreter);
    if (argument)
        ck_assert_str_eq(got_argument, argument);
    else
        ck_assert_ptr_null(got_argument);
}

START_TEST(line_is_taken_apart_as_the_kernel_does)
{
    char head[SCRIPT_LINE_SIZE + 1] = "";

    strcpy(head, lines[_i].head);
    expect_line(head, lines[_i].interpreter, lines[_i].argument);
}
END_TEST

/* The kernel reads 256 bytes: a name that may go on behind them is none, an argument is cut. */
START_TEST(line_longer_than_what_is_read_needs_a_whole_name)
{
    char head[SCRIPT_LINE_SIZE + 1] = "", name[SCRIPT_LINE_SIZE + 1] = "", rest[SCRIPT_LINE_SIZE + 1] = "";

    memset(head, 'x', SCRIPT_LINE_SIZE);
    memcpy(head, "#!", 2);
    expect_line(head, NULL, NULL);
    head[SCRIPT_LINE_SIZE - 1] = ' ';
    memset(name, 'x', SCRIPT_LINE_SIZE - 3);
    expect_line(head, name, NULL);

    memset(head, 'x', SCRIPT_LINE_SIZE);
    memcpy(head, "#!/bin/sh ", 10);
    memset(rest, 'x', SCRIPT_LINE_SIZE - 10);
    expect_line(head, "/bin/sh", rest);
}
END_TEST

static const struct { const char *argument, *word; } words[] = {
    { "python3", "python3" },
    { "/opt/x y", "/opt/x y" },
    { "-i", "" },
    { "A=b", "" },
    { "-S python3 -u", "python3" },
    { "-Spython3", "python3" },
    { "-vS python3", "python3" },
    { "--split-string=node --x", "node" },
    { "-S -i A=b C= prog arg", "prog" },
    { "-S -u NAME -C /dir prog", "prog" },
    { "-S -u", "" },
    { "-S -uNAME prog", "prog" },
    { "-S 'a b'", "" },
    { "-S A=${HOME} prog", "" },
    { "-S", "" },
    { "", "" },
};

START_TEST(env_word_is_the_program_that_env_starts)
{
    char word[SCRIPT_WORD_SIZE] = "old";

    script_env_word(words[_i].argument, word);
    ck_assert_str_eq(word, words[_i].word);
}
END_TEST

START_TEST(env_word_too_long_is_none)
{
    char argument[SCRIPT_WORD_SIZE + 2] = "", word[SCRIPT_WORD_SIZE];

    memset(argument, 'x', SCRIPT_WORD_SIZE);
    script_env_word(argument, word);
    ck_assert_str_eq(word, "");
    script_env_word(argument + 1, word);
    ck_assert_str_eq(word, argument + 1);
}
END_TEST

START_TEST(loader_argument_is_a_path_or_none)
{
    char word[SCRIPT_WORD_SIZE];

    script_loader_argument("/bin/true", word);
    ck_assert_str_eq(word, "/bin/true");
    script_loader_argument("./a b", word);
    ck_assert_str_eq(word, "./a b");
    script_loader_argument("true", word);
    ck_assert_str_eq(word, "");
    script_loader_argument("--preload=/a", word);
    ck_assert_str_eq(word, "");
}
END_TEST

START_TEST(env_is_known_by_the_last_part_of_its_path)
{
    ck_assert(script_is_env("/usr/bin/env"));
    ck_assert(script_is_env("env"));
    ck_assert(!script_is_env("/usr/bin/envsubst"));
    ck_assert(!script_is_env("/env/sh"));
    ck_assert(!script_is_env(""));
}
END_TEST

static const struct { const char *argv[6], *word; } loaders[] = {
    { { "ld.so", "/bin/true", "x" }, "/bin/true" },
    { { "ld.so", "--library-path", "/lib", "--verify", "prog" }, "prog" },
    { { "ld.so", "--argv0", "name", "--preload", "a.so", NULL }, NULL },
    { { "ld.so", "--argv0" }, NULL },
    { { "ld.so", "--list", "/bin/true" }, "/bin/true" },
    { { "ld.so" }, NULL },
    { { NULL }, NULL },
};

START_TEST(loader_word_is_the_program_that_it_runs)
{
    const char *word = script_loader_word((char *const *)loaders[_i].argv);

    ck_assert_int_eq(word != NULL, loaders[_i].word != NULL);
    if (word)
        ck_assert_str_eq(word, loaders[_i].word);
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("script");
    TCase *t = tcase_create("script");

    tcase_add_loop_test(t, line_is_taken_apart_as_the_kernel_does, 0, (int)(sizeof lines / sizeof lines[0]));
    tcase_add_test(t, line_longer_than_what_is_read_needs_a_whole_name);
    tcase_add_loop_test(t, env_word_is_the_program_that_env_starts, 0, (int)(sizeof words / sizeof words[0]));
    tcase_add_test(t, env_word_too_long_is_none);
    tcase_add_test(t, loader_argument_is_a_path_or_none);
    tcase_add_test(t, env_is_known_by_the_last_part_of_its_path);
    tcase_add_loop_test(t, loader_word_is_the_program_that_it_runs, 0, (int)(sizeof loaders / sizeof loaders[0]));
    suite_add_tcase(s, t);
    return s;
}
