#!/bin/sh
# SPDX-License-Identifier: ISC
# The shell scripts satisfy shellcheck, the manual pages mandoc and what the object has of them, and the tests that doc/SECURITY names are there.
. "${srcdir:-.}/guard.sh"

need_tool shellcheck
need_tool mandoc

for script in "$top_srcdir"/scripts/* "$top_srcdir"/tests/*.sh "$top_srcdir"/tests/bench/*.sh \
    "$top_srcdir"/tests/fuzz/*.sh "$top_srcdir"/tests/suites/*.sh "$top_srcdir"/.ci/run; do
    case $script in
    *.am | *.in | */Makefile) continue ;;
    esac
    [ -f "$script" ] || continue
    # What the others read in is checked as a part of them.
    case $(head -n 1 "$script") in
    '#!'*) ;;
    *) continue ;;
    esac
    shellcheck -S warning -x -P "$top_srcdir:$top_srcdir/tests" "$script" || fault "shellcheck: $script"
done
shellcheck "$top_builddir/scripts/socksify" || fault "shellcheck: scripts/socksify"

need_file "$OBJECT"
for page in "$top_builddir/doc/socksify.1" "$top_builddir/doc/socksify.conf.5" "$top_srcdir/doc/libsocksify.7"; do
    need_file "$page"
    mandoc -T lint -W warning "$page" || fault "mandoc: $page"
    case $page in
    *.7) continue ;;
    esac
    # The system's file is where the object looks for it.
    directory=$(sed -n -e 's|^\.It Pa .*socksify.conf , \(.*\)/socksify.conf$|\1|p' \
        -e '/directory for configuration files/{n;s/^\.Pa \(.*\) \.$/\1/p;}' "$page")
    tr '\0' '\n' <"$OBJECT" | grep -aq "${directory:-none}\$" || fault "$page: the object knows nothing of '$directory'"
done

# What there is to be given is in the manual: options, variables and keys.
manual=$top_srcdir/doc/socksify.1.in
"$top_builddir/scripts/socksify" --help | sed -n 's/^  -/-/p' | sed 's/, -/\n-/' | sed -n 's/^\(--*[a-z-]*\).*/\1/p' |
    sed 's/^--/Fl Fl /; s/^-/Fl /' | sort -u >"$work/options"
sed -n 's/^    { "\([A-Za-z0-9_]*\)", .*/Ev \1/p' "$top_srcdir/src/core/conf_keyword.c" >"$work/variables"
sed -n 's/^    { [^,]*, "\([a-z0-9-]*\)", .*/\1/p' "$top_srcdir/src/core/conf_keyword.c" | sort -u >"$work/keys"
for list in options variables keys; do
    [ "$(wc -l <"$work/$list")" -gt 9 ] || fault "too few $list were found"
done
while read -r word; do
    grep -Eq "^\.It (.* )?$word\b" "$manual" || fault "socksify(1): no $word"
done <"$work/options"
while read -r macro variable; do
    grep -Eq "^\.(It )?$macro (.* )?$variable\b" "$manual" || fault "socksify(1): no $variable"
done <"$work/variables"
while read -r key; do
    grep -Eq "^\.It Ic (.* )?$key\b" "$top_srcdir/doc/socksify.conf.5.in" || fault "socksify.conf(5): no $key"
done <"$work/keys"

# Each `FILE` or `FILE: CASE, CASE` between the brackets of doc/SECURITY, one in a line.
tr '\n' ' ' <"$top_srcdir/doc/SECURITY" | tr '[' '\n' | sed -n 's/\].*//p' | tr ';' '\n' | awk '
    { file = $1; sub(/[:,]$/, "", file) }
    $1 ~ /:$/ { for (i = 2; i <= NF; i++) { sub(/,$/, "", $i); print file, $i } next }
    { for (i = 1; i <= NF; i++) { sub(/,$/, "", $i); print $i } }' >"$work/claims"
[ -s "$work/claims" ] || fault "doc/SECURITY: no tests"
while read -r file case; do
    case $file in
    *.sh | *.c) ;;
    *) file=$file.c ;;
    esac
    grep -q "${case:-.}" "$top_srcdir/tests/$file" 2>/dev/null || fault "doc/SECURITY: no tests/$file${case:+ with $case}"
done <"$work/claims"
finish
