/* SPDX-License-Identifier: ISC */
/* state_file.h - the file that carries the state from process to process: where it is, making it, making it larger
 *
 * One file for each user and network namespace, socksify-INODE.state in a directory of the user's own, and one more for
 * each other choice of pools, socksify-INODE-NUMBER.state.  It is mapped whole at start and never unmapped; no
 * descriptor stays open.  Memory beyond the file's end is never touched: a process goes by the number of slots that it
 * has verified itself, whatever the file says.
 */
#ifndef SOCKSIFY_IO_STATE_FILE_H
#define SOCKSIFY_IO_STATE_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../core/namemap.h"
#include "../core/pools.h"
#include "lock.h"
#include "peers.h"
#include "state_facts.h"
#include "state_path.h"
#include "traits.h"

enum {
    STATE_NAME_SIZE = 56,           /* room for "/socksify-18446744073709551615-4294967295.state" */
    STATE_STEP = 1024,              /* slots by which the file grows */
    STATE_PREFIX_LEN = 12,
    STATE_WRITERS = 16              /* threads that write or wait at once, as far as a fork knows of them */
};

/* What makes the addresses of one map unlike those of any other. */
struct state_numbers {
    uint8_t prefix[STATE_PREFIX_LEN];   /* IPv6 /96 inside the pool, network order */
    uint32_t first;                     /* slot 0 stands for this address of its half of the IPv4 pool */
    uint32_t seed;                      /* for struct namemap */
};

/* Written before the file gets its name and never after; there twice, against damage. */
struct state_mark {
    char magic[8];
    uint64_t netns;                 /* inode of the network namespace */
    uint32_t layout;
    struct state_numbers numbers;
    uint32_t pool4;                 /* struct pools */
    uint8_t pool6[16];
    uint32_t pool6_prefix;
    char boot[STATE_BOOT_LEN];      /* boot id, as text without NUL */
    uint32_t sum;                   /* over all before it */
};

/* The memory's first page. */
struct state_page {
    struct state_mark mark;
    uint8_t gap[1024 - sizeof(struct state_mark)];
    _Atomic uint32_t slots;         /* in the file: a hint that it has grown to so many */
    _Atomic uint32_t ready;         /* in private memory: the numbers are there */
    struct lock lock;               /* in private memory: its writers' */
    uint8_t gap2[1024 - 8 - sizeof(struct lock)];
    struct state_mark mark2;
    struct traits traits;
    _Atomic uint32_t datagrams;     /* not 0: a peer or relay of a datagram socket was ever noted */
    uint8_t gap3[2048 - 4 - sizeof(struct state_mark) - sizeof(struct traits)];
};

struct state_image {
    struct state_page page;
    struct peers peers;
    struct namemap_memory names;    /* the file ends within its entries until it is full-grown */
};

struct state_file {
    struct state_image *image;      /* NULL: there is no file */
    struct state_numbers numbers;   /* a copy, which damage to the file does not reach */
    struct pools pools;
    _Atomic uint32_t slots;         /* verified by this process: these may be touched */
    _Atomic bool hasty;             /* the lock was waited for in vain: do not wait again until it was had */
    bool had_datagrams;             /* page.datagrams as it was when the file was opened */
    _Atomic int lock_fd[STATE_WRITERS];     /* descriptors of writers plus 1, for the child of a fork; 0: none */
    uint64_t dev, ino;
    char directory[STATE_PATH_SIZE];        /* empty: none */
    char path[STATE_PATH_SIZE + STATE_NAME_SIZE];
};

/* Choose the directory, then map the file of this user, boot, network namespace and choice of pools, made anew if it is
 * missing, short, or another's.  A lock on the directory lets only one process at a time do the latter.
 * f: zero-filled.  directory: absolute path, or NULL or empty for /run/user/UID, else /tmp/socksify-UID, which is made;
 * a directory must be a real one, the effective user's, and closed to others.
 * Returns 0 or a negative errno (f->image NULL, f->directory set if it is fit) with a constant phrase in *warning.
 * Call once, at start-up, before any other thread. */
int state_file_open(struct state_file *f, const char *directory, const struct pools *pools, const char **warning);

/* Slots that may be touched; asks the kernel when the file claims to have grown.  Lock-free, async-signal-safe, also
 * where the path is out of reach. */
uint32_t state_file_slots(struct state_file *f);

/* Open the file again and become its only writer, waiting about a second at most; the kernel frees the lock of a
 * process that dies.  The caller has all signals blocked.
 * Returns a descriptor for state_file_unlock(); -ESTALE when the path has another file now, or the file became
 * shorter; -EAGAIN when others did not let go; or the errno of open() or fcntl(). */
int state_file_lock(struct state_file *f);

/* Make the file larger by STATE_STEP slots, on the disk before anyone can see it.  fd: from state_file_lock().
 * Returns 0; -ENOSPC (also when it is full-grown), -EDQUOT, -EFBIG or another negative errno. */
int state_file_grow(struct state_file *f, int fd);

/* Let other writers in.  fd: from state_file_lock(), closed here. */
void state_file_unlock(struct state_file *f, int fd);

/* In the child of a fork: close what writers of the parent had open at that moment, STATE_WRITERS of them at most.  A
 * parent that is killed would leave the lock to the child otherwise. */
void state_file_after_fork(struct state_file *f);

/* Make new random numbers within the pools, without ever waiting for the kernel to have some. */
void state_numbers_make(struct state_numbers *n, const struct pools *pools);

#endif
