#!/bin/sh
# SPDX-License-Identifier: ISC
# The object names no library that it needs (a glibc in it would kill the programs of musl, and the other way round),
# except libdl.so.2 where only that has dlsym; it is bound at load and has nothing executable and writable.  What
# start-up runs lies together, where the linker could be told.
. "${srcdir:-.}/guard.sh"

need_tool "${READELF%% *}"

: >"$work/expected"
[ -z "${DL_LIBS:-}" ] || echo libdl.so.2 >"$work/expected"

examine()
{
    $READELF -dW "$1" >"$work/dynamic"
    $READELF -lW "$1" >"$work/segments"
    sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' "$work/dynamic" >"$work/needed"
    comm -13 "$work/expected" "$work/needed" >"$work/extra"
    faults "$1 needs" <"$work/extra"
    comm -23 "$work/expected" "$work/needed" >"$work/missing"
    faults "$1 does not name" <"$work/missing"

    grep -Eq 'BIND_NOW|FLAGS_1.*NOW' "$work/dynamic" || fault "$1 is not bound at load"
    grep -q 'GNU_RELRO' "$work/segments" || fault "$1 has no read-only relocations"
    for bad in TEXTREL RPATH RUNPATH; do
        if grep -q "$bad" "$work/dynamic"; then
            fault "$1 has $bad"
        fi
    done
    grep -q 'GNU_STACK' "$work/segments" || fault "$1 does not say that its stack is not executed"
    grep 'RWE' "$work/segments" | faults "$1 has memory that is written and executed"
}

# The list of start.ld names files and functions: those that it knows no more make the part small.
examine_start()
{
    $READELF -SW "$1" | sed 's/^ *\[ *[0-9]*\]//' >"$work/sections"
    start=$(awk '$1 == ".text.start" { print $5 }' "$work/sections")
    rest=$(awk '$1 == ".text" { print $5 }' "$work/sections")
    [ -n "$start" ] || return 0
    part=$((0x$start * 100 / (0x$start + 0x$rest)))
    if [ $part -lt 15 ] || [ $part -gt 33 ]; then
        fault "$1 has $part % of its code in .text.start"
    fi
}

each_object examine
each_object examine_start
finish
