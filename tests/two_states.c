/* SPDX-License-Identifier: ISC */
/* two_states.c - two views of one state, as two processes would have them */
#include "two_states.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real.h"

struct state one, two;
char home[64], directory[80];

void must(bool holds, const char *what, unsigned i)
{
    if (!holds)
        ck_abort_msg("%s (%u)", what, i);
}

void states_setup(void)
{
    real_init();
    strcpy(home, "/tmp/check_state.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(home));
    snprintf(directory, sizeof directory, "%s/state", home);
}

static void remove_all(const char *path)
{
    char inside[512];
    struct dirent *e;
    DIR *d = opendir(path);

    while (d && (e = readdir(d))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        snprintf(inside, sizeof inside, "%s/%s", path, e->d_name);
        if (unlink(inside) != 0)
            remove_all(inside);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

void states_teardown(void)
{
    remove_all(home);
}

int open_state(struct state *s, const char *where)
{
    const struct state_options o = { .directory = where };

    if (s->own)
        munmap(s->own, sizeof *s->own);
    if (s->file.image)
        munmap(s->file.image, sizeof *s->file.image);
    memset(s, 0, sizeof *s);
    return state_open(s, &o);
}

void open_both(void)
{
    ck_assert_int_eq(open_state(&one, directory), 0);
    ck_assert_int_eq(open_state(&two, directory), 0);
    ck_assert_ptr_null(state_warning(&two));
}

const char *name_of(unsigned i)
{
    static _Thread_local char name[32];

    snprintf(name, sizeof name, "host%u.example", i);
    return name;
}

struct addr assign(struct state *s, unsigned i, int family)
{
    struct addr a = { .kind = ADDR_NONE };

    must(state_name_assign(s, name_of(i), family, &a) == 0, "assign", i);
    must(a.kind == (family == AF_INET ? ADDR_IPV4 : ADDR_IPV6) && a.port == 0, "kind", i);
    return a;
}

int find(struct state *s, const struct addr *a, unsigned i)
{
    struct addr back = { .kind = ADDR_NONE };
    int r = state_name_find(s, a, &back);

    if (r == 0)
        must(back.kind == ADDR_NAME && back.port == a->port && strcmp(back.name, name_of(i)) == 0, "wrong name", i);
    else
        must(back.kind == ADDR_NONE, "output touched", i);
    return r;
}

unsigned number_of(const struct addr *a)
{
    return (unsigned)a->ip[0] << 24 | (unsigned)a->ip[1] << 16 | (unsigned)a->ip[2] << 8 | a->ip[3];
}

bool is_private(const struct addr *a)
{
    return number_of(a) >> 16 == 0xc613;
}

bool is_shared(const struct addr *a)
{
    return number_of(a) >> 16 == 0xc612;
}

struct addr ip(const char *text)
{
    struct addr a;

    ck_assert_int_eq(addr_from_text(text, strlen(text), &a), 0);
    return a;
}

bool needs_root(void)
{
    if (geteuid() == 0)
        return true;
    fprintf(stderr, "skipped: not root\n");
    return false;
}

void in_child(void (*run)(void))
{
    int status;
    pid_t pid = fork();

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        run();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}
