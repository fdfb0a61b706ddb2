/* SPDX-License-Identifier: ISC */
/* state_facts.c - what the state asks the kernel */
#include "state_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "real.h"
#include "state_file.h"

/* Headers older than the call: the kernel says ENOSYS to the number, as an old kernel does to the right one. */
#ifndef SYS_getrandom
#define SYS_getrandom (-1)
#endif

enum {
    RANDOM_NONBLOCK = 1,            /* GRND_NONBLOCK */
    WAIT_FIRST_US = 16,
    WAIT_DOUBLINGS = 6              /* to 1,024 us */
};

int state_boot_id(char *id)
{
    int fd = file_open("/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    long n;

    if (fd < 0)
        return fd;
    n = real.syscall(SYS_read, (long)fd, id, (long)STATE_BOOT_LEN);
    real_close(fd);
    return n == STATE_BOOT_LEN ? 0 : -ENODATA;
}

/* Early in a boot, or on a very old kernel: different for each process and call is enough, secret it is not. */
static void random_substitute(unsigned char *p, size_t len)
{
    struct timespec now;
    uint64_t h;

    clock_gettime(CLOCK_REALTIME, &now);
    h = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec << 20 ^ (uint64_t)getpid();
    for (size_t i = 0; i < len; i++) {
        h = (h ^ h >> 29) * 0x9e3779b97f4a7c15u + 1;
        p[i] = (unsigned char)(h >> 56);
    }
}

void state_random(void *p, size_t len)
{
    if (real.syscall(SYS_getrandom, p, (long)len, (long)RANDOM_NONBLOCK) != (long)len)
        random_substitute(p, len);
}

bool state_wait(unsigned try, int64_t deadline_ms)
{
    long us = WAIT_FIRST_US << (try < WAIT_DOUBLINGS ? try : WAIT_DOUBLINGS);
    long pause[2] = { 0, us * 1000 };       /* struct timespec as this call has it, whatever libc's has become */

    if (clock_ms() >= deadline_ms)
        return false;
    real.syscall(SYS_nanosleep, pause, NULL);
    return true;
}

int state_flock(int fd, int64_t deadline_ms)
{
    for (unsigned try = 0;; try++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return -errno;
        if (!state_wait(try, deadline_ms))
            return -EAGAIN;
    }
}

void state_numbers_make(struct state_numbers *n, const struct pools *pools)
{
    state_random(n, sizeof *n);
    for (unsigned i = 0; i < STATE_PREFIX_LEN; i++) {
        unsigned fixed = pools->ipv6_prefix > 8 * i ? pools->ipv6_prefix - 8 * i : 0;
        uint8_t random = fixed < 8 ? (uint8_t)(0xff >> fixed) : 0;

        n->prefix[i] = (uint8_t)((n->prefix[i] & random) | pools->ipv6[i]);
    }
    n->first %= NAMEMAP_SLOTS;
}
