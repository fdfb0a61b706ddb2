#!/bin/sh
# SPDX-License-Identifier: ISC
# What tools say about the sources without running them: gcc -fanalyzer, clang-tidy and cppcheck over src.  (shellcheck
# has guard_text.sh, valgrind memcheck.sh.)  A finding is a fault unless analysis.list has it, with the reason; so is a
# line there that nothing matches any more.
#   analysis.sh [TOOL]...    gcc, tidy, cppcheck
. "${srcdir:-.}/guard.sh"

: "${srcdir:=.}" "${jobs:=$(nproc 2>/dev/null || echo 1)}"
list=$srcdir/analysis.list
flags="-std=gnu11 -D_GNU_SOURCE -I$top_builddir -I$top_srcdir/src"
flags="$flags -iquote $top_srcdir/src/core -iquote $top_srcdir/src/io"
# With config.h the helper has all it needs.
need_file "$top_builddir/config.h"
need_file "$list"
export flags top_srcdir

# each COMMAND: for each source as $1, as many at once as there are processors.
each()
{
    find "$top_srcdir/src" -name '*.c' | sort | xargs -n 1 -P "$jobs" sh -c "$1" sh
}

# All write FILE:LINE:COLUMN: warning: WHAT [ID].  What is a file of its own or a process of its own keeps what the
# tool has to say of it together.
tool_gcc()
{
    need_tool gcc
    # shellcheck disable=SC2016
    each 'gcc $flags "-DSYSCONFDIR=\"/etc\"" -Wall -Wextra -O2 -fanalyzer -c -o /dev/null "$1"' 2>&1
}

# clang-tidy forgets between two files of one process what it has learnt of va_list.
tool_tidy()
{
    need_tool clang-tidy
    # shellcheck disable=SC2016
    each 'clang-tidy --quiet --config-file="$top_srcdir/.clang-tidy" "$1" -- $flags "-DSYSCONFDIR=\"/etc\"" \
        2>/dev/null'
}

# No alloca() is in a loop, and exec has nowhere else to put its arguments.
tool_cppcheck()
{
    need_tool cppcheck
    cppcheck -q -j "$jobs" --std=c11 --enable=warning,performance,portability --suppress=allocaCalled \
        -D_GNU_SOURCE '-DSYSCONFDIR="/etc"' '-DElfW(type)=Elf64_##type' -I"$top_srcdir/src" -I"$top_srcdir/src/core" \
        -I"$top_srcdir/src/io" --template='{file}:{line}:{column}: {severity}: {message} [{id}]' \
        --template-location='' "$top_srcdir/src" 2>&1
}

# judge TOOL: its findings, on standard input, are looked up.  A line of the list is "TOOL FILE ID | part of the line of
# source | reason".
judge()
{
    kinds='error|warning|performance|portability'
    sed -nE "s,^[^ ]*/src/([^:]*):([0-9]+):[0-9]+: ($kinds): (.*) \[([^]]*)\]\$,\1 \2 \5 \4,p" |
        sed 's,^[a-z]*/\.\./,,' | sort -u | while read -r file line id message; do
        source=$(sed -n "${line}p" "$top_srcdir/src/$file")
        known=$(SOURCE=$source awk -F ' *[|] *' -v "key=$1 $file $id" '
            $1 == key && index(ENVIRON["SOURCE"], $2) { print NR; exit }' "$list")
        if [ -n "$known" ]; then
            echo "$known" >>"$work/used"
        else
            echo "src/$file:$line: $message [$1 $id]"
        fi
    done
}

: >"$work/used"
[ $# -gt 0 ] || set -- gcc tidy cppcheck
for tool; do
    "tool_$tool" >"$work/$tool"
    # What did not compile was not looked at.  Some findings of cppcheck are called errors as well.
    case $tool in
    cppcheck) grep -E '\[(syntaxError|unknownMacro|internal[A-Za-z]*Error)\]$' "$work/$tool" ;;
    *) grep -E ': (fatal )?error: ' "$work/$tool" ;;
    esac | faults "$tool"
    judge "$tool" <"$work/$tool" >"$work/found"
    faults "not known" <"$work/found"
    awk -v "tool=$tool" '$1 == tool { print NR }' "$list" | sort >"$work/lines"
    sort -u "$work/used" | comm -23 "$work/lines" - |
        while read -r line; do sed -n "${line}p" "$list"; done >"$work/stale"
    faults "analysis.list has what is found no more" <"$work/stale"
    echo "$tool: $(wc -l <"$work/found") findings not known, $(wc -l <"$work/lines") explained"
done
finish
