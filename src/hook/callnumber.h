/* SPDX-License-Identifier: ISC */
/* callnumber.h - system calls newer than some headers: they have one number on every machine */
#ifndef SOCKSIFY_HOOK_CALLNUMBER_H
#define SOCKSIFY_HOOK_CALLNUMBER_H

#include <sys/syscall.h>

#ifndef SYS_io_uring_setup
#define SYS_io_uring_setup 425
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

#endif
