#!/bin/bash
# SPDX-License-Identifier: ISC
# Programs made for musl work with the same object as those for glibc: by name and by address, with blocking and with
# non-blocking sockets, and what they start in turn.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

need_tool musl-gcc
network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080

# made COMPILER: its two programs.
made()
{
    "$1" -std=gnu11 -O2 -o "$work/fetch-$1" "$srcdir/real_fetch.c" 2>"$work/err" &&
        "$1" -std=gnu11 -O2 -o "$work/start-$1" "$srcdir/real_start.c" 2>"$work/err" || fault "$1: $(cat "$work/err")"
    readelf -l "$work/fetch-$1" | grep -q 'interpreter: .*/ld-'"$2" || fault "$1: not for $2"
}

# fetched WHAT EXPECTED REQUEST COMMAND ...
fetched()
{
    local what=$1 want=$2 request=$3
    shift 3
    : >"$work/seen"
    same "$what" "$want" "$(through "$@" 2>&1)"
    same "$what: the proxy" "$request" "$(grep ^request "$work/seen")"
    no_leak "$what"
}

by_musl()
{
    local mode from hello="hello 203.0.113.1 at $target4"
    for mode in '' nonblocking; do
        fetched "musl, name, $mode" "four.example: $hello as four.example" 'request CONNECT name four.example:80' \
            "$work/fetch-musl-gcc" four.example 80 $mode
        fetched "musl, IPv4, $mode" "$target4: $hello as $target4" "request CONNECT ipv4 $target4:80" \
            "$work/fetch-musl-gcc" $target4 80 $mode
        [ "$ipv6" = no ] || fetched "musl, IPv6, $mode" "$target6: hello 2001:db8:2::1 at $target6 as $target6" \
            "request CONNECT ipv6 [$target6]:80" "$work/fetch-musl-gcc" $target6 80 $mode
        fetched "musl, refused, $mode" 'connect: Connection refused' 'request CONNECT name target.example:9' \
            "$work/fetch-musl-gcc" target.example 9 $mode
        fetched "musl, unreachable, $mode" 'connect: Host is unreachable' 'request CONNECT name far.example:80' \
            "$work/fetch-musl-gcc" far.example 80 $mode
    done
    for from in musl-gcc "$glibc"; do
        fetched "$from started from musl" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-musl-gcc" "$work/fetch-$from" four.example 80
        fetched "musl started from $from" "four.example: $hello as four.example" \
            'request CONNECT name four.example:80' "$work/start-$from" "$work/fetch-musl-gcc" four.example 80
    done
}

glibc=gcc
command -v gcc >/dev/null || glibc=cc
made musl-gcc musl
made $glibc linux
start_proxyd
mark_leak
by_musl
finish
