#!/bin/bash
# SPDX-License-Identifier: ISC
# make install to a prefix that configure knows nothing of, and by way of DESTDIR: programs go through danted with user
# and password, and make uninstall leaves nothing.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/installed.sh"

# left WHAT DIRECTORY: files that are still there, and directories of ours.
left()
{
    same "$1: left by uninstall" '' "$(find "$2" ! -type d -o -name '*socksify*')"
}

# owned PREFIX: all that is installed is named as the prefix has it, and nothing by another path.
owned()
{
    [ -f "$1/share/man/man1/socksify.1" ] || fault 'no manual page'
    [ "$(grep -c "^socksify_[a-z]*='$1/" "$1/bin/socksify")" = 2 ] ||
        fault "paths in the launcher: $(grep "='/" "$1/bin/socksify")"
    [ -f "$1/share/bash-completion/completions/socksify" ] || fault 'no completion'
    [ -z "$OBJECT32" ] || [ -f "$1/lib/socksify/libsocksify32.so" ] || fault 'no object for 32-bit programs'
}

by_prefix()
{
    local prefix=$work/prefix
    in_tree "$top_builddir" "$prefix" install || return
    owned "$prefix"
    walk "$prefix"
    in_tree "$top_builddir" "$prefix" uninstall && left prefix "$prefix"
}

# A package is made of a tree that is elsewhere until it is installed.
by_stage()
{
    local prefix=$work/final stage=$work/stage
    in_tree "$top_builddir" "$prefix" install DESTDIR="$stage" || return
    [ ! -e "$prefix" ] || fault 'DESTDIR was not heeded'
    mv "$stage$prefix" "$prefix"
    owned "$prefix"
    ! grep -rlF "$stage" "$prefix" >"$work/named" || fault "the stage is named in: $(cat "$work/named")"
    walk "$prefix"
    mv "$prefix" "$stage$prefix"
    in_tree "$top_builddir" "$prefix" uninstall DESTDIR="$stage" && left DESTDIR "$stage"
}

have make curl danted || finish
network
start_httpd
start_leak $proxy4 1081
start_danted username
mark_leak
by_prefix
by_stage
finish
