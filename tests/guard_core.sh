#!/bin/sh
# SPDX-License-Identifier: ISC
# core asks libc for nothing but memory and strings, so it can make no system call, and no object of the library refers
# to a hook by its name, since a bare close() would enter our own.
. "${srcdir:-.}/guard.sh"

need_tool "${NM%% *}"
need_tool "${READELF%% *}"

core=$top_builddir/src/.libs/libcore.a
[ -r "$core" ] || core=$top_builddir/src/libcore.a
need_file "$core"

# _GLOBAL_OFFSET_TABLE_ is the linker's own, __stack_chk_fail the stack protector's.
allowed='^(mem(c(py|cpy|hr|mp)|move|rchr|set)|str(c(at|hr|mp|py|spn)|len|ncat|ncmp|ncpy|nlen|pbrk|rchr|spn|str)|bcmp|'
allowed=$allowed'_GLOBAL_OFFSET_TABLE_|__stack_chk_(fail|guard))$'

$NM -g "$core" | awk 'NF == 3 { print $3 }' | sort -u >"$work/defined"
$NM -u "$core" | awk 'NF == 2 { print $2 }' | sort -u | comm -13 "$work/defined" - >"$work/undefined"
[ -s "$work/defined" ] || fault "$core is empty"
grep -Ev "$allowed" "$work/undefined" >"$work/extra"
faults "core calls" <"$work/extra"

table HOOK FACE >"$work/hooks"
# raw.c and alias.c are the exceptions: they hand what the program calls in another way to the hook of that name.
find "$top_builddir/src/core" "$top_builddir/src/io" "$top_builddir/src/hook" -name '*.o' -path '*/.libs/*' \
    ! -name '*raw.o' ! -name '*alias.o' >"$work/objects"
[ -s "$work/objects" ] || fault "no objects below $top_builddir/src"
while IFS= read -r object; do
    $READELF -rW "$object" | awk '
        /^Relocation section/ { text = ($0 !~ /debug/) }
        text && NF >= 5 { sub(/@.*/, "", $5); print $5 }' | sort -u | comm -12 "$work/hooks" - >"$work/used"
    faults "${object#"$top_builddir/"} refers to a hook by name" <"$work/used"
done <"$work/objects"
finish
