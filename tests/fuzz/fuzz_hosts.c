/* SPDX-License-Identifier: ISC */
/* fuzz_hosts.c - any /etc/hosts: no byte beyond a buffer, and what is found is what a plain reading of the text finds
 *
 * Input: a name or an address, a NUL, the file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/hosts.h"
#include "io/real.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char blanks[] = " \t\r\v\f";

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Is this line, which is written into, the one?  By name, or when that is NULL by address. */
static bool line_is(char *line, const char *name, const struct addr *wanted, struct addr *a)
{
    char *rest = line + strspn(line, blanks), *word = strsep(&rest, blanks);
    bool named = false;

    if (strchr(word, '%') || addr_from_text(word, strlen(word), a) < 0 || (!name && !addr_same_host(a, wanted)))
        return false;
    while ((word = strsep(&rest, blanks))) {
        size_t len = strlen(word);

        if (len > 0 && (name ? strcasecmp(word, name) == 0 : len <= ADDR_NAME_MAX))
            named = true;
    }
    return named;
}

/* The first line of a family, or of any: ADDR_NONE.  Returns its number, or -1. */
static long find(const char *file, size_t size, const char *name, const struct addr *wanted, int family)
{
    char *line = malloc(size + 1);
    struct addr a;
    long number = 0;

    must(line != NULL);
    for (size_t at = 0; at < size; number++) {
        const char *end = memchr(file + at, '\n', size - at);
        size_t len = end ? (size_t)(end - file) - at : size - at;

        memcpy(line, file + at, len);
        line[len] = '\0';
        line[strcspn(line, "#")] = '\0';
        at += len + 1;
        if (line_is(line, name, wanted, &a) && (family == ADDR_NONE || a.kind == family)) {
            free(line);
            return number;
        }
    }
    free(line);
    return -1;
}

static void check(const struct hosts_line *line, const char *name, bool expected, int family)
{
    size_t i;

    must((line->address.kind != ADDR_NONE) == expected);
    if (!expected)
        return;
    must(family == ADDR_NONE || line->address.kind == family);
    must(line->address.port == 0 && line->count >= 1);
    for (i = 0; i < line->count; i++) {
        const char *p = hosts_name(line, i);

        must(p >= line->names && p < line->names + HOSTS_NAMES_SIZE);
        must(memchr(p, 0, (size_t)(line->names + HOSTS_NAMES_SIZE - p)) != NULL);
        must(strlen(p) >= 1 && strlen(p) <= ADDR_NAME_MAX && strpbrk(p, " \t\r\v\f\n#") == NULL);
        if (name && strcasecmp(p, name) == 0)
            return;
    }
    /* A name that found no room any more was found all the same. */
    must(!name || i > 1);
}

static void look(const char *path, const char *asked, const char *file, size_t size)
{
    struct hosts_line *ipv4 = malloc(sizeof *ipv4), *ipv6 = malloc(sizeof *ipv6);
    size_t len = strlen(asked);
    struct addr a;

    must(ipv4 && ipv6);
    if (len > 0 && len <= ADDR_NAME_MAX && !strpbrk(asked, " \t\r\v\f\n#")) {
        hosts_find_name(path, asked, ipv4, ipv6);
        check(ipv4, asked, find(file, size, asked, NULL, ADDR_IPV4) >= 0, ADDR_IPV4);
        check(ipv6, asked, find(file, size, asked, NULL, ADDR_IPV6) >= 0, ADDR_IPV6);
    }
    if (addr_from_text(asked, len, &a) == 0) {
        a.scope = 0;
        hosts_find_address(path, &a, ipv4);
        check(ipv4, NULL, find(file, size, NULL, &a, ADDR_NONE) >= 0, ADDR_NONE);
        must(ipv4->address.kind == ADDR_NONE || addr_same_host(&ipv4->address, &a));
    }
    free(ipv4);
    free(ipv6);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *nul = memchr(data, 0, size);
    size_t rest = nul ? size - (size_t)(nul + 1 - data) : 0;
    static int fd = -1;
    char path[40];

    if (!nul)
        return 0;
    if (fd < 0) {
        real_init();
        fd = memfd_create("hosts", MFD_CLOEXEC);
    }
    must(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, nul + 1, rest, 0) == (ssize_t)rest);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    look(path, (const char *)data, (const char *)nul + 1, rest);
    return 0;
}
