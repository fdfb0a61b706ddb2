#!/bin/sh
# SPDX-License-Identifier: ISC
# Each fuzz target for SECONDS (30), from the inputs that were kept: fuzz.sh [TARGET]...
# What it finds is left in the directory it names.  `KEEP=yes` puts inputs that reach further into the corpus.
set -u

: "${srcdir:=.}" "${top_srcdir:=..}" "${SECONDS_EACH:=30}" "${DL_LIBS:=}" "${KEEP:=}"
export LC_ALL=C
clang=${CLANG:-clang}
command -v "$clang" >/dev/null || {
    echo "skipped: no $clang" >&2
    exit 77
}
work=$(mktemp -d) || exit 99
failed=0
trap '[ "$failed" = 1 ] || rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM

# compile FLAG...: what every target is made with.
compile()
{
    $clang -std=gnu11 -D_GNU_SOURCE '-DSYSCONFDIR="/nonexistent"' -I"$top_srcdir/src" -iquote "$top_srcdir/src/core" \
        -O1 -g -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
        -Wno-gnu-folding-constant "$@"
}

# In two rings there are files of one name.
for file in "$top_srcdir"/src/core/*.c "$top_srcdir"/src/io/*.c; do
    ring=${file%/*}
    compile -fsanitize=fuzzer-no-link -c "$file" -o "$work/${ring##*/}-$(basename "$file" .c).o" || exit 1
done

# fuzz TARGET
fuzz()
{
    mkdir -p "$work/$1/new" "$work/$1/faults"
    # shellcheck disable=SC2086
    compile -o "$work/$1/run" "$srcdir/fuzz/fuzz_$1.c" "$work"/*.o "$srcdir/elf_image.c" $DL_LIBS || return 1
    unpack "$1" || return 1
    printf '%s: ' "$1"
    if ! "$work/$1/run" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
        -artifact_prefix="$work/$1/faults/" "$work/$1/new" "$work/$1/old" >"$work/$1/log" 2>&1; then
        echo "a fault, see $work/$1"
        grep -E 'ERROR|runtime error|Test unit written' "$work/$1/log"
        return 1
    fi
    sed -n 's/^Done \([0-9]*\) runs.*/\1 runs/p' "$work/$1/log"
    [ -z "$KEEP" ] || keep "$1"
}

# A corpus is a file, each line an input in hexadecimal; that of a new target is an empty file.
unpack()
{
    mkdir -p "$work/$1/old"
    [ -f "$srcdir/fuzz/corpus/$1" ] || {
        echo "$1: no $srcdir/fuzz/corpus/$1"
        return 1
    }
    python3 -c 'import sys
for i, line in enumerate(open(sys.argv[1])):
    open(f"{sys.argv[2]}/{i}", "wb").write(bytes.fromhex(line))' "$srcdir/fuzz/corpus/$1" "$work/$1/old"
}

# The fewest inputs that reach as much.
keep()
{
    mkdir -p "$work/$1/kept" "$srcdir/fuzz/corpus"
    "$work/$1/run" -merge=1 "$work/$1/kept" "$work/$1/old" "$work/$1/new" >/dev/null 2>&1 || return
    python3 -c 'import os, sys
for text in sorted(open(f"{sys.argv[1]}/{name}", "rb").read().hex() for name in os.listdir(sys.argv[1])):
    print(text)' "$work/$1/kept" >"$srcdir/fuzz/corpus/$1"
}

[ $# -gt 0 ] || for file in "$srcdir"/fuzz/fuzz_*.c; do
    name=${file##*/fuzz_}
    set -- "$@" "${name%.c}"
done
for target; do
    fuzz "$target" || failed=1
done
exit $failed
