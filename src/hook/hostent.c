/* SPDX-License-Identifier: ISC */
/* hostent.c - gethostbyname(), gethostbyaddr() and their relatives
 *
 * Results are glibc's: a name that is not there gives 0 and a NULL result from the reentrant forms.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "../core/frame.h"
#include "../io/report.h"
#include "../io/resolve.h"
#include "hook.h"

/* What a lookup comes to: 0, one of the codes of h_errno, or this. */
enum { ASK_REAL = -100, INTERNAL = -1 };      /* INTERNAL is NETDB_INTERNAL, which musl does not declare */

enum {
    POINTERS_MAX = HOSTS_NAMES_SIZE / 2 + 3,    /* names of one letter, and the ends of two lists */
    ROOM = (POINTERS_MAX + 1) * sizeof(char *) + sizeof(struct in6_addr) + HOSTS_NAMES_SIZE
};

struct found {
    const struct hosts_line *line;      /* whose names are told; points into answer */
    int family;
    size_t address_len;
    uint8_t address[16];
    struct resolve_answer answer;
};

/* Where the result goes: what the reentrant forms are given. */
struct place {
    struct hostent *host;
    char *buf;
    size_t size;
    struct hostent **result;
    int *h_error;
};

static char *put(char **p, const void *bytes, size_t len)
{
    char *start = memcpy(*p, bytes, len);

    *p += len;
    return start;
}

/* Lay the result out in the caller's memory: pointers, address, names.  Returns 0 or ERANGE. */
static int pack(const struct found *f, const struct place *to)
{
    struct hostent *host = to->host;
    size_t pad = -(uintptr_t)to->buf % sizeof(char *);
    size_t names_size = (size_t)(hosts_name(f->line, f->line->count) - f->line->names);
    size_t pointers = f->line->count + 2;       /* the aliases and NULL, the address and NULL */
    char **list = (char **)(void *)(to->buf + pad), **aliases = list, *p = (char *)(list + pointers);

    if (to->size < pad + pointers * sizeof(char *) + f->address_len + names_size)
        return ERANGE;
    host->h_addrtype = f->family;
    host->h_length = (int)f->address_len;
    host->h_aliases = aliases;
    host->h_addr_list = list + f->line->count;
    host->h_addr_list[0] = put(&p, f->address, f->address_len);
    host->h_addr_list[1] = NULL;
    host->h_name = put(&p, f->line->names, names_size);
    for (size_t i = 1; i < f->line->count; i++)
        *aliases++ = host->h_name + (hosts_name(f->line, i) - f->line->names);
    *aliases = NULL;
    return 0;
}

static int find_line(const char *name, int family, struct found *f)
{
    /* A mapped name has no IPv6 address for gethostbyname2(): its callers then ask for IPv4. */
    resolve_name(&process.conf, &process.state, name, 0, family == AF_INET ? RESOLVE_IPV4 : 0, &f->answer);
    report_name(&process.conf, "gethostbyname", name, &f->answer);
    f->line = family == AF_INET ? &f->answer.ipv4 : &f->answer.ipv6;
    switch (f->answer.kind) {
    case RESOLVE_NUMERIC:
        return f->line->address.kind == ADDR_NONE ? HOST_NOT_FOUND : 0;
    case RESOLVE_FIXED:
        learned_add(&process.state.direct, name, &f->line->address);
        return f->line->address.kind == ADDR_NONE ? NO_DATA : 0;
    case RESOLVE_MAPPED:
        return f->line->address.kind == ADDR_NONE ? NO_DATA : 0;
    case RESOLVE_DIRECT:
        return ASK_REAL;
    case RESOLVE_FAILED:
        return TRY_AGAIN;
    default:
        return HOST_NOT_FOUND;
    }
}

static int find_name(const char *name, int family, struct found *f)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int code;

    if (process_leaves_names())
        return ASK_REAL;
    if (family != AF_INET && family != AF_INET6) {
        errno = EAFNOSUPPORT;
        return INTERNAL;
    }
    code = find_line(name, family, f);
    if (code != 0)
        return code;
    f->family = family;
    f->address_len = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
    addr_to_sockaddr(&f->line->address, family, &sa, &len);
    if (family == AF_INET)
        memcpy(f->address, &((struct sockaddr_in *)&sa)->sin_addr, f->address_len);
    else
        memcpy(f->address, &((struct sockaddr_in6 *)&sa)->sin6_addr, f->address_len);
    return 0;
}

static int find_address(const void *address, socklen_t len, int family, struct found *f)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
    struct addr a;

    if (process_leaves_names())
        return ASK_REAL;
    if (!(family == AF_INET && len == sizeof ipv4.sin_addr) && !(family == AF_INET6 && len == sizeof ipv6.sin6_addr)) {
        errno = EAFNOSUPPORT;
        return INTERNAL;
    }
    if (family == AF_INET) {
        memcpy(&ipv4.sin_addr, address, len);
        addr_from_sockaddr((struct sockaddr *)&ipv4, sizeof ipv4, &a);
    } else {
        memcpy(&ipv6.sin6_addr, address, len);
        addr_from_sockaddr((struct sockaddr *)&ipv6, sizeof ipv6, &a);
    }
    resolve_address(&process.conf, &process.state, &a, &f->answer);
    if (f->answer.kind == RESOLVE_UNKNOWN)
        return HOST_NOT_FOUND;
    f->line = &f->answer.ipv4;
    f->family = family;
    f->address_len = len;
    memcpy(f->address, address, len);
    return 0;
}

/* What a reentrant form returns.  entry_errno: as it was at its entry. */
static int finish(int code, int entry_errno, const struct found *f, const struct place *to)
{
    int error = 0;

    *to->result = NULL;
    if (code == 0) {
        error = pack(f, to);
        code = error ? INTERNAL : 0;
    } else if (code == INTERNAL) {
        error = errno;
    } else if (code == TRY_AGAIN) {
        error = EAGAIN;
    }
    if (code == 0)
        *to->result = to->host;
    else
        *to->h_error = code;
    errno = error ? error : entry_errno;
    return error;
}

/* The answer to a name: what a reentrant form returns, or ASK_REAL. */
OWN_FRAME static int answer_name(const char *name, int family, int entry_errno, const struct place *to)
{
    struct found f;
    int code = find_name(name, family, &f);

    return code == ASK_REAL ? ASK_REAL : finish(code, entry_errno, &f, to);
}

/* The same for an address. */
OWN_FRAME static int answer_address(const void *address, socklen_t len, int family, int entry_errno,
                                    const struct place *to)
{
    struct found f;
    int code = find_address(address, len, family, &f);

    return code == ASK_REAL ? ASK_REAL : finish(code, entry_errno, &f, to);
}

/* For the forms that return static memory, which no two threads may use at once (POSIX). */
static struct place static_place(struct hostent **result)
{
    static struct hostent host;
    static char room[ROOM];

    return (struct place){ &host, room, sizeof room, result, &h_errno };
}

/* The connection will have only the address; rules on the name must hold for it. */
static void learn(const char *name, const struct hostent *host)
{
    if (!process_leaves_names())
        learned_add_host(&process.state.direct, name, host);
}

struct hostent *gethostbyname2(const char *name, int family)
{
    struct hostent *result;
    struct place to = static_place(&result);
    struct process_call call;
    int entry_errno = errno;

    hook_enter();
    if (answer_name(name, family, entry_errno, &to) != ASK_REAL)
        return result;
    process_enter(&call);
    result = real.gethostbyname2(name, family);
    process_leave(&call);
    learn(name, result);
    return result;
}

struct hostent *gethostbyname(const char *name)
{
    struct hostent *result;
    struct place to = static_place(&result);
    struct process_call call;
    int entry_errno = errno;

    hook_enter();
    if (answer_name(name, AF_INET, entry_errno, &to) != ASK_REAL)
        return result;
    process_enter(&call);
    result = real.gethostbyname(name);
    process_leave(&call);
    learn(name, result);
    return result;
}

int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf, size_t size,
                     struct hostent **result, int *h_error)
{
    const struct place to = { host, buf, size, result, h_error };
    struct process_call call;
    int entry_errno = errno, error;

    hook_enter();
    error = answer_name(name, family, entry_errno, &to);
    if (error != ASK_REAL)
        return error;
    process_enter(&call);
    error = real.gethostbyname2_r(name, family, host, buf, size, result, h_error);
    process_leave(&call);
    learn(name, error == 0 ? *result : NULL);
    return error;
}

int gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t size, struct hostent **result,
                    int *h_error)
{
    const struct place to = { host, buf, size, result, h_error };
    struct process_call call;
    int entry_errno = errno, error;

    hook_enter();
    error = answer_name(name, AF_INET, entry_errno, &to);
    if (error != ASK_REAL)
        return error;
    process_enter(&call);
    error = real.gethostbyname_r(name, host, buf, size, result, h_error);
    process_leave(&call);
    learn(name, error == 0 ? *result : NULL);
    return error;
}

struct hostent *gethostbyaddr(const void *address, socklen_t len, int family)
{
    struct hostent *result;
    struct place to = static_place(&result);
    int entry_errno = errno;

    hook_enter();
    if (answer_address(address, len, family, entry_errno, &to) != ASK_REAL)
        return result;
    return real.gethostbyaddr(address, len, family);
}

int gethostbyaddr_r(const void *address, socklen_t len, int family, struct hostent *host, char *buf, size_t size,
                    struct hostent **result, int *h_error)
{
    const struct place to = { host, buf, size, result, h_error };
    int entry_errno = errno, error;

    hook_enter();
    error = answer_address(address, len, family, entry_errno, &to);
    if (error != ASK_REAL)
        return error;
    return real.gethostbyaddr_r(address, len, family, host, buf, size, result, h_error);
}
