/* SPDX-License-Identifier: ISC */
/* fuzz_udp_header.c - any datagram: no over-read, a result that the bytes bear out, a way back */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "udp_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* A heap block of the exact length, so that AddressSanitizer sees one byte too many. */
static int get_exact(const uint8_t *data, size_t len, struct addr *source)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    int rc;

    must(copy != NULL);
    memcpy(copy, data, len);
    rc = udp_header_get(len > 0 ? copy : copy + 1, len, source);
    free(copy);
    return rc;
}

static void check_good(const uint8_t *data, size_t offset, const struct addr *source)
{
    uint8_t out[UDP_HEADER_MAX];
    struct addr again;
    size_t len;

    must(source->kind == ADDR_IPV4 || source->kind == ADDR_IPV6 || source->kind == ADDR_NAME);
    must(memchr(source->name, 0, sizeof(source->name)) != NULL || source->kind != ADDR_NAME);
    for (size_t cut = 0; cut < offset; cut++)
        must(get_exact(data, cut, &again) == -EAGAIN);
    len = udp_header_put(source, out);
    must(len <= offset);        /* a mapped address comes back as IPv4 */
    must(len < offset ? source->kind == ADDR_IPV4 : memcmp(out, data, len) == 0);
    must(udp_header_get(out, len, &again) == (int)len && addr_equal(source, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct addr source, before;
    char text[ADDR_TEXT_SIZE];
    int rc;

    memset(&before, 0xa5, sizeof(before));
    memcpy(&source, &before, sizeof(source));
    rc = get_exact(data, size, &source);
    if (rc < 0) {
        must(rc == -EAGAIN || rc == -EPROTO || rc == -EOPNOTSUPP);
        must(rc != -EAGAIN || size < UDP_HEADER_MAX);
        must(memcmp(&source, &before, sizeof(source)) == 0);
        return 0;
    }
    must((size_t)rc <= size && rc <= UDP_HEADER_MAX);
    check_good(data, (size_t)rc, &source);
    must(addr_format(&source, text, sizeof(text)) < sizeof(text));
    for (const char *p = text; *p != '\0'; p++)
        must(*p >= 0x20 && *p <= 0x7e);
    return 0;
}
