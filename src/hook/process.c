/* SPDX-License-Identifier: ISC */
/* process.c - the one state of this process: start-up, configuration, environment */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../core/frame.h"
#include "../io/conf_load.h"
#include "../io/file.h"
#include "../io/lock.h"
#include "../io/log.h"
#include "../io/program.h"
#include "../io/program_self.h"
#include "../io/real.h"
#include "../io/resolve.h"
#include "../io/signals.h"
#include "datagram.h"
#include "guard.h"

enum { PHASE_NEW, PHASE_BUSY, PHASE_DONE };
enum { CANNOT_EXECUTE = 126 };      /* the launcher's status for the same */

struct process process;

static _Thread_local struct process_call *inside;

typedef void fork_handler(void);

/* In glibc alone. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

int __register_atfork(fork_handler *before, fork_handler *parent, fork_handler *child, void *object)
    __attribute__((weak));
int pthread_atfork(fork_handler *before, fork_handler *parent, fork_handler *child) __attribute__((weak));

/* Set before fork() in this thread, taken by the handlers after it. */
static _Thread_local struct {
    struct lock_hold hold, assoc_hold;
    bool held, assoc_held;
} forking;

static void fork_before(void)
{
    guard_share();
    atomic_store_explicit(&process.forked, true, memory_order_relaxed);
    forking.held = pending_fork_before(&process.pending, &forking.hold);
    forking.assoc_held = assoc_fork_before(&process.assoc, &forking.assoc_hold);
}

static void fork_parent(void)
{
    if (forking.assoc_held)
        assoc_fork_parent(&process.assoc, &forking.assoc_hold);
    if (forking.held)
        pending_fork_parent(&process.pending, &forking.hold);
}

static void fork_child(void)
{
    state_after_fork(&process.state);
    tally_clear(&process.tally);
    process.pending.pid = getpid();
    /* The first of a PID namespace, after unshare() or setns(): its parent is out of sight. */
    if (getppid() == 0)
        process.pending.space = file_namespace("pid");
    assoc_fork_child(&process.assoc, forking.assoc_held ? &forking.assoc_hold : NULL);
    if (forking.held)
        pending_fork_child(&process.pending, &forking.hold);
}

/* glibc has __register_atfork() alone as a symbol to link with, musl pthread_atfork(). */
static void register_fork_handlers(void)
{
    if (__register_atfork)
        __register_atfork(fork_before, fork_parent, fork_child, NULL);
    else if (pthread_atfork)
        pthread_atfork(fork_before, fork_parent, fork_child);
}

static void start_ready(void)
{
    struct state_options options = { .directory = secure_getenv("SOCKSIFY_STATE"),
                                     .pools = &process.conf.pools };

    for (unsigned i = 0; i < process.conf.proxy_count; i++) {
        struct addr given[UPSTREAM_ADDRESSES] = { process.conf.proxies[i].address };

        if (given[0].kind != ADDR_NAME)
            upstream_set(&process.proxies.of[i], given);
    }
    /* First, where a limit leaves no room for everything: it is the smaller part. */
    pending_open(&process.pending, &process.state);
    if (state_open(&process.state, &options) != 0)
        log_once(LOG_STATE, "names are kept in this process and its forked children alone: %s",
                 state_warning(&process.state));
    assoc_open(&process.assoc, process.pending.space, &process.state);
    if (process.conf.bind == CONF_BIND_ON)
        process_gate(GATE_BIND);
    resolvers_read(&process.resolvers, "/etc/resolv.conf");
    datagram_adopt_inherited();
}

/* Who preloads by other means than ours has had no program judged.  This one goes past every hook. */
static void refuse_go(void)
{
    const char *path = (const char *)getauxval(AT_EXECFN);    /* NOLINT(performance-no-int-to-ptr) */

    if (process.conf.bypass == CONF_BYPASS_ALLOW || !program_is_go())
        return;
    log_line(CONF_LOG_WARN, "%s refused: it %s; SOCKSIFY_BYPASS=allow runs it without the proxy",
             path ? path : "program", program_phrase(PROGRAM_GO));
    real._exit(CANNOT_EXECUTE);
}

static void start(void)
{
    struct envlist_found found = { .state = NULL };

    real_init();
    conf_load(&process.conf, secure_getenv);
    log_init(process.conf.log_level, process.conf.log_path);
    if (process.conf.state == CONF_NONE)
        return;
    refuse_go();
    process.pending.pid = getpid();
    process.pending.tally = &process.tally;
    process.assoc.tally = process.conf.stats ? &process.tally : NULL;
    register_fork_handlers();
    if (process.conf.state == CONF_READY)
        start_ready();
    /* A broken configuration is carried on as well: its children must fail as it does. */
    found.conf = process.conf.file;
    if (process.conf.state == CONF_READY)
        found.state = state_directory(&process.state);
    carry_init(&process.carry, environ, &found);
}

void process_start(void)
{
    static _Thread_local bool starting;
    int saved_errno = errno;
    unsigned phase = PHASE_NEW;
    sigset_t kept;

    /* What start-up calls may be another library's (clock_gettime, malloc), which calls our hooks in turn: they act on
     * what stands, and let nothing out yet. */
    if (starting && real.syscall)
        return;
    starting = true;
    /* A handler that ran in the middle of start-up and came here would wait for itself. */
    signals_block(&kept);
    if (atomic_compare_exchange_strong(&process.phase, &phase, PHASE_BUSY)) {
        start();
        atomic_store(&process.phase, PHASE_DONE);
        atomic_fetch_or(&process.gate, GATE_WARM);
    }
    while (atomic_load(&process.phase) != PHASE_DONE)
        sched_yield();
    signals_restore(&kept);
    starting = false;
    errno = saved_errno;
}

__attribute__((constructor)) static void construct(void)
{
    if (atomic_load(&process.phase) != PHASE_DONE)
        process_start();
}

/* After those without a number, which send what was queued. */
__attribute__((destructor(101))) static void summarize(void)
{
    if (process.conf.stats && !process_is_guest())
        tally_write(&process.tally);
}

bool process_is_guest(void)
{
    return process.pending.pid && getpid() != process.pending.pid;
}

void process_gate(enum gate bit)
{
    if (!(atomic_load_explicit(&process.gate, memory_order_relaxed) & bit))
        atomic_fetch_or_explicit(&process.gate, bit, memory_order_relaxed);
}

bool process_inside(void)
{
    return inside != NULL;
}

bool process_leaves_names(void)
{
    return process_inside() || !resolve_wanted(&process.conf);
}

static void abandon(void *call)
{
    inside = ((struct process_call *)call)->outer;
}

/* What asks is a module of glibc's name service switch.  musl has none; nor does it tell us of a longjmp(). */
void process_enter(struct process_call *call)
{
    if (!gnu_get_libc_version)
        return;
    call->outer = inside;
    cleanup_begin(&call->cleanup, abandon, call);
    inside = call;
}

void process_leave(struct process_call *call)
{
    if (!gnu_get_libc_version)
        return;
    inside = call->outer;
    cleanup_end(&call->cleanup);
}

static void keep_first(struct addr found[UPSTREAM_ADDRESSES], const struct addrinfo *list, uint16_t port)
{
    int count = 0;

    for (; list && count < UPSTREAM_ADDRESSES; list = list->ai_next) {
        struct addr a;

        if (addr_from_sockaddr(list->ai_addr, list->ai_addrlen, &a) != 0 ||
            (count == 1 && found[0].kind == a.kind))
            continue;
        a.port = port;
        found[count++] = a;
    }
}

static void resolve(const struct addr *proxy, struct addr found[UPSTREAM_ADDRESSES])
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
    struct process_call call;

    process_enter(&call);
    if (real.getaddrinfo(proxy->name, NULL, &hints, &list) == 0) {
        keep_first(found, list, proxy->port);
        real.freeaddrinfo(list);
    }
    process_leave(&call);
}

OWN_FRAME static int resolve_proxy(unsigned which, int domain, struct addr *out)
{
    struct addr found[UPSTREAM_ADDRESSES] = { { .kind = ADDR_NONE } };

    resolve(&process.conf.proxies[which].address, found);
    upstream_set(&process.proxies.of[which], found);
    return upstream_choose(found, domain, out);
}

int process_proxy(unsigned which, int domain, struct addr *out)
{
    const struct upstream *known = &process.proxies.of[which];

    return upstream_known(known) ? upstream_choose(known->address, domain, out) : resolve_proxy(which, domain, out);
}
