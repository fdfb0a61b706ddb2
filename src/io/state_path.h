/* SPDX-License-Identifier: ISC */
/* state_path.h - which directory the state lives in, and text of bounded length
 *
 * All functions are async-signal-safe and fork-safe.
 */
#ifndef SOCKSIFY_IO_STATE_PATH_H
#define SOCKSIFY_IO_STATE_PATH_H

#include <stddef.h>
#include <stdint.h>

enum { STATE_PATH_SIZE = 4096 };

/* Choose the directory: the given one, else /run/user/UID if it is fit, else /tmp/socksify-UID.  The given one and the
 * last are made when they are missing.  Fit is a real directory of this user that no one else may enter.
 * path: STATE_PATH_SIZE bytes, an empty string; gets the path, without slashes at its end, NUL-terminated.  given: may
 * be NULL or empty.  uid: the effective user.
 * Returns 0; -EINVAL when given is not absolute or too long; -EACCES when the directory is not fit (path is undefined
 * on error). */
int state_path_choose(char *path, const char *given, uint32_t uid);

/* The name of the state file.  path: an empty string of size bytes; netns: inode of the network namespace; pools: of
 * pools_number(). */
void state_path_file(char *path, size_t size, const char *directory, uint64_t netns, uint32_t pools);

/* Append text, cut to fit.  to: NUL-terminated, of size bytes in all. */
void state_path_append(char *to, size_t size, const char *text);

/* Append a number in decimal. */
void state_path_number(char *to, size_t size, uint64_t value);

#endif
