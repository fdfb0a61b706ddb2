/* SPDX-License-Identifier: ISC */
/* oldnet.c - calls that make a connection of their own inside libc: rsh's and Sun RPC's
 *
 * They fail with EACCES.  Other libraries have functions of the same names (libtirpc), which call through the hooks:
 * those are called.
 */
#include <string.h>

#include "../io/log.h"
#include "../io/symbol.h"
#include "hook.h"

enum { RPC_SYSTEM_ERROR = 12 };     /* RPC_SYSTEMERROR */

/* slot: of a pointer to a function, set to another library's.  Returns false if there is none. */
static bool is_elsewhere(const char *name, void *slot)
{
    void *symbol = symbol_not_libc(name);

    memcpy(slot, &symbol, sizeof symbol);
    return symbol != NULL;
}

static int refuse(const char *name)
{
    hook_enter();
    log_once(LOG_CALL, "%s() refused: it would reach the network from inside libc", name);
    errno = EACCES;
    return -1;
}

int rcmd(char **host, unsigned short port, const char *local, const char *remote, const char *command, int *error_fd)
{
    __typeof__(rcmd) *other;

    return is_elsewhere("rcmd", &other) ? other(host, port, local, remote, command, error_fd) : refuse("rcmd");
}

int rcmd_af(char **host, unsigned short port, const char *local, const char *remote, const char *command, int *error_fd,
            sa_family_t family)
{
    __typeof__(rcmd_af) *other;

    return is_elsewhere("rcmd_af", &other) ? other(host, port, local, remote, command, error_fd, family)
                                           : refuse("rcmd_af");
}

int rexec(char **host, int port, const char *user, const char *password, const char *command, int *error_fd)
{
    __typeof__(rexec) *other;

    return is_elsewhere("rexec", &other) ? other(host, port, user, password, command, error_fd) : refuse("rexec");
}

int rexec_af(char **host, int port, const char *user, const char *password, const char *command, int *error_fd,
             sa_family_t family)
{
    __typeof__(rexec_af) *other;

    return is_elsewhere("rexec_af", &other) ? other(host, port, user, password, command, error_fd, family)
                                            : refuse("rexec_af");
}

int ruserok(const char *host, int superuser, const char *remote, const char *local)
{
    __typeof__(ruserok) *other;

    return is_elsewhere("ruserok", &other) ? other(host, superuser, remote, local) : refuse("ruserok");
}

int ruserok_af(const char *host, int superuser, const char *remote, const char *local, sa_family_t family)
{
    __typeof__(ruserok_af) *other;

    return is_elsewhere("ruserok_af", &other) ? other(host, superuser, remote, local, family) : refuse("ruserok_af");
}

int iruserok(uint32_t address, int superuser, const char *remote, const char *local)
{
    __typeof__(iruserok) *other;

    return is_elsewhere("iruserok", &other) ? other(address, superuser, remote, local) : refuse("iruserok");
}

int iruserok_af(const void *address, int superuser, const char *remote, const char *local, sa_family_t family)
{
    __typeof__(iruserok_af) *other;

    return is_elsewhere("iruserok_af", &other) ? other(address, superuser, remote, local, family)
                                               : refuse("iruserok_af");
}

void *clnt_create(const char *host, unsigned long program, unsigned long version, const char *protocol)
{
    __typeof__(clnt_create) *other;

    if (is_elsewhere("clnt_create", &other))
        return other(host, program, version, protocol);
    refuse("clnt_create");
    return NULL;
}

void *clnttcp_create(struct sockaddr_in *to, unsigned long program, unsigned long version, int *fd, unsigned send_size,
                     unsigned receive_size)
{
    __typeof__(clnttcp_create) *other;

    if (is_elsewhere("clnttcp_create", &other))
        return other(to, program, version, fd, send_size, receive_size);
    refuse("clnttcp_create");
    return NULL;
}

void *clntudp_create(struct sockaddr_in *to, unsigned long program, unsigned long version, struct timeval wait, int *fd)
{
    __typeof__(clntudp_create) *other;

    if (is_elsewhere("clntudp_create", &other))
        return other(to, program, version, wait, fd);
    refuse("clntudp_create");
    return NULL;
}

void *clntudp_bufcreate(struct sockaddr_in *to, unsigned long program, unsigned long version, struct timeval wait,
                        int *fd, unsigned send_size, unsigned receive_size)
{
    __typeof__(clntudp_bufcreate) *other;

    if (is_elsewhere("clntudp_bufcreate", &other))
        return other(to, program, version, wait, fd, send_size, receive_size);
    refuse("clntudp_bufcreate");
    return NULL;
}

int callrpc(const char *host, unsigned long program, unsigned long version, unsigned long procedure, void *encode,
            const char *in, void *decode, char *out)
{
    __typeof__(callrpc) *other;

    if (is_elsewhere("callrpc", &other))
        return other(host, program, version, procedure, encode, in, decode, out);
    refuse("callrpc");
    return RPC_SYSTEM_ERROR;
}

int clnt_broadcast(unsigned long program, unsigned long version, unsigned long procedure, void *encode, char *in,
                   void *decode, char *out, void *each)
{
    __typeof__(clnt_broadcast) *other;

    if (is_elsewhere("clnt_broadcast", &other))
        return other(program, version, procedure, encode, in, decode, out, each);
    refuse("clnt_broadcast");
    return RPC_SYSTEM_ERROR;
}

unsigned short pmap_getport(struct sockaddr_in *to, unsigned long program, unsigned long version, unsigned protocol)
{
    __typeof__(pmap_getport) *other;

    if (is_elsewhere("pmap_getport", &other))
        return other(to, program, version, protocol);
    refuse("pmap_getport");
    return 0;
}

void *pmap_getmaps(struct sockaddr_in *to)
{
    __typeof__(pmap_getmaps) *other;

    if (is_elsewhere("pmap_getmaps", &other))
        return other(to);
    refuse("pmap_getmaps");
    return NULL;
}

int pmap_rmtcall(struct sockaddr_in *to, unsigned long program, unsigned long version, unsigned long procedure,
                 void *encode, char *in, void *decode, char *out, struct timeval wait, unsigned long *port)
{
    __typeof__(pmap_rmtcall) *other;

    if (is_elsewhere("pmap_rmtcall", &other))
        return other(to, program, version, procedure, encode, in, decode, out, wait, port);
    refuse("pmap_rmtcall");
    return RPC_SYSTEM_ERROR;
}

int getrpcport(const char *host, unsigned long program, unsigned long version, unsigned protocol)
{
    __typeof__(getrpcport) *other;

    if (is_elsewhere("getrpcport", &other))
        return other(host, program, version, protocol);
    refuse("getrpcport");
    return 0;
}

int rtime(struct sockaddr_in *to, void *time, void *wait)
{
    __typeof__(rtime) *other;

    return is_elsewhere("rtime", &other) ? other(to, time, wait) : refuse("rtime");
}
