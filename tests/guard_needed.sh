#!/bin/sh
# SPDX-License-Identifier: ISC
# The object names no library that it needs (a glibc in it would kill the programs of musl, and the other way round),
# except libdl.so.2 where only that has dlsym; it is bound at load and has nothing executable and writable.
. "${srcdir:-.}/guard.sh"

need_tool "${READELF%% *}"
need_file "$OBJECT"

$READELF -dW "$OBJECT" >"$work/dynamic"
$READELF -lW "$OBJECT" >"$work/segments"
sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' "$work/dynamic" >"$work/needed"
[ -z "${DL_LIBS:-}" ] || echo libdl.so.2 >"$work/expected"
[ -f "$work/expected" ] || : >"$work/expected"

comm -13 "$work/expected" "$work/needed" >"$work/extra"
faults "needs" <"$work/extra"
comm -23 "$work/expected" "$work/needed" >"$work/missing"
faults "does not name" <"$work/missing"

grep -Eq 'BIND_NOW|FLAGS_1.*NOW' "$work/dynamic" || fault "not bound at load"
grep -q 'GNU_RELRO' "$work/segments" || fault "no read-only relocations"
for bad in TEXTREL RPATH RUNPATH; do
    if grep -q "$bad" "$work/dynamic"; then
        fault "has $bad"
    fi
done
if grep 'GNU_STACK' "$work/segments" | grep -q 'RWE'; then
    fault "has an executable stack"
fi
finish
