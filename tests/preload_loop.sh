#!/bin/sh
# SPDX-License-Identifier: ISC
# A non-blocking connect(), waited for in every way, with a proxy that holds its reply until all is seen that there is to
# see before: the same as with a bare socket whose SYN is held.
. "${srcdir:-.}/loop.sh"

start_loop_target

# bare_matrix NAME ARGUMENT...: the expected lines, into $work/NAME
bare_matrix()
{
    name=$1
    shift
    # A port that was closed may become another program's; then somebody answers who should not.
    for attempt in 1 2 3; do
        bare bare "$@" >"$work/$name" 2>&1 || bad "the bare matrix: $*"
        [ "$1" = refuse ] && [ "$attempt" != 3 ] && grep -q '^  write: [1-9]' "$work/$name" || break
    done
    [ "$(grep -c '^  event' "$work/$name")" -ge 48 ] || bad "the bare matrix has no events: $*"
}
bare_matrix ok accept
bare_matrix ok.early accept early
bare_matrix ok.speaks accept speaks
bare_matrix refused refuse
bare_matrix refused.early refuse early

# matrix NAME EXPECTED ERRNO FLAGS PORT PROXY-OPTION...
matrix()
{
    name=$1
    expected=$2
    errno=$3
    flags=$4
    destination=127.0.0.1:$5
    shift 5
    start_proxy "$@"
    # shellcheck disable=SC2086
    under through "$destination" "$control" $flags
    sed "s/ECONNREFUSED/$errno/" "$work/$expected" >"$work/expected"
    result "$name" "$work/expected"
    clean "$name"
    kill "$proxy_pid"
}

matrix "ok, reply held" ok - "" "$echo" --hold reply
matrix "ok, held after three bytes" ok - "" "$echo" --hold reply:3
matrix "ok, method held" ok.early - early "$echo" --hold method
matrix "ok, registered and waited before" ok.early - early "$echo" --hold reply
matrix "ok, dribbled" ok - "" "$echo" --hold reply --dribble=1
matrix "target speaks first" ok.speaks - speaks "$first" --hold reply
matrix "target speaks first, glued to the reply" ok.speaks - speaks "$first" --hold reply --glue
matrix "refused" refused ECONNREFUSED "" "$echo" --hold reply --refuse 5
matrix "refused, waited before" refused.early ECONNREFUSED early "$echo" --hold reply --refuse 5
matrix "unreachable" refused EHOSTUNREACH "" "$echo" --hold reply --refuse 4
matrix "unreachable, waited before" refused.early EHOSTUNREACH early "$echo" --hold reply --refuse 4
matrix "unreachable, in two bytes" refused EHOSTUNREACH "" "$echo" --hold reply --refuse 4 --short-reply 2
matrix "no method" refused EACCES "" "$echo" --hold method --no-method
matrix "closed" refused ECONNREFUSED "" "$echo" --hold reply --close reply
matrix "reset" refused ECONNREFUSED "" "$echo" --hold reply --rst reply

# Also of microseconds that 32 bits do not hold, which a program has where its times have 64.
start_proxy --hold reply
bare odd-times "127.0.0.1:$full" - >"$work/expected" || bad "bare: odd-times"
under odd-times "127.0.0.1:$echo" "$control"
result "times that are none" "$work/expected"
clean "times that are none"
kill "$proxy_pid"

# until_deadline NAME PROXY-OPTION...
until_deadline()
{
    name=$1
    shift
    start_proxy "$@"
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
    under hang "127.0.0.1:$echo"
    sed "s/ECONNREFUSED/ETIMEDOUT/" "$work/refused" >"$work/expected"
    result "$name" "$work/expected"
    clean "$name"
    kill "$proxy_pid"
}
until_deadline "no reply" --hang reply
until_deadline "no method" --hang method
until_deadline "no accept()" --no-accept

# Direct connections are none of our business.
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state"
under bare accept
result "direct" "$work/ok"
under bare accept early
result "direct, waited before" "$work/ok.early"
under bare refuse
result "direct, refused" "$work/refused"

# Nor are they while another socket of the same waits is connected through a proxy that takes its time: the waits then
# go the slow way.  The address is nobody's.
start_proxy --hang method
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_TIMEOUT=60"
under bare accept beside=192.0.2.1:9
result "direct, beside a handshake" "$work/ok"
under bare accept early beside=192.0.2.1:9
result "direct, waited before, beside a handshake" "$work/ok.early"
under bare accept speaks beside=192.0.2.1:9
result "direct, target speaks first, beside a handshake" "$work/ok.speaks"
under bare refuse beside=192.0.2.1:9
result "direct, refused, beside a handshake" "$work/refused"
finish
