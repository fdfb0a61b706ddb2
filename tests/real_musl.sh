#!/bin/bash
# SPDX-License-Identifier: ISC
# Programs made for musl work with the same object as those for glibc: by name and by address, with blocking and with
# non-blocking sockets, and what they start in turn.  So they do with one that musl-gcc has built.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
# It builds all of src.
export real_limit=300
. "${srcdir:-.}/real.sh"

need_tool musl-gcc
network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080 $proxy4 1024-65535

# made COMPILER: its two programs.
made()
{
    "$1" -std=gnu11 -O2 -o "$work/fetch-$1" "$srcdir/real_fetch.c" 2>"$work/err" &&
        "$1" -std=gnu11 -O2 -o "$work/start-$1" "$srcdir/real_start.c" 2>"$work/err" || fault "$1: $(cat "$work/err")"
    readelf -l "$work/fetch-$1" | grep -q 'interpreter: .*/ld-'"$2" || fault "$1: not for $2"
}

# carried WHAT EXPECTED REQUEST COMMAND ...: with the object.
carried()
{
    local what=$1 want=$2 request=$3
    shift 3
    fetched "$what" "$want" "$request" through "$@"
}

# What musl leaves to chance in its headers is none of a message.
headers()
{
    musl-gcc -std=gnu11 -O2 -o "$work/headers" "$srcdir/real_headers.c" 2>"$work/err" ||
        fault "real_headers.c: $(cat "$work/err")"
    same "$1: message headers" 'a datagram sent: 5
and received: 5
a descriptor sent: 1
and received: 1' "$(through "$work/headers" $target4 7 2>&1)"
    no_leak "$1: message headers"
}

# Sets OBJECT to one of musl's own, built as README has it.
build_by_musl()
{
    local top
    top=$(cd "$top_srcdir" && pwd)
    [ ! -e "$top/config.status" ] || { echo 'not tried: a build in the source tree is in the way' >&2; return 1; }
    mkdir "$work/build" && cd "$work/build" || return
    if ! { "$top/configure" -q CC=musl-gcc CFLAGS=-O0 --enable-werror --without-check && make -s -C src; } \
        >"$work/built" 2>&1; then
        fault "built by musl-gcc: $(tail -n 12 "$work/built")"
        return 1
    fi
    OBJECT=$work/build/src/.libs/libsocksify.so
}

by_musl()
{
    local mode from hello="hello 203.0.113.1 at $target4"
    for mode in '' nonblocking; do
        carried "musl, name, $mode" "four.example: $hello as four.example" 'request CONNECT name four.example:80' \
            "$work/fetch-musl-gcc" four.example 80 $mode
        carried "musl, IPv4, $mode" "$target4: $hello as $target4" "request CONNECT ipv4 $target4:80" \
            "$work/fetch-musl-gcc" $target4 80 $mode
        [ "$ipv6" = no ] || carried "musl, IPv6, $mode" "$target6: hello 2001:db8:2::1 at $target6 as $target6" \
            "request CONNECT ipv6 [$target6]:80" "$work/fetch-musl-gcc" $target6 80 $mode
        carried "musl, refused, $mode" 'connect: Connection refused' 'request CONNECT name target.example:9' \
            "$work/fetch-musl-gcc" target.example 9 $mode
        carried "musl, unreachable, $mode" 'connect: Host is unreachable' 'request CONNECT name far.example:80' \
            "$work/fetch-musl-gcc" far.example 80 $mode
    done
    for from in musl-gcc "$glibc"; do
        carried "$from started from musl" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-musl-gcc" "$work/fetch-$from" four.example 80
        carried "musl started from $from" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-$from" "$work/fetch-musl-gcc" four.example 80
    done
}

glibc=gcc
command -v gcc >/dev/null || glibc=cc
made musl-gcc musl
made $glibc linux
start_proxyd
start "$target" echo $python "$srcdir/real_echo.py" 7
listening "$target" 7 echo u
mark_leak
by_musl
headers 'the object of both'
if build_by_musl; then
    carried "an object of musl's" "four.example: hello 203.0.113.1 at $target4 as four.example" \
        'request CONNECT name four.example:80' "$work/fetch-musl-gcc" four.example 80 nonblocking
    headers "an object of musl's"
fi
finish
