/* SPDX-License-Identifier: ISC */
/* calls_plug.c - the libraries that calls.c loads: preload_calls.sh compiles this several times
 *
 * PLUG    a plug-in that connects
 * LOADER  a library that loads the plug-in of its own directory
 * RPC     another Sun RPC
 * BEHIND  a preloaded library that takes connect() over; by the handle of libc when HANDLE names it
 */
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#ifdef PLUG
int plug_connect(void);
int plug_connect(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f000002) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    return connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ? 0 : errno;
}

/* As a liburing has them. */
int io_uring_setup(unsigned entries, void *parameters);
int io_uring_setup(unsigned entries, void *parameters)
{
    return parameters ? (int)entries : 0;
}

int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters);
int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters)
{
    return ring && parameters ? (int)entries : 0;
}
#endif

#ifdef LOADER
void *load(const char *name, int mode);
void *load(const char *name, int mode)
{
    /* No jump into dlopen(), which looks at the return address. */
    void *volatile library = dlopen(name, mode);

    return library;
}
#endif

#ifdef RPC
void *clnt_create(const char *host, unsigned long program, unsigned long version, const char *protocol);
void *clnt_create(const char *host, unsigned long program, unsigned long version, const char *protocol)
{
    printf("its own: %s %lu %lu %s\n", host, program, version, protocol);
    return NULL;
}
#endif

#ifdef BEHIND
int connect(int fd, const struct sockaddr *sa, socklen_t len)
{
    static int depth;
    int (*next)(int, const struct sockaddr *, socklen_t), result;
#ifdef HANDLE
    void *symbol = dlsym(dlopen(HANDLE, RTLD_LAZY), "connect");
#else
    void *symbol = dlsym(RTLD_NEXT, "connect");
#endif

    memcpy(&next, &symbol, sizeof next);
    if (depth > 0) {
        puts("behind: entered twice");
        return -1;
    }
    puts("behind: entered");
    depth++;
    result = next(fd, sa, len);
    depth--;
    return result;
}
#endif
