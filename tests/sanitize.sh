#!/bin/sh
# SPDX-License-Identifier: ISC
# The event-loop tests, the matrix of faults and the storm, with all of the object's sources and the test program linked
# into one instrumented program: of an object that is not instrumented a sanitizer sees nothing.  Run by `make
# check-sanitized`.
#   sanitize.sh SANITIZER...    address, thread
set -u

: "${srcdir:=.}" "${top_srcdir:=..}" "${CC:=cc}" "${COUNT:=600}" "${DL_LIBS:=}"
LINKED=yes
export srcdir COUNT LINKED
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
failed=0

compile()
{
    $CC -std=gnu11 -D_GNU_SOURCE '-DSYSCONFDIR="/nonexistent"' -U_FORTIFY_SOURCE -O1 -g -fno-omit-frame-pointer \
        "-fsanitize=$sanitizer" "$@"
}

# In two rings there are files of one name.  The sanitizer's own start calls dlsym() before instrumented code can run.
compile_object()
{
    rm -f "$work"/*.o
    for file in "$top_srcdir"/src/core/*.c "$top_srcdir"/src/io/*.c "$top_srcdir"/src/hook/*.c; do
        case $file in
        */hook/plugin.c) continue ;;
        esac
        ring=${file%/*}
        compile -c "$file" -o "$work/${ring##*/}-$(basename "$file" .c).o" || return 1
    done
}

# link NAME SOURCE...
link()
{
    program=$work/$1
    shift
    # shellcheck disable=SC2086
    compile -rdynamic -o "$program" "$@" "$srcdir/probe_net.c" "$srcdir/probe_text.c" "$work"/*.o -lpthread $DL_LIBS
}

# Without an object there is none that exec could hand on.  ASan cannot follow the unwinding of a cancelled thread, and
# takes what it leaves behind for a fault; both look at the arrays that are wrong; 10,000 connections of 500 processes
# are beyond TSan's speed.
execs='execs handed starts-beside exec-closing exec-beside killed killed-held'
unfit()
{
    case $1 in
    address) echo vforks $execs bad-pointers cancelled udp-vfork udp-exits udp-cancels ;;
    *) echo vforks $execs bad-pointers come-and-go udp-vfork udp-exits ;;
    esac
}

# A handler that runs in the middle of malloc() is the test's own doing.  The sanitizers' own handlers restart no call,
# for which an interrupted connect() would end; what kills the process is seen all the same.
handlers='handle_segv=0 handle_sigbus=0 handle_sigfpe=0 handle_sigill=0 handle_abort=0'
ASAN_OPTIONS="detect_leaks=0 $handlers"
TSAN_OPTIONS="die_after_fork=0 report_signal_unsafe=0 $handlers"
export ASAN_OPTIONS TSAN_OPTIONS

for sanitizer; do
    if ! compile_object || ! link loop "$srcdir/loop.c" "$srcdir"/loop_[!l]*.c || ! link chaos "$srcdir/chaos.c" ||
        ! link storm "$srcdir/storm.c" ||
        ! link probe "$srcdir/probe.c" "$srcdir"/probe_[!nt]*.c "$srcdir"/probe_t[!e]*.c; then
        failed=1
        continue
    fi
    LOOP=$work/loop CHAOS=$work/chaos STORM=$work/storm PROBE=$work/probe UNFIT=$(unfit "$sanitizer")
    export LOOP CHAOS STORM PROBE UNFIT
    for test in preload_loop.sh preload_loop_life.sh preload_udp_wait.sh preload_chaos.sh; do
        echo "== $test, $sanitizer"
        sh "$srcdir/$test" || failed=1
    done
    for test in preload_udp.sh preload_udp_faults.sh preload_bind.sh preload_faults.sh; do
        echo "== $test, $sanitizer"
        PROBE=$work/probe sh "$srcdir/$test" || failed=1
    done
    echo "== preload_storm.sh, $sanitizer"
    COUNT=50 sh "$srcdir/preload_storm.sh" || failed=1
done
exit "$failed"
