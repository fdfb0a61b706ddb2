/* SPDX-License-Identifier: ISC */
/* strain_stack.c - every call on the smallest stack that a thread may have, and how much of it is used */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "probe_text.h"
#include "strain.h"

enum { PAGE = 4096, PAINT = 0xa5 };

struct trial {
    const struct call *call;
    struct world world;
    long result;
    int error;
};

static void *run(void *argument)
{
    struct trial *t = argument;

    t->result = t->call->run(&t->world);
    t->error = errno;
    return NULL;
}

/* Bytes of the stack that were written to. */
static size_t depth(const unsigned char *stack, size_t size)
{
    size_t clean = 0;

    while (clean < size && stack[clean] == PAINT)
        clean++;
    return size - clean;
}

static size_t on_stack(struct trial *t, void *(*start)(void *), unsigned char *stack, size_t size)
{
    pthread_attr_t attr;
    pthread_t thread;

    memset(stack, PAINT, size);
    pthread_attr_init(&attr);
    if (pthread_attr_setstack(&attr, stack, size) != 0 || pthread_create(&thread, &attr, start, t) != 0)
        net_die("a thread on the smallest stack");
    pthread_join(thread, NULL);
    return depth(stack, size);
}

static void *idle(void *argument)
{
    return argument;
}

/* Results go to standard output, the bytes beyond those of a thread that does nothing to standard error. */
int strain_stack(char **argv)
{
    size_t size = (size_t)PTHREAD_STACK_MIN, none;
    unsigned char *stack = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (stack == MAP_FAILED || mprotect(stack, PAGE, PROT_NONE) != 0)
        net_die("mmap");
    stack += PAGE;
    none = on_stack(NULL, idle, stack, size);
    for (int i = 0; i < call_count; i++) {
        struct trial t = { .call = &calls[i] };
        size_t used;

        /* The loader binds a function at its first call, on the caller's stack. */
        world_make(&t.world, argv, 0);
        run(&t);
        world_end(&t.world);
        world_make(&t.world, argv, 0);
        used = on_stack(&t, run, stack, size);
        say_error(calls[i].name, t.result < 0 ? t.error : 0);
        fprintf(stderr, "%s %zu %s\n", calls[i].name, used - none, calls[i].traits & NAMES ? "names" : "call");
        world_end(&t.world);
    }
    return 0;
}
