/* SPDX-License-Identifier: ISC */
/* select.c - select(), while handshakes are pending: it becomes poll() for as long as one is in its sets */
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>

#include "../io/clock.h"
#include "../io/memory.h"
#include "wait.h"

/* In glibc alone. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* What select() calls readable, writable and exceptional, as the kernel has it. */
enum {
    READ_EVENTS = POLLIN | POLLRDNORM | POLLRDBAND,
    READ_SET = READ_EVENTS | POLLHUP | POLLERR,
    WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND,
    WRITE_SET = WRITE_EVENTS | POLLERR,
    EXCEPT_SET = POLLPRI
};

/* Sets are as large as n says, which may be more than FD_SETSIZE. */
static bool in_set(const fd_set *set, int fd)
{
    const unsigned long *words = (const unsigned long *)set;
    unsigned bits = CHAR_BIT * sizeof *words;

    return set && words[(unsigned)fd / bits] >> (unsigned)fd % bits & 1;
}

static void add_to_set(fd_set *set, int fd)
{
    unsigned long *words = (unsigned long *)set;
    unsigned bits = CHAR_BIT * sizeof *words;

    words[(unsigned)fd / bits] |= 1ul << (unsigned)fd % bits;
}

static void clear_set(fd_set *set, int n)
{
    size_t bits = CHAR_BIT * sizeof(unsigned long);

    if (set)
        memset(set, 0, ((size_t)n + bits - 1) / bits * sizeof(unsigned long));
}

enum { BITS = CHAR_BIT * sizeof(unsigned long) };

/* Does the kernel look at the bit of fd?  Its number must be open, or that is EBADF; a bit beyond the table of open
 * files stays as it is.  zeros: bits enough, and zero. */
static bool looks_at(int fd, unsigned long *zeros)
{
    unsigned bits = CHAR_BIT * sizeof *zeros;
    unsigned long *word = &zeros[(unsigned)fd / bits], bit = 1ul << (unsigned)fd % bits;
    struct timespec none = { 0, 0 };
    bool looks;
    long n;

    do {
        *word = bit;
        n = real.syscall(SYS_pselect6, (long)fd + 1, NULL, NULL, zeros, &none, NULL);
    } while (n < 0 && errno == EINTR);
    looks = n != 0 || !(*word & bit);
    *word = 0;
    return looks;
}

/* How many words, from low to high, of n bits are in the table of open files.  It seldom changes. */
static int words_of_table(int low, int high, int n, unsigned long *zeros)
{
    int known = atomic_load_explicit(&process.table_words, memory_order_relaxed), all = high;

    if (known >= low && known < high) {
        if (looks_at(known * BITS, zeros))
            low = known + 1;
        else if (looks_at(known * BITS - 1, zeros))
            return known;
        else
            high = known - 1;
    }
    if (low < high) {
        if (looks_at(n < high * BITS ? n - 1 : high * BITS - 1, zeros))
            low = high;
        else
            high--;
    }
    while (low < high) {
        int middle = low + (high - low) / 2;

        if (looks_at(middle * BITS, zeros))
            low = middle + 1;
        else
            high = middle;
    }
    if (low < all)
        atomic_store_explicit(&process.table_words, low, memory_order_relaxed);
    return low;
}

/* The sets end where the kernel's table of open files does, whatever n says: programs pass getdtablesize() with sets
 * for 1024.  The table has whole words, one at least.  Keeps errno. */
static int end_of_sets(int n)
{
    int low = 1, high = n / BITS + (n % BITS != 0), saved_errno = errno;
    struct room zeros;

    if (high <= 1 || room_make(&zeros, (size_t)high * sizeof(long) / sizeof *zeros.array + 1) != 0)
        return n;
    if (!zeros.bytes)
        memset(zeros.stack, 0, sizeof zeros.stack);
    low = words_of_table(low, high, n, (unsigned long *)zeros.array);
    room_free(&zeros);
    errno = saved_errno;
    return (long)low * BITS < n ? low * BITS : n;
}

/* Bad pointers are the kernel's to find. */
static bool is_good(fd_set *set, int n)
{
    size_t bits = CHAR_BIT * sizeof(unsigned long);

    return !set || memory_writable(set, ((size_t)n + bits - 1) / bits * sizeof(unsigned long));
}

static bool select_concerns_us(int n, fd_set *in, fd_set *out, fd_set *except)
{
    if (n < 0 || !is_good(in, n) || !is_good(out, n) || !is_good(except, n))
        return false;
    if (assoc_any(&process.assoc))
        return true;
    for (int fd = 0; fd < n; fd++) {
        if ((in_set(in, fd) || in_set(out, fd) || in_set(except, fd)) &&
            wait_concerns(fd))
            return true;
    }
    return false;
}

static size_t sets_to_array(int n, const fd_set *in, const fd_set *out, const fd_set *except, struct pollfd *fds)
{
    size_t count = 0;

    for (int fd = 0; fd < n; fd++) {
        int events = (in_set(in, fd) ? READ_EVENTS : 0) | (in_set(out, fd) ? WRITE_EVENTS : 0) |
                     (in_set(except, fd) ? EXCEPT_SET : 0);

        if (events && fds)
            fds[count] = (struct pollfd){ .fd = fd, .events = (short)events };
        count += events != 0;
    }
    return count;
}

/* Returns the number of bits set, or -EBADF. */
static int array_to_sets(const struct pollfd *fds, size_t count, int n, fd_set *in, fd_set *out, fd_set *except)
{
    int bits = 0;

    for (size_t i = 0; i < count; i++) {
        if (fds[i].revents & POLLNVAL)
            return -EBADF;
    }
    clear_set(in, n);
    clear_set(out, n);
    clear_set(except, n);
    for (size_t i = 0; i < count; i++) {
        const struct pollfd *p = &fds[i];

        if (p->events & READ_EVENTS && p->revents & READ_SET)
            add_to_set(in, p->fd), bits++;
        if (p->events & WRITE_EVENTS && p->revents & WRITE_SET)
            add_to_set(out, p->fd), bits++;
        if (p->events & EXCEPT_SET && p->revents & EXCEPT_SET)
            add_to_set(except, p->fd), bits++;
    }
    return bits;
}

static bool shows(const struct pollfd *p)
{
    return p->revents & POLLNVAL || (p->events & READ_EVENTS && p->revents & READ_SET) ||
           (p->events & WRITE_EVENTS && p->revents & WRITE_SET) || (p->events & EXCEPT_SET && p->revents & EXCEPT_SET);
}

/* poll() reports errors and hang-ups even where select() would sleep on: when there is nothing else these descriptors
 * are taken out, and the number of them is returned. */
static int quiet(struct pollfd *fds, size_t count)
{
    int taken = 0;

    for (size_t i = 0; i < count; i++) {
        if (fds[i].revents && shows(&fds[i]))
            return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!fds[i].revents)
            continue;
        fds[i].fd = -1;
        taken++;
    }
    return taken;
}

static int select_slowly(int n, fd_set *in, fd_set *out, fd_set *except, int64_t end, const sigset_t *mask)
{
    size_t count = sets_to_array(n, in, out, except, NULL);
    int entry_errno = errno;
    struct room fds;
    int result = room_make(&fds, count);

    if (result == 0) {
        sets_to_array(n, in, out, except, fds.array);
        do {
            result = wait_poll(fds.array, count, end, mask);
            result = result < 0 ? -errno : quiet(fds.array, count);
        } while (result > 0 && clock_ms() < end);
        if (result >= 0)
            result = array_to_sets(fds.array, count, n, in, out, except);
        room_free(&fds);
    }
    return (int)hook_return(entry_errno, result);
}

/* As Linux does: what is left of the time is written back. */
static struct timeval left_until(int64_t end)
{
    int64_t left = end - clock_ms();

    left = left < 0 ? 0 : left;
    return (struct timeval){ .tv_sec = (time_t)(left / 1000), .tv_usec = left % 1000 * 1000 };
}

/* glibc's takes 32 bits of them, in every program. */
static int64_t microseconds(int64_t us)
{
    return gnu_get_libc_version ? (int32_t)us : us;
}

/* Microseconds beyond a second are seconds, as of old. */
static int64_t end_after(int64_t s, int64_t us)
{
    return s > INT_MAX ? INT64_MAX : wait_end(s, us / 1000 + (us % 1000 != 0));
}

int select(int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout)
{
    bool idle = guard_idle();
    int64_t end = INT64_MAX;
    int result, bits = idle ? n : end_of_sets(n);

    if (idle || !select_concerns_us(bits, in, out, except) ||
        (timeout && (timeout->tv_sec < 0 || microseconds(timeout->tv_usec) < 0)))
        return real.select(n, in, out, except, timeout);
    if (timeout)
        end = end_after(timeout->tv_sec, microseconds(timeout->tv_usec));
    result = select_slowly(bits, in, out, except, end, NULL);
    if (timeout && end != INT64_MAX)
        *timeout = left_until(end);
    return result;
}

int pselect(int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout, const sigset_t *mask)
{
    bool idle = guard_idle();
    int bits = idle ? n : end_of_sets(n);

    if (idle || !select_concerns_us(bits, in, out, except) || !wait_is_time(timeout))
        return real.pselect(n, in, out, except, timeout, mask);
    return select_slowly(bits, in, out, except, wait_end_of(timeout), mask);
}

/* What 32-bit programs with 64-bit time call. */
int __select64(int n, fd_set *in, fd_set *out, fd_set *except, struct interval64 *timeout)
{
    int64_t end = INT64_MAX;
    bool idle = guard_idle();
    int result, bits;

    if (!HOOK_HAVE(__select64))
        return (int)hook_return(0, -ENOSYS);
    bits = idle ? n : end_of_sets(n);
    if (idle || !select_concerns_us(bits, in, out, except) ||
        (timeout && (timeout->s < 0 || microseconds(timeout->us) < 0)))
        return real.__select64(n, in, out, except, timeout);
    if (timeout)
        end = end_after(timeout->s, microseconds(timeout->us));
    result = select_slowly(bits, in, out, except, end, NULL);
    if (timeout && end != INT64_MAX) {
        struct timeval left = left_until(end);

        *timeout = (struct interval64){ left.tv_sec, left.tv_usec };
    }
    return result;
}

int __pselect64(int n, fd_set *in, fd_set *out, fd_set *except, const struct time64 *timeout, const sigset_t *mask)
{
    const struct timespec *t;
    struct timespec room;
    bool idle = guard_idle();
    int bits;

    if (!HOOK_HAVE(__pselect64))
        return (int)hook_return(0, -ENOSYS);
    bits = idle ? n : end_of_sets(n);
    if (idle || !select_concerns_us(bits, in, out, except))
        return real.__pselect64(n, in, out, except, timeout, mask);
    t = wait_narrow(timeout, &room);
    return wait_is_time(t) ? select_slowly(bits, in, out, except, wait_end_of(t), mask)
                           : real.__pselect64(n, in, out, except, timeout, mask);
}
