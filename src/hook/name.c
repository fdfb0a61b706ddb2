/* SPDX-License-Identifier: ISC */
/* name.c - getaddrinfo(), getaddrinfo_a()
 *
 * The list that getaddrinfo() returns is always made by libc, which is asked for the address as numeric text: so its
 * own freeaddrinfo() fits, and families, socket types, services and errors are as they must be.  Where it keeps a
 * canonical name it is the text it was given; that text is made long enough by zeros, and the real name is then written
 * over it: in glibc, whose freeaddrinfo() frees the name, and in musl, where it lies within the list's own block.
 */
#include <limits.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "../core/frame.h"
#include "../core/text.h"
#include "../io/report.h"
#include "../io/resolve.h"
#include "hook.h"

enum { TEXT_SIZE = ADDR_NAME_SIZE, GAI_WAIT_MODE = 0, GAI_NOWAIT_MODE = 1 };    /* GAI: glibc's; musl has none */

enum { ASK_REAL = INT_MIN, ASK_NUMERIC };       /* no codes of getaddrinfo() */

/* glibc allocates each member of a list by itself, and freeaddrinfo() takes any chain of them.  musl does not. */
static bool is_glibc(void)
{
    return confstr(_CS_GNU_LIBC_VERSION, NULL, 0) > 0;
}

/* An IPv4 address may have any number of zeros before its hexadecimal digits, an IPv6 address in its scope id. */
static void numeric_text(const struct addr *a, size_t room, char text[TEXT_SIZE])
{
    size_t len;

    if (a->kind == ADDR_IPV4) {
        len = room > 10 ? room : 10;
        memset(text, '0', len);
        text[1] = 'x';
        for (size_t i = 0; i < 8; i++)
            text[len - 8 + i] = "0123456789abcdef"[a->ip[i / 2] >> (i % 2 ? 0 : 4) & 15];
        text[len] = '\0';
        return;
    }
    len = addr_format_host(a, text, TEXT_SIZE);
    if (len < room) {
        text[len++] = '%';
        do
            text[len++] = '0';
        while (len < room);
        text[len] = '\0';
    }
}

/* glibc says in the list what it was asked; musl does not. */
static void put_flags(struct addrinfo *list, int asked, int flags)
{
    for (; list; list = list->ai_next) {
        if (list->ai_flags == asked)
            list->ai_flags = flags;
    }
}

/* Have libc make the list of one address. */
static int make_list(const struct addr *a, const char *canonical, const char *service, const struct addrinfo *hints,
                     int flags, struct addrinfo **out)
{
    struct addrinfo asked = *hints;
    char text[TEXT_SIZE];
    int error;

    asked.ai_flags = flags | AI_NUMERICHOST;
    numeric_text(a, strlen(canonical), text);
    error = real.getaddrinfo(text, service, &asked, out);
    if (error != 0)
        return error;
    put_flags(*out, asked.ai_flags, hints->ai_flags);
    for (struct addrinfo *ai = *out; ai; ai = ai->ai_next) {
        if (ai->ai_canonname)
            memcpy(ai->ai_canonname, canonical, strlen(canonical) + 1);
    }
    return 0;
}

/* Fail as libc would: its objections to the arguments come first. */
static int fail(int code, const char *service, const struct addrinfo *hints)
{
    struct addr loopback = { .kind = ADDR_IPV6, .ip = { [15] = 1 } };
    struct addrinfo *list;
    int error;

    if (hints->ai_family != AF_INET6)
        loopback = (struct addr){ .kind = ADDR_IPV4, .ip = { 127, 0, 0, 1 } };
    error = make_list(&loopback, "", service, hints, hints->ai_flags & ~AI_ADDRCONFIG, &list);
    if (error != 0)
        return error;
    real.freeaddrinfo(list);
    return code;
}

/* Does this machine have a way to an address?  Connecting a datagram socket sends nothing. */
static bool is_reachable(const struct addr *a)
{
    struct sockaddr_storage sa;
    struct addr with_port = *a;
    socklen_t len;
    bool reachable;
    int fd;

    with_port.port = 9;
    if (addr_to_sockaddr(&with_port, AF_UNSPEC, &sa, &len) != 0)
        return false;
    fd = real_socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    reachable = real_connect(fd, (struct sockaddr *)&sa, len) == 0;
    real_close(fd);
    return reachable;
}

/* As libc sorts: IPv6 first, unless only IPv4 is in reach. */
static bool ipv4_first(const struct hosts_line *ipv4, const struct hosts_line *ipv6)
{
    return !is_reachable(&ipv6->address) && is_reachable(&ipv4->address);
}

/* Choose the lines that answer, in their order.  Returns how many: 0 to 2. */
static int choose(const struct resolve_answer *found, const struct addrinfo *hints, const struct hosts_line *line[2])
{
    const struct hosts_line *ipv4 = found->ipv4.address.kind ? &found->ipv4 : NULL;
    const struct hosts_line *ipv6 = found->ipv6.address.kind ? &found->ipv6 : NULL;
    bool mapped = hints->ai_flags & AI_V4MAPPED, swap;

    if (hints->ai_family == AF_INET)
        ipv6 = NULL;
    if (hints->ai_family == AF_INET6 && !(mapped && (!ipv6 || (hints->ai_flags & AI_ALL))))
        ipv4 = NULL;
    swap = !ipv6 || (ipv4 && hints->ai_family == AF_UNSPEC && ipv4_first(ipv4, ipv6));
    line[0] = swap ? ipv4 : ipv6;
    line[1] = swap ? ipv6 : ipv4;
    return !!ipv4 + !!ipv6;
}

/* musl lists both families only for no name at all, loopback, IPv6 first; other addresses are written over these. */
static int make_musl_pair(const struct hosts_line *line[2], const char *service, const struct addrinfo *hints,
                          struct addrinfo **out)
{
    struct addrinfo asked = *hints;
    int error;

    asked.ai_flags &= ~AI_PASSIVE;
    error = real.getaddrinfo(NULL, service ? service : "0", &asked, out);
    for (struct addrinfo *ai = error == 0 ? *out : NULL; ai; ai = ai->ai_next) {
        if (ai->ai_family == AF_INET6)
            memcpy(&((struct sockaddr_in6 *)(void *)ai->ai_addr)->sin6_addr, line[0]->address.ip, 16);
        else
            memcpy(&((struct sockaddr_in *)(void *)ai->ai_addr)->sin_addr, line[1]->address.ip, 4);
    }
    return error;
}

static int make_pair(const struct hosts_line *line[2], const char *service, const struct addrinfo *hints, int flags,
                     struct addrinfo **out)
{
    struct addrinfo **end;

    /* Of an address whose family AI_ADDRCONFIG rules out libc makes no list. */
    if (make_list(&line[0]->address, hosts_name(line[0], 0), service, hints, flags, out) != 0)
        return make_list(&line[1]->address, hosts_name(line[1], 0), service, hints, flags, out);
    for (end = &(*out)->ai_next; *end; end = &(*end)->ai_next)
        ;
    make_list(&line[1]->address, "", service, hints, flags & ~AI_CANONNAME, end);
    return 0;
}

static int answer(const struct resolve_answer *found, const char *service, const struct addrinfo *hints,
                  struct addrinfo **out)
{
    const struct hosts_line *line[2];
    int count = choose(found, hints, line);
    /* What the map gives does not depend on this machine's own addresses. */
    int flags = found->kind == RESOLVE_MAPPED ? hints->ai_flags & ~AI_ADDRCONFIG : hints->ai_flags;

    if (count == 0)
        return fail(EAI_NONAME, service, hints);
    if (count == 2 && is_glibc())
        return make_pair(line, service, hints, flags, out);
    /* That list has no room for a canonical name. */
    if (count == 2 && hints->ai_family == AF_UNSPEC && line[0]->address.kind == ADDR_IPV6 &&
        !(hints->ai_flags & AI_CANONNAME) && make_musl_pair(line, service, hints, out) == 0)
        return 0;
    return make_list(&line[0]->address, hosts_name(line[0], 0), service, hints, flags, out);
}

static int ask_real(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    struct process_call call;
    int error;

    process_enter(&call);
    error = real.getaddrinfo(node, service, hints, out);
    process_leave(&call);
    learned_add_list(&process.state.direct, node, error == 0 ? *out : NULL);
    return error;
}

/* Whatever libc makes of the text, it asks nobody for it. */
static int ask_numeric(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    struct addrinfo asked = *hints;
    int error;

    asked.ai_flags |= AI_NUMERICHOST;
    error = real.getaddrinfo(node, service, &asked, out);
    if (error == 0)
        put_flags(*out, asked.ai_flags, hints->ai_flags);
    return error;
}

static unsigned families(const struct addrinfo *hints)
{
    if (hints->ai_family != AF_INET6)
        return hints->ai_family == AF_INET ? RESOLVE_IPV4 : RESOLVE_EITHER;
    return hints->ai_flags & AI_V4MAPPED && hints->ai_flags & AI_ALL ? RESOLVE_IPV4 | RESOLVE_IPV6 : RESOLVE_IPV6;
}

/* Returns the code of the call, or ASK_NUMERIC or ASK_REAL for what libc is to be asked. */
OWN_FRAME static int decide(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    struct resolve_answer found;
    uint32_t port = 0;
    int error;

    if (service)
        text_decimal(service, strlen(service), 65535, &port);
    resolve_name(&process.conf, &process.state, node, (uint16_t)port, families(hints), &found);
    report_name(&process.conf, "getaddrinfo", node, &found);
    switch (found.kind) {
    case RESOLVE_NUMERIC:
        return ASK_NUMERIC;
    case RESOLVE_DIRECT:
        return ASK_REAL;
    case RESOLVE_MAPPED:
        return answer(&found, service, hints, out);
    case RESOLVE_FIXED:
        error = answer(&found, service, hints, out);
        learned_add_list(&process.state.direct, node, error == 0 ? *out : NULL);
        return error;
    case RESOLVE_FAILED:
        return fail(EAI_AGAIN, service, hints);
    default:
        return fail(EAI_NONAME, service, hints);
    }
}

static int look_up(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    int entry_errno = errno, error;
    /* What no hints mean: glibc's own choice (getaddrinfo(3)), and in musl none at all. */
    const struct addrinfo defaults = { .ai_flags = is_glibc() ? AI_V4MAPPED | AI_ADDRCONFIG : 0 };

    if (process_leaves_names() || !node || (hints && (hints->ai_flags & AI_NUMERICHOST)))
        return real.getaddrinfo(node, service, hints, out);
    hints = hints ? hints : &defaults;
    error = decide(node, service, hints, out);
    if (error == ASK_NUMERIC)
        error = ask_numeric(node, service, hints, out);
    else if (error == ASK_REAL)
        error = ask_real(node, service, hints, out);
    if (error == 0)
        errno = entry_errno;
    return error;
}

/* The members of glibc's struct gaicb that its users know, and the one that gai_error() reads; musl has none. */
struct request {
    const char *node, *service;
    const struct addrinfo *hints;
    struct addrinfo *result;
    int error;
};

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    hook_enter();
    return look_up(node, service, hints, out);
}

/* All requests are answered before this returns: nothing here waits, except for names that a rule makes direct. */
int getaddrinfo_a(int mode, struct gaicb **list, int count, struct sigevent *event)
{
    hook_enter();
    if (!HOOK_HAVE(getaddrinfo_a)) {
        errno = ENOSYS;
        return EAI_SYSTEM;
    }
    if (process_leaves_names() || (mode != GAI_WAIT_MODE && mode != GAI_NOWAIT_MODE))
        return real.getaddrinfo_a(mode, list, count, event);
    for (int i = 0; i < count; i++) {
        struct request *r = (struct request *)list[i];

        if (r)
            r->error = look_up(r->node, r->service, r->hints, &r->result);
    }
    /* Of nothing that is left to do libc only notifies. */
    return real.getaddrinfo_a(mode, list, 0, event);
}
