/* SPDX-License-Identifier: ISC */
/* elf_image.h - small ELF files made to order, by the numbers of the System V gABI */
#ifndef SOCKSIFY_TESTS_ELF_IMAGE_H
#define SOCKSIFY_TESTS_ELF_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ELF_IMAGE_SIZE = 8192,
    ELF_IMAGE_SEGMENTS = 64,        /* file offset of the segments' headers */
    ELF_IMAGE_NOTES = 768,
    ELF_IMAGE_DYNAMIC = 2048,
    ELF_IMAGE_SECTIONS = 3072,
    ELF_IMAGE_NAMES = 3200
};

struct elf_image {
    bool narrow;                    /* 32 bits instead of 64 */
    bool big;                       /* most significant byte first */
    bool fixed;                     /* ET_EXEC instead of ET_DYN */
    uint16_t machine;
    const char *interpreter;        /* NULL: no PT_INTERP */
    int needed;                     /* place of DT_NEEDED among the dynamic entries, from 1; 0: none; -1: no section */
    bool go_note;                   /* behind a GNU note */
    const char *section;            /* name of a section, after ballast others; NULL: no sections */
    unsigned ballast;               /* bytes of other names */
};

/* Fill p, ELF_IMAGE_SIZE bytes. */
void elf_image_make(const struct elf_image *e, uint8_t *p);

#endif
