/* SPDX-License-Identifier: ISC */
/* nameinfo.c - getnameinfo() */
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/resolve.h"
#include "hook.h"

static int put_text(char *host, socklen_t size, const char *text)
{
    if (strlen(text) >= size)
        return EAI_OVERFLOW;
    memcpy(host, text, strlen(text) + 1);
    return 0;
}

/* Put the name that an address is told to have into host.  Returns 0, EAI_OVERFLOW, or EAI_NONAME. */
OWN_FRAME static int put_name(const struct sockaddr *sa, socklen_t len, int flags, char *host, socklen_t size)
{
    struct resolve_answer found;
    struct addr a;

    if (addr_from_sockaddr(sa, len, &a) != 0)
        return EAI_NONAME;
    resolve_address(&process.conf, &process.state, &a, &found);
    if (found.kind == RESOLVE_UNKNOWN)
        return EAI_NONAME;
    if (flags & NI_NOFQDN)
        resolve_cut_domain(found.ipv4.names);
    return put_text(host, size, found.ipv4.names);
}

static bool is_internet(const struct sockaddr *sa, socklen_t len)
{
    return sa && len >= sizeof(sa_family_t) && (sa->sa_family == AF_INET || sa->sa_family == AF_INET6);
}

static int look_back(const struct sockaddr *sa, socklen_t len, char *host, socklen_t host_size, char *service,
                     socklen_t service_size, int flags)
{
    char numeric[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    /* The service, and libc's objections to the arguments. */
    int error = real.getnameinfo(sa, len, numeric, sizeof numeric, service, service_size,
                                 (flags | NI_NUMERICHOST) & ~NI_NAMEREQD);

    if (error != 0)
        return error;
    error = put_name(sa, len, flags, host, host_size);
    if (error != EAI_NONAME || (flags & NI_NAMEREQD))
        return error;
    return put_text(host, host_size, numeric);
}

int getnameinfo(const struct sockaddr *sa, socklen_t len, char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags)
{
    hook_enter();
    if (process_leaves_names() || !host || host_size == 0 || (flags & NI_NUMERICHOST) || !is_internet(sa, len))
        return real.getnameinfo(sa, len, host, host_size, service, service_size, flags);
    return look_back(sa, len, host, host_size, service, service_size, flags);
}
