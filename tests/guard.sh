# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# What the guard tests share.  The makefile sets the variables; a guard says each fault in one line and ends with
# `finish`.

set -u
# No configuration file of the caller may decide anything.
XDG_CONFIG_HOME=/nonexistent
export XDG_CONFIG_HOME
LC_ALL=C
export LC_ALL

: "${top_srcdir:=..}" "${top_builddir:=..}" "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}"
: "${OBJECT32:=}" "${NM:=nm}" "${READELF:=readelf}" "${CPP:=cc -E}"

failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

fault()
{
    printf '%s\n' "$*" >&2
    failed=1
}

# Each line of standard input is a fault, said behind the words given.
faults()
{
    while IFS= read -r line; do
        fault "$*: $line"
    done
}

finish()
{
    exit "$failed"
}

# Only a tool that is missing may skip a guard.
need_tool()
{
    command -v "$1" >/dev/null 2>&1 && return
    echo "skipped: no $1" >&2
    exit 77
}

need_file()
{
    [ -r "$1" ] && return
    fault "no $1"
    exit 1
}

# each_object FUNCTION: called with the object, and with the one for 32-bit programs where there is one.
each_object()
{
    need_file "$OBJECT"
    "$1" "$OBJECT"
    [ -n "$OBJECT32" ] || return 0
    need_file "$OBJECT32"
    "$1" "$OBJECT32"
}

# The names in the table: table HOOK FACE ...
table()
{
    need_file "$top_srcdir/src/io/real.def"
    for kind in HOOK FACE USE; do
        case " $* " in
        *" $kind "*) set -- "$@" "-D$kind(fn)=fn" ;;
        *) set -- "$@" "-D$kind(fn)=" ;;
        esac
    done
    while [ "${1#-D}" = "$1" ]; do
        shift
    done
    # shellcheck disable=SC2086
    $CPP -P -x c "$@" "$top_srcdir/src/io/real.def" | tr -s ' ' '\n' | sed '/^$/d' | sort
}
