/* SPDX-License-Identifier: ISC */
/* check_namemap.c - names and slots: order of eviction, damage, writers that died, readers beside a writer */
#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "namemap.h"

Suite *make_suite(void);

enum { SMALL = 1024, SEED = 0x5eed, NONE = UINT16_MAX * 2 };

static struct namemap map;

/* Check's assertions write to a file even when they hold, which loops cannot afford. */
static void must(bool holds, const char *what, uint32_t i)
{
    if (!holds)
        ck_abort_msg("%s (%u)", what, (unsigned)i);
}

static size_t size_of(uint32_t slots)
{
    return offsetof(struct namemap_memory, entry) + (size_t)slots * sizeof(struct namemap_entry);
}

/* Memory for all slots, of which only those of the view, to the page, may be touched. */
static void map_new(uint32_t slots)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), end = (size_of(slots) + page - 1) / page * page;
    char *p = mmap(NULL, sizeof(struct namemap_memory), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert(p != MAP_FAILED);
    if (end < sizeof(struct namemap_memory))
        ck_assert_int_eq(mprotect(p + end, sizeof(struct namemap_memory) - end, PROT_NONE), 0);
    map = (struct namemap){ .memory = (struct namemap_memory *)p, .slots = slots, .seed = SEED };
}

static void map_end(void)
{
    munmap(map.memory, sizeof(struct namemap_memory));
}

static const char *name_of(uint32_t i)
{
    static _Thread_local char name[64];

    snprintf(name, sizeof name, "host-%u.check-%u.example", (unsigned)i, (unsigned)(i * 2654435761u));
    return name;
}

static bool is_one_of_ours(const char *name)
{
    unsigned i, sum;

    return sscanf(name, "host-%u.check-%u.example", &i, &sum) == 2 && strcmp(name, name_of(i)) == 0;
}

static uint32_t insert(uint32_t i)
{
    uint32_t slot = NONE;

    must(namemap_insert(&map, name_of(i), &slot) == 0, "insert", i);
    must(slot < map.slots, "slot outside the view", i);
    return slot;
}

static uint32_t find(uint32_t i)
{
    uint32_t slot = NONE;
    int r = namemap_find(&map, name_of(i), &slot);

    must(r == 0 || (r == -ENOENT && slot == NONE), "find", i);
    return slot;
}

static void fill(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        must(insert(i) == i, "not the next slot", i);
}

static uint32_t index_words(void)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < NAMEMAP_INDEX; i++)
        used += map.memory->index[i] > 1;
    return used;
}

static const struct {
    const char *label;
    size_t len;
    int error;
} lengths[] = {
    { "empty", 0, -EINVAL }, { "one", 1, 0 }, { "two", 2, 0 }, { "three", 3, 0 }, { "four", 4, 0 },
    { "whole word", 7, 0 }, { "longest but one", 252, 0 }, { "longest", 253, 0 }, { "too long", 254, -EINVAL },
    { "much too long", 4000, -EINVAL }
};

START_TEST(name_length_decides_insert)
{
    size_t len = lengths[_i].len;
    char *name = malloc(len + 1), back[ADDR_NAME_SIZE];
    uint32_t slot = NONE;

    map_new(SMALL);
    memset(name, 'x', len);
    name[len] = '\0';
    memset(back, '#', sizeof back);
    ck_assert_int_eq(namemap_find(&map, name, &slot), -ENOENT);
    ck_assert_int_eq(namemap_insert(&map, name, &slot), lengths[_i].error);
    if (lengths[_i].error) {
        ck_assert_uint_eq(slot, NONE);
    } else {
        ck_assert_int_eq(namemap_name(&map, slot, back), (int)len);
        ck_assert_str_eq(back, name);
        name[len - 1] = 'y';
        ck_assert_int_eq(namemap_find(&map, name, &slot), -ENOENT);
    }
    free(name);
    map_end();
}
END_TEST

START_TEST(name_in_other_case_is_the_same_name)
{
    char back[ADDR_NAME_SIZE];
    uint32_t a = NONE, b = NONE, c = NONE;

    map_new(SMALL);
    ck_assert_int_eq(namemap_insert(&map, "WWW.Example-1_.ORG", &a), 0);
    ck_assert_int_eq(namemap_insert(&map, "www.example-1_.org", &b), 0);
    ck_assert_int_eq(namemap_find(&map, "wWw.eXample-1_.oRG", &c), 0);
    ck_assert(a == b && b == c);
    ck_assert_int_eq(namemap_name(&map, a, back), 18);
    ck_assert_str_eq(back, "www.example-1_.org");
    ck_assert_int_eq(namemap_find(&map, "www.example-1\177.org", &c), -ENOENT);     /* '_' with the case bit */
    map_end();
}
END_TEST

START_TEST(slot_unknown_enoent_output_untouched)
{
    static const uint32_t slots[] = { 1, SMALL - 1, SMALL, NAMEMAP_SLOTS - 1, NAMEMAP_SLOTS, UINT32_MAX };
    char back[ADDR_NAME_SIZE] = "untouched";

    map_new(SMALL);
    fill(1);
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        ck_assert_int_eq(namemap_name(&map, slots[i], back), -ENOENT);
    ck_assert_str_eq(back, "untouched");
    map_end();
}
END_TEST

START_TEST(view_full_enospc_until_it_is_larger)
{
    uint32_t slot = NONE;

    map_new(2 * SMALL);
    map.slots = SMALL;
    fill(SMALL);
    ck_assert_int_eq(namemap_insert(&map, name_of(SMALL), &slot), -ENOSPC);
    ck_assert_uint_eq(slot, NONE);
    ck_assert_uint_eq(insert(7), 7);
    map.slots = 2 * SMALL;
    ck_assert_uint_eq(insert(SMALL), SMALL);
    map.slots = SMALL;                      /* a process that has not seen it grow yet */
    ck_assert_uint_eq(find(SMALL), NONE);
    ck_assert_uint_eq(find(7), 7);
    map_end();
}
END_TEST

START_TEST(map_full_oldest_goes_first)
{
    char back[ADDR_NAME_SIZE];

    map_new(NAMEMAP_SLOTS);
    fill(NAMEMAP_SLOTS);
    for (uint32_t i = 0; i < NAMEMAP_SLOTS; i++)
        must(find(i) == i, "lost", i);
    ck_assert_uint_eq(find(0), 0);                                  /* each of the three ways to use a name */
    ck_assert_int_gt(namemap_name(&map, 1, back), 0);
    ck_assert_uint_eq(insert(3), 3);
    ck_assert_uint_eq(insert(NAMEMAP_SLOTS), 2);
    for (uint32_t i = 4; i < 500; i++)
        must(insert(NAMEMAP_SLOTS + i) == i, "not the oldest", i);
    for (uint32_t i = 4; i < 500; i++)
        must(find(i) == NONE && find(NAMEMAP_SLOTS + i) == i, "old name still there, or new one not", i);
    ck_assert_uint_eq(find(2), NONE);
    ck_assert(find(0) == 0 && find(1) == 1 && find(3) == 3);
    ck_assert_uint_eq(index_words(), NAMEMAP_SLOTS);
    map_end();
}
END_TEST

START_TEST(clock_near_its_end_keeps_the_order)
{
    map_new(NAMEMAP_SLOTS);
    fill(NAMEMAP_SLOTS);
    for (uint32_t i = 0; i < NAMEMAP_SLOTS; i++)
        map.memory->stamp[i] = 0x80000000u - NAMEMAP_SLOTS + (i + 100) % NAMEMAP_SLOTS;
    map.memory->clock = 0x80000001u;
    for (uint32_t i = 0; i < 200; i++)      /* the oldest is the slot whose stamp is lowest */
        must(insert(NAMEMAP_SLOTS + i) == (NAMEMAP_SLOTS - 100 + i) % NAMEMAP_SLOTS, "not the oldest", i);
    ck_assert_uint_lt(map.memory->clock, 0x50000000u);
    map_end();
}
END_TEST

START_TEST(index_full_of_dead_words_is_rebuilt)
{
    map_new(SMALL);
    fill(100);
    for (uint32_t i = 0; i < NAMEMAP_INDEX; i++)
        if (map.memory->index[i] == 0)
            map.memory->index[i] = 1;
    ck_assert_uint_eq(find(5000), NONE);
    ck_assert_uint_eq(insert(100), 100);
    for (uint32_t i = 0; i <= 100; i++)
        must(find(i) == i, "lost", i);
    for (uint32_t i = 0; i < NAMEMAP_INDEX; i++)
        must(map.memory->index[i] != 1, "dead word left", i);
    ck_assert_uint_eq(index_words(), 101);
    map_end();
}
END_TEST

START_TEST(index_damaged_wholly_gives_no_wrong_name)
{
    static const uint32_t words[] = { 0x10000, 0x1ffff, 0xffffffff, 0xfffe0000 };

    map_new(SMALL);
    fill(100);
    for (uint32_t i = 0; i < NAMEMAP_INDEX; i++)
        map.memory->index[i] = words[_i];
    for (uint32_t i = 0; i < 200; i++)
        must(find(i) == NONE || find(i) == i, "wrong slot", i);
    uint32_t slot = insert(300);
    ck_assert_uint_ge(slot, 100);
    ck_assert_uint_eq(find(300), slot);     /* the insertion made the index anew */
    ck_assert_uint_eq(find(99), 99);
    map_end();
}
END_TEST

START_TEST(writer_dead_in_rebuild_names_keep_their_slots)
{
    map_new(SMALL);
    fill(100);
    memset(map.memory->index, 0, sizeof map.memory->index);
    map.memory->rebuilding = 1;
    ck_assert_uint_eq(find(40), NONE);
    ck_assert_uint_eq(insert(40), 40);
    ck_assert_uint_eq(find(41), 41);
    ck_assert_uint_eq(map.memory->rebuilding, 0);
    map_end();
}
END_TEST

START_TEST(writer_dead_in_entry_slot_is_not_given_away)
{
    char back[ADDR_NAME_SIZE];

    map_new(SMALL);
    fill(10);
    map.memory->entry[4].sequence |= 1;
    ck_assert_int_eq(namemap_name(&map, 4, back), -ENOENT);
    ck_assert_uint_eq(find(4), NONE);
    ck_assert_uint_eq(insert(4), 10);
    ck_assert_uint_eq(insert(10), 11);
    map_end();
}
END_TEST

START_TEST(writer_dead_in_entry_full_map_slot_is_used_again)
{
    char back[ADDR_NAME_SIZE];

    map_new(NAMEMAP_SLOTS);
    fill(NAMEMAP_SLOTS);
    map.memory->entry[0].sequence |= 1;
    ck_assert_uint_eq(insert(NAMEMAP_SLOTS), 0);
    ck_assert_int_gt(namemap_name(&map, 0, back), 0);
    ck_assert_str_eq(back, name_of(NAMEMAP_SLOTS));
    map_end();
}
END_TEST

static const uint32_t hints[] = { 0, 5, 9, 11, SMALL - 1, SMALL + 1, NAMEMAP_SLOTS, UINT32_MAX };

START_TEST(hint_damaged_no_slot_is_given_twice)
{
    char back[ADDR_NAME_SIZE];

    map_new(SMALL);
    fill(10);
    for (uint32_t i = 0; i < 20; i++) {
        map.memory->next = hints[_i];
        must(insert(100 + i) >= 10, "slot of another name", i);
    }
    for (uint32_t i = 0; i < 10; i++) {
        must(namemap_name(&map, i, back) > 0, "lost", i);
        must(strcmp(back, name_of(i)) == 0, "changed", i);
    }
    map_end();
}
END_TEST

static const uint32_t clocks[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };

START_TEST(clock_damaged_new_names_stay)
{
    map_new(NAMEMAP_SLOTS);
    fill(NAMEMAP_SLOTS);
    map.memory->clock = clocks[_i];
    for (uint32_t i = 0; i < 50; i++)
        insert(NAMEMAP_SLOTS + i);
    for (uint32_t i = 0; i < 50; i++)
        must(find(NAMEMAP_SLOTS + i) != NONE, "gone at once", i);
    map_end();
}
END_TEST

START_TEST(entry_any_bit_damaged_is_a_miss)
{
    uint32_t bits = offsetof(struct namemap_entry, word) * 8 + 6 * 32;      /* all that this name has */
    char back[ADDR_NAME_SIZE];
    unsigned seen = 0;

    map_new(SMALL);
    fill(3);
    ck_assert_uint_le(strlen(name_of(1)) + 1, 6 * 4 + 8);
    for (uint32_t bit = 0; bit < bits; bit++) {
        unsigned char *p = (unsigned char *)&map.memory->entry[1] + bit / 8;

        *p ^= (unsigned char)(1 << bit % 8);
        if (namemap_name(&map, 1, back) > 0) {
            must(bit < 32 && strcmp(back, name_of(1)) == 0, "a damaged name was given", bit);
            seen++;
        }
        *p ^= (unsigned char)(1 << bit % 8);
    }
    ck_assert_uint_ge(seen, 30);    /* the sequence may change as long as it stays even and not zero */
    ck_assert_int_gt(namemap_name(&map, 1, back), 0);
    map_end();
}
END_TEST

START_TEST(entry_copied_to_another_slot_is_a_miss)
{
    char back[ADDR_NAME_SIZE];

    map_new(SMALL);
    fill(3);
    memcpy(&map.memory->entry[2], &map.memory->entry[1], sizeof map.memory->entry[1]);
    ck_assert_int_eq(namemap_name(&map, 2, back), -ENOENT);
    ck_assert_uint_eq(find(1), 1);
    map_end();
}
END_TEST

START_TEST(memory_random_ends_and_stays_inside)
{
    char back[ADDR_NAME_SIZE];
    uint32_t slot, x = 1;

    map_new(SMALL);
    for (size_t i = 0; i < size_of(SMALL) / 4; i++) {
        x = x * 1664525 + 1013904223;
        ((_Atomic uint32_t *)map.memory)[i] = x;
    }
    for (uint32_t i = 0; i < SMALL; i++)
        must(namemap_name(&map, i, back) == -ENOENT, "noise gave a name", i);
    for (uint32_t i = 0; i < 100; i++)
        must(find(i) == NONE, "noise gave a slot", i);
    ck_assert_int_eq(namemap_insert(&map, name_of(1), &slot), -ENOSPC);
    map_end();
}
END_TEST

static atomic_bool stop;

static void *read_names(void *unused)
{
    char back[ADDR_NAME_SIZE];
    uint32_t x = 1, slot;
    intptr_t wrong = 0, good = 0;

    (void)unused;
    while (!atomic_load(&stop)) {
        x = x * 1664525 + 1013904223;
        if (namemap_name(&map, (x >> 8) % 4, back) > 0) {
            good++;
            wrong += !is_one_of_ours(back);
        }
        if (namemap_find(&map, name_of(x >> 24), &slot) == 0)
            wrong += slot >= map.slots;
    }
    return (void *)(wrong ? -wrong : good);
}

START_TEST(readers_beside_a_writer_see_whole_names)
{
    pthread_t reader[2];
    void *result;

    map_new(NAMEMAP_SLOTS);
    fill(NAMEMAP_SLOTS);
    atomic_store(&stop, false);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&reader[i], NULL, read_names, NULL), 0);
    for (uint32_t i = 0; i < 600; i++) {
        map.memory->stamp[i % 4] = 1;       /* so that the same slots are written again and again */
        insert(NAMEMAP_SLOTS + i);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(reader[i], &result);
        ck_assert_int_ge((intptr_t)result, 0);
    }
    map_end();
}
END_TEST

Suite *make_suite(void)
{
    Suite *s = suite_create("namemap");
    TCase *t = tcase_create("namemap");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, name_length_decides_insert, 0, sizeof lengths / sizeof lengths[0]);
    tcase_add_test(t, name_in_other_case_is_the_same_name);
    tcase_add_test(t, slot_unknown_enoent_output_untouched);
    tcase_add_test(t, view_full_enospc_until_it_is_larger);
    tcase_add_test(t, map_full_oldest_goes_first);
    tcase_add_test(t, clock_near_its_end_keeps_the_order);
    tcase_add_test(t, index_full_of_dead_words_is_rebuilt);
    tcase_add_loop_test(t, index_damaged_wholly_gives_no_wrong_name, 0, 4);
    tcase_add_test(t, writer_dead_in_rebuild_names_keep_their_slots);
    tcase_add_test(t, writer_dead_in_entry_slot_is_not_given_away);
    tcase_add_test(t, writer_dead_in_entry_full_map_slot_is_used_again);
    tcase_add_loop_test(t, hint_damaged_no_slot_is_given_twice, 0, sizeof hints / sizeof hints[0]);
    tcase_add_loop_test(t, clock_damaged_new_names_stay, 0, sizeof clocks / sizeof clocks[0]);
    tcase_add_test(t, entry_any_bit_damaged_is_a_miss);
    tcase_add_test(t, entry_copied_to_another_slot_is_a_miss);
    tcase_add_test(t, memory_random_ends_and_stays_inside);
    tcase_add_test(t, readers_beside_a_writer_see_whole_names);
    suite_add_tcase(s, t);
    return s;
}
