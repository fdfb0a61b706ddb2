/* SPDX-License-Identifier: ISC */
/* clock.h - milliseconds that only go forward */
#ifndef SOCKSIFY_IO_CLOCK_H
#define SOCKSIFY_IO_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds of CLOCK_MONOTONIC; no system call where the kernel has a vDSO.  Async-signal-safe. */
static inline int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The same, up to a tick of the kernel's (10 ms) behind, at a fraction of the cost: no look at the hardware. */
static inline int64_t clock_coarse_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#endif
