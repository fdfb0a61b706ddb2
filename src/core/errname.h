/* SPDX-License-Identifier: ISC */
/* errname.h - the symbolic name of an errno */
#ifndef SOCKSIFY_CORE_ERRNAME_H
#define SOCKSIFY_CORE_ERRNAME_H

/* The name of an errno of this library ("ECONNREFUSED"), "ok" for 0, or "another error".  error: positive or negative.
 * A constant: not to be freed.  Async-signal-safe, which strerror() is not. */
const char *errname(int error);

#endif
