/* SPDX-License-Identifier: ISC */
/* carry.c - what must go along with every program that is started from here */
#include "carry.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program_elf.h"

enum { PATH_SIZE = 4096 };

/* In glibc alone. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

struct loaded {
    char path[PATH_SIZE];       /* absolute; empty: not known, or of no use */
    bool needs;                 /* the object wants a library, of the libc that it was built for */
};

static bool holds(const struct dl_phdr_info *info, const ElfW(Phdr) *p, uintptr_t address)
{
    uintptr_t start = (uintptr_t)(info->dlpi_addr + p->p_vaddr);

    return p->p_type == PT_LOAD && address >= start && address - start < p->p_memsz;
}

static bool needs_library(const struct dl_phdr_info *info, const ElfW(Phdr) *p)
{
    const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(uintptr_t)(info->dlpi_addr + p->p_vaddr);

    for (; entry->d_tag != DT_NULL; entry++)
        if (entry->d_tag == DT_NEEDED)
            return true;
    return false;
}

/* The loader keeps the name by which it found the object, which may be relative to where the program was started.
 * False when there is no path that LD_PRELOAD could hold. */
static bool absolute(char path[PATH_SIZE], const char *name)
{
    size_t len = 0;

    if (name[0] != '/') {
        if (!strchr(name, '/') || !getcwd(path, PATH_SIZE))
            return false;
        len = strlen(path);
        path[len++] = '/';
    }
    if (len + strlen(name) >= PATH_SIZE)
        return false;
    strcpy(path + len, name);
    return path[strcspn(path, ": ")] == '\0';
}

/* dl_iterate_phdr() is in libc itself since ever, dladdr() is not. */
static int visit(struct dl_phdr_info *info, size_t size, void *context)
{
    static const char here;
    struct loaded *l = context;
    bool ours = false;

    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++)
        ours = ours || holds(info, &info->dlpi_phdr[i], (uintptr_t)&here);
    if (!ours)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
            l->needs = needs_library(info, &info->dlpi_phdr[i]);
    if (!absolute(l->path, info->dlpi_name))
        l->path[0] = '\0';
    return 1;
}

/* In 32 bits the two libcs have calls of their own. */
static unsigned served(const struct loaded *l)
{
    if (!l->needs && sizeof(long) == sizeof(int64_t))
        return ELF_GLIBC | ELF_MUSL;
    return gnu_get_libc_version ? ELF_GLIBC : ELF_MUSL;
}

static void find_objects(struct carry *c, const struct loaded *l, const char *path, char *text)
{
    c->objects[0] = (struct program_object){ .target = program_own_target(), .libcs = served(l), .path = path };
    c->object_count = objects_complete(c->objects, text);
    for (size_t i = 0; i < c->object_count; i++)
        if (c->objects[i].path)
            c->paths[c->path_count++] = c->objects[i].path;
}

int carry_init(struct carry *c, char *const env[], const struct envlist_found *found)
{
    struct loaded l = { .path = "" };
    size_t list = envlist_size(env, found), path_size, size;
    char *memory;

    dl_iterate_phdr(visit, &l);
    path_size = strlen(l.path) + 1;
    size = list + path_size + (OBJECTS_MAX - 1) * (path_size + OBJECTS_NAME_SIZE);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    envlist_collect(&c->list, env, found, memory);
    strcpy(memory + list, l.path);
    find_objects(c, &l, l.path[0] ? memory + list : NULL, memory + list + path_size);
    mprotect(memory, size, PROT_READ);
    return 0;
}
