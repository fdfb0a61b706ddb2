/* SPDX-License-Identifier: ISC */
/* fdinfo.h - what /proc/self tells of this process' descriptors */
#ifndef SOCKSIFY_IO_FDINFO_H
#define SOCKSIFY_IO_FDINFO_H

#include <stddef.h>
#include <stdint.h>

/* The events and the data that the kernel holds now for the registration of fd in the epoll set epfd.
 * Returns 0; -ENOENT when there is none or /proc is not there; -errno of the file (outputs untouched).
 * Opens and closes a descriptor; async-signal-safe. */
int fdinfo_epoll(int epfd, int fd, uint32_t *events, uint64_t *data);

/* The open descriptors, the lowest first.  out: room for so many.
 * Returns how many were written, or -errno when /proc is not there or no descriptor is to be had for it.
 * Opens and closes a descriptor, which is none of them; async-signal-safe. */
int fdinfo_list(int *out, size_t room);

#endif
