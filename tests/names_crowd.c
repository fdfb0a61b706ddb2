/* SPDX-License-Identifier: ISC */
/* names_crowd.c - many names, in one process and in many at once, and while the state file is damaged
 *
 * names_crowd many NAMES | crowd PROCESSES NAMES | damage PROCESSES FILE.  Prints what it found; exit status 1 when
 * anything is not as it should be.
 */
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MAX = 64, NAMES_MAX = 20000, NAME_SIZE = 64, BLOWS = 30000, ROUND = 200, GROWTH_MAX = 512 };

/* The sanitizers' own memory grows with what they have seen. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { GROWTH_LOOKED_AT = false };
#else
enum { GROWTH_LOOKED_AT = true };
#endif

/* What the processes tell each other; an address is 0 until somebody has it. */
static struct shared {
    atomic_bool stop;
    atomic_long growth;                 /* the most KiB of memory that one of them came to need */
    atomic_uint common[NAMES_MAX];
    atomic_uint own[PROCESSES_MAX][NAMES_MAX];
} *shared;

static int faults;

static void fault(const char *what, const char *name)
{
    if (faults++ < 10)
        printf("%s: %s\n", what, name);
}

/* Returns an address in host order, 0 when there is none. */
static uint32_t address_of(const char *name)
{
    const struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list;
    uint32_t address;

    if (getaddrinfo(name, NULL, &hints, &list) != 0)
        return 0;
    address = ntohl(((const struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(list);
    return address;
}

/* Returns what getnameinfo() does. */
static int name_of(uint32_t address, char name[NAME_SIZE])
{
    const struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(address) } };

    return getnameinfo((const struct sockaddr *)&sa, sizeof sa, name, NAME_SIZE, NULL, 0, NI_NAMEREQD);
}

static void own_name(char name[NAME_SIZE], unsigned process, unsigned i)
{
    snprintf(name, NAME_SIZE, "n%u.p%u.test", i, process);
}

static void common_name(char name[NAME_SIZE], unsigned i)
{
    snprintf(name, NAME_SIZE, "n%u.common.test", i);
}

/* KiB of memory of this process' own. */
static long memory_used(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[200];
    long used = -1;

    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "RssAnon: %ld", &used) == 1)
            break;
    }
    if (f)
        fclose(f);
    return used;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void must_differ(uint32_t *address, unsigned count)
{
    qsort(address, count, sizeof *address, compare);
    for (unsigned i = 1; i < count; i++) {
        if (address[i] == address[i - 1])
            fault("two names", "one address");
    }
}

static void must_lead_back(uint32_t address, const char *name)
{
    char back[NAME_SIZE];

    if (name_of(address, back) != 0)
        fault("lost", name);
    else if (strcmp(back, name) != 0)
        fault(back, name);
}

static void many(unsigned names)
{
    static uint32_t address[NAMES_MAX];
    char name[NAME_SIZE];
    long before, growth;

    address_of("first.test");
    before = memory_used();
    for (unsigned i = 0; i < names; i++) {
        own_name(name, 0, i);
        address[i] = address_of(name);
        if (!address[i])
            fault("no address", name);
    }
    for (unsigned i = 0; i < names; i++) {
        own_name(name, 0, i);
        must_lead_back(address[i], name);
        if (address_of(name) != address[i])
            fault("another address", name);
    }
    growth = memory_used() - before;
    must_differ(address, names);
    fprintf(stderr, "%u names: %ld KiB of memory more\n", names, growth);
    if (GROWTH_LOOKED_AT && growth > GROWTH_MAX)
        fault("too much", "memory");
}

static void note_growth(long growth)
{
    long most = atomic_load(&shared->growth);

    while (growth > most && !atomic_compare_exchange_weak(&shared->growth, &most, growth))
        ;
}

/* Half of the names are everybody's. */
static int visit(unsigned me, unsigned names)
{
    char name[NAME_SIZE];
    long before;

    address_of("first.test");
    before = memory_used();
    for (unsigned i = 0; i < names / 2; i++) {
        unsigned nobody = 0, address;

        common_name(name, i);
        address = address_of(name);
        if (!address || (!atomic_compare_exchange_strong(&shared->common[i], &nobody, address) && nobody != address))
            return 1;
        own_name(name, me, i);
        shared->own[me][i] = address_of(name);
    }
    note_growth(memory_used() - before);
    return 0;
}

static void end_all(unsigned processes)
{
    int status;

    for (unsigned p = 0; p < processes; p++) {
        if (wait(&status) < 0 || status != 0)
            fault("a process", WIFSIGNALED(status) ? "crashed" : "found something wrong");
    }
}

static void crowd(unsigned processes, unsigned names)
{
    uint32_t *all = calloc((processes + 1) * (size_t)(names / 2), sizeof *all);
    char name[NAME_SIZE];
    unsigned count = 0;

    for (unsigned p = 0; p < processes; p++) {
        if (fork() == 0)
            _exit(visit(p, names));
    }
    end_all(processes);
    for (unsigned i = 0; all && i < names / 2; i++) {
        common_name(name, i);
        all[count++] = shared->common[i];
        must_lead_back(shared->common[i], name);
        for (unsigned p = 0; p < processes; p++) {
            own_name(name, p, i);
            all[count++] = shared->own[p][i];
            must_lead_back(shared->own[p][i], name);
        }
    }
    must_differ(all, count);
    free(all);
    fprintf(stderr, "%u processes, %u names each: %ld KiB of memory more in one at most\n", processes, names,
            atomic_load(&shared->growth));
    if (GROWTH_LOOKED_AT && atomic_load(&shared->growth) > GROWTH_MAX)
        fault("too much", "memory");
    printf("%u names of %u processes\n", count, processes);
}

/* A name may get another address when its entry was hit; no address may stand for another name. */
static int endure(unsigned me)
{
    char name[NAME_SIZE], back[NAME_SIZE];

    for (unsigned n = 0; n < ROUND || !atomic_load(&shared->stop); n++) {
        uint32_t address;

        own_name(name, me, n % ROUND);
        address = address_of(name);
        if (!address)
            return 1;
        if (name_of(address, back) == 0 && strcmp(back, name) != 0)
            return 2;
    }
    return 0;
}

static void damage(unsigned processes, const char *path)
{
    int fd = open(path, O_RDWR);
    struct stat st;
    uint32_t x = 4711;

    if (fd < 0 || fstat(fd, &st) != 0) {
        fault("cannot open", path);
        return;
    }
    for (unsigned p = 0; p < processes; p++) {
        if (fork() == 0)
            _exit(endure(p));
    }
    for (unsigned i = 0; i < BLOWS; i++) {
        unsigned char byte;

        x = x * 1664525 + 1013904223;
        byte = (unsigned char)(x >> 24);
        x = x * 1664525 + 1013904223;
        if (pwrite(fd, &byte, 1, (off_t)(x % (uint64_t)st.st_size)) != 1)
            fault("cannot write", path);
    }
    atomic_store(&shared->stop, true);
    end_all(processes);
    close(fd);
    printf("%d bytes of damage\n", BLOWS);
}

static unsigned number(const char *text, unsigned max)
{
    unsigned long value = strtoul(text, NULL, 10);

    return value > 0 && value <= max ? (unsigned)value : max;
}

int main(int argc, char **argv)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    if (argc == 3 && strcmp(argv[1], "many") == 0)
        many(number(argv[2], NAMES_MAX));
    else if (argc == 4 && strcmp(argv[1], "crowd") == 0)
        crowd(number(argv[2], PROCESSES_MAX), number(argv[3], NAMES_MAX));
    else if (argc == 4 && strcmp(argv[1], "damage") == 0)
        damage(number(argv[2], PROCESSES_MAX), argv[3]);
    else
        return 2;
    return faults || fflush(stdout) != 0;
}
