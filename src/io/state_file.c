/* SPDX-License-Identifier: ISC */
/* state_file.c - the file that carries the state from process to process
 *
 * SO_NETNS_COOKIE would tell a network namespace from a later one that got the same inode number, but asking for it
 * takes a socket, and start-up opens none.
 */
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>        /* rename() */
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "memory.h"
#include "real.h"
#include "state_path.h"
#include "state_sweep.h"

enum {
    LAYOUT = 2,                 /* of struct state_image: a change of it needs a new number */
    FILE_FLAGS = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
};

static const char magic[8] = { 's', 'o', 'c', 'k', 's', 'i', 'f', 'y' };

_Static_assert(sizeof(struct state_page) == 4096, "the tables begin on a page");
/* Programs of 32 and of 64 bits share it. */
_Static_assert(sizeof(struct lock) == 16 && offsetof(struct state_page, traits) == 2048 + 104, "a page alike for all");
_Static_assert(offsetof(struct state_image, names) == 4096 + 32 * PEERS_PLACES &&
               sizeof(struct namemap_entry) == 8 + 4 * NAMEMAP_WORDS &&
               offsetof(struct namemap_memory, entry) == 64 + 4 * (NAMEMAP_SLOTS + NAMEMAP_INDEX), "tables alike");
_Static_assert(sizeof(struct state_mark) == 104 && offsetof(struct state_mark, sum) == 100, "no holes in the mark");
_Static_assert(STATE_BOOT_LEN % 4 == 0 && NAMEMAP_SLOTS % STATE_STEP == 0, "whole words, whole steps");

static uint64_t size_of(uint32_t slots)
{
    return offsetof(struct state_image, names.entry) + (uint64_t)slots * sizeof(struct namemap_entry);
}

/* Whole steps only: an interrupted growth may have left less at the end. */
static uint32_t slots_of(uint64_t size)
{
    uint64_t slots = size < size_of(0) ? 0 : (size - size_of(0)) / sizeof(struct namemap_entry);

    return slots < NAMEMAP_SLOTS ? (uint32_t)slots / STATE_STEP * STATE_STEP : NAMEMAP_SLOTS;
}

/* The number of slots that the file claims to have, or 0 when that can only be damage. */
static uint32_t slots_claimed(const struct state_page *page)
{
    uint32_t slots = atomic_load_explicit(&page->slots, memory_order_acquire);

    return slots <= NAMEMAP_SLOTS && slots % STATE_STEP == 0 ? slots : 0;
}

static uint32_t mark_sum(const struct state_mark *m)
{
    uint32_t word[offsetof(struct state_mark, sum) / 4], h = 0;

    memcpy(word, m, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++) {
        h = (h ^ word[i]) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    return h;
}

/* Takes the numbers out of a mark in the file.  want: what else it must say. */
static bool mark_read(const struct state_mark *in_file, const struct state_mark *want, struct state_numbers *numbers)
{
    struct state_mark m = *in_file;

    if (m.sum != mark_sum(&m) || memcmp(m.magic, want->magic, sizeof m.magic) != 0 || m.layout != want->layout ||
        m.netns != want->netns || m.pool4 != want->pool4 || m.pool6_prefix != want->pool6_prefix ||
        memcmp(m.pool6, want->pool6, sizeof m.pool6) != 0 || memcmp(m.boot, want->boot, sizeof m.boot) != 0)
        return false;
    *numbers = m.numbers;
    return true;
}

/* Read, not looked at where it is mapped: with one page of a mapping the kernel maps those around it. */
static int file_check(struct state_file *f, int fd, const struct state_mark *want, uint64_t size)
{
    uint32_t slots = slots_of(size);
    struct state_page page;

    if (slots == 0 || real.syscall(SYS_read, (long)fd, &page, (long)sizeof page) != (long)sizeof page)
        return -ESTALE;
    if (!mark_read(&page.mark, want, &f->numbers) && !mark_read(&page.mark2, want, &f->numbers))
        return -ESTALE;
    if (slots_claimed(&page) > slots)       /* truncated */
        return -ESTALE;
    f->had_datagrams = atomic_load_explicit(&page.datagrams, memory_order_relaxed);
    atomic_store_explicit(&f->slots, slots, memory_order_relaxed);
    return 0;
}

static int image_map(struct state_file *f, int fd)
{
    void *p = mmap(NULL, sizeof(struct state_image), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

    if (p == MAP_FAILED)
        return -errno;
    f->image = p;
    return 0;
}

static void image_unmap(struct state_file *f)
{
    if (f->image)
        munmap(f->image, sizeof(struct state_image));
    f->image = NULL;
}

/* Map the file that is there, if it is what it should be. */
static int file_adopt(struct state_file *f, const struct state_mark *want, uint32_t uid)
{
    struct file_info st;
    int fd = file_open(f->path, FILE_FLAGS, 0);
    int error = fd < 0 ? fd : state_use(fd);

    if (!error)
        error = file_ask(fd, &st);
    if (!error && (st.mode != (S_IFREG | 0600) || st.uid != uid || st.links != 1))
        error = -EPERM;
    if (!error)
        error = file_check(f, fd, want, st.size);
    if (!error)
        error = image_map(f, fd);
    if (!error)
        state_note_use(fd, &st);
    if (fd >= 0)
        real_close(fd);
    if (error)
        return error;
    f->dev = st.device;
    f->ino = st.inode;
    return 0;
}

static int file_fill(struct state_file *f, int fd, const struct state_mark *want)
{
    struct file_info st;
    struct state_mark m = *want;
    int error = fchmod(fd, 0600) == 0 ? 0 : -errno;

    if (!error)
        error = file_extend(fd, 0, size_of(STATE_STEP));
    if (!error)
        error = file_ask(fd, &st);
    if (!error)
        error = image_map(f, fd);
    if (error)
        return error;
    state_numbers_make(&m.numbers, &f->pools);
    m.sum = mark_sum(&m);
    f->image->page.mark = m;
    f->image->page.mark2 = m;
    atomic_store_explicit(&f->image->page.slots, STATE_STEP, memory_order_relaxed);
    atomic_store_explicit(&f->slots, STATE_STEP, memory_order_relaxed);
    f->numbers = m.numbers;
    f->dev = st.device;
    f->ino = st.inode;
    return 0;
}

/* The caller holds the directory's lock, so a file of this name is what a dead process left. */
static int file_create(struct state_file *f, const struct state_mark *want)
{
    char fresh[sizeof f->path + 4];
    int fd, error;

    memcpy(fresh, f->path, sizeof f->path);
    state_path_append(fresh, sizeof fresh, ".new");
    unlink(fresh);
    fd = file_open(fresh, FILE_FLAGS | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return fd;
    state_use(fd);
    error = file_fill(f, fd, want);
    if (!error && rename(fresh, f->path) != 0)
        error = -errno;
    if (error) {
        unlink(fresh);
        image_unmap(f);
    }
    real_close(fd);
    return error;
}

static int file_make(struct state_file *f, const struct state_mark *want, uint32_t uid)
{
    int fd = file_open(f->directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    int error = fd < 0 ? fd : state_flock(fd, clock_ms() + STATE_WAIT_MS);

    if (!error && file_adopt(f, want, uid) != 0) {      /* another process may have been faster */
        state_sweep(f->directory, fd, f->path, uid);
        error = file_create(f, want);
    }
    if (fd >= 0)
        real_close(fd);
    return error;
}

int state_file_open(struct state_file *f, const char *directory, const struct pools *pools, const char **warning)
{
    struct state_mark want = { .netns = file_namespace("net"), .layout = LAYOUT, .pool4 = pools->ipv4,
                               .pool6_prefix = pools->ipv6_prefix };
    uint32_t uid = (uint32_t)geteuid();
    int error = state_boot_id(want.boot);

    f->pools = *pools;
    memcpy(want.pool6, pools->ipv6, sizeof want.pool6);
    if (error || want.netns == 0) {
        *warning = "/proc is out of reach";
        return error ? error : -ENOENT;
    }
    memcpy(want.magic, magic, sizeof magic);
    error = state_path_choose(f->directory, directory, uid);
    if (error) {
        f->directory[0] = '\0';
        *warning = directory && directory[0]
            ? "SOCKSIFY_STATE is not an absolute path to a directory of this user with mode 0700"
            : "neither /run/user/UID nor /tmp/socksify-UID is a directory of this user with mode 0700";
        return error;
    }
    state_path_file(f->path, sizeof f->path, f->directory, want.netns, pools_number(&f->pools));
    if (file_adopt(f, &want, uid) == 0)
        return 0;
    error = file_make(f, &want, uid);
    if (error)
        *warning = "the state file could not be made or mapped";
    return error;
}

uint32_t state_file_slots(struct state_file *f)
{
    uint32_t slots = atomic_load_explicit(&f->slots, memory_order_relaxed);
    uint32_t claimed = slots_claimed(&f->image->page);

    if (claimed <= slots)
        return slots;
    if (!memory_probe(&f->image->names.entry[claimed - 1].word[NAMEMAP_WORDS - 2]))
        return slots;
    atomic_store_explicit(&f->slots, claimed, memory_order_relaxed);
    return claimed;
}

static int file_verify(struct state_file *f, int fd)
{
    struct file_info st;
    int error = file_ask(fd, &st);

    if (error)
        return error;
    if (st.device != f->dev || st.inode != f->ino ||
        st.size < size_of(atomic_load_explicit(&f->slots, memory_order_relaxed)))
        return -ESTALE;
    atomic_store_explicit(&f->slots, slots_of(st.size), memory_order_relaxed);
    return 0;
}

/* Change what is noted of the writers' descriptors in one place. */
static void note(struct state_file *f, int from, int to)
{
    for (int i = 0, value = from; i < STATE_WRITERS; i++, value = from) {
        if (atomic_compare_exchange_strong(&f->lock_fd[i], &value, to))
            return;
    }
}

int state_file_lock(struct state_file *f)
{
    bool hasty = atomic_load_explicit(&f->hasty, memory_order_relaxed);
    int64_t deadline_ms = hasty ? 0 : clock_ms() + STATE_WAIT_MS;
    int fd = file_open(f->path, FILE_FLAGS, 0), error;

    if (fd < 0)
        return fd;
    note(f, 0, fd + 1);
    error = state_flock(fd, deadline_ms);
    if (error == 0 || error == -EAGAIN)
        atomic_store_explicit(&f->hasty, error != 0, memory_order_relaxed);
    if (!error)
        error = file_verify(f, fd);
    if (error) {
        state_file_unlock(f, fd);
        return error;
    }
    return fd;
}

int state_file_grow(struct state_file *f, int fd)
{
    uint32_t slots = atomic_load_explicit(&f->slots, memory_order_relaxed) + STATE_STEP;
    struct file_info st;
    int error = slots > NAMEMAP_SLOTS ? -ENOSPC : file_ask(fd, &st);

    if (!error && st.size < size_of(slots))
        error = file_extend(fd, st.size, size_of(slots));
    if (error)
        return error;
    atomic_store_explicit(&f->slots, slots, memory_order_relaxed);
    atomic_store_explicit(&f->image->page.slots, slots, memory_order_release);
    return 0;
}

/* By word, since a child forked meanwhile still holds the open file. */
void state_file_unlock(struct state_file *f, int fd)
{
    flock(fd, LOCK_UN);
    note(f, fd + 1, 0);
    real_close(fd);
}

void state_file_after_fork(struct state_file *f)
{
    struct file_info st;

    for (int i = 0; i < STATE_WRITERS; i++) {
        int fd = atomic_exchange(&f->lock_fd[i], 0) - 1;

        if (fd >= 0 && file_ask(fd, &st) == 0 && st.device == f->dev && st.inode == f->ino)
            real_close(fd);
    }
}
