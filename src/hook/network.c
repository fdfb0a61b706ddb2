/* SPDX-License-Identifier: ISC */
/* network.c - gethostid(), getnetbyname() and their relatives, which ask DNS inside libc
 *
 * Networks are looked up by libc itself in /etc/networks alone.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/syscall.h>

#include "../io/file.h"
#include "../io/resolve.h"
#include "hook.h"

/* glibc's alone: choose the services of a database, in the words of nsswitch.conf.  musl's network calls are stubs. */
extern int __nss_configure_lookup(const char *database, const char *services) __attribute__((weak));
extern const char *gnu_get_libc_version(void) __attribute__((weak));

static bool untouched(void)
{
    return process_inside() || !resolve_wanted(&process.conf);
}

/* May libc be asked?  Its choice of services is the process's, and stays. */
static bool is_local(void)
{
    hook_enter();
    if (untouched() || !__nss_configure_lookup || atomic_load_explicit(&process.networks_local, memory_order_acquire))
        return true;
    if (__nss_configure_lookup("networks", "files") != 0)
        return false;
    atomic_store_explicit(&process.networks_local, true, memory_order_release);
    return true;
}

struct netent *getnetbyname(const char *name)
{
    if (is_local())
        return real.getnetbyname(name);
    h_errno = NO_RECOVERY;
    return NULL;
}

struct netent *getnetbyaddr(uint32_t net, int type)
{
    if (is_local())
        return real.getnetbyaddr(net, type);
    h_errno = NO_RECOVERY;
    return NULL;
}

static int fail(int error, struct netent **result, int *h_error)
{
    *result = NULL;
    *h_error = NO_RECOVERY;
    errno = error;
    return error;
}

int getnetbyname_r(const char *name, struct netent *net, char *buf, size_t size, struct netent **result, int *h_error)
{
    if (!is_local() || !HOOK_HAVE(getnetbyname_r))
        return fail(ENOSYS, result, h_error);
    return real.getnetbyname_r(name, net, buf, size, result, h_error);
}

int getnetbyaddr_r(uint32_t number, int type, struct netent *net, char *buf, size_t size, struct netent **result,
                   int *h_error)
{
    if (!is_local() || !HOOK_HAVE(getnetbyaddr_r))
        return fail(ENOSYS, result, h_error);
    return real.getnetbyaddr_r(number, type, net, buf, size, result, h_error);
}

/* What sethostid() has written.  By system calls: libc's read() is a cancellation point. */
static bool read_id(int32_t *id)
{
    int fd = file_open("/etc/hostid", O_RDONLY, 0);
    ssize_t n = fd < 0 ? -1 : real.syscall(SYS_read, (long)fd, id, (long)sizeof *id);

    if (fd >= 0)
        real_close(fd);
    return n == (ssize_t)sizeof *id;
}

/* As glibc makes it of the address of the machine's own name. */
static int32_t id_of(const struct addr *a)
{
    uint32_t address;

    memcpy(&address, a->ip, sizeof address);
    return (int32_t)(address << 16 | address >> 16);
}

long gethostid(void)
{
    struct resolve_answer found;
    char name[ADDR_NAME_SIZE];
    int entry_errno = errno;
    int32_t id = 0;

    hook_enter();
    if (untouched() || !gnu_get_libc_version)
        return real.gethostid();
    if (!read_id(&id)) {
        id = 0;
        found.ipv4.address.kind = ADDR_NONE;
        if (gethostname(name, sizeof name - 1) == 0) {
            name[sizeof name - 1] = '\0';
            resolve_name(&process.conf, &process.state, name, 0, RESOLVE_IPV4, &found);
        }
        if (found.ipv4.address.kind == ADDR_IPV4)
            id = id_of(&found.ipv4.address);
    }
    errno = entry_errno;
    return id;
}
