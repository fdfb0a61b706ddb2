#!/bin/sh
# SPDX-License-Identifier: ISC
# bench.sh [NAME]...: the benchmarks of that name, or all; what was measured goes to bench.json, a table to standard
# output.
#
# The method.  A benchmark has cells (what is done) and variants (who does it): the bare program, a client written by
# hand that speaks SOCKS itself, the program under our object, and under the clients of others that are installed.  Each
# run is a fresh process, takes MS milliseconds after what it takes to begin, and measures itself: how much it did, by
# the monotonic clock, and its processor time, by getrusage().  The variants of a cell run one after the other, and all
# of that ROUNDS times (fewer when SECONDS_MAX are over), so that what else the machine does falls on all of them alike;
# the table has medians, and ratios of medians.  A rate on a loaded machine says little, its ratio more, processor time
# most.  All of it happens in a network namespace with nothing but loopback; nothing passes or fails.
#
# A benchmark is bench_NAME.sh, which this reads; `cost` has a method and a table of its own, at the head of
# bench_cost.py.  By row() it adds lines of BENCHMARK, CELL, VARIANT, RATE, NANOSECONDS
# and LOST, separated by tabs; LOST is what never came.  The variant "hand" is what the others are compared with.
set -u
: "${srcdir:=.}" "${builddir:=.}" "${top_builddir:=..}" "${ROUNDS:=5}" "${MS:=60}" "${SECONDS_MAX:=40}"
: "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}"
# The variable of that name is about to go.
: "${LAUNCHER:=${SOCKSIFY:-$top_builddir/scripts/socksify}}"
export LAUNCHER
. "$srcdir/alone.sh"

LC_ALL=C
export LC_ALL
for variable in $(env | sed -n 's/^\(SOCKS[A-Z0-9_]*\)=.*/\1/p') LD_PRELOAD; do
    unset "$variable"
done
work=$(mktemp -d) || exit 99
pids=
clean_up()
{
    for pid in $pids; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM

# row BENCHMARK CELL VARIANT COMMAND ...: a run, and its line; what fails is said, and has no line.
row()
{
    benchmark=$1 cell=$2 variant=$3
    shift 3
    if values=$(timeout -k 1 5 "$@" 2>"$work/error"); then
        printf '%s\t%s\t%s\t%s\n' "$benchmark" "$cell" "$variant" "$(echo "$values" | tr ' ' '\t')" >>"$work/rows"
    else
        printf '%s\t%s\t%s\n' "$benchmark" "$cell" "$variant" >>"$work/rows"
        echo "$benchmark, $cell, $variant: $(tail -n 1 "$work/error")" >>"$work/failed"
    fi
}

# rounds COMMAND: ROUNDS times, or fewer where time runs out.
rounds()
{
    round=0
    while [ $((round += 1)) -le "$ROUNDS" ] && [ $(($(date +%s) - began)) -lt "$SECONDS_MAX" ]; do
        "$@"
    done
}

: >"$work/rows"
: >"$work/failed"
: >"$work/counts"
[ $# -gt 0 ] || set -- cost rules udp
for name; do
    began=$(date +%s)
    # shellcheck source=/dev/null
    . "$srcdir/bench/bench_$name.sh"
done
sort -u "$work/failed" >&2
[ -e "$work/cost.json" ] || echo "[]" >"$work/cost.json"
python3 "$srcdir/bench/bench_table.py" "$work/rows" "$work/counts" "$work/cost.json" "$builddir/bench.json"
