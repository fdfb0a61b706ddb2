#!/bin/sh
# SPDX-License-Identifier: ISC
# The object exports the names of the table, no more and no fewer, and gives them no version: with a named version
# node the loader passes every hook over.
. "${srcdir:-.}/guard.sh"

need_tool "${NM%% *}"
need_tool "${READELF%% *}"

table HOOK FACE >"$work/table"
[ -s "$work/table" ] || fault "the table is empty"
uniq -d "$work/table" >"$work/twice"
faults "twice in the table" <"$work/twice"

examine()
{
    $NM -D --defined-only "$1" | sed 's/.* //; s/@.*//' | sort >"$work/exported"
    comm -23 "$work/table" "$work/exported" >"$work/missing"
    faults "in the table, not exported by $1" <"$work/missing"
    comm -13 "$work/table" "$work/exported" >"$work/extra"
    faults "exported by $1, not in the table" <"$work/extra"

    $READELF -VW "$1" >"$work/versions"
    if grep -q 'Version definition section' "$work/versions"; then
        fault "the names exported by $1 have a version"
    fi
    $READELF --dyn-syms -W "$1" | awk '$7 != "UND" && $5 == "GLOBAL" && $4 != "FUNC" { print $8 }' >"$work/data"
    faults "exported by $1, not a function" <"$work/data"
}

each_object examine
finish
