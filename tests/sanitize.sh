#!/bin/sh
# SPDX-License-Identifier: ISC
# The preload tests once more, with all of the object's sources and the test program linked into one instrumented
# program: of an object that is not instrumented a sanitizer sees nothing.  Run by `make check-sanitized`.
#   sanitize.sh SANITIZER...    address (with undefined), thread
# TESTS, a list, limits it to these.
set -u

: "${srcdir:=.}" "${top_srcdir:=..}" "${CC:=cc}" "${COUNT:=600}" "${DL_LIBS:=}" "${TESTS:=}"
: "${jobs:=$(nproc 2>/dev/null || echo 1)}"
LINKED=yes
export CC srcdir COUNT LINKED
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
failed=0

fault()
{
    echo "FAILED: $*"
    failed=1
}

# In these the object is not in the program that is looked at, or not as it is here.
left_out()
{
    cat <<EOT
preload_arch.sh       an object of another kind: how the loader chooses it
preload_calls.sh      an object behind ours and one that is opened later: which of them the loader finds
preload_exec.sh       what exec hands on, which is the object
preload_identity.sh   each of its probes starts another program, which is to have the object as well
preload_kills.sh      processes that are killed, which a sanitizer's start makes too slow to be hit where they should be
preload_limits.sh     RLIMIT_AS, of which a sanitizer needs more than there is memory
preload_loop_programs.sh, preload_questions.sh, preload_questions_tcp.sh, preload_udp_loops.sh   programs of others
preload_security.sh   threads, which a sanitizer has of its own, and an object whose file is taken away
preload_start.sh      in which order the loader starts objects
preload_strain.sh     how much of a stack the object needs, and what it leaves in one
preload_sysfaults.sh  an object behind ours whose calls fail
EOT
}

# What runs under ASan and UBSan, and what of it has threads or processes that meet: under TSan.  (preload_names.sh has
# libc start threads, of which TSan is not told.)
tests()
{
    echo preload_loop.sh preload_loop_life.sh preload_udp_wait.sh preload_chaos.sh preload_udp.sh \
        preload_udp_faults.sh preload_udp_odd.sh preload_bind.sh preload_faults.sh preload_storm.sh preload_load.sh \
        preload_signals.sh preload_life.sh preload_crowd.sh
    [ "$1" = thread ] ||
        echo preload_conf.sh preload_connect.sh preload_differential.sh preload_errors.sh preload_fastopen.sh \
            preload_fds.sh preload_kinds.sh preload_log.sh preload_names.sh preload_pipeline.sh preload_udp_via.sh
}

# Sub-commands that are not run.  Without an object there is none that exec could hand on.  ASan cannot follow the
# unwinding of a cancelled thread, and takes what it leaves behind for a fault; both look at the arrays that are wrong;
# 10,000 connections of 500 processes are beyond TSan's speed, and its memory grows with what it has seen.
execs='execs handed starts-beside exec-closing exec-beside killed killed-held activate'
execs="$execs vfork-hands exec-leaves"
unfit()
{
    case $1 in
    address) echo "$execs vforks bad-pointers odd-pointers odd-waits cancelled udp-vfork udp-exits udp-cancels" ;;
    *) echo "$execs vforks bad-pointers come-and-go many udp-vfork udp-exits" ;;
    esac
}

# Each test is named above, once.
every_test()
{
    { tests address | tr ' ' '\n'; left_out | grep -o 'preload_[a-z_]*\.sh'; } | sort >"$work/named"
    (cd "$srcdir" && ls preload_*.sh) | sort | diff "$work/named" - >"$work/differ" ||
        fault "not the tests that are there: $(grep '^[<>]' "$work/differ" | tr '\n' ' ')"
}

# What UBSan finds, in whichever process, is noted beside what the others find.  The object's syscall() takes all six
# arguments.
write_note()
{
    cat >"$work/note.c" <<'EOT'
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>
void __ubsan_get_current_report_data(const char **, const char **, const char **, unsigned *, unsigned *, char **);
void __ubsan_on_report(void)
{
    const char *kind, *message, *file;
    unsigned line, column;
    char *memory, text[512];
    const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    int n, fd = (int)syscall(SYS_openat, AT_FDCWD, FOUND ".undefined", flags, 0666, 0, 0);

    __ubsan_get_current_report_data(&kind, &message, &file, &line, &column, &memory);
    n = snprintf(text, sizeof text, "ERROR: %s:%u:%u: %s: %s\n", file, line, column, kind, message);
    syscall(SYS_write, fd, text, (size_t)n, 0, 0, 0);
    syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}
EOT
    cat >"$work/wrong.c" <<'EOT'
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
static int shared;
static void *count(void *most)
{
    for (int i = 0; i < 1000; i++)
        shared += *(int *)most;
    return NULL;
}
int main(int argc, char **argv)
{
    char *bytes = malloc(8);
    int most = INT_MAX;
    pthread_t thread;

    (void)argv;
    pthread_create(&thread, NULL, count, &most);
    count(&most);
    pthread_join(thread, NULL);
    return bytes[7 + argc];
}
EOT
}

compile()
{
    $CC -std=gnu11 -D_GNU_SOURCE '-DSYSCONFDIR="/nonexistent"' -U_FORTIFY_SOURCE -O1 -g -fno-omit-frame-pointer \
        "-fsanitize=$flags" "$@"
}

# In two rings there are files of one name.  The sanitizer's own start calls dlsym() before instrumented code can run.
compile_object()
{
    rm -f "$work"/*.o
    write_note
    if [ "$sanitizer" = address ]; then
        compile "-DFOUND=\"$found\"" -c "$work/note.c" -o "$work/note.o" || return 1
    fi
    export flags work
    # shellcheck disable=SC2016
    find "$top_srcdir/src/core" "$top_srcdir/src/io" "$top_srcdir/src/hook" -name '*.c' ! -name plugin.c | sort |
        xargs -n 1 -P "$jobs" sh -c '
            ring=${1%/*}
            $CC -std=gnu11 -D_GNU_SOURCE "-DSYSCONFDIR=\"/nonexistent\"" -U_FORTIFY_SOURCE -O1 -g \
                -fno-omit-frame-pointer "-fsanitize=$flags" -c "$1" -o "$work/${ring##*/}-$(basename "$1" .c).o"' sh
}

# link NAME SOURCE...
link()
{
    program=$work/$1
    shift
    # shellcheck disable=SC2086
    compile -rdynamic -o "$program" "$@" "$srcdir/probe_net.c" "$srcdir/probe_text.c" "$work"/*.o -lpthread $DL_LIBS
}

programs()
{
    compile_object &&
        link loop "$srcdir/loop.c" "$srcdir"/loop_[!l]*.c &&
        link chaos "$srcdir/chaos.c" &&
        link storm "$srcdir/storm.c" &&
        link probe "$srcdir/probe.c" "$srcdir"/probe_[!nt]*.c "$srcdir"/probe_t[!e]*.c &&
        link names_crowd "$srcdir/names_crowd.c" &&
        link names_diff "$srcdir"/names_c[!r]*.c "$srcdir/names_diff.c" "$srcdir"/names_[qr]*.c
}

# A handler that runs in the middle of malloc() is the test's own doing.  The sanitizers' own handlers restart no call,
# for which an interrupted connect() would end; what kills the process is seen all the same.
found=$work/found
handlers='handle_segv=0 handle_sigbus=0 handle_sigfpe=0 handle_sigill=0 handle_abort=0'
ASAN_OPTIONS="detect_leaks=0 $handlers log_path=$found"
TSAN_OPTIONS="die_after_fork=0 report_signal_unsafe=0 $handlers log_path=$found"
# At its first finding UBSan sets the path for ASan, not for itself.
UBSAN_OPTIONS="print_stacktrace=1 log_path=$found"
export ASAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS

# reports: what was found since this was last asked, by every process; ASan's warnings are none.
reports()
{
    for file in "$found".*; do
        ! grep -qs -e 'ERROR: ' -e 'WARNING: ThreadSanitizer' "$file" || head -n 60 "$file"
        rm -f "$file"
    done
}

# That it would be seen.
faults_are_seen()
{
    link wrong "$work/wrong.c" && "$work/wrong" >/dev/null 2>&1
    reports >"$work/seen"
    case $sanitizer in
    address) grep -q 'heap-buffer-overflow' "$work/seen" && grep -q 'signed-integer-overflow' "$work/seen" ;;
    *) grep -q 'data race' "$work/seen" ;;
    esac || fault "$sanitizer: no fault is seen"
}

run()
{
    echo "== $1, $sanitizer"
    began=$(date +%s)
    count=$COUNT
    [ "$1" != preload_storm.sh ] || count=50
    COUNT=$count PROBE=$work/probe sh "$srcdir/$1" || fault "$1, $sanitizer"
    reports >"$work/seen"
    if [ -s "$work/seen" ]; then
        fault "$1, $sanitizer: it has findings"
        head -n 200 "$work/seen"
    fi
    echo "== $(($(date +%s) - began)) s"
}

every_test
for sanitizer; do
    flags=$sanitizer
    [ "$sanitizer" != address ] || flags=address,undefined
    programs || {
        fault "$sanitizer: the programs cannot be built"
        continue
    }
    faults_are_seen
    LOOP=$work/loop CHAOS=$work/chaos STORM=$work/storm NAMES_CROWD=$work/names_crowd NAMES_DIFF=$work/names_diff
    UNFIT=$(unfit "$sanitizer") UNFIT_USED=$work/used.$sanitizer
    export LOOP CHAOS STORM NAMES_CROWD NAMES_DIFF UNFIT UNFIT_USED
    : >"$UNFIT_USED"
    for test in ${TESTS:-$(tests "$sanitizer")}; do
        run "$test"
    done
    [ -z "$TESTS" ] || continue
    for command in $UNFIT; do
        grep -qx -e "$command" "$UNFIT_USED" || fault "unfit for $sanitizer, and no test has it: $command"
    done
done
[ "$failed" = 0 ] || echo "FAILED: see above"
exit "$failed"
