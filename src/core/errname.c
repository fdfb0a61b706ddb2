/* SPDX-License-Identifier: ISC */
/* errname.c - the symbolic name of an errno */
#include "errname.h"

#include <errno.h>
#include <stddef.h>

static const struct {
    int value;
    const char *name;
} table[] = {
    { 0, "ok" },
    { EACCES, "EACCES" },
    { EADDRINUSE, "EADDRINUSE" },
    { EADDRNOTAVAIL, "EADDRNOTAVAIL" },
    { EAFNOSUPPORT, "EAFNOSUPPORT" },
    { EAGAIN, "EAGAIN" },
    { ECONNREFUSED, "ECONNREFUSED" },
    { ECONNRESET, "ECONNRESET" },
    { EHOSTUNREACH, "EHOSTUNREACH" },
    { EINPROGRESS, "EINPROGRESS" },
    { EINTR, "EINTR" },
    { EINVAL, "EINVAL" },
    { EISCONN, "EISCONN" },
    { EMFILE, "EMFILE" },
    { ENETUNREACH, "ENETUNREACH" },
    { ENFILE, "ENFILE" },
    { ENOENT, "ENOENT" },
    { ENOMEM, "ENOMEM" },
    { ENOSPC, "ENOSPC" },
    { ENOSYS, "ENOSYS" },
    { EOPNOTSUPP, "EOPNOTSUPP" },
    { EPERM, "EPERM" },
    { EPIPE, "EPIPE" },
    { EROFS, "EROFS" },
    { ETIMEDOUT, "ETIMEDOUT" },
};

const char *errname(int error)
{
    int value = error < 0 ? -error : error;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].value == value)
            return table[i].name;
    }
    return "another error";
}
