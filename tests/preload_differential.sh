#!/bin/sh
# SPDX-License-Identifier: ISC
# Odd arguments: what a call returns bare it returns under the object, errno and side effects included.
. "${srcdir:-.}/preload.sh"

: "${top_srcdir:=..}"
start_target
start_proxy

# Each function of the table is called by a test that also runs bare, or by one that says what must come of it.
sed -n 's/^\(HOOK\|FACE\)(\(.*\))$/\2/p' "$top_srcdir/src/io/real.def" | while read -r name; do
    case $name in
    # Other names, of functions that the tests of questions and names call: each is one call of its namesake.
    __res_* | res_gethostby*) ;;
    # Of glibc 2.39; the other of the pair is tried where it is there.
    pidfd_spawn) ;;
    *) grep -qw -- "$name" "$srcdir"/*.c || echo "$name" ;;
    esac
done >"$work/uncalled"
if [ -s "$work/uncalled" ]; then bad "no test calls $(tr '\n' ' ' <"$work/uncalled")"; else ok "each is called"; fi

# differ WHERE: with the environment set.
differ()
{
    same "$1: descriptor calls" odd-descriptors
    same "$1: other names" odd-names
    same "$1: pointers that lead nowhere" odd-pointers "127.0.0.1:$echo" "127.0.0.1:$udp"
    same "$1: socket calls" odd-sockets "127.0.0.1:$refusing"
    same "$1: waits" odd-waits "127.0.0.1:$refusing"
    same "$1: reads, writes and options" odd-data "127.0.0.1:$echo"
    same "$1: addresses of every length, TCP" lengths stream "$echo"
    same "$1: addresses of every length, UDP" lengths datagram "$udp"
    same "$1: addresses of every length, local" lengths-unix
    same "$1: getpeername()" peer-sizes "127.0.0.1:$echo"
    same "$1: refusing ports" retry "127.0.0.1:$refusing" "127.0.0.1:$echo"
    said "$1: silence" 0
}

: >"$proxy_log"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state"
differ "all direct"
saw_nothing "all direct"
environment=
differ "no configuration"

# Through the proxy the same holds for TCP.
at_proxy "$proxy"
same "tunnelled: descriptor calls" odd-descriptors
same "tunnelled: other names" odd-names
same "tunnelled: pointers that lead nowhere" odd-pointers "127.0.0.1:$echo" "127.0.0.1:$udp"
same "tunnelled: waits" odd-waits "127.0.0.1:$refusing"
same "tunnelled: reads, writes and options" odd-data "127.0.0.1:$echo"
same "tunnelled: addresses of every length, TCP" lengths stream "$echo"
same "tunnelled: getpeername()" peer-sizes "127.0.0.1:$echo"
same "tunnelled: refusing ports" retry "127.0.0.1:$refusing" "127.0.0.1:$echo"
same "tunnelled: refusing ports, O_NONBLOCK" retry-nonblock "127.0.0.1:$refusing" "127.0.0.1:$echo"
finish
