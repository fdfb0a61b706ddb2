/* SPDX-License-Identifier: ISC */
/* frame.h - functions whose buffers are off the stack again when they return
 *
 * A compiler puts the buffers of all functions that it inlines side by side into the caller's frame, where they stay
 * under everything that is called next.  Threads may have stacks of 16 KiB (tests/guard_stack.sh).
 */
#ifndef SOCKSIFY_CORE_FRAME_H
#define SOCKSIFY_CORE_FRAME_H

#define OWN_FRAME __attribute__((noinline))

#endif
