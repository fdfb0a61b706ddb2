/* SPDX-License-Identifier: ISC */
/* fuzz_state_file.c - any bytes in a state file of any size: it is taken or made anew, and what is put into it is found
 *
 * Input: an octet of options (1: the size counts; 2: the marks are good, but for their numbers; 4: when it is open, the
 * file comes to claim another number of slots, which the size is then), four of a size, then
 * records (place in three octets, length in one, so many bytes), each written over a good file, until one of length 0;
 * then two octets for each call.  A second process, which opens the file after the first, sees the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/real.h"
#include "io/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NAMES = 60, CALLS_MAX = 24, GRAIN = 4096, PIECES = 1024, SIZE_MASK = 0x1ffffff };

static struct state one, two;
static char directory[64];
static char file[sizeof one.file.path];
static uint8_t *good;               /* a good file */
static size_t good_len;
static size_t piece[PIECES];        /* where it is not zero */
static size_t pieces;

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void state_close(struct state *s)
{
    if (s->own)
        munmap(s->own, sizeof *s->own);
    if (s->file.image)
        munmap(s->file.image, sizeof *s->file.image);
    memset(s, 0, sizeof *s);
}

static void state_begin(struct state *s)
{
    const struct state_options options = { .directory = directory };

    state_close(s);
    must(state_open(s, &options) == 0 && s->file.image && strcmp(s->file.directory, directory) == 0);
}

static void clean(void)
{
    unlink(file);
    rmdir(directory);
}

static const char *name_of(unsigned i)
{
    static char name[40];

    snprintf(name, sizeof name, "host%u.example", i);
    return name;
}

static void seal(struct state_mark *m)
{
    uint32_t word[offsetof(struct state_mark, sum) / 4], h = 0;

    memcpy(word, m, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof word[0]; i++) {
        h = (h ^ word[i]) * 0x9e3779b1u;
        h ^= h >> 15;
    }
    m->sum = h;
}

static bool is_zero(const uint8_t *p, size_t len)
{
    return *p == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static size_t grain_at(size_t at)
{
    return good_len - at < GRAIN ? good_len - at : GRAIN;
}

/* A good file with numbers that are the same in each run of the target. */
static void prepare(void)
{
    const struct state_numbers numbers = { .prefix = { 0xfd, 1 }, .first = NAMEMAP_SLOTS - 10, .seed = 7 };
    struct addr a = { .kind = ADDR_IPV4, .port = 443 };
    struct state_page *page;
    int fd;

    real_init();
    strcpy(directory, access("/dev/shm", W_OK) == 0 ? "/dev/shm/fuzz.XXXXXX" : "/tmp/fuzz.XXXXXX");
    must(mkdtemp(directory) != NULL && atexit(clean) == 0);
    state_begin(&one);
    strcpy(file, one.file.path);
    page = &one.file.image->page;
    page->mark.numbers = numbers;
    seal(&page->mark);
    page->mark2 = page->mark;
    state_begin(&one);
    for (unsigned i = 0; i < NAMES; i++) {
        must(state_name_assign(&one, name_of(i), AF_INET, &a) == 0);
        state_peer_set(&one, 1 + i, &a);
    }
    fd = open(file, O_RDONLY);
    good_len = (size_t)lseek(fd, 0, SEEK_END);
    good = malloc(good_len);
    must(good && pread(fd, good, good_len, 0) == (ssize_t)good_len);
    close(fd);
    for (size_t at = 0; at < good_len; at += GRAIN) {
        if (is_zero(good + at, grain_at(at)))
            continue;
        must(pieces < PIECES);
        piece[pieces++] = at;
    }
}

static void put(int fd, const void *bytes, size_t len, size_t at)
{
    must(pwrite(fd, bytes, len, (off_t)at) == (ssize_t)len);
}

static void put_good(int fd)
{
    must(ftruncate(fd, 0) == 0);
    for (size_t i = 0; i < pieces; i++)
        put(fd, good + piece[i], grain_at(piece[i]), piece[i]);
}

static void put_marks(int fd)
{
    struct state_page page;

    must(pread(fd, &page, sizeof page, 0) == (ssize_t)sizeof page);
    for (int i = 0; i < 2; i++) {
        struct state_mark *m = i ? &page.mark2 : &page.mark, fresh;

        memcpy(&fresh, good + offsetof(struct state_page, mark), sizeof fresh);
        fresh.numbers = m->numbers;
        seal(&fresh);
        *m = fresh;
    }
    put(fd, &page, sizeof page, 0);
}

static size_t size_in(const uint8_t *data)
{
    return (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
}

/* Returns where the calls begin. */
static size_t damage(const uint8_t *data, size_t size)
{
    size_t at = 5, len, where, end = good_len;
    int fd = open(file, O_RDWR | O_CREAT, 0600);

    must(fd >= 0);
    put_good(fd);
    if (data[0] & 1)
        end = size_in(data) & SIZE_MASK;
    for (; at + 4 <= size && data[at + 3] != 0; at += 4 + len) {
        where = ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]) % good_len;
        len = data[at + 3] < size - at - 4 ? data[at + 3] : size - at - 4;
        put(fd, data + at + 4, len, where);
    }
    if (data[0] & 2)
        put_marks(fd);
    must(ftruncate(fd, (off_t)end) == 0);
    close(fd);
    return at + 4;
}

static bool is_name(const struct addr *a, const char *name)
{
    return a->kind == ADDR_NAME && strcmp(a->name, name) == 0;
}

static void call_names(unsigned i, int family)
{
    struct addr a, again, back;

    must(state_name_assign(&one, name_of(i), family, &a) == 0);
    must(a.kind == (family == AF_INET ? ADDR_IPV4 : ADDR_IPV6) && a.port == 0);
    must(state_name_look(&one, name_of(i), family, &again) == 0 && addr_equal(&a, &again));
    must(state_name_find(&one, &a, &back) == 0 && is_name(&back, name_of(i)));
    must(!state_warning(&one));
    must(state_name_find(&two, &a, &back) == 0 && is_name(&back, name_of(i)));
    must(state_name_look(&two, name_of(i), family, &again) == 0 && addr_equal(&a, &again));
}

static void call_any(unsigned i)
{
    struct addr a = { .kind = ADDR_IPV4, .ip = { 198, (uint8_t)(18 + (i & 1)), (uint8_t)(i << 4), (uint8_t)i } }, back;
    int error = state_name_find(&two, &a, &back);

    must(error == -EHOSTUNREACH || (error == 0 && back.kind == ADDR_NAME));
    must(error != 0 || (back.name[0] != '\0' && strlen(back.name) <= ADDR_NAME_MAX));
}

static void call_peers(unsigned i)
{
    const struct addr peer = { .kind = ADDR_IPV6, .port = 80, .ip = { 0xfd, 2, (uint8_t)i } };
    struct addr back;

    if (state_peer_get(&one, i, &back))
        must(back.kind == ADDR_IPV4 || back.kind == ADDR_IPV6);
    state_peer_set(&one, i + 1, &peer);
    must(state_peer_get(&two, i + 1, &back) && addr_equal(&peer, &back));
    state_peer_forget(&two, i + 1);
    must(!state_peer_get(&one, i + 1, &back));
    state_relay_add(&one, i + 1, &peer);
    must(state_relay_has(&two, i + 1, &peer) && state_relay_get(&two, i + 1, &back) && state_has_datagrams(&two));
}

static void call_traits(unsigned i)
{
    const struct addr proxy = { .kind = ADDR_IPV4, .port = 1080, .ip = { 127, 0, 0, (uint8_t)i } };
    uint64_t key = traits_key(&proxy, i & 1);

    must(traits_get(state_traits(&two), key, 500000 + i) <= TRAIT_FIT);
    traits_set(state_traits(&one), key, 500000 + i, i & 2 ? TRAIT_FIT : TRAIT_UNFIT);
    must(traits_get(state_traits(&two), key, 500000 + i) == (i & 2 ? TRAIT_FIT : TRAIT_UNFIT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t at;

    if (!good)
        prepare();
    if (size < 5)
        return 0;
    at = damage(data, size);
    state_begin(&one);
    state_begin(&two);
    must(one.file.ino == two.file.ino);
    if (data[0] & 4)
        atomic_store(&one.file.image->page.slots, (uint32_t)size_in(data));
    call_names(0, AF_INET);
    for (int calls = 0; at + 2 <= size && calls < CALLS_MAX; at += 2, calls++) {
        if (data[at] % 8 < 4)
            call_names(data[at + 1] * (1 + data[at] / 8u), data[at] & 1 ? AF_INET6 : AF_INET);
        else if (data[at] % 8 == 4)
            call_any(data[at + 1] + data[at] / 8u);
        else if (data[at] % 8 < 7)
            call_peers(data[at + 1] + data[at] / 8u * 256u);
        else
            call_traits(data[at + 1]);
    }
    return 0;
}
