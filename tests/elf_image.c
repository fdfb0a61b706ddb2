/* SPDX-License-Identifier: ISC */
/* elf_image.c - small ELF files made to order */
#include "elf_image.h"

#include <string.h>

struct pen {
    const struct elf_image *e;
    uint8_t *p;
};

static void number(struct pen *w, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        w->p[i] = (uint8_t)(value >> 8 * (w->e->big ? size - 1 - i : i));
    w->p += size;
}

/* A field that is as wide as an address. */
static void word(struct pen *w, uint64_t value)
{
    number(w, value, w->e->narrow ? 4 : 8);
}

static void header(const struct elf_image *e, uint8_t *p, unsigned segments)
{
    struct pen w = { e, p + 16 };

    memcpy(p, "\177ELF", 4);
    p[4] = e->narrow ? 1 : 2;
    p[5] = e->big ? 2 : 1;
    p[6] = 1;
    number(&w, e->fixed ? 2 : 3, 2);
    number(&w, e->machine, 2);
    number(&w, 1, 4);
    word(&w, 0);
    word(&w, ELF_IMAGE_SEGMENTS);
    word(&w, e->section ? ELF_IMAGE_SECTIONS : 0);
    number(&w, 0, 4);
    number(&w, e->narrow ? 52 : 64, 2);
    number(&w, e->narrow ? 32 : 56, 2);
    number(&w, segments, 2);
    number(&w, e->narrow ? 40 : 64, 2);
    number(&w, e->section ? 2 : 0, 2);
    number(&w, e->section ? 1 : 0, 2);
}

static void segment(struct pen *w, uint32_t type, uint64_t offset, uint64_t size, uint64_t align)
{
    number(w, type, 4);
    if (!w->e->narrow)
        number(w, 4, 4);
    word(w, offset);
    word(w, offset);
    word(w, offset);
    word(w, size);
    word(w, size);
    if (w->e->narrow)
        number(w, 4, 4);
    word(w, align);
}

static void note(struct pen *w, const char *name, uint32_t type, unsigned size)
{
    number(w, 4, 4);
    number(w, size, 4);
    number(w, type, 4);
    memcpy(w->p, name, 4);
    w->p += 4 + (size + 3) / 4 * 4;
}

static void dynamic(const struct elf_image *e, uint8_t *p)
{
    struct pen w = { e, p };

    for (int i = 1; i < 40; i++) {
        word(&w, i == e->needed ? 1 : 24);
        word(&w, 0);
    }
}

/* The null section and that of the names. */
static void sections(const struct elf_image *e, uint8_t *p)
{
    struct pen w = { e, p + ELF_IMAGE_SECTIONS + (e->narrow ? 40 : 64) };
    size_t size = e->ballast + strlen(e->section) + 2;

    number(&w, 1, 4);
    number(&w, 3, 4);
    word(&w, 0);
    word(&w, 0);
    word(&w, ELF_IMAGE_NAMES);
    word(&w, size);
    memset(p + ELF_IMAGE_NAMES, 'x', size);
    memcpy(p + ELF_IMAGE_NAMES + 1 + e->ballast, e->section, strlen(e->section) + 1);
}

void elf_image_make(const struct elf_image *e, uint8_t *p)
{
    struct pen segments = { e, p + ELF_IMAGE_SEGMENTS }, notes = { e, p + ELF_IMAGE_NOTES };
    unsigned count = 2;

    memset(p, 0, ELF_IMAGE_SIZE);
    segment(&segments, 1, 0, ELF_IMAGE_SIZE, 4096);
    if (e->interpreter) {
        memcpy(p + 1024, e->interpreter, strlen(e->interpreter) + 1);
        segment(&segments, 3, 1024, strlen(e->interpreter) + 1, 1);
        count++;
    }
    if (e->needed >= 0) {
        dynamic(e, p + ELF_IMAGE_DYNAMIC);
        segment(&segments, 2, ELF_IMAGE_DYNAMIC, 40 * (e->narrow ? 8 : 16), 8);
        count++;
    }
    note(&notes, "GNU", 3, 19);
    if (e->go_note)
        note(&notes, "Go\0", 4, 83);
    segment(&segments, 4, ELF_IMAGE_NOTES, (uint64_t)(notes.p - p - ELF_IMAGE_NOTES), 4);
    header(e, p, count);
    if (e->section)
        sections(e, p);
}
