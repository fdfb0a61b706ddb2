/* SPDX-License-Identifier: ISC */
/* uring.c - io_uring does I/O behind every hook, so programs see that there is none, and fall back */
#include "../io/log.h"
#include "hook.h"

static int no_io_uring(void)
{
    hook_enter();
    log_line(CONF_LOG_INFO, "io_uring refused: its network calls cannot be seen; programs fall back");
    return -ENOSYS;
}

int io_uring_setup(unsigned entries, void *parameters)
{
    (void)entries, (void)parameters;
    return no_io_uring();
}

int io_uring_queue_init(unsigned entries, void *ring, unsigned flags)
{
    (void)entries, (void)ring, (void)flags;
    return no_io_uring();
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters)
{
    (void)entries, (void)ring, (void)parameters;
    return no_io_uring();
}

int io_uring_queue_init_mem(unsigned entries, void *ring, void *parameters, void *buf, size_t size)
{
    (void)entries, (void)ring, (void)parameters, (void)buf, (void)size;
    return no_io_uring();
}
