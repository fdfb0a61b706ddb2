/* SPDX-License-Identifier: ISC */
/* real.h - libc's own functions, beneath our hooks
 *
 * Everything in io and hook that would enter a hook of ours calls real.fn instead.  The struct is filled once at
 * start-up, before any hook acts, and only read after; unit tests may replace members to inject faults.
 */
#ifndef SOCKSIFY_IO_REAL_H
#define SOCKSIFY_IO_REAL_H

#include <aio.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <resolv.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <wordexp.h>

/* Names that a libc header may define as macros for another name: the table means these very symbols. */
#undef res_query
#undef res_search
#undef res_querydomain
#undef res_send
#undef res_nquery
#undef res_nsearch
#undef res_nquerydomain
#undef res_nsend
#undef __res_query
#undef __res_search
#undef __res_querydomain
#undef __res_send
#undef __res_nquery
#undef __res_nsearch
#undef __res_nquerydomain
#undef __res_nsend
#undef fcntl64
#undef sendfile64
#undef preadv64v2
#undef pwritev64v2
#undef aio_read64
#undef aio_write64
#undef lio_listio64

/* timespec and timeval in the calls of 32-bit programs with 64-bit time; where long has 64 bits they are the usual
 * ones. */
struct time64 {
    int64_t s;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && __SIZEOF_LONG__ == 4
    int32_t unused;
#endif
    long ns;
};
struct interval64 {
    int64_t s, us;
};

/* What the two libcs declare in different ways. */
#ifdef __GLIBC__
typedef unsigned long ioctl_request;
typedef int mmsg_flags;
typedef struct aiocb *const *aio_list;
#else
typedef int ioctl_request;
typedef unsigned mmsg_flags;
typedef struct aiocb *__restrict const *aio_list;
#endif

struct gaicb;
struct mmsghdr;
struct sigevent;
struct sockaddr_in;
struct timespec;

/* Prototypes that one of the two libcs, or an older release, does not declare. */
int close_range(unsigned first, unsigned last, int flags);
void closefrom(int first);
int fcntl64(int fd, int command, ...);
int pidfd_getfd(int process_fd, int fd, unsigned flags);
ssize_t sendfile64(int to, int from, off64_t *offset, size_t size);
ssize_t preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags);
ssize_t preadv64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags);
ssize_t pwritev2(int fd, const struct iovec *vector, int count, off_t offset, int flags);
ssize_t pwritev64v2(int fd, const struct iovec *vector, int count, off64_t offset, int flags);
int __vdprintf_chk(int fd, int flag, const char *format, va_list list);
int __dprintf_chk(int fd, int flag, const char *format, ...);
int aio_read64(struct aiocb64 *control);
int aio_write64(struct aiocb64 *control);
int lio_listio64(int mode, struct aiocb64 *const list[], int count, struct sigevent *event);
ssize_t __read_chk(int fd, void *data, size_t size, size_t room);
ssize_t __recv_chk(int fd, void *data, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags, struct sockaddr *sa, socklen_t *len);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);
int epoll_pwait2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout, const sigset_t *mask);
int __ppoll64(struct pollfd *fds, nfds_t count, const struct time64 *timeout, const sigset_t *mask);
int __ppoll64_chk(struct pollfd *fds, nfds_t count, const struct time64 *timeout, const sigset_t *mask, size_t room);
int __select64(int count, fd_set *reads, fd_set *writes, fd_set *errors, struct interval64 *timeout);
int __pselect64(int count, fd_set *reads, fd_set *writes, fd_set *errors, const struct time64 *timeout,
                const sigset_t *mask);
int __epoll_pwait2_time64(int epfd, struct epoll_event *events, int max, const struct time64 *timeout,
                          const sigset_t *mask);
int __recvmmsg64(int fd, struct mmsghdr *messages, unsigned count, int flags, struct time64 *timeout);
void *dlmopen(long namespace, const char *file, int mode);
void *dlvsym(void *handle, const char *name, const char *version);
int execveat(int dir, const char *path, char *const argv[], char *const envp[], int flags);
int execvpe(const char *file, char *const argv[], char *const envp[]);
int pidfd_spawn(int *pidfd, const char *path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *attributes, char *const argv[], char *const envp[]);
__typeof__(pidfd_spawn) pidfd_spawnp;
int posix_spawn_file_actions_addchdir(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addfchdir(posix_spawn_file_actions_t *actions, int fd);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int posix_spawn_file_actions_addfchdir_np(posix_spawn_file_actions_t *actions, int fd);
int getnetbyname_r(const char *name, struct netent *net, char *buf, size_t size, struct netent **result, int *h_error);
int getnetbyaddr_r(uint32_t number, int type, struct netent *net, char *buf, size_t size, struct netent **result,
                   int *h_error);
int getaddrinfo_a(int mode, struct gaicb **list, int count, struct sigevent *event);
int gethostbyname_r(const char *name, struct hostent *host, char *buf, size_t size, struct hostent **result,
                    int *h_error);
int gethostbyname2_r(const char *name, int family, struct hostent *host, char *buf, size_t size,
                     struct hostent **result, int *h_error);
int gethostbyaddr_r(const void *address, socklen_t len, int family, struct hostent *host, char *buf, size_t size,
                    struct hostent **result, int *h_error);
int res_query(const char *name, int class, int type, unsigned char *answer, int size);
int res_search(const char *name, int class, int type, unsigned char *answer, int size);
int res_querydomain(const char *name, const char *domain, int class, int type, unsigned char *answer, int size);
int res_send(const unsigned char *query, int len, unsigned char *answer, int size);
int res_nquery(res_state state, const char *name, int class, int type, unsigned char *answer, int size);
int res_nsearch(res_state state, const char *name, int class, int type, unsigned char *answer, int size);
int res_nquerydomain(res_state state, const char *name, const char *domain, int class, int type,
                     unsigned char *answer, int size);
int res_nsend(res_state state, const unsigned char *query, int len, unsigned char *answer, int size);

/* The same under the names that programs built against glibc before 2.34 import. */
__typeof__(res_query) __res_query, __res_search;
__typeof__(res_querydomain) __res_querydomain;
__typeof__(res_send) __res_send;
__typeof__(res_nquery) __res_nquery, __res_nsearch;
__typeof__(res_nquerydomain) __res_nquerydomain;
__typeof__(res_nsend) __res_nsend;

/* The other names of hook/alias.c.  Some may be macros of another libc's headers, or declared by some. */
__typeof__(connect) __connect;
__typeof__(socket) __socket;
__typeof__(send) __send;
__typeof__(recv) __recv;
__typeof__(read) __read;
__typeof__(write) __write;
__typeof__(sendmsg) __sendmsg64;
__typeof__(recvmsg) __recvmsg64;
int __sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
__typeof__(__sendmmsg) __sendmmsg64;
__typeof__(getsockopt) __getsockopt64;
__typeof__(setsockopt) __setsockopt64;
__typeof__(poll) __poll;
__typeof__(select) __select;
__typeof__(close) __close;
__typeof__(dup2) __dup2;
__typeof__(fcntl) __fcntl, __libc_fcntl64, __fcntl_time64;
int __ioctl_time64(int fd, unsigned long request, ...);
int _IO_fclose(FILE *stream);
FILE *_IO_fdopen(int fd, const char *mode);
FILE *_IO_popen(const char *command, const char *mode);
int __libc_system(const char *command);
struct hostent *res_gethostbyname(const char *name);
struct hostent *res_gethostbyname2(const char *name, int family);
struct hostent *res_gethostbyaddr(const void *address, socklen_t len, int family);

/* Calls of old, which headers no longer declare, or never did in musl; Sun RPC's without its types. */
int rcmd(char **host, unsigned short port, const char *local, const char *remote, const char *command, int *error_fd);
int rcmd_af(char **host, unsigned short port, const char *local, const char *remote, const char *command,
            int *error_fd, sa_family_t family);
int rexec(char **host, int port, const char *user, const char *password, const char *command, int *error_fd);
int rexec_af(char **host, int port, const char *user, const char *password, const char *command, int *error_fd,
             sa_family_t family);
int ruserok(const char *host, int superuser, const char *remote, const char *local);
int ruserok_af(const char *host, int superuser, const char *remote, const char *local, sa_family_t family);
int iruserok(uint32_t address, int superuser, const char *remote, const char *local);
int iruserok_af(const void *address, int superuser, const char *remote, const char *local, sa_family_t family);
void *clnt_create(const char *host, unsigned long program, unsigned long version, const char *protocol);
void *clnttcp_create(struct sockaddr_in *to, unsigned long program, unsigned long version, int *fd,
                     unsigned send_size, unsigned receive_size);
void *clntudp_create(struct sockaddr_in *to, unsigned long program, unsigned long version, struct timeval wait,
                     int *fd);
void *clntudp_bufcreate(struct sockaddr_in *to, unsigned long program, unsigned long version, struct timeval wait,
                        int *fd, unsigned send_size, unsigned receive_size);
int callrpc(const char *host, unsigned long program, unsigned long version, unsigned long procedure, void *encode,
            const char *in, void *decode, char *out);
int clnt_broadcast(unsigned long program, unsigned long version, unsigned long procedure, void *encode, char *in,
                   void *decode, char *out, void *each);
unsigned short pmap_getport(struct sockaddr_in *to, unsigned long program, unsigned long version, unsigned protocol);
void *pmap_getmaps(struct sockaddr_in *to);
int pmap_rmtcall(struct sockaddr_in *to, unsigned long program, unsigned long version, unsigned long procedure,
                 void *encode, char *in, void *decode, char *out, struct timeval wait, unsigned long *port);
int getrpcport(const char *host, unsigned long program, unsigned long version, unsigned protocol);
int rtime(struct sockaddr_in *to, void *time, void *wait);

/* liburing's entry points, without its types: none of them is ever looked into. */
int io_uring_setup(unsigned entries, void *parameters);
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags);
int io_uring_queue_init_params(unsigned entries, void *ring, void *parameters);
int io_uring_queue_init_mem(unsigned entries, void *ring, void *parameters, void *buf, size_t size);

struct real {
#define HOOK(fn) __typeof__(fn) *fn;
#define FACE(fn)
#define USE(fn) HOOK(fn)
#include "real.def"
#undef HOOK
#undef FACE
#undef USE
};

extern struct real real;

/* Look every function of the table up in the objects behind ours.  Call it once, before anything else of io; a second
 * call does no harm.  Members that this libc lacks stay NULL.  Allocates nothing.  Not async-signal-safe. */
void real_init(void);

/* Only the first step of it: find real.dlsym, for a dlsym() that comes before start-up.  Thread-safe; not
 * async-signal-safe. */
void real_init_dlsym(void);

/* The library's own connect(): a raw system call, since libc's may be cancelled in the middle, marked by a constant in
 * the unused argument registers so that a filter can tell it from the program's calls.  It sleeps as the socket's
 * O_NONBLOCK and SO_SNDTIMEO say: callers see to it that it does not.
 * Returns 0 or -errno.  Async-signal-safe. */
int real_connect(int fd, const struct sockaddr *address, socklen_t len);

/* close(), send() and recv() that are no cancellation points: for what must not be left half done.
 * real_send() and real_recv() return a count or -errno. */
void real_close(int fd);
ssize_t real_send(int fd, const void *data, size_t size, int flags);
ssize_t real_recv(int fd, void *data, size_t size, int flags);

/* SO_COOKIE, the identity of a socket in every process that holds it (Linux 4.12); 0 when fd is no socket or the kernel
 * has none.  Keeps errno.  Async-signal-safe. */
uint64_t real_cookie(int fd);

/* The same.  cookie: 0 when there is none.  Returns false when the kernel does not say whether there is one. */
bool real_tells_cookie(int fd, uint64_t *cookie);

/* Is fd the socket of that cookie?  real_is(): surely; real_is_other(): surely not, it is another socket, another file
 * or none.  Both false: the kernel does not say (it may want memory for a program that filters getsockopt()); then
 * nothing is done to the number, and nothing taken for over.  cookie: 0 is no socket's.
 * Keep errno.  Async-signal-safe. */
bool real_is(int fd, uint64_t cookie);
bool real_is_other(int fd, uint64_t cookie);

/* Close a number of the library's own if it is still the socket's: programs close what they do not know.  Asked more
 * than once where the kernel does not say, since what is left open stays; a number that may be another's is left.
 * fd: may be negative; cookie: 0 closes nothing.  Keeps errno.  Async-signal-safe. */
void real_close_own(int fd, uint64_t cookie);

/* True if fd is a connected socket.  Keeps errno.  Async-signal-safe. */
bool real_has_peer(int fd);

/* True if it is known that the process has no other thread (glibc from 2.32 on). */
bool real_is_alone(void);

/* The library's own socket(), marked in the same way.  Returns the descriptor or -errno.  Async-signal-safe. */
int real_socket(int domain, int type, int protocol);

#endif
