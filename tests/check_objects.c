/* SPDX-License-Identifier: ISC */
/* check_objects.c - the objects that lie in one directory find each other, and tell what they are for */
#include <check.h>
#include <errno.h>
#include <string.h>

#include "../src/io/objects.h"
#include "../src/io/program_elf.h"
#include "../src/io/real.h"
#include "elf_image.h"
#include "scratch.h"

enum { MACHINE = 62, MACHINE32 = 3 };

static const char main_name[] = "libsocksify.so", narrow_name[] = "libsocksify32.so";

static void set_up(void)
{
    real_init();
    scratch_make();
}

static const char *write_image(const char *name, struct elf_image e)
{
    uint8_t image[ELF_IMAGE_SIZE];

    e.machine = e.narrow ? MACHINE32 : MACHINE;
    elf_image_make(&e, image);
    return write_file(name, image, sizeof image, 0644);
}

/* needed -1: nothing is needed, nor is there a dynamic section. */
static const struct elf_image wide = { .needed = -1, .section = ".text" };
static const struct elf_image narrow = { .narrow = true, .needed = -1, .section = ".text" };

static const struct { struct elf_image image; int error; unsigned libcs; } looks[] = {
    { { .needed = -1, .section = ".text" }, 0, ELF_GLIBC | ELF_MUSL },
    { { .needed = 0, .section = ".text" }, 0, ELF_GLIBC | ELF_MUSL },
    { { .needed = 1, .section = ".text" }, 0, ELF_GLIBC },
    { { .narrow = true, .needed = -1, .section = ".text" }, 0, ELF_GLIBC },
    { { .fixed = true, .needed = -1, .section = ".text" }, -ENOEXEC, 0 },
};

START_TEST(object_tells_what_it_is_for)
{
    struct program_object object = { .libcs = 77 };
    struct elf_image image = looks[_i].image;
    const char *path;

    image.big = program_own_target().order == 2;
    path = write_image("object", image);
    ck_assert_int_eq(objects_look(path, &object), looks[_i].error);
    if (looks[_i].error) {
        ck_assert_uint_eq(object.libcs, 77);
        return;
    }
    ck_assert_uint_eq(object.libcs, looks[_i].libcs);
    ck_assert_ptr_eq(object.path, path);
    ck_assert_uint_eq(object.target.class, image.narrow ? 1 : 2);
    ck_assert_uint_eq(object.target.machine, image.narrow ? MACHINE32 : MACHINE);
}
END_TEST

START_TEST(what_is_no_object_is_told)
{
    struct elf_image foreign = wide;
    struct program_object object;

    foreign.big = program_own_target().order != 2;
    ck_assert_int_eq(objects_look(in_directory("missing"), &object), -ENOENT);
    ck_assert_int_eq(objects_look(write_file("text", "text", 4, 0644), &object), -ENOEXEC);
    ck_assert_int_eq(objects_look(write_file("empty", "", 0, 0644), &object), -ENOEXEC);
    ck_assert_int_eq(objects_look(write_image("foreign", foreign), &object), -ENOEXEC);
}
END_TEST

static struct program_object table[OBJECTS_MAX];

static size_t complete(const char *own)
{
    static char text[(OBJECTS_MAX - 1) * (PATH_SIZE + OBJECTS_NAME_SIZE)];

    memset(table, 0, sizeof table);
    ck_assert_int_eq(objects_look(own, &table[0]), 0);
    return objects_complete(table, text);
}

START_TEST(each_finds_the_other)
{
    char one[PATH_SIZE], other[PATH_SIZE];

    strcpy(one, write_image(main_name, wide));
    strcpy(other, write_image(narrow_name, narrow));
    ck_assert_uint_eq(complete(one), 2);
    ck_assert_str_eq(table[1].path, other);
    ck_assert_uint_eq(table[1].libcs, ELF_GLIBC);
    ck_assert_uint_eq(complete(other), 2);
    ck_assert_str_eq(table[1].path, one);
    ck_assert_uint_eq(table[1].libcs, ELF_GLIBC | ELF_MUSL);
}
END_TEST

START_TEST(one_that_is_alone_finds_none)
{
    ck_assert_uint_eq(complete(write_image(main_name, wide)), 1);
}
END_TEST

START_TEST(another_for_the_same_programs_is_passed_over)
{
    write_image(narrow_name, wide);
    ck_assert_uint_eq(complete(write_image(main_name, wide)), 1);
    write_file(narrow_name, "text", 4, 0644);
    ck_assert_uint_eq(complete(write_image(main_name, wide)), 1);
}
END_TEST

START_TEST(one_of_another_name_finds_both_kinds_once)
{
    char own[PATH_SIZE];

    strcpy(own, write_image("renamed.so", narrow));
    write_image(narrow_name, narrow);
    write_image(main_name, wide);
    ck_assert_uint_eq(complete(own), 2);
    ck_assert_str_eq(table[1].path, in_directory(main_name));
}
END_TEST

START_TEST(one_whose_place_is_unknown_finds_none)
{
    char text[1];

    memset(table, 0, sizeof table);
    ck_assert_uint_eq(objects_complete(table, text), 1);
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("objects");
    TCase *t = tcase_create("objects");

    tcase_add_checked_fixture(t, set_up, scratch_remove);
    tcase_add_loop_test(t, object_tells_what_it_is_for, 0, (int)(sizeof looks / sizeof looks[0]));
    tcase_add_test(t, what_is_no_object_is_told);
    tcase_add_test(t, each_finds_the_other);
    tcase_add_test(t, one_that_is_alone_finds_none);
    tcase_add_test(t, another_for_the_same_programs_is_passed_over);
    tcase_add_test(t, one_of_another_name_finds_both_kinds_once);
    tcase_add_test(t, one_whose_place_is_unknown_finds_none);
    suite_add_tcase(s, t);
    return s;
}
