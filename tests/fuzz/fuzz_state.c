/* SPDX-License-Identifier: ISC */
/* fuzz_state.c - no bytes in the shared memory make a reader or a writer crash, hang, or leave its view
 *
 * Input: four-byte records (place, place, place, value), each a byte written over a good map of names and peers, until
 * a record of zeros; then one byte for each call.  Memory beyond the view may not be touched.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/namemap.h"
#include "io/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 1024, NAMES = 200, SEED = 7, CALLS_MAX = 64 };

struct image {
    struct peers peers;
    struct namemap_memory names;
};

static struct image *image;
static size_t image_len;            /* what may be touched */

static void demand(bool truth)
{
    if (!truth)
        abort();
}

static const char *name_of(unsigned i)
{
    static char name[40];

    snprintf(name, sizeof name, "host%u.example", i);
    return name;
}

static struct namemap view(void)
{
    return (struct namemap){ .memory = &image->names, .slots = SLOTS, .seed = SEED };
}

static void fill(void)
{
    struct addr peer = { .kind = ADDR_IPV4, .port = 443 };
    struct namemap m = view();
    uint32_t slot;

    for (unsigned i = 0; i < NAMES; i++) {
        demand(namemap_insert(&m, name_of(i), &slot) == 0 && slot == i);
        peers_set(&image->peers, 1 + i, &peer);
    }
}

/* A good image in a file, mapped privately: dropping the pages brings the good bytes back. */
static void prepare(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    int fd = memfd_create("fuzz_state", MFD_CLOEXEC);

    image_len = (offsetof(struct image, names.entry[SLOTS]) + page - 1) / page * page;
    demand(fd >= 0 && ftruncate(fd, (off_t)image_len) == 0);
    image = mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    demand(image != MAP_FAILED);
    fill();
    demand(munmap(image, sizeof *image) == 0);
    image = mmap(NULL, sizeof *image, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    demand(image != MAP_FAILED);
    close(fd);
}

static void call(unsigned i, unsigned what)
{
    struct addr peer = { .kind = ADDR_IPV6, .port = 80 };
    struct namemap m = view();
    char name[ADDR_NAME_SIZE];
    uint32_t slot = 0;
    int len;

    if (what % 4 == 0) {
        len = namemap_name(&m, i * 4, name);
        demand(len < 0 || (len >= 1 && len <= ADDR_NAME_MAX && name[len] == '\0'));
    } else if (what % 4 == 1) {
        demand(namemap_find(&m, name_of(i), &slot) != 0 || slot < SLOTS);
    } else if (what % 4 == 2) {
        demand(namemap_insert(&m, name_of(i * 2), &slot) != 0 || slot < SLOTS);
    } else {
        if (peers_get(&image->peers, i, &peer))
            demand(peer.kind == ADDR_IPV4 || peer.kind == ADDR_IPV6);
        peers_set(&image->peers, i, &peer);
        demand(peers_get(&image->peers, i, &peer));
        peers_forget(&image->peers, i);
        demand(!peers_get(&image->peers, i, &peer));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!image)
        prepare();
    demand(madvise(image, image_len, MADV_DONTNEED) == 0);
    for (; size >= 4 && memcmp(data, "\0\0\0", 4) != 0; data += 4, size -= 4) {
        size_t place = (size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2];

        ((uint8_t *)image)[place % image_len] = data[3];
    }
    for (size_t i = 4; i < size && i < CALLS_MAX; i++)
        call(data[i], data[i] >> 6);
    return 0;
}
