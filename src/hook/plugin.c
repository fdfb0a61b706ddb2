/* SPDX-License-Identifier: ISC */
/* plugin.c - dlopen(), dlsym() and their relatives: ways to libc's functions that pass our object by
 *
 * libc tells its caller by the return address, of which library search paths and RTLD_NEXT depend.  So where that
 * matters these functions end in a jump, and the program's own return address stays in its place.
 */
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>

#include "../io/log.h"
#include "../io/symbol.h"
#include "hook.h"

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 8
#endif

enum { BASE_NAMESPACE = 0 };    /* LM_ID_BASE, which musl does not know */

/* With this flag a plug-in's calls would be bound to libc, which it depends on, before our object. */
static int without_deepbind(const char *file, int mode)
{
    if (mode & RTLD_DEEPBIND)
        log_line(CONF_LOG_INFO, "RTLD_DEEPBIND not heeded for %s: it would pass the proxy by", file);
    return mode & ~RTLD_DEEPBIND;
}

HOOK_JUMPS void *dlopen(const char *file, int mode)
{
    hook_enter();
    mode = without_deepbind(file, mode);
    HOOK_JUMP real.dlopen(file, mode);
}

/* A namespace of its own gets a libc of its own, which no hook reaches.  The only way to have dlerror() say so is to
 * open what cannot exist. */
static bool is_out_of_reach(long namespace, const char *file)
{
    if (namespace == BASE_NAMESPACE || process.conf.bypass == CONF_BYPASS_ALLOW)
        return false;
    log_line(CONF_LOG_WARN, "dlmopen refused: %s: in a namespace of its own it would pass the proxy by; "
             "SOCKSIFY_BYPASS=allow lets it", file);
    return true;
}

static void *refuse_namespace(void)
{
    if (!HOOK_HAVE(dlopen))
        return NULL;
    return real.dlopen("/dev/null/socksify: a namespace of its own would pass the proxy by", RTLD_NOW);
}

HOOK_JUMPS void *dlmopen(long namespace, const char *file, int mode)
{
    hook_enter();
    if (!HOOK_HAVE(dlmopen) || is_out_of_reach(namespace, file))
        return refuse_namespace();
    mode = without_deepbind(file, mode);
    HOOK_JUMP real.dlmopen(namespace, file, mode);
}

/* A function was asked for by a library's handle.  If it is the next one behind ours, which ours would call, ours is
 * meant.  If another preloaded library stands between, that one may be asking, for what it will call itself. */
static void *ours_for(const char *name, void *found, const char *version)
{
    void *ours = found ? symbol_own(name) : NULL, *next;

    if (!ours || ours == found)
        return found;
    next = version ? real.dlvsym(RTLD_NEXT, name, version) : real.dlsym(RTLD_NEXT, name);
    if (!next)
        dlerror();    /* this call has not failed */
    /* What makes a ring is in no libc: whose library it is, its requests would pass the proxy by. */
    return next == found || strncmp(name, "io_uring_", strlen("io_uring_")) == 0 ? ours : found;
}

/* Start-up is left to other hooks: allocators call these from inside malloc(). */
HOOK_JUMPS void *dlsym(void *handle, const char *name)
{
    if (!HOOK_HAVE(dlsym))
        real_init_dlsym();
    if (handle != RTLD_DEFAULT && handle != RTLD_NEXT)
        return ours_for(name, real.dlsym(handle, name), NULL);
    HOOK_JUMP real.dlsym(handle, name);
}

HOOK_JUMPS void *dlvsym(void *handle, const char *name, const char *version)
{
    hook_enter();
    if (!HOOK_HAVE(dlvsym))
        return NULL;
    if (handle != RTLD_DEFAULT && handle != RTLD_NEXT)
        return ours_for(name, real.dlvsym(handle, name, version), version);
    HOOK_JUMP real.dlvsym(handle, name, version);
}
