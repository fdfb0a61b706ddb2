/* SPDX-License-Identifier: ISC */
/* fuzz_resolvers.c - any /etc/resolv.conf: a list that ends, of addresses, which written down again reads the same
 *
 * Input: the file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/real.h"
#include "io/resolvers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void read_bytes(struct resolvers *r, const void *bytes, size_t len)
{
    static int fd = -1;
    char path[40];

    if (fd < 0) {
        real_init();
        fd = memfd_create("resolv.conf", MFD_CLOEXEC);
    }
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, bytes, len, 0) == (ssize_t)len);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(r, 0xa5, sizeof *r);
    resolvers_read(r, path);
}

static size_t count(const struct resolvers *r)
{
    size_t n = 0;

    while (n < RESOLVERS_MAX && r->server[n].kind != ADDR_NONE)
        n++;
    return n;
}

/* True if the text has the word at the beginning of so many lines at least. */
static bool has_lines(const uint8_t *data, size_t size, size_t n)
{
    static const char word[] = "nameserver";
    size_t len = sizeof word - 1, at = 0;

    while (n > 0 && size - at > len) {
        const uint8_t *end = memchr(data + at, '\n', size - at);

        n -= memcmp(data + at, word, len) == 0;
        if (!end)
            break;
        at = (size_t)(end + 1 - data);
    }
    return n == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct resolvers *r = malloc(sizeof *r), *again = malloc(sizeof *again);
    char text[RESOLVERS_MAX * (ADDR_TEXT_SIZE + 20)], address[ADDR_TEXT_SIZE];
    size_t n, len = 0;

    must(r && again);
    read_bytes(r, data, size);
    n = count(r);
    must(has_lines(data, size, n));
    for (size_t i = 0; i < n; i++) {
        struct addr a = r->server[i];

        must((a.kind == ADDR_IPV4 || a.kind == ADDR_IPV6) && a.port == 0 && a.scope == 0);
        a.port = 53;
        must(resolvers_has(r, &a));
        a.port = 54;
        must(!resolvers_has(r, &a));
        addr_format_host(&r->server[i], address, sizeof address);
        len += (size_t)snprintf(text + len, sizeof text - len, "nameserver %s\n", address);
    }
    read_bytes(again, text, len);
    must(count(again) == n);
    for (size_t i = 0; i < n; i++)
        must(addr_equal(&r->server[i], &again->server[i]));
    free(again);
    free(r);
    return 0;
}
