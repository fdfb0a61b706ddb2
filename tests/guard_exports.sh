#!/bin/sh
# SPDX-License-Identifier: ISC
# The object exports the names of the table, no more and no fewer, and gives them no version: with a named version
# node the loader passes every hook over.
. "${srcdir:-.}/guard.sh"

need_tool "${NM%% *}"
need_tool "${READELF%% *}"
need_file "$OBJECT"

table HOOK FACE >"$work/table"
$NM -D --defined-only "$OBJECT" | sed 's/.* //; s/@.*//' | sort >"$work/exported"

[ -s "$work/table" ] || fault "the table is empty"
uniq -d "$work/table" >"$work/twice"
faults "twice in the table" <"$work/twice"
comm -23 "$work/table" "$work/exported" >"$work/missing"
faults "in the table, not exported" <"$work/missing"
comm -13 "$work/table" "$work/exported" >"$work/extra"
faults "exported, not in the table" <"$work/extra"

$READELF -VW "$OBJECT" >"$work/versions"
if grep -q 'Version definition section' "$work/versions"; then
    fault "the exported names have a version"
fi
$READELF --dyn-syms -W "$OBJECT" | awk '$7 != "UND" && $5 == "GLOBAL" && $4 != "FUNC" { print $8 }' >"$work/data"
faults "exported, not a function" <"$work/data"
finish
