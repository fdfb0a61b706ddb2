/* SPDX-License-Identifier: ISC */
/* hosts_known.c - which names /etc/hosts does not have, as long as it stays the file that it was */
#include "hosts_known.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "../core/frame.h"
#include "../core/text.h"
#include "file.h"

enum {
    BITS = HOSTS_KNOWN_WORDS * 32,
    SETTLED_S = 2       /* more than a tick of the clock that files are stamped with, on any file system */
};

static uint32_t hash(const char *name, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++) {
        /* What a locale takes for one letter beyond ASCII must be one here as well. */
        uint8_t c = (uint8_t)name[i] < 0x80 ? (uint8_t)text_lower(name[i]) : 0x80;

        h = (h ^ c) * 16777619u;
    }
    return (h ^ h >> 15) * 0x9e3779b1u;
}

static uint32_t first_bit(uint32_t h)
{
    return h % BITS;
}

static uint32_t second_bit(uint32_t h)
{
    return (h >> 16) * 0x85ebca6bu >> 8 & (BITS - 1);
}

static bool has_bit(const struct hosts_known *k, uint32_t at)
{
    return atomic_load_explicit(&k->bit[at / 32], memory_order_relaxed) >> at % 32 & 1;
}

static void add(void *known, const char *name, size_t len)
{
    struct hosts_known *k = known;
    uint32_t h = hash(name, len), at[2] = { first_bit(h), second_bit(h) };

    for (int i = 0; i < 2; i++)
        atomic_fetch_or_explicit(&k->bit[at[i] / 32], (uint32_t)1 << at[i] % 32, memory_order_relaxed);
}

static void make_stamp(const struct file_info *info, uint32_t stamp[HOSTS_KNOWN_STAMP])
{
    const uint64_t words[] = { info->device, info->inode, info->size, (uint64_t)info->modified_s,
                               (uint64_t)info->changed_s, (uint64_t)info->modified_ns << 32 | info->changed_ns,
                               (uint64_t)info->mode << 32 | info->uid };

    _Static_assert(sizeof words == HOSTS_KNOWN_STAMP * sizeof *stamp, "a stamp is all of these");
    memcpy(stamp, words, sizeof words);
}

static bool is_stamped(const struct hosts_known *k, const uint32_t stamp[HOSTS_KNOWN_STAMP])
{
    for (int i = 0; i < HOSTS_KNOWN_STAMP; i++) {
        if (atomic_load_explicit(&k->stamp[i], memory_order_relaxed) != stamp[i])
            return false;
    }
    return true;
}

/* What was changed within the last tick could be changed once more without another stamp. */
static bool is_settled(const struct file_info *info)
{
    struct timespec now = { .tv_sec = 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    return info->changed_s <= (int64_t)now.tv_sec - SETTLED_S && info->modified_s <= (int64_t)now.tv_sec - SETTLED_S;
}

enum verdict { ABSENT, PERHAPS, UNKNOWN };

static enum verdict judge(const struct hosts_known *k, const uint32_t stamp[HOSTS_KNOWN_STAMP], const char *name)
{
    unsigned version = atomic_load_explicit(&k->version, memory_order_acquire);
    uint32_t h = hash(name, strlen(name));
    bool same, absent;

    if (version == 0)
        return UNKNOWN;
    same = is_stamped(k, stamp);
    absent = !has_bit(k, first_bit(h)) || !has_bit(k, second_bit(h));
    atomic_thread_fence(memory_order_acquire);
    /* Another is at work: it leaves what it finds, and this one looks for itself. */
    if (version & 1 || atomic_load_explicit(&k->version, memory_order_relaxed) != version)
        return PERHAPS;
    return !same ? UNKNOWN : absent ? ABSENT : PERHAPS;
}

/* A file that was read in part has a stamp that no file of so many bytes has. */
OWN_FRAME static void learn(struct hosts_known *k, const char *path, const struct file_info *info)
{
    unsigned version = atomic_load_explicit(&k->version, memory_order_relaxed);
    uint32_t stamp[HOSTS_KNOWN_STAMP];
    bool whole;

    if (version & 1 || !is_settled(info) ||
        !atomic_compare_exchange_strong_explicit(&k->version, &version, version + 1, memory_order_acquire,
                                                 memory_order_relaxed))
        return;
    atomic_thread_fence(memory_order_release);
    for (int i = 0; i < HOSTS_KNOWN_WORDS; i++)
        atomic_store_explicit(&k->bit[i], 0, memory_order_relaxed);
    whole = hosts_visit(path, add, k) == info->size;
    make_stamp(info, stamp);
    for (int i = 0; i < HOSTS_KNOWN_STAMP; i++)
        atomic_store_explicit(&k->stamp[i], whole ? stamp[i] : UINT32_MAX, memory_order_relaxed);
    atomic_store_explicit(&k->version, version + 2, memory_order_release);
}

/* Returns whether it is certain that no line has the name. */
OWN_FRAME static bool is_absent(struct hosts_known *k, const char *path, const char *name)
{
    uint32_t stamp[HOSTS_KNOWN_STAMP];
    struct file_info info;
    int error = file_ask_path(path, true, &info);
    enum verdict verdict;

    if (error)
        return error == -ENOENT;
    make_stamp(&info, stamp);
    verdict = judge(k, stamp, name);
    if (verdict == UNKNOWN)
        learn(k, path, &info);
    return verdict == ABSENT;
}

void hosts_known_find(struct hosts_known *k, const char *path, const char *name, struct hosts_line *ipv4,
                      struct hosts_line *ipv6)
{
    int saved_errno = errno;

    if (is_absent(k, path, name)) {
        ipv4->address.kind = ADDR_NONE;
        ipv6->address.kind = ADDR_NONE;
    } else {
        hosts_find_name(path, name, ipv4, ipv6);
    }
    errno = saved_errno;
}
