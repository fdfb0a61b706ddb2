#!/bin/sh
# SPDX-License-Identifier: ISC
# Functions of at most 60 lines, files of at most 350 (tests, which are tables: 550), lines of at most 120 characters.
. "${srcdir:-.}/guard.sh"

need_tool ctags
ctags --version | grep -q 'Universal Ctags' || {
    echo "skipped: this ctags does not tell where a function ends" >&2
    exit 77
}

find "$top_srcdir/src" "$top_srcdir/tests" -name '*.[ch]' | sort >"$work/files"
[ -s "$work/files" ] || fault "no files"

while IFS= read -r file; do
    lines=$(wc -l <"$file")
    case $file in "$top_srcdir"/tests/*) most=550 ;; *) most=350 ;; esac
    [ "$lines" -le "$most" ] || echo "$file: $lines lines"
    awk -v file="$file" 'length > 120 { print file ":" NR ": a line of " length " characters" }' "$file"
done <"$work/files" >"$work/long"
for file in HACKING SECURITY benchmarks; do
    awk -v file="$file" 'length > 120 { print file ":" NR ": a line of " length " characters" }' "$top_srcdir/doc/$file"
done >>"$work/long"
faults "too long" <"$work/long"

ctags --languages=C --langmap=C:+.h --kinds-C=f --fields=+ne -L "$work/files" -f "$work/tags" || fault "ctags failed"
awk -F '\t' '!/^!/ {
    start = end = 0
    for (i = 4; i <= NF; i++) {
        if ($i ~ /^line:/) start = substr($i, 6)
        if ($i ~ /^end:/) end = substr($i, 5)
    }
    functions++
    if (!end) print $2 ": " $1 ": end not found"
    else if (end - start + 1 > 60) print $2 ":" start ": " $1 ": " end - start + 1 " lines"
}
END { if (!functions) print "no function found" }' "$work/tags" >"$work/functions"
faults "function" <"$work/functions"
finish
