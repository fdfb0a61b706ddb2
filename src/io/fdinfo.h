/* SPDX-License-Identifier: ISC */
/* fdinfo.h - what /proc/self/fdinfo tells of an epoll set */
#ifndef SOCKSIFY_IO_FDINFO_H
#define SOCKSIFY_IO_FDINFO_H

#include <stdint.h>

/* The events and the data that the kernel holds now for the registration of fd in the epoll set epfd.
 * Returns 0; -ENOENT when there is none or /proc is not there; -errno of the file (outputs untouched).
 * Opens and closes a descriptor; async-signal-safe. */
int fdinfo_epoll(int epfd, int fd, uint32_t *events, uint64_t *data);

#endif
