/* SPDX-License-Identifier: ISC */
/* program.h - will a program that is about to be started carry our object?
 *
 * The file is opened and read, never run; a script is followed through its interpreters as the kernel does, and
 * `env NAME` to the program of that name.  What an answer says holds for the file as it was when it was read.
 * Everything here is async-signal-safe, keeps no descriptor open, may be used in the child of a vfork, and needs about
 * two KiB of stack.  errno may change.
 */
#ifndef SOCKSIFY_IO_PROGRAM_H
#define SOCKSIFY_IO_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "../core/elf.h"

/* An object that can be preloaded.  One without DT_NEEDED serves the programs of both libcs of its target. */
struct program_object {
    struct elf_target target;
    unsigned libcs;             /* enum elf_libc bits */
    const char *path;           /* absolute; NULL: not known */
};

struct program_objects {
    const struct program_object *table;
    size_t count;
};

enum program_reason {
    PROGRAM_CARRIED,            /* a dynamic program that one of the objects fits */
    PROGRAM_UNKNOWN,            /* no file, or no format known here: the kernel will say */
    PROGRAM_STATIC,             /* this one and those below bypass every object */
    PROGRAM_STATIC_PIE,
    PROGRAM_GO,
    PROGRAM_NO_LIBRARY,
    PROGRAM_FOREIGN,
    PROGRAM_SETID,
    PROGRAM_CAPABILITIES,
    PROGRAM_UNREADABLE
};

enum { PROGRAM_CULPRIT_SIZE = 512 };

struct program_query {
    int dir;                    /* AT_FDCWD, a directory, or, when path is empty, the program itself */
    const char *path;           /* NUL-terminated */
    bool nofollow;              /* a symbolic link at the end of path is not followed */
    char *const *argv;          /* ends with NULL; may be NULL */
    const char *search;         /* value of the PATH that `env NAME` will search; NULL: libc's default */
    struct program_objects objects;
};

struct program_finding {
    enum program_reason reason;
    const struct program_object *object;    /* the one that fits, when PROGRAM_CARRIED; NULL otherwise */
    char culprit[PROGRAM_CULPRIT_SIZE];     /* the interpreter, or what it starts, that reason is about; empty: path */
};

/* Judge a program.  Never fails: what cannot be looked at is PROGRAM_UNKNOWN when the kernel will not run it either,
 * otherwise PROGRAM_UNREADABLE. */
void program_judge(const struct program_query *q, struct program_finding *out);

/* True for the reasons that mean bypass. */
bool program_bypasses(enum program_reason reason);

/* The reason as the end of a sentence that begins with the program's name: "is statically linked". */
const char *program_phrase(enum program_reason reason);

/* Where execvp() searches.  path: value of PATH, or NULL.  Returns path, or in place of NULL this libc's default. */
const char *program_search(const char *path);

/* True if the file that execvp() would run depends on the present directory.  Parameters as program_find(). */
bool program_is_relative(const char *name, const char *search);

/* True if the effective ids are not the real ones: exec goes by those, faccessat() by these. */
bool program_ids_differ(void);

/* Is this path a file that may be executed?  Where the ids differ any that somebody may is taken for one.
 * Returns 0; -EACCES when it is none or may not be; other negative errno of statx(). */
int program_try(const char *path);

/* Bytes of buf that the two functions below can make use of; PATH_MAX at most.  search: as for program_find(). */
size_t program_room(const char *name, const char *search);

/* Write the next file that name may mean: execvp() tries them in turn.
 * rest: what is left of PATH, NULL after the last element.  name: without slash.  buf: size bytes.  An element that
 * does not fit is passed over.  Returns false when there was none left (buf is undefined then). */
bool program_candidate(const char **rest, const char *name, char *buf, size_t size);

/* Find the program that execvp() would run, by the permissions of the real user.
 * name: with a slash it is the path.  search: value of PATH; NULL: libc's default.  buf: size bytes, which get the
 * path, NUL-terminated.
 * Returns 0; -ENOENT; -EACCES if there are only files that may not be executed; -ENAMETOOLONG (buf is undefined). */
int program_find(const char *name, const char *search, char *buf, size_t size);

#endif
