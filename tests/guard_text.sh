#!/bin/sh
# SPDX-License-Identifier: ISC
# The shell scripts satisfy shellcheck, the manual pages mandoc.
. "${srcdir:-.}/guard.sh"

need_tool shellcheck
need_tool mandoc

for script in "$top_srcdir"/scripts/* "$top_srcdir"/tests/*.sh "$top_srcdir"/tests/bench/bench.sh "$top_srcdir"/.ci/run; do
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

for page in "$top_srcdir"/doc/*.[157]; do
    [ -f "$page" ] || continue
    mandoc -T lint -W warning "$page" || fault "mandoc: $page"
done
finish
