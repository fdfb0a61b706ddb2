/* SPDX-License-Identifier: ISC */
/* check_elf.c - headers, segments, notes, names and dynamic entries of ELF files */
#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../src/core/elf.h"
#include "elf_image.h"

enum { X86_64 = 62, I386 = 3, S390 = 22, PAGE = 4096 };

static uint8_t image[ELF_IMAGE_SIZE];

static const struct elf_image kinds[] = {
    { .machine = X86_64, .interpreter = "/lib64/ld-linux-x86-64.so.2", .section = ".text" },
    { .machine = I386, .narrow = true, .interpreter = "/lib/ld-linux.so.2", .section = ".text" },
    { .machine = S390, .big = true, .fixed = true },
    { .machine = S390, .big = true, .narrow = true, .fixed = true, .section = ".go.buildinfo", .ballast = 7 },
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

static struct elf_header read_header(const struct elf_image *e)
{
    struct elf_header h;

    elf_image_make(e, image);
    ck_assert_int_eq(elf_header(image, sizeof image, &h), 0);
    return h;
}

START_TEST(header_of_each_class_and_order_is_read)
{
    const struct elf_image *e = &kinds[_i];
    struct elf_header h = read_header(e);

    ck_assert_uint_eq(h.target.class, e->narrow ? 1 : 2);
    ck_assert_uint_eq(h.target.order, e->big ? 2 : 1);
    ck_assert_uint_eq(h.target.machine, e->machine);
    ck_assert_int_eq(h.position_independent, !e->fixed);
    ck_assert_uint_eq(h.segments, ELF_IMAGE_SEGMENTS);
    ck_assert_uint_eq(h.segment_count, e->interpreter ? 4 : 3);
    ck_assert_uint_eq(h.segment_size, e->narrow ? 32 : 56);
    ck_assert_uint_eq(h.names, e->section ? ELF_IMAGE_SECTIONS + (e->narrow ? 40u : 64u) : 0);
}
END_TEST

/* Flush against a page that cannot be read: one byte too far ends the test. */
START_TEST(header_cut_short_is_refused_without_reading_on)
{
    const struct elf_image *e = &kinds[_i];
    size_t whole = e->narrow ? 52 : 64;
    uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct elf_header h = { .segment_count = 99 };

    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + PAGE, PAGE, PROT_NONE), 0);
    elf_image_make(e, image);
    for (size_t len = 0; len < whole; len++) {
        memcpy(pages + PAGE - len, image, len);
        ck_assert_int_eq(elf_header(pages + PAGE - len, len, &h), -ENOEXEC);
        ck_assert_uint_eq(h.segment_count, 99);
    }
    memcpy(pages + PAGE - whole, image, whole);
    ck_assert_int_eq(elf_header(pages + PAGE - whole, whole, &h), 0);
    munmap(pages, 2 * PAGE);
}
END_TEST

/* { offset, value } of a byte that makes a 64-bit little-endian file none that the kernel runs. */
static const struct { size_t at; uint8_t value; } faults[] = {
    { 0, 0 }, { 3, 'f' }, { 4, 0 }, { 4, 3 }, { 16, 1 }, { 16, 4 }, { 54, 32 }, { 54, 57 }, { 56, 0 },
};

START_TEST(header_that_no_kernel_runs_is_refused)
{
    struct elf_header h;

    elf_image_make(&kinds[0], image);
    image[faults[_i].at] = faults[_i].value;
    ck_assert_int_eq(elf_header(image, sizeof image, &h), -ENOEXEC);
}
END_TEST

START_TEST(names_index_out_of_use_means_no_sections)
{
    struct elf_header h;

    elf_image_make(&kinds[0], image);
    memset(image + 62, 0xff, 2);
    ck_assert_int_eq(elf_header(image, sizeof image, &h), 0);
    ck_assert_uint_eq(h.names, 0);
}
END_TEST

START_TEST(segments_give_part_place_and_alignment)
{
    const struct elf_image *e = &kinds[_i];
    struct elf_header h = read_header(e);
    unsigned seen = 0;

    for (uint32_t i = 0; i < h.segment_count; i++) {
        struct elf_segment s;

        elf_segment(&h, image + h.segments + i * h.segment_size, &s);
        seen |= 1u << s.part;
        if (s.part == ELF_INTERPRETER)
            ck_assert_str_eq((char *)image + s.offset, e->interpreter);
        if (s.part == ELF_DYNAMIC)
            ck_assert_uint_eq(s.size, e->narrow ? 320 : 640);
        if (s.part == ELF_NOTE) {
            ck_assert_uint_eq(s.offset, ELF_IMAGE_NOTES);
            ck_assert_uint_eq(s.align, 4);
        }
    }
    ck_assert_uint_eq(seen, e->interpreter ? 15 : 13);
}
END_TEST

START_TEST(names_place_is_that_of_the_section)
{
    struct elf_header h = read_header(&kinds[3]);
    uint64_t offset, size;

    elf_names(&h, image + h.names, &offset, &size);
    ck_assert_uint_eq(offset, ELF_IMAGE_NAMES);
    ck_assert_uint_eq(size, 7 + sizeof ".go.buildinfo" + 1);
    ck_assert(elf_names_go(image + offset, size));
}
END_TEST

START_TEST(go_name_in_pieces_that_overlap_is_found_in_one_of_them)
{
    static const char text[] = "\0.text\0.note.go.buildid\0.bss";
    size_t len = sizeof text;

    for (size_t cut = ELF_GO_NAME_LEN; cut < len; cut++) {
        size_t second = cut - (ELF_GO_NAME_LEN - 1);

        ck_assert(elf_names_go((const uint8_t *)text, cut) ||
                  elf_names_go((const uint8_t *)text + second, len - second));
    }
    ck_assert(!elf_names_go((const uint8_t *)"\0.go.buil", 9));
    ck_assert(!elf_names_go((const uint8_t *)".note.gnu.build-id", 18));
    ck_assert(!elf_names_go((const uint8_t *)".go.build", 0));
}
END_TEST

START_TEST(notes_are_walked_to_that_of_go)
{
    struct elf_image e = kinds[_i];
    struct elf_header h;
    uint64_t step;
    bool go;

    e.go_note = true;
    h = read_header(&e);
    step = elf_note(&h, image + ELF_IMAGE_NOTES, 4, &go);
    ck_assert(!go);
    ck_assert_uint_eq(step, 12 + 4 + 20);
    step = elf_note(&h, image + ELF_IMAGE_NOTES + step, 4, &go);
    ck_assert(go);
    ck_assert_uint_eq(step, 12 + 4 + 84);
}
END_TEST

START_TEST(note_aligned_to_8_is_passed_as_gnu_property_is)
{
    /* namesz 4, descsz 16, type 5, "GNU": the data begins at 16, the next note at 32. */
    static const uint8_t property[] = { 4, 0, 0, 0, 16, 0, 0, 0, 5, 0, 0, 0, 'G', 'N', 'U', 0 };
    struct elf_header h = read_header(&kinds[0]);
    bool go;

    ck_assert_uint_eq(elf_note(&h, property, 8, &go), 32);
    ck_assert(!go);
}
END_TEST

START_TEST(note_of_damaged_size_still_moves_on)
{
    static const uint8_t damaged[ELF_NOTE_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t zero[ELF_NOTE_SIZE];
    struct elf_header h = read_header(&kinds[0]);
    bool go;

    ck_assert_uint_gt(elf_note(&h, damaged, 4, &go), ELF_NOTE_SIZE);
    ck_assert_uint_gt(elf_note(&h, zero, 4, &go), 0);
    ck_assert_uint_gt(elf_note(&h, zero, 0, &go), 0);
}
END_TEST

START_TEST(dynamic_section_in_pieces_tells_whether_a_library_is_needed)
{
    struct elf_image e = kinds[_i];
    size_t entry = e.narrow ? 8 : 16;
    struct elf_header h;

    e.needed = 17;
    h = read_header(&e);
    ck_assert_int_eq(elf_dynamic_needs(&h, image + ELF_IMAGE_DYNAMIC, 16 * entry), -EAGAIN);
    ck_assert_int_eq(elf_dynamic_needs(&h, image + ELF_IMAGE_DYNAMIC, 16 * entry + entry - 1), -EAGAIN);
    ck_assert_int_eq(elf_dynamic_needs(&h, image + ELF_IMAGE_DYNAMIC, 17 * entry), 1);
    e.needed = 0;
    h = read_header(&e);
    ck_assert_int_eq(elf_dynamic_needs(&h, image + ELF_IMAGE_DYNAMIC, 40 * entry), 0);
    ck_assert_int_eq(elf_dynamic_needs(&h, image + ELF_IMAGE_DYNAMIC, 0), -EAGAIN);
}
END_TEST

static const struct { const char *path; enum elf_libc libc; bool loader; } loaders[] = {
    { "/lib64/ld-linux-x86-64.so.2", ELF_GLIBC, true },
    { "/lib/ld-musl-x86_64.so.1", ELF_MUSL, true },
    { "/lib/ld-2.31.so", ELF_GLIBC, true },
    { "/lib64/ld64.so.2", ELF_GLIBC, true },
    { "/lib/ld.so.1", ELF_GLIBC, true },
    { "ld-linux-aarch64.so.1", ELF_GLIBC, true },
    { "/usr/bin/ld-tool", ELF_GLIBC, false },
    { "/usr/bin/ld", ELF_GLIBC, false },
    { "/opt/ld-musl-like.so.d/prog", ELF_MUSL, false },
    { "", ELF_GLIBC, false },
};

START_TEST(loader_is_known_by_its_name)
{
    const char *path = loaders[_i].path;

    ck_assert_int_eq(elf_libc(path, strlen(path)), loaders[_i].libc);
    ck_assert_int_eq(elf_is_loader(path), loaders[_i].loader);
}
END_TEST

START_TEST(libc_of_name_cut_short_is_not_read_beyond)
{
    static const char name[] = "/lib/ld-musl-x86_64.so.1";

    ck_assert_int_eq(elf_libc(name, 12), ELF_GLIBC);
    ck_assert_int_eq(elf_libc(name, 13), ELF_MUSL);
    ck_assert_int_eq(elf_libc(name, 0), ELF_GLIBC);
    ck_assert_int_eq(elf_libc("a\0ld-musl-", 10), ELF_GLIBC);
}
END_TEST

START_TEST(targets_differ_in_each_part)
{
    const struct elf_target a = { 2, 1, X86_64 };
    const struct elf_target others[] = { { 1, 1, X86_64 }, { 2, 2, X86_64 }, { 2, 1, I386 } };

    ck_assert(elf_same_target(&a, &a));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert(!elf_same_target(&a, &others[i]));
}
END_TEST

Suite *make_suite(void);

Suite *make_suite(void)
{
    Suite *s = suite_create("elf");
    TCase *t = tcase_create("elf");

    tcase_add_loop_test(t, header_of_each_class_and_order_is_read, 0, KINDS);
    tcase_add_loop_test(t, header_cut_short_is_refused_without_reading_on, 0, KINDS);
    tcase_add_loop_test(t, header_that_no_kernel_runs_is_refused, 0, (int)(sizeof faults / sizeof faults[0]));
    tcase_add_test(t, names_index_out_of_use_means_no_sections);
    tcase_add_loop_test(t, segments_give_part_place_and_alignment, 0, KINDS);
    tcase_add_test(t, names_place_is_that_of_the_section);
    tcase_add_test(t, go_name_in_pieces_that_overlap_is_found_in_one_of_them);
    tcase_add_loop_test(t, notes_are_walked_to_that_of_go, 0, KINDS);
    tcase_add_test(t, note_aligned_to_8_is_passed_as_gnu_property_is);
    tcase_add_test(t, note_of_damaged_size_still_moves_on);
    tcase_add_loop_test(t, dynamic_section_in_pieces_tells_whether_a_library_is_needed, 0, KINDS);
    tcase_add_loop_test(t, loader_is_known_by_its_name, 0, (int)(sizeof loaders / sizeof loaders[0]));
    tcase_add_test(t, libc_of_name_cut_short_is_not_read_beyond);
    tcase_add_test(t, targets_differ_in_each_part);
    suite_add_tcase(s, t);
    return s;
}
