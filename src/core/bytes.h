/* SPDX-License-Identifier: ISC */
/* bytes.h - big-endian integers in byte strings (RFC 1928 section 3: network octet order) */
#ifndef SOCKSIFY_CORE_BYTES_H
#define SOCKSIFY_CORE_BYTES_H

#include <stdint.h>

/* Read a 16-bit integer, most significant byte first.  p: two readable bytes, any alignment. */
static inline uint16_t bytes_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

/* Read a 32-bit integer, most significant byte first.  p: four readable bytes, any alignment. */
static inline uint32_t bytes_get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Write a 16-bit integer, most significant byte first; returns the byte after it. */
static inline uint8_t *bytes_put16(uint8_t *p, uint16_t value)
{
    p[0] = (uint8_t)(value >> 8);
    p[1] = (uint8_t)value;
    return p + 2;
}

/* Write a 32-bit integer, most significant byte first; returns the byte after it. */
static inline uint8_t *bytes_put32(uint8_t *p, uint32_t value)
{
    return bytes_put16(bytes_put16(p, (uint16_t)(value >> 16)), (uint16_t)value);
}

#endif
