/* SPDX-License-Identifier: ISC */
/* cleanup.h - what must be undone when a call of libc is left by cancellation
 *
 * Both libcs have this pair, with buffers of their own shape, for code that cannot use the pthread_cleanup_push()
 * macro; the macro's symbols are different in each.  glibc runs the routines for longjmp() out of the call as well.
 */
#ifndef SOCKSIFY_IO_CLEANUP_H
#define SOCKSIFY_IO_CLEANUP_H

struct cleanup {
    void *room[8];
};

/* Under names of our own, since musl's headers declare them with its own type. */
void cleanup_push(struct cleanup *buffer, void (*routine)(void *), void *argument)
    __asm__("_pthread_cleanup_push") __attribute__((weak));
void cleanup_pop(struct cleanup *buffer, int execute) __asm__("_pthread_cleanup_pop") __attribute__((weak));

/* Have routine(argument) run when this thread is cancelled before cleanup_end().  buffer: of a frame that lives until
 * then. */
static inline void cleanup_begin(struct cleanup *buffer, void (*routine)(void *), void *argument)
{
    if (cleanup_push && cleanup_pop)
        cleanup_push(buffer, routine, argument);
}

/* The call has returned; the routine is not run.  In the reverse order of cleanup_begin(). */
static inline void cleanup_end(struct cleanup *buffer)
{
    if (cleanup_push && cleanup_pop)
        cleanup_pop(buffer, 0);
}

#endif
